"""Figure 6: the gap between the discriminator's outputs on training and on test images, over the training.

The section reads the log of each run and needs no torch. The end gaps by discriminator width and number of training
images test the paper's finding that overfitting depends on the size of the data set rather than on capacity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import inventory
from analysis.figures.images import overfitting as draw
from analysis.numbers import signed
from analysis.section import AnalysisError, Context, Section, results
from glimpse.files import read_json
from glimpse.runs.confidence import chosen_when_saturated, confidence
from glimpse.runs.log import read_log

END = 0.1  # of the training, over which the end gap is averaged
Z = 1.959964  # of a 95 % interval


def whole_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log. Raises AnalysisError if the end of the log of a finished training is missing."""
    lines, finished = read_log(folder / "log.jsonl"), read_json(folder / "config.json").get("finished")
    reached = max((line["images"] for line in lines), default=0)
    if finished and reached < finished["images"]:
        raise AnalysisError(
            f"its log.jsonl ends at {reached:,} of the {finished['images']:,} images of the training: restore it from "
            "a backup, or train the run again."
        )
    return lines


def gaps(lines: Sequence[dict[str, Any]], train: int, test: int, observed: int, suffix: str = "") -> pd.DataFrame:
    """Mean D(train) - mean D(test) of the sigmoid outputs at every tick, with a 95 % interval over images.

    `lines`: of log.jsonl; `train`, `test`: numbers of images; `observed`: number shown at a tick, of which at most as
    many as there are images count as independent. `suffix`: `_DOMAIN` for a run with two discriminators.
    Returns progress, images, gap, low, high, logit_gap; empty if nothing was held out, or nothing shown yet.

    >>> line = {"images": 600, "d_real_train": 0.75, "d_real_test": 0.5, "d_real_train_sd": 0.3, "d_real_test_sd": 0.4}
    >>> line |= {"d_real_train_logit": 1.5, "d_real_test_logit": 0}
    >>> curve = gaps([line], train=100, test=100, observed=25)  # standard error: 0.5 / 5
    >>> curve.round(3).to_dict("records")
    [{'progress': 1.0, 'images': 600, 'gap': 0.25, 'low': 0.054, 'high': 0.446, 'logit_gap': 1.5}]
    """
    rows = []
    total = max((line["images"] for line in lines), default=0)
    for line in lines if total else ():

        def of(what: str, line: dict[str, Any] = line) -> list[float]:
            found = [line.get(f"d_real_{side}{what}{suffix}") for side in ("train", "test")]
            return [np.nan if value is None else float(value) for value in found]

        means, logits, sds = of(""), of("_logit"), of("_sd")
        gap = means[0] - means[1]
        if np.isnan(gap):
            continue
        error = np.sqrt(sum(sd**2 / max(1, min(observed, n)) for sd, n in zip(sds, (train, test), strict=True)))
        rows.append(
            {"progress": line["images"] / total, "images": line["images"], "gap": gap, "low": gap - Z * error,
             "high": gap + Z * error, "logit_gap": logits[0] - logits[1]}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["progress", "images", "gap", "low", "high", "logit_gap"])


def end_gap(curve: pd.DataFrame) -> tuple[float, float, float]:
    """The gap over the last tenth of the training: mean, low, high.

    The ticks show the same images to nearly the same network, so the interval is that of one tick, not of their mean.

    >>> end_gap(pd.DataFrame({"progress": [0.5, 1.0], "gap": [0.0, 0.25], "low": [-0.1, 0.125], "high": [0.1, 0.5]}))
    (0.25, 0.125, 0.5)
    """
    last = curve[curve["progress"] >= 1 - END]
    return float(last["gap"].mean()), float(last["low"].mean()), float(last["high"].mean())


