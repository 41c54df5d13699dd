"""The machine observer: how well a classifier distinguishes the real and generated images that people were shown.

It is cross-validated by group, on features and on small pixels. If it fails, the images may not differ visibly at all;
if it succeeds, 'people cannot tell' is a statement about people.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import inventory
from analysis.figures import pictures
from analysis.figures.images import machine_observer as draw
from analysis.images import better, features
from analysis.images.distances import BIASED_BELOW, FloatArray
from analysis.images.features import Images, extractor_key
from analysis.images.pairs import Pair
from analysis.numbers import percent
from analysis.section import AnalysisError, Context, Section, results
from glimpse.images import one_of_each, read, shrink
from glimpse.stimuli import Stimulus, StimulusSet

FOLDS = 5
SIDE = 24  # of the small pixels
EASIEST = 6
RESAMPLES = 2000


def cross_validated(x: FloatArray, generated: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0) -> FloatArray:
    """The probability of being generated, (n,), for images (n, d), from classifiers that never saw the image's group.

    Raises AnalysisError for fewer than two groups of a class and for features that are not finite.

    >>> generated = np.repeat([True, False], 20)
    >>> x = np.where(generated, 1.0, -1.0)[:, None]  # one feature, which separates them
    >>> probability = cross_validated(x, generated, np.arange(40))
    >>> bool((probability[:20] > 0.5).all()), bool((probability[20:] < 0.5).all())
    (True, True)
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features.checked(x)
    few = min(len(set(groups[generated].tolist())), len(set(groups[~generated].tolist())))
    if few < 2:
        raise AnalysisError("The machine observer needs at least two groups of real and two generated images.")
    folds = StratifiedGroupKFold(min(FOLDS, few), shuffle=True, random_state=seed)
    probability = np.full(len(x), 0.5)
    for train, test in folds.split(x, generated, groups):
        if len(set(generated[train].tolist())) < 2:
            continue
        size = min(40, len(train) // 4, x.shape[1])
        model = make_pipeline(
            StandardScaler(), PCA(max(1, size), random_state=seed),
            LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000),
        )  # fmt: skip
        probability[test] = model.fit(x[train], generated[train]).predict_proba(x[test])[:, 1]
    return probability


def accuracy_and_auc(
    probability: FloatArray, generated: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0
) -> dict[str, float]:
    """Balanced accuracy with a 95 % bootstrap interval over groups, and AUC.

    >>> generated = np.array([True, True, False, False])
    >>> found = accuracy_and_auc(np.array([0.9, 0.4, 0.1, 0.3]), generated, np.arange(4))
    >>> found["accuracy"], found["auc"]  # one of two and two of two are right; both orders are
    (0.75, 1.0)
    """
    from sklearn.metrics import roc_auc_score

    right = (probability > 0.5) == generated
    rng = np.random.default_rng(seed)
    means, spread = [], []
    for side in (generated, ~generated):
        _, codes = np.unique(groups[side], return_inverse=True)
        count, hits = np.bincount(codes).astype(float), np.bincount(codes, right[side])
        means.append(right[side].mean())
        if 0 < hits.sum() < count.sum():
            drawn = rng.integers(0, len(count), (RESAMPLES, len(count)))
            spread.append(hits[drawn].sum(1) / count[drawn].sum(1))
        else:  # all right (or wrong), where resampling would claim certainty: Jeffreys' interval on the groups
            right_groups = len(count) * (hits.sum() > 0)
            spread.append(rng.beta(right_groups + 0.5, len(count) - right_groups + 0.5, RESAMPLES))
    low, high = np.quantile(np.mean(spread, axis=0), [0.025, 0.975])
    auc = float(roc_auc_score(generated, probability))
    return {"accuracy": float(np.mean(means)), "low": float(low), "high": float(high), "auc": auc}


def small_pixels(images: Images) -> NDArray[np.float32]:
    """(n, H, W, 3) uint8 to (n, 24 * 24 * 3 + 6): pixels of shrunken images, and the fine grain that shrinking removes.

    Images smaller than 24 x 24 are not resized.

    >>> stripes = np.tile(np.array([0, 0, 90], np.uint8)[:, None], (1, 36, 12, 3))  # two columns of three: 0 and 60
    >>> small_pixels(stripes)[0, [0, 3]].tolist()
    [0.0, 60.0]
    """
    found = []
    for batch in features.batches(images):
        rows, columns = (min(SIDE, side) for side in batch.shape[1:3])
        small = [shrink(image, rows, columns).ravel() for image in batch]
        x = batch.astype(np.float32)
        grain = [np.abs(np.diff(x, axis=axis)).mean((1, 2)) for axis in (1, 2)]
        found.append(np.concatenate([np.asarray(small, np.float32), *grain], axis=1))
    return np.concatenate(found)


@dataclass(frozen=True)
class ScoredSet:
    """The scored stimuli of a set."""

    stimuli: StimulusSet

    @property
    def name(self) -> str:
        return self.stimuli.name

    @property
    def inputs(self) -> dict[str, Any]:
        return {"stimuli": self.stimuli.sha256, "scored": [s.id for s in self.scored]}

    @property
    def scored(self) -> list[Stimulus]:
        return [s for s in self.stimuli.stimuli if not s.practice]

    @property
    def generated(self) -> NDArray[np.bool_]:
        return np.array([s.truth == "generated" for s in self.scored])

    @property
    def groups(self) -> NDArray[np.str_]:
        return np.array([str(s.origin.get("group") or f"image {s.id}") for s in self.scored])

    @property
    def few(self) -> bool:
        """Whether there are too few images of a class, or groups of real ones, to cross-validate."""
        fewest = min(self.generated.sum(), (~self.generated).sum())
        return bool(fewest < 4 or len(set(self.groups[~self.generated].tolist())) < 2)

    def pixels(self) -> NDArray[np.uint8]:
        return _pixels(self.stimuli, [s.file for s in self.scored])


