"""Use for augmentation, the paper's motivation: whether generated images help to train a classifier of lesions.

A classifier of two kinds of images is trained on real images, on generated ones, and on both, with varying shares of
the real images, and always tested on real images of held-out groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures.images import utility as draw
from analysis.images.distances import FloatArray
from analysis.images.features import checked, extractor_for, extractor_key
from analysis.images.runs import EvaluatedRun, evaluated_runs
from analysis.section import Context, Section, results
from glimpse.images import evenly

TASKS = (("df", "mel"), ("healthy", "eczema"))  # by the runs' experiments
SHARES = (0.1, 0.25, 0.5, 1.0)
SEEDS = 5
MEASURES = ("balanced accuracy", "AUC")


def trained_and_tested(
    train: FloatArray, labels: NDArray[Any], test: FloatArray, test_labels: NDArray[Any], seed: int
) -> tuple[float, float]:
    """Balanced accuracy and AUC of a logistic regression on features (n, d) with labels in {0, 1}.

    >>> x, labels = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> trained_and_tested(x, labels, x, np.array([0, 1, 1, 1]), seed=0)  # one of three is below the middle
    (0.8333333333333333, 1.0)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000, random_state=seed)
    )
    model.fit(train, labels)
    probability = model.predict_proba(test)[:, 1]
    return (
        float(balanced_accuracy_score(test_labels, probability > 0.5)),
        float(roc_auc_score(test_labels, probability)),
    )


