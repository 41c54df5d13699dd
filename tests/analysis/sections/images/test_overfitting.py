"""Claims about Figure 6: the curve is the difference of two means, its interval is over images, the grid is exact."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.figures.images.overfitting import overfitting as draw
from analysis.section import AnalysisError
from analysis.sections.images.overfitting import end_gap, gaps, grid, whole_log


def lines(train: list[float], test: list[float | None], sd: float = 0.2) -> list[dict[str, object]]:
    return [
        {"images": 100 * (i + 1), "d_real_train": a, "d_real_test": b, "d_real_train_sd": sd,
         "d_real_test_sd": None if b is None else sd, "d_real_train_logit": 2 * a,
         "d_real_test_logit": None if b is None else 2 * b}
        for i, (a, b) in enumerate(zip(train, test, strict=True))
    ]  # fmt: skip


def test_the_curve_is_the_difference_of_the_mean_predictions_over_progress() -> None:
    curve = gaps(lines([0.5, 0.6, 0.9], [0.5, 0.5, 0.3]), train=1000, test=50, observed=100)
    assert curve["progress"].tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve["gap"].tolist() == pytest.approx([0, 0.1, 0.6])
    assert curve["logit_gap"].tolist() == pytest.approx([0, 0.2, 1.2])


def test_the_interval_counts_no_more_images_than_there_are() -> None:
    half = 1.959964 * 0.2 * np.sqrt(1 / 100 + 1 / 50)
    curve = gaps(lines([0.9], [0.3]), train=1000, test=50, observed=100)
    assert curve["high"][0] - curve["gap"][0] == pytest.approx(half)
    wider = gaps(lines([0.9], [0.3]), train=1000, test=5, observed=100)
    assert wider["high"][0] > curve["high"][0]


def test_without_held_out_images_there_is_no_curve() -> None:
    assert gaps(lines([0.5, 0.6], [None, None]), train=115, test=0, observed=16).empty


def test_the_end_gap_is_the_mean_of_the_last_tenth() -> None:
    curve = gaps(lines([0.5] * 18 + [0.8, 1.0], [0.5] * 20), train=100, test=50, observed=50)
    assert end_gap(curve)[0] == pytest.approx((0 + 0.3 + 0.5) / 3)


def test_the_grid_has_a_row_for_each_width_and_a_column_for_each_number_of_images() -> None:
    runs = pd.DataFrame(
        {"run": list("abcde"), "d_features": [64, 64, 128, 128, 128], "training_images": [115, 5000, 115, 5000, 5000],
         "gap": [0.5, 0.0, 0.6, 0.1, 0.3]}
    )  # fmt: skip
    table = grid(runs)
    assert list(table) == ["discriminator features", "115 images", "5,000 images"]
    assert table.to_numpy().tolist() == [[64, 0.5, 0.0], [128, 0.6, pytest.approx(0.2)]]


def test_before_the_first_image_there_is_no_curve() -> None:
    assert gaps([{**lines([0.5], [0.5])[0], "images": 0}], train=100, test=50, observed=16).empty


@pytest.mark.parametrize("kept", [0, 1])
def test_a_log_that_lost_its_end_is_named_and_one_of_an_unfinished_run_is_not(tmp_path: Path, kept: int) -> None:
    log = [json.dumps(line) + "\n" for line in lines([0.5, 0.6], [0.5, 0.5])]
    (tmp_path / "config.json").write_text('{"schema": 1, "finished": {"images": 200}}')
    (tmp_path / "log.jsonl").write_text("".join(log))
    assert len(whole_log(tmp_path)) == 2
    (tmp_path / "log.jsonl").write_text("".join(log[:kept]) + log[-1][:20])
    with pytest.raises(AnalysisError, match=f"ends at {100 * kept} of the 200 images"):
        whole_log(tmp_path)
    (tmp_path / "config.json").write_text('{"schema": 1}')
    assert len(whole_log(tmp_path)) == kept


def test_several_runs_are_drawn_in_one_plot_and_many_in_a_panel_each() -> None:
    curves = {str(n): gaps(lines([0.5, 0.9], [0.5, 0.4]), 100, 50, 50) for n in range(10)}
    few = dict(list(curves.items())[:8])
    figure = draw(few)
    assert len(figure.axes) == 1
    assert len([line for line in figure.axes[0].lines if line.get_label() in few]) == 8
    assert [t for ax in draw(curves).axes if (t := ax.get_title("left"))] == list(curves)
