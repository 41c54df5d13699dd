"""Which figures the survey's section has, and of what: between what was computed and `analysis.figures`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from analysis.figures import pictures
from analysis.figures import survey as draw
from analysis.figures import trends as draw_trends
from analysis.figures.style import labels
from analysis.people.dependence import TRENDS, curve, stacked, varies
from analysis.people.trials import Trials
from analysis.section import Context
from analysis.sections import verdicts
from analysis.sections.verdicts import KINDS
from glimpse import observers
from glimpse.files import read_json

GALLERY, GALLERY_PIXELS = 6, 160  # images of each class and set in the gallery, and their size


def all_of(
    context: Context, people: Mapping[str, pd.DataFrame], answers: Mapping[str, Trials], scores: Mapping[str, Any],
    by_image: Mapping[str, pd.DataFrame], rows: Mapping[str, pd.DataFrame],
) -> tuple[dict[str, Callable[[], Figure]], dict[str, str]]:  # fmt: skip
    drawn: dict[str, Callable[[], Figure]] = {}
    captions: dict[str, str] = {}
    shown = labels(people)
    columns = []
    for name, table in people.items():
        f1 = table["f1"].to_numpy(float)
        if np.isfinite(f1).any():
            values, weights = observers.f1_null(answers[name].counts(), context.positive)
            positive = answers[name].is_generated == (context.positive == "generated")
            always = 2 * float(positive.mean()) / (1 + float(positive.mean()))
            paper = verdicts.paper_f1(name, context.positive)
            columns.append(draw.Column(shown[name], f1[np.isfinite(f1)], values, weights, always, paper))
    if columns:
        drawn["figure-10"] = partial(draw.figure_ten, columns, context.positive, context.seed)
        captions["figure-10"] = caption_ten(columns, context.positive)
    estimates = [e for name in scores for e in interval_of(shown[name], scores[name])]
    if estimates:
        drawn["accuracy"] = partial(draw.accuracy_intervals, estimates, context.bound)
    space = [
        (shown[n], t["hit_rate"].to_numpy(float), t["false_alarm_rate"].to_numpy(float)) for n, t in people.items()
    ]
    space = [one for one in space if np.isfinite(one[1] + one[2]).any()]
    if space:
        drawn["answers"] = partial(draw.answer_space, space, context.seed)
    drawn["image-rates"] = partial(draw_trends.image_rates, [(shown[n], table) for n, table in by_image.items()])
    panels = []
    for trend in TRENDS:
        curves = {n: curve(np.asarray(trend.of(rows[n]), float), answers[n]) for n in rows if varies(trend, rows[n])}
        points = stacked({shown[n]: c for n, c in curves.items() if len(c) > 1})
        if len(points):
            panels.append((trend.label, "x", points))
    if panels:
        drawn["dependence"] = partial(draw_trends.trends, panels)
        captions["dependence"] = (
            f"Accuracy along {', '.join(label.partition(',')[0] for label, _, _ in panels)}, with 95 % intervals; "
            "where there are many values, by fifths of the trials."
            + (" Each panel is a set, the others thin and grey behind it." if len(rows) > 1 else "")
        )
    for name in by_image:
        gallery = gallery_of(context, name, by_image[name])
        if gallery:
            drawn[f"gallery-{name}"] = partial(pictures.gallery, gallery)
            captions[f"gallery-{name}"] = (
                f"{name}: the generated images that fooled most people, and the real ones most doubted."
            )
    return drawn, captions


def gallery_of(
    context: Context, name: str, by_image: pd.DataFrame
) -> list[tuple[str, list[tuple[NDArray[np.uint8], str]]]]:
    """The images that fooled people most, generated and real, with what people said; nothing without the files."""
    folder = context.workspace.root / "stimuli" / name
    if name not in context.workspace.names("stimuli"):
        return []
    files = {stimulus["id"]: stimulus["file"] for stimulus in read_json(folder / "manifest.json")["stimuli"]}
    found = []
    for truth, title in (("generated", "generated, and taken for real"), ("real", "real, and taken for generated")):
        best = by_image[(by_image["truth"] == truth) & by_image["image"].isin(list(files))].head(GALLERY)
        shown = []
        for image in best.to_dict("records"):
            wrong = image["seen"] - image["called_generated"] if truth == "generated" else image["called_generated"]
            with Image.open(folder / files[image["image"]]) as file:
                file.thumbnail((GALLERY_PIXELS, GALLERY_PIXELS), Image.Resampling.BOX)
                shown.append((np.asarray(file.convert("RGB")), f"{wrong} of {image['seen']}"))
        if shown:
            found.append((title, shown))
    return found


def caption_ten(columns: Sequence[draw.Column], positive: str) -> str:
    """What Figure 10 shows, and what was left out of it."""
    crowded = [c.name for c in columns if len(c.f1) > draw.MOST_DOTS]
    return (
        f"Figure 10. F1 of '{positive}' by set: the box is the three quartiles, the cross the mean, each dot a "
        "participant, the grey shape what these participants would get by guessing, with as many answers of "
        "each kind as they gave."
        + (" The diamond is the mean that the paper reports." if any(c.paper_mean for c in columns) else "")
        + (f" Of {', '.join(crowded)} {draw.MOST_DOTS} participants are drawn, at random." if crowded else "")
    )


def interval_of(name: str, one: dict[str, Any]) -> list[draw.Estimate]:
    """The row of the plot of intervals; none where there is no interval."""
    balanced = one["balanced_accuracy"]
    if balanced["mean"] is None or balanced["ci95"] is None:
        return []
    return [
        draw.Estimate(
            name, balanced["mean"], tuple(balanced["ci95"]), one["equivalence"]["ci90"],
            KINDS[one["equivalence"]["verdict"]],
        )
    ]  # fmt: skip