def grid(runs: pd.DataFrame) -> pd.DataFrame:
    """End gaps with a row for each discriminator width and a column for each number of training images.

    `runs`: run, d_features, training_images, gap; several runs of one cell are averaged.

    >>> runs = pd.DataFrame({"d_features": [8, 8, 8], "training_images": [100, 100, 900], "gap": [0.25, 0.75, 0.125]})
    >>> grid(runs).to_dict("records")
    [{'discriminator features': 8, '100 images': 0.5, '900 images': 0.125}]
    """
    table = runs.pivot_table(index="d_features", columns="training_images", values="gap", aggfunc="mean")
    table.columns = [f"{int(n):,} images" for n in table.columns]
    return table.reset_index().rename(columns={"d_features": "discriminator features"})


def compute(context: Context) -> Section | None:
    """The curves of all runs in one plot, and the grid of their end gaps."""
    section = Section("overfitting")
    curves: dict[str, pd.DataFrame] = {}
    rows: list[dict[str, Any]] = []
    for _, result in results(section, context, inventory.runs(context), _of_run, None):
        section.sentences += result["notes"]
        rows += result["rows"]
        curves |= {row["run"]: result[f"curve of {row['run']}"] for row in result["rows"]}
    if not rows:
        return section if section.sentences else None
    table = pd.DataFrame(rows)
    worst = max(rows, key=lambda row: row["gap"])
    section.sentences.insert(0, _sentence(worst, len(table)))
    section.scores |= {
        str(row["run"]): {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}
        for row in rows
    }
    section.figure("overfitting", partial(draw.overfitting, curves))
    section.table("overfitting", table)
    if len(table) > 1:
        section.table("overfitting-grid", grid(table))
    section.explain()
    return section


def _of_run(one: inventory.FoundRun) -> dict[str, Any]:
    """Notes, and each curve with a row of its end gap: a cyclic run has one for each domain."""
    name, run = one.name, one.run
    lines = whole_log(one.folder)
    notes: list[str] = []
    rows: list[dict[str, Any]] = []
    curves: dict[str, pd.DataFrame] = {}
    if (found := confidence(lines)) and found.state != "in balance":
        notes.append(f"{name}: {found.sentence(asdict(run.settings))}")
    if chosen_when_saturated(lines):
        notes.append(
            f"{name}: the generator with the best score comes from a tick with an overconfident discriminator."
        )
    domains = [run.experiment.target] if run.experiment.scheme != "cyclic" else list(run.experiment.domains)
    for domain in domains if lines else ():
        facts = run.image_sets[domain]
        label = name if len(domains) == 1 else f"{name} ({domain})"
        if not facts["test"]:
            notes.append(f"{label}: no held-out images, so overfitting cannot be seen (`--test-share` above 0).")
            continue
        train, test = int(facts["train"]), int(facts["test"])
        shown = min(run.settings.batch, test) * run.settings.observe_batches
        curve = gaps(lines, train, test, shown, f"_{domain}" if len(domains) > 1 else "")
        if curve.empty:
            continue
        gap, low, high = end_gap(curve)
        curves[f"curve of {label}"] = curve
        rows.append(
            {"run": label, "discriminator": found.state if found else None, "d_features": run.settings.d_features,
             "training_images": train, "test_images": test, "gap": gap, "low": low, "high": high,
             "logit_gap": float(curve["logit_gap"].iloc[-1])}
        )  # fmt: skip
    return {"notes": notes, "rows": rows, **curves}


def _sentence(worst: Mapping[str, Any], runs: int) -> str:
    """A sentence on the largest gap of all runs, and on whether its interval excludes zero."""
    gap, low, high = (signed(worst[key], "z.2f") for key in ("gap", "low", "high"))
    rates = "rates training images above test images" if worst["low"] > 0 else (
        "does not measurably rate training images above test images"
    )  # fmt: skip
    return (
        f"At the end of training the discriminator {rates} in {worst['run']}, which has {worst['training_images']:,} "
        f"training images: gap {gap} ({low} to {high})" + (", the largest of all runs." if runs > 1 else ".")
    )