def learning_curves(
    real: tuple[FloatArray, ...], groups: tuple[NDArray[Any], ...], generated: tuple[FloatArray, ...],
    test: tuple[FloatArray, ...], test_groups: tuple[NDArray[Any], ...], seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Both measures for training on real images, generated images and both, by the share of real images.

    Each argument holds the two classes' features (n, d) or groups (n,). The interval is over seeds; each draws
    different real groups to train on, different generated images, and different test groups (with replacement). Returns
    training, share, measure, mean, low, high.

    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.normal(0, 1, (40, 2)), rng.normal(9, 1, (40, 2))
    >>> groups = (np.arange(40), np.arange(40))
    >>> curves = learning_curves((one, other), groups, (other, one), (one, other), groups)  # generated: swapped
    >>> curves.query("share == 1 and measure == 'AUC' and training != 'both'")["mean"].tolist()
    [1.0, 0.0]
    """
    rows = []
    for share in SHARES:
        for repeat in range(SEEDS):
            rng = np.random.default_rng([seed, repeat])
            few = [x[by_group(g, max(2, round(share * len(g))), rng)] for x, g in zip(real, groups, strict=True)]
            made = [x[rng.permutation(len(x))[: max(2, len(x) * 4 // 5)]] for x in generated]
            asked = [x[_resampled(g, rng)] for x, g in zip(test, test_groups, strict=True)]
            for training, sides in (
                ("real", few), ("generated", made), ("both", [np.concatenate(p) for p in zip(few, made, strict=True)]),
            ):  # fmt: skip
                found = trained_and_tested(*_stacked(sides), *_stacked(asked), repeat)
                for measure, value in zip(MEASURES, found, strict=True):
                    rows.append({"training": training, "share": share, "measure": measure, "value": value})
    table = pd.DataFrame(rows).groupby(["training", "share", "measure"], sort=False)["value"]
    summary = table.agg(["mean", "std"]).reset_index()
    half = 2.776 * summary["std"]  # Student's t with four degrees of freedom, for a new draw of groups and images
    summary["low"], summary["high"] = (summary["mean"] - half).clip(0, 1), (summary["mean"] + half).clip(0, 1)
    return summary.drop(columns="std")


def by_group(groups: NDArray[Any], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` positions: whole groups in random order, the last one in part.

    >>> found = by_group(np.array(["a", "a", "b", "b"]), 2, np.random.default_rng(0))
    >>> found.tolist() in ([0, 1], [2, 3])
    True
    """
    order = rng.permutation(np.unique(groups))
    rank = {group: i for i, group in enumerate(order.tolist())}
    return np.argsort([rank[group] for group in groups.tolist()], kind="stable")[:count]


def _stacked(sides: list[FloatArray]) -> tuple[FloatArray, NDArray[Any]]:
    return np.concatenate(sides), np.repeat([0, 1], [len(side) for side in sides])


def _resampled(groups: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """The rows of as many groups as there are, drawn with replacement."""
    names = np.unique(groups)
    return np.concatenate([np.flatnonzero(groups == name) for name in rng.choice(names, len(names))])


@dataclass(frozen=True)
class Task:
    """Two runs whose classes a classifier distinguishes."""

    classes: tuple[str, str]
    runs: tuple[EvaluatedRun, EvaluatedRun]

    @property
    def name(self) -> str:
        return "-".join(self.classes)

    @property
    def title(self) -> str:
        return f"{self.classes[0]} against {self.classes[1]}"

    @property
    def inputs(self) -> dict[str, Any]:
        return {"runs": [run.inputs for run in self.runs]}


def compute(context: Context) -> Section | None:
    """The section, with each task for which the workspace has runs of both classes and held-out images."""
    section = Section("utility")
    tasks = []
    for one in _tasks(evaluated_runs(context)[0]):
        first, second = one.runs
        if first.size != second.size:
            section.sentences.append(f"{one.title}: the two runs make images of different sizes.")
        elif min(len(first.rows("test")), len(second.rows("test"))) < 2:
            section.sentences.append(f"{one.title}: no held-out images to test a classifier on.")
        else:
            tasks.append(one)
    for task, result in results(section, context, tasks, partial(_of_task, context=context), extractor_key(context)):
        curves = result["curves"]
        at = curves[(curves["measure"] == "AUC")].set_index(["training", "share"])["mean"]
        section.scores[task.name] = {
            "runs": [run.name for run in task.runs], "curves": curves.to_dict("records")
        }  # fmt: skip
        section.sentences.append(
            f"{task.title}: AUC on held-out real images {at['real', 1.0]:.2f} trained on all real images, "
            f"{at['generated', 1.0]:.2f} on generated ones, {at['both', 1.0]:.2f} on both; with a tenth of the real "
            f"images {at['real', 0.1]:.2f} without and {at['both', 0.1]:.2f} with generated ones."
        )
        name = f"utility-{task.name}"
        section.figure(name, partial(draw.utility, curves, "on held-out real images"), "utility", task=task.title,
                       seeds=SEEDS)  # fmt: skip
        section.table(name, curves)
    if not section.scores and not section.sentences:
        return None
    section.explain()
    return section


def _tasks(found: list[EvaluatedRun]) -> list[Task]:
    """Each task with a run of both classes; of several runs the first."""
    by_name = {run.run.experiment_name: run for run in reversed(found)}
    return [Task((a, b), (by_name[a], by_name[b])) for a, b in TASKS if a in by_name and b in by_name]


def _of_task(task: Task, context: Context) -> dict[str, Any]:
    trains = [run.rows_used("train") for run in task.runs]
    few = [evenly(run.real_images(rows), 256) for run, rows in zip(task.runs, trains, strict=True)]
    extractor = extractor_for(context, np.concatenate(few))

    def on(rows: NDArray[np.intp], run: EvaluatedRun) -> FloatArray:
        return checked(run.real_features(extractor, rows, context).values)

    real, real_groups = zip(*[(on(t, r), r.groups(t)) for r, t in zip(task.runs, trains, strict=True)], strict=True)
    test, test_groups = zip(*[(on(t, r), r.groups(t)) for r in task.runs for t in [r.rows_used("test")]], strict=True)
    made = tuple(checked(run.generated_features(extractor, context, run.scored).values) for run in task.runs)
    return {"curves": learning_curves(real, real_groups, made, test, test_groups, context.seed)}
