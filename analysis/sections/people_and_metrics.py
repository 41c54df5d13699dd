"""The section `joined`: people and metrics side by side, set by set in one table, image by image as rank correlations.

It asks whether a distance, a discriminator or a classifier agrees with people. For each answered stimulus set, human
scores are shown beside KID, Fréchet distance, memorisation and the machine observer; for each image, the rate at which
it was called generated beside its realism, its distance to the nearest training image, the discriminator's output and
the machine observer's probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis import CALIBRATION, inventory
from analysis.figures import trends as figures
from analysis.images import better
from analysis.images.distances import NEIGHBOURS, euclidean, radius
from analysis.images.features import extractor_key
from analysis.images.pairs import GENERATED, POOLED, ResizedImages, features_of_real, rows_used
from analysis.images.translation import published_from
from analysis.numbers import LEVEL, corrected_over, decimal, ends
from analysis.people import significance
from analysis.section import AnalysisError, Context, OptionError, Section, in_paper_order, noted
from glimpse.files import GlimpseError, read_json, sha256_file
from glimpse.images import evenly, read
from glimpse.imageset import ImageSet
from glimpse.observers import Floats
from glimpse.stimuli import StimulusSet

CORRELATION = "Spearman's rho, Fisher z with Bonett and Wright's standard error, over images; p_holm over all of them"
FEWEST = 5  # images for a correlation
MEASURES = {
    "realism": "realism score",
    "nearest_training": "distance to training",
    "discriminator": "discriminator (up: real)",
    "machine": "machine: P(generated)",
}


# ------------------------------------------------------------------------------------------------ pure


def rank_correlation(x: Any, y: Any) -> dict[str, Any]:
    """Spearman's rho with its 95 % interval (Fisher z; standard error of Bonett & Wright 2000).

    Pairs with a NaN are left out. Values are None, with a note, if fewer than five are left or one side is constant.

    >>> found = rank_correlation([1, 2, 3, 4, 5, np.nan], [1, 2, 3, 5, 4, 6])
    >>> found["n"], round(found["rho"], 3)  # 1 - 6 * (1 + 1) / (5 * 24)
    (5, 0.9)
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    both = np.isfinite(x) & np.isfinite(y)
    x, y, n = x[both], y[both], int(both.sum())
    nothing = {"n": n, "rho": None, "ci95": None, "p": None}
    if n < FEWEST:
        return {**nothing, "note": f"fewer than {FEWEST} images"}
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return {**nothing, "note": "one side does not vary"}
    found = stats.spearmanr(x, y)
    rho = float(found.statistic)
    inside = float(np.clip(rho, -0.999999, 0.999999))
    half = 1.959964 * np.sqrt((1 + inside**2 / 2) / (n - 3))
    low, high = np.tanh([np.arctanh(inside) - half, np.arctanh(inside) + half])
    return {"n": n, "rho": rho, "ci95": [float(low), float(high)], "p": float(found.pvalue)}


def realism(real: Floats, generated: Floats) -> Floats:
    """The realism score, (n,): max over real images r of radius(r) / distance(g, r); above 1 inside their manifold.

    Kynkäänniemi et al. 2019, eq. 2. `real` (m, d), `generated` (n, d) features. As in the paper, the half of the real
    images with the larger radii is not used: real images are rare there.

    >>> real = np.arange(8.0)[:, None]  # the third nearest is 2 away, but 3 at both ends, which are not used
    >>> realism(real, np.array([[2.5], [7.0]])).tolist()
    [4.0, 2.0]
    """
    radii = radius(real)
    dense = radii <= np.median(radii)
    away = euclidean(generated, real[dense])
    return np.asarray((radii[dense][None, :] / np.maximum(away, 1e-12)).max(axis=1))


def nearest_distance(reference: Floats, images: Floats) -> Floats:
    """Distance of each of `images` (n, d) to the nearest of `reference` (m, d).

    >>> nearest_distance(np.array([[0.0], [4.0]]), np.array([[1.0], [9.0]])).tolist()
    [1.0, 5.0]
    """
    return np.asarray(euclidean(images, reference).min(axis=1))


# ------------------------------------------------------------------------------------------------ the section


