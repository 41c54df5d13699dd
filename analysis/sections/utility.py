"""What generated images are good for (the paper's reason for it all): do they help a classifier of lesions?

A classifier of two kinds of images is trained on real images, on generated ones, and on both, over the share of real
images it may use, and always tested on real images of held-out groups.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures import quality as draw
from analysis.images.features import checked, extractor_for
from analysis.images.runs import EvaluatedRun, evaluated_runs
from analysis.section import Context, Part
from glimpse.images import evenly

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

TASKS = (("df", "mel"), ("healthy", "eczema"))  # by the runs' experiments
SHARES = (0.1, 0.25, 0.5, 1.0)
SEEDS = 5
IMAGES = 1000  # of each class and kind at most
MEASURES = ("balanced accuracy", "AUC")
FloatArray = NDArray[np.floating[Any]]


def trained_and_tested(
    train: FloatArray, labels: NDArray[Any], test: FloatArray, test_labels: NDArray[Any], seed: int
) -> tuple[float, float]:
    """Balanced accuracy and AUC of a logistic regression on features (n, d) with labels in {0, 1}."""
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
    """Both measures for training on real, generated and both, over the share of real images.

    Each argument holds the two classes' features (n, d) or groups (n,). The interval is over seeds, each of which
    draws other real groups to train on, other generated images, and other test groups (with repetition).
    Returns training, share, measure, mean, low, high.
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
    half = 2.776 * summary["std"]  # Student's t with four degrees of freedom, for another draw of groups and images
    summary["low"], summary["high"] = (summary["mean"] - half).clip(0, 1), (summary["mean"] + half).clip(0, 1)
    return summary.drop(columns="std")


def by_group(groups: NDArray[Any], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` positions, whole groups in random order, the last one cut."""
    order = rng.permutation(np.unique(groups))
    rank = {group: i for i, group in enumerate(order.tolist())}
    return np.argsort([rank[group] for group in groups.tolist()], kind="stable")[:count]


def _stacked(sides: list[FloatArray]) -> tuple[FloatArray, NDArray[Any]]:
    return np.concatenate(sides), np.repeat([0, 1], [len(side) for side in sides])


def _resampled(groups: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """The rows of as many groups as there are, drawn with repetition."""
    names = np.unique(groups)
    return np.concatenate([np.flatnonzero(groups == name) for name in rng.choice(names, len(names))])


def compute(context: Context) -> Part | None:
    """The two tasks, as far as the workspace has a run of both classes with held-out images."""
    found, _ = evaluated_runs(context)
    scores: dict[str, Any] = {}
    sentences, tables, figures, captions = [], {}, {}, {}
    for classes in TASKS:
        runs = [next((r for r in found if r.run.experiment_name == name), None) for name in classes]
        first, second = runs
        if first is None or second is None:
            continue
        if first.size != second.size:
            sentences.append(f"{' against '.join(classes)}: the two runs make images of different sizes.")
            continue
        if min(len(first.rows("test")), len(second.rows("test"))) < 2:
            sentences.append(f"{' against '.join(classes)}: no held-out images to test a classifier on.")
            continue
        name = "-".join(classes)
        task = f"{classes[0]} against {classes[1]}"
        trains = tuple(r.rows("train")[evenly(np.arange(len(r.rows("train"))), IMAGES)] for r in (first, second))
        few = [evenly(r.real_images(rows), 256) for r, rows in zip((first, second), trains, strict=True)]
        extractor = extractor_for(context, np.concatenate(few))
        result = context.cached(
            "utility",
            {"runs": [first.inputs, second.inputs], "size": first.size, "seed": context.seed,
             "extractor": extractor.key},
            partial(_of_task, (first, second), trains, extractor, context),
        )  # fmt: skip
        curves = result["curves"]
        at = curves[(curves["measure"] == "AUC")].set_index(["training", "share"])["mean"]
        scores[name] = {"runs": [first.name, second.name], "curves": curves.to_dict("records")}
        sentences.append(
            f"{task}: AUC on held-out real images {at['real', 1.0]:.2f} trained on all real images, "
            f"{at['generated', 1.0]:.2f} on generated ones, {at['both', 1.0]:.2f} on both; with a tenth of the real "
            f"images {at['real', 0.1]:.2f} without and {at['both', 0.1]:.2f} with generated ones."
        )
        tables[f"utility-{name}"] = curves
        figures[f"utility-{name}"] = partial(draw.utility, curves, "on held-out real images")
        captions[f"utility-{name}"] = (
            f"{task}: a classifier trained on real, generated and both, tested on real images of held-out groups; "
            f"95 % intervals over {SEEDS} seeds (other training groups, generated images and test groups each)."
        )
    if not scores and not sentences:
        return None
    return Part(
        name="utility", title="Use for augmentation", scores=scores, sentences=sentences, tables=tables,
        figures=figures, captions=captions,
        methods=[
            "Augmentation: logistic regression on the images' features, both classes weighted alike; the test images "
            "are real, from groups that neither the generators nor the classifier saw."
        ],
    )  # fmt: skip


def _of_task(
    runs: tuple[EvaluatedRun, ...], trains: tuple[NDArray[np.intp], ...], extractor: Extractor, context: Context
) -> dict[str, Any]:
    def on(rows: NDArray[np.intp], run: EvaluatedRun) -> FloatArray:
        return checked(run.real_features(extractor, rows, context).values)

    real, real_groups = zip(*[(on(t, r), r.groups(t)) for r, t in zip(runs, trains, strict=True)], strict=True)
    asked = [(r, r.rows("test")) for r in runs]
    test, test_groups = zip(*[(on(t, r), r.groups(t)) for r, t in asked], strict=True)
    made = tuple(checked(r.generated_features(extractor, context, IMAGES).values) for r in runs)
    return {"curves": learning_curves(real, real_groups, made, test, test_groups, context.seed)}
