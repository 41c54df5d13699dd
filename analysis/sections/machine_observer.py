"""The machine observer: how much is there to see in a stimulus set, for whoever can look at every pixel?

A classifier learns to tell the real from the generated images that people were shown, cross-validated by group, on
features and on small pixels. Where it fails, people are not to be blamed; where it succeeds, 'people cannot tell'
is a statement about people.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from analysis.figures import pictures
from analysis.figures import quality as draw
from analysis.images import features
from analysis.section import AnalysisError, Context, Part
from glimpse.stimuli import StimulusSet

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

FOLDS = 5
SIDE = 24  # of the small pixels
EASIEST = 6
RESAMPLES = 2000
FloatArray = NDArray[np.floating[Any]]


def cross_validated(x: FloatArray, generated: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0) -> FloatArray:
    """Probability of being generated for each of n images (n, d), from classifiers that never saw its group: (n,).

    Raises AnalysisError with fewer than two groups of either kind, and for features that are not finite.
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


def accuracy(
    probability: FloatArray, generated: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0
) -> dict[str, float]:
    """Balanced accuracy with a 95 % bootstrap interval over groups, and AUC."""
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


def small_pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, H, W, 3) uint8 to (n, 24 * 24 * 3 + 6): small pixels, and the fine grain that shrinking loses."""
    small = [np.asarray(Image.fromarray(i).resize((SIDE, SIDE), Image.Resampling.BOX)).ravel() for i in images]
    x = images.astype(np.float32)
    grain = [np.abs(np.diff(x, axis=axis)).mean((1, 2)) for axis in (1, 2)]
    return np.concatenate([np.asarray(small, np.float32), *grain], axis=1)


def compute(context: Context) -> Part | None:
    """The observer on every stimulus set, on pixels and (where torch is installed) on features."""
    rows: list[dict[str, Any]] = []
    per_image, sentences = [], []
    scores: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    captions: dict[str, str] = {}
    for name in context.workspace.names("stimuli"):
        stimuli = StimulusSet.load(context.workspace.existing("stimuli", name))
        shown = [s for s in stimuli.stimuli if not s.practice]
        generated = np.array([s.truth == "generated" for s in shown])
        groups = np.array([str(s.origin.get("group") or f"image {s.id}") for s in shown])
        if min(generated.sum(), (~generated).sum()) < 4 or len(set(groups[~generated].tolist())) < 2:
            sentences.append(f"{name}: too few images for a machine observer.")
            continue
        images = _pixels(stimuli, [s.file for s in shown])
        extractor = _extractor(context, images[~generated])
        result = context.cached(
            "machine_observer",
            {"stimuli": stimuli.sha256, "seed": context.seed, "extractor": extractor and extractor.key},
            partial(_observe, context, extractor, images, generated, groups),
        )  # fmt: skip
        scores[name] = {"observers": result["observers"], "images": len(shown), "sha256": stimuli.sha256}
        for observer, found in result["observers"].items():
            rows.append({"set": name, "observer": observer, **found})
        best = max(result["observers"], key=lambda key: result["observers"][key]["auc"])
        found = result["observers"][best]
        sentences.append(
            f"{name}: a classifier on {best} tells generated from real images in {found['accuracy']:.0%} of cases "
            f"(95 % interval {found['low']:.0%} to {found['high']:.0%}, chance 50 %)."
        )
        frame = pd.DataFrame({"set": name, "stimulus": [s.id for s in shown], "truth": [s.truth for s in shown]})
        for observer in result["observers"]:
            frame[f"generated by {observer}"] = result[f"p_{observer}"]
        per_image.append(frame)
        key = f"machine-observer-easiest-{name}"
        figures[key] = partial(_draw_easiest, stimuli, frame, f"generated by {best}")
        captions[key] = (
            f"{name}: the images that the classifier on {best} finds easiest, with its probability of the truth."
        )
    if not rows:
        return Part("machine_observer", "The machine observer", {}, sentences) if sentences else None
    frame = pd.DataFrame(rows)
    captions |= {
        "machine-observer": "Balanced accuracy of the machine observers with 95 % intervals over groups.",
        "machine-observer-images": "Probability of being generated that each observer gives each stimulus.",
    }
    return Part(
        name="machine_observer", title="The machine observer", scores=scores, sentences=sentences,
        tables={"machine-observer": frame, "machine-observer-images": pd.concat(per_image)},
        figures={"machine-observer": partial(draw.intervals, frame, "balanced accuracy"), **figures}, captions=captions,
        methods=[
            "Machine observer: logistic regression on the principal components of the images' features, or of "
            f"{SIDE} x {SIDE} pixels with the mean gradient of each channel; cross-validated so that no photo, person "
            "or lesion is on both sides; interval by resampling groups."
        ],
    )  # fmt: skip


def _extractor(context: Context, real: NDArray[np.uint8]) -> Extractor | None:
    """None without torch, where the pixels alone speak."""
    try:
        return features.extractor_for(context, real)
    except ImportError:
        return None


def _observe(
    context: Context, extractor: Extractor | None, images: NDArray[np.uint8], generated: NDArray[np.bool_],
    groups: NDArray[Any],
) -> dict[str, Any]:  # fmt: skip
    inputs = {"pixels": small_pixels(images)}
    if extractor is not None:
        found = features.extract(extractor, features.batches(images), len(images), progress=context.progress)
        inputs[f"{extractor.name} features"] = found.values
    result: dict[str, Any] = {"observers": {}}
    for name, x in inputs.items():
        probability = cross_validated(x, generated, groups, context.seed)
        result[f"p_{name}"] = probability
        result["observers"][name] = accuracy(probability, generated, groups, context.seed)
    return result


def _pixels(stimuli: StimulusSet, files: list[str]) -> NDArray[np.uint8]:
    images = []
    for file in files:
        with Image.open(stimuli.folder / file) as image:
            images.append(np.asarray(image.convert("RGB")))
    return np.stack(images)


def _draw_easiest(stimuli: StimulusSet, frame: pd.DataFrame, column: str) -> Any:
    rows = []
    for truth, ascending in (("generated", False), ("real", True)):
        few = frame[frame["truth"] == truth].sort_values(column, ascending=ascending).head(EASIEST)
        images = _pixels(stimuli, [f"{i}.png" for i in few["stimulus"]])
        certain = few[column] if truth == "generated" else 1 - few[column]
        rows.append((f"easiest {truth}", [(i, f"{p:.2f}") for i, p in zip(images, certain, strict=True)]))
    return pictures.gallery(rows)