def compute(context: Context, sections: Mapping[str, Section]) -> Section | None:
    """The section; None if no answered set is among the workspace's stimulus sets."""
    survey = sections.get("survey")
    if survey is None:
        return None
    published = inventory.shown_sets(context)
    made = {
        name: published_from(context, name, published[name].made_from) for name in survey.scores if name in published
    }
    if not made:
        return None
    table = set_table(survey.scores, made, {name: one.scores for name, one in sections.items()})
    section = Section("joined", {"sets": [_noted(row) for row in table.to_dict("records")]})
    qualities = sections["quality"].scores.values() if "quality" in sections else ()
    random = any(one["extractor"] == "random" for one in qualities)
    section.table("people-and-metrics", table, random=random)
    by_image, section.sentences = _images(context, survey.tables["images"], made)
    if not by_image.empty:
        if "machine_observer" in sections:
            by_image = with_machine(by_image, sections["machine_observer"].tables)
        correlations = correlate(by_image)
        section.sentences += in_words(correlations)
        section.scores["images"] = [{**row, "method": CORRELATION} for row in correlations.to_dict("records")]
        section.figure("metrics-by-image", partial(figures.scatter, by_image, MEASURES), random=random)
        section.table("rank-correlations", correlations)
        section.table("images-and-metrics", by_image)
    section.explain(by_image=not by_image.empty, neighbours=NEIGHBOURS, most=max(map(most_real, made.values())))
    return section


def in_words(correlations: pd.DataFrame) -> list[str]:
    """Sentences on the measures that correlate with people's answers to the generated images."""
    rows = correlations[(correlations["truth"] == "generated") & (correlations["p_holm"].astype(float) < LEVEL)]
    found = [
        f"{MEASURES[row['measure']].partition(' (')[0]} in {row['set']} (ρ = {decimal(row['rho'])}, 95 % interval "
        f"{ends(row['low'], row['high'], digits=2)})"
        for row in rows.to_dict("records")
    ]
    if found:
        corrected = corrected_over(correlations["p_holm"], "correlation")
        return [f"How often a generated image was called generated correlates with: {'; '.join(found)}; {corrected}."]
    if correlations.loc[correlations["truth"] == "generated", "p_holm"].isna().all():
        return ["No correlation of a measure with how often generated images were called generated can be tested."]
    return ["No measure of the generated images measurably correlates with how often people called them generated."]


def _noted(row: dict[Any, Any]) -> dict[Any, Any]:
    missing = [str(key) for key, value in row.items() if value is None or value != value]
    return noted(row, f"not computed for this set's run: {', '.join(missing)}")


def set_table(
    survey: Mapping[str, Any], made: Mapping[str, Mapping[str, Any]], parts: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """One row per set: people's scores, and the metrics of the run that its images come from."""
    rows = []
    for name, origin in made.items():
        one = survey[name]
        row: dict[str, Any] = {"set": name, "run": origin.get("run")}
        row |= {"accuracy": one["accuracy"]["mean"], "d_prime": one["d_prime"]["population"], "f1": one["f1"]["mean"]}
        machines = parts.get("machine_observer", {}).get(name, {}).get("observers", {})
        row["machine_accuracy"] = machines[better(machines)]["accuracy"] if machines else None
        for label, part, path in COLUMNS:
            row[label] = _number_at(
                parts.get(part, {}), (origin.get("pair"), origin.get("direction"), origin.get("run")), path
            )
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.dropna(axis=1, how="all")


COLUMNS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("kid", "quality", ("kid",)),
    ("frechet", "quality", ("frechet",)),
    ("memorised_share", "memorisation", ("share",)),
)


def _number_at(scores: Mapping[str, Any], names: tuple[str | None, ...], path: tuple[str, ...]) -> float | None:
    """The number under the first of `names` that the section holds; None if it holds none."""
    for name in filter(None, names):
        found: Any = scores.get(name)
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, (int, float)):
            return float(found)
    return None