def compute(context: Context) -> Section | None:
    """The observer on every stimulus set, or each generator of one, on pixels and (with torch) on features."""
    section = Section("machine_observer")
    sets = [ScoredSet(one) for one in {one.name: one for one in inventory.shown_sets(context).values()}.values()]
    section.sentences += [f"{one.name}: too few images for a machine observer." for one in sets if one.few]
    rows, per_image, easiest = [], [], []
    key = extractor_key(context) if find_spec("torch") else None
    enough = [one for one in sets if not one.few]
    for one, result in results(section, context, enough, partial(_observe, context=context), key):
        observers: dict[str, Any] = result["observers"]
        name, shown = one.name, one.scored
        section.scores[name] = {"observers": observers, "images": len(shown), "sha256": one.stimuli.sha256}
        rows += [{"set": name, "observer": observer, **found} for observer, found in observers.items()]
        best = better(observers)
        found = observers[best]
        section.sentences.append(_sentence(name, best, found, len(observers)))
        frame = pd.DataFrame({"set": name, "stimulus": [s.id for s in shown], "truth": [s.truth for s in shown]})
        for observer in observers:
            frame[f"generated by {observer}"] = result[f"p_{observer}"]
        per_image.append(frame)
        easiest.append((one, best, partial(_draw_easiest, one.stimuli, frame, f"generated by {best}")))
    if not rows:
        return section if section.sentences else None
    frame = pd.DataFrame(rows)
    section.figure("machine-observer", partial(draw.intervals, frame, "balanced accuracy"))
    for one, best, draw_easiest in easiest:
        section.figure(f"machine-observer-easiest-{one.name}", draw_easiest, "easiest", set=one.name, observer=best)
    section.table("machine-observer", frame)
    section.table("machine-observer-images", pd.concat(per_image, ignore_index=True))
    section.explain(side=SIDE)
    return section


def _sentence(name: str, best: str, found: Mapping[str, Any], tried: int) -> str:
    """The accuracy of the better observer, and whether its interval leaves out chance."""
    tells = "distinguishes" if found["low"] > 0.5 else "does not measurably distinguish"
    of = f", the better of {tried}," if tried > 1 else ""
    return (
        f"{name}: a classifier on {best}{of} {tells} generated from real images: {percent(found['accuracy'], 0)} "
        f"balanced accuracy (95 % interval {percent(found['low'], 0)} to {percent(found['high'], 0)}; chance 50 %)."
    )


def _observe(one: ScoredSet, context: Context) -> dict[str, Any]:
    images, generated, groups = one.pixels(), one.generated, one.groups
    inputs = {"pixels": small_pixels(images)}
    with suppress(ImportError):  # without torch only pixels are used
        extractor = features.extractor_for(context, images[~generated])
        found = features.extract(
            extractor, features.batches(images), len(images), source=features.pixels_sha256(images),
            folder=context.workspace.features, label=one.name,
        )  # fmt: skip
        inputs[f"{extractor.name} features"] = found.values
    return observe(inputs, generated, groups, context.seed)


def observe(
    inputs: Mapping[str, FloatArray], generated: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0
) -> dict[str, Any]:
    """The accuracy of an observer on each kind of input (n, d), and its probability for each image as `p_KIND`."""
    result: dict[str, Any] = {"observers": {}}
    for name, x in inputs.items():
        probability = cross_validated(x, generated, groups, seed)
        result[f"p_{name}"] = probability
        result["observers"][name] = accuracy_and_auc(probability, generated, groups, seed)
    return result


def of_pair(pair: Pair, context: Context, at_most: int = BIASED_BELOW) -> dict[str, Any]:
    """The accuracy of each observer on at most `at_most` real and generated images of a pair."""
    extractor = pair.extractor(context)
    rows = pair.rows_used(pair.against)
    rows = rows[np.sort(one_of_each(pair.groups(rows), np.random.default_rng(context.seed))[:at_most])]
    count = min(pair.scored, at_most)
    both = pair.real_features(extractor, rows, context), pair.generated_features(extractor, context, count)
    images = pair.real_images(rows), pair.generated_images(count)
    own = pair.generated_groups(count)
    groups = [*pair.groups(rows), *([f"generated {i}" for i in range(count)] if own is None else own)]
    inputs = {
        "pixels": np.concatenate([small_pixels(some) for some in images]),
        f"{extractor.name} features": np.concatenate([some.values for some in both]),
    }
    generated = np.arange(len(groups)) >= len(rows)
    return observe(inputs, generated, np.array(groups, str), context.seed)["observers"]


def _pixels(stimuli: StimulusSet, files: list[str]) -> NDArray[np.uint8]:
    return np.stack([read(stimuli.folder / file) for file in files])


def _draw_easiest(stimuli: StimulusSet, frame: pd.DataFrame, column: str) -> Any:
    rows = []
    for truth, ascending in (("generated", False), ("real", True)):
        few = frame[frame["truth"] == truth].sort_values(column, ascending=ascending).head(EASIEST)
        images = _pixels(stimuli, [f"{i}.png" for i in few["stimulus"]])
        certain = few[column] if truth == "generated" else 1 - few[column]
        rows.append((f"easiest {truth}", [(i, f"{p:.2f}") for i, p in zip(images, certain, strict=True)]))
    return pictures.gallery(rows)