def with_machine(by_image: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The images with a machine observer's probability of 'generated': on features if there is one, else on pixels."""
    judged = tables.get("machine-observer-images", pd.DataFrame(columns=["set", "stimulus"]))
    observers = [str(c) for c in judged if c not in ("set", "stimulus", "truth")]
    if not observers:
        return by_image
    best = next((c for c in observers if c.endswith("features")), observers[0])
    renamed = judged[["set", "stimulus", best]].rename(columns={"stimulus": "image", best: "machine"})
    return by_image.merge(renamed, on=["set", "image"], how="left")


def correlate(by_image: pd.DataFrame) -> pd.DataFrame:
    """One row per set, class and measure: the rank correlation of the rate 'called generated' with the measure.

    `p_holm` is corrected over all rows, because the report tests all of them.
    """
    rows = []
    for name, truth in product(in_paper_order(by_image["set"]), sorted(set(by_image["truth"]))):
        images = by_image[(by_image["set"] == name) & (by_image["truth"] == truth)]
        for measure in MEASURES:
            if measure in images and images[measure].notna().any():
                found = rank_correlation(images["rate"], images[measure])
                low, high = found.pop("ci95") or (None, None)
                rows.append({"set": name, "truth": truth, "measure": measure, **found, "low": low, "high": high})
    tested = [row["p"] for row in rows if row["p"] is not None]
    holm = iter(significance.holm(tested))
    return pd.DataFrame([{**row, "p_holm": None if row["p"] is None else next(holm)} for row in rows])


# ------------------------------------------------------------------------------------------------ reading


def _images(
    context: Context, rates: pd.DataFrame, made: Mapping[str, Mapping[str, Any]]
) -> tuple[pd.DataFrame, list[str]]:
    """The measures of each answered image; a notice names the sets without them."""
    found, missing = [], []
    for name, origin in made.items():
        try:
            measures = _measured(context, name, origin)
        except OptionError:
            raise
        except (ImportError, GlimpseError) as error:
            reason = f"needs {error.name}" if isinstance(error, ImportError) else str(error)
            missing.append(f"{name}: no measures image by image ({reason}).")
            continue
        mine = rates[rates["set"] == name]
        found.append(mine.merge(measures, on="image", how="inner"))
    return (pd.concat(found, ignore_index=True) if found else pd.DataFrame()), missing


def _measured(context: Context, name: str, origin: Mapping[str, Any]) -> pd.DataFrame:
    """Realism, nearest training image and discriminator output of each scored stimulus of a set; cached."""
    stimuli = inventory.shown_sets(context)[name]
    if "image_set" not in origin:
        raise AnalysisError("it was not published from an image set of the workspace")
    facts = {"name": origin["image_set"], "sha256": origin.get("images_sha256")}
    pair = origin.get("pair") is not None
    real = inventory.published_images(context, origin) if pair else inventory.trained_on(context, facts)
    if real is None:
        raise AnalysisError(f"its image set '{origin['image_set']}' is gone, damaged or was made again")
    run = None if origin.get("run") is None else context.workspace.root / "runs" / str(origin["run"])
    checkpoint = None if run is None else run / "checkpoint.pt"
    inputs = {
        "stimuli": [stimuli.sha256, *(s.id for s in stimuli.stimuli)], "images": real.manifest["files"],
        "checkpoint": sha256_file(checkpoint) if checkpoint is not None and checkpoint.is_file() else None,
        "seed": context.seed, "extractor": extractor_key(context),
    }  # fmt: skip
    measures: pd.DataFrame = context.cached("joined", inputs, lambda: {"table": _measure(context, stimuli, real, run)})[
        "table"
    ]
    return measures


def most_real(origin: Mapping[str, Any]) -> int:
    """The number of training images that represent all: those whose features other sections compute as well."""
    return POOLED if "generated" in origin else GENERATED


def _measure(context: Context, stimuli: StimulusSet, real: ImageSet, run: Path | None) -> pd.DataFrame:
    from analysis.images.features import batches, extract, extractor_for, pixels_sha256

    scored = [s for s in stimuli.stimuli if not s.practice]
    pixels = np.stack([read(stimuli.folder / s.file) for s in scored])
    generated = np.array([s.truth == "generated" for s in scored])
    shown = {s.origin.get("image_id") for s in scored if s.truth == "real"}
    size = stimuli.height, stimuli.width
    train, test = (rows_used(real, split, most_real(stimuli.made_from), context.seed) for split in ("train", "test"))
    rows = train[~real.index["image_id"].iloc[train].isin(shown).to_numpy()]
    if len(rows) <= NEIGHBOURS:
        raise AnalysisError("too few training images besides those shown")
    calibration = evenly(ResizedImages(real.images, real.where("train"), *size), CALIBRATION)
    extractor = extractor_for(context, calibration)
    pool = np.sort(np.concatenate([train, test]))  # the rows whose features the other sections have computed
    x = features_of_real(extractor, real, pool, size, context).take(np.searchsorted(pool, rows)).values.astype(float)
    y = extract(
        extractor, batches(pixels), len(pixels), source=pixels_sha256(pixels), folder=context.workspace.features,
        label=stimuli.name,
    ).values.astype(float)  # fmt: skip
    frame = pd.DataFrame({"image": [s.id for s in scored], "nearest_training": nearest_distance(x, y)})
    frame["realism"] = np.where(generated, realism(x, y), np.nan)
    if run is not None and (run / "checkpoint.pt").is_file():
        frame["discriminator"] = _judged(run, stimuli.made_from["image_set"], pixels)
    return frame


def _judged(run: Path, domain: str, pixels: NDArray[np.uint8]) -> Floats:
    """The discriminator's logits, (n,), of images (n, H, W, 3)."""
    import torch

    from gan_core.training.checkpoint import load_discriminator
    from gan_core.training.data import to_signed

    domains = read_json(run / "config.json")["image_sets"]
    named = next((d for d, facts in domains.items() if facts["name"] == domain), None)
    discriminator = load_discriminator(run, named)
    with torch.no_grad():
        logits = [
            discriminator(to_signed(torch.from_numpy(pixels[i : i + 64].copy()))) for i in range(0, len(pixels), 64)
        ]
    return torch.cat(logits).double().reshape(len(pixels), -1).mean(dim=1).numpy()
