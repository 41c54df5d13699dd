"""A kept result comes back bit for bit, and only to the code that computed it."""

from __future__ import annotations

import functools
import importlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import cache
from analysis.answers.read import read_csv
from analysis.images.features import extractor_key
from analysis.numbers import strict_json
from analysis.report import compose, page
from analysis.section import AnalysisError, Context, Section
from analysis.sections import SECTIONS, reliability, survey
from glimpse.reuse import code_sha256
from glimpse.workspace import Workspace

ROOT = Path(cache.__file__).parents[1]


def through(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """`result` as a second report reads it, from the file."""
    cache.cached(folder, "some", {}, lambda: result)
    return cache.cached(folder, "some", {}, lambda: pytest.fail("computed again"))


def test_a_table_comes_back_with_the_bits_that_went_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    floats = np.concatenate([rng.normal(size=196) / 3, [np.nan, -0.0, 5e-324, 1e-12 / 3]])
    table = pd.DataFrame(
        {
            "float": floats, "single": floats.astype(np.float32), "int": np.arange(200) - 2**62,
            "small": np.arange(200, dtype=np.uint8), "bool": np.arange(200) % 3 == 0,
            "text": [f"mélanome {i}" for i in range(200)], "missing text": [None, "x"] * 100,
            "mixed": pd.Series([None, 1 / 3, 7, "none", True] * 40, dtype=object),
            "may be missing": pd.Series([None, 1 / 3, 1e-17, 0.1] * 50, dtype=object),
        }
    )  # fmt: skip
    back = through(tmp_path, {"table": table.copy()})["table"]
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    assert back["float"].to_numpy().tobytes() == table["float"].to_numpy().tobytes()
    assert [type(v) for v in back["mixed"]] == [type(v) for v in table["mixed"]]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": [], "b": pd.Series([], dtype=int), "c": pd.Series([], dtype=object)}),
        pd.DataFrame({"one": ["a"], 2: [0.1]}),
    ],
    ids=["empty", "no rows", "a number as a name"],
)
def test_small_tables_come_back_as_they_were(table: pd.DataFrame, tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(through(tmp_path, {"table": table.copy()})["table"], table, check_exact=True)


def test_values_and_arrays_come_back_beside_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    result = {
        "n": 3, "none": None, "p": 1e-12 / 3, "nan": float("nan"), "nested": {"low": [0.1, None]},
        "image": rng.integers(0, 255, (2, 3, 3), np.uint8), "flags": np.array([True, False]), "names": np.array(["ä"]),
    }  # fmt: skip
    back = through(tmp_path, dict(result))
    assert list(back) == list(result)
    assert np.isnan(back.pop("nan"))
    for key, value in back.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == np.asarray(result[key]).dtype
            np.testing.assert_array_equal(value, result[key])
        else:
            assert value == result[key]


def test_a_table_with_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has an index"):
        cache.cached(tmp_path, "some", {}, lambda: {"table": pd.DataFrame({"x": [1]}, index=["a"])})


KEYS = """
import sys
from pathlib import Path
from analysis import cache
from analysis.answers.read import read_csv
from analysis.images.features import extractor_key
from analysis.section import Context
root, *formulas = sys.argv[1:]
assert Path(cache.__file__).is_relative_to(root)
def keys():
    cache.computed_by.cache_clear()
    return [cache.key_of(name, {"seed": 0}) for name in %r]
before = keys()
for formula in formulas:
    path = Path(root, formula)
    source = path.read_bytes()
    path.write_bytes(source.replace(b"+", b"-", 1) if b"+" in source else source + b"# changed")
    print(formula, sum(a != b for a, b in zip(before, keys())), sep=":")
    path.write_bytes(source)
    assert keys() == before
"""


def test_a_changed_formula_changes_the_key_of_every_section(tmp_path: Path) -> None:
    """On a copy of the packages: change one source file at a time, among them every section's and what sections use."""
    for package in cache.SOURCES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    sections = [module.replace(".", "/") + ".py" for module in SECTIONS.values()]
    computing = [
        path.relative_to(ROOT).as_posix()
        for folder in ("analysis/images", "analysis/people") for path in sorted((ROOT / folder).rglob("*.py"))
    ]  # fmt: skip
    elsewhere = ["glimpse/observers.py", "glimpse/images.py", "gan_core/sampling.py"]
    formulas = [*sections, *computing, *elsewhere, "glimpse/prepare/checks/differences.py"]
    done = subprocess.run(
        [sys.executable, "-c", KEYS % list(SECTIONS), str(tmp_path), *formulas], env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{formula}:{len(SECTIONS)}" for formula in formulas]


def test_a_changed_caption_or_figure_recomputes_nothing(tmp_path: Path) -> None:
    for package in cache.SOURCES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = code_sha256(tmp_path, cache.SOURCES, cache.DRAWING)
    for drawn in ("analysis/figures/style.py", "analysis/report/page.py", "analysis/report/templates/report.css"):
        (tmp_path / drawn).write_text("changed")
    assert code_sha256(tmp_path, cache.SOURCES, cache.DRAWING) == before


def test_other_libraries_give_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.key_of("quality", {})
    other = {**cache.computed_by(), "libraries": {**cache.library_versions(), "numpy": "9"}}
    monkeypatch.setattr(cache, "computed_by", lambda: other)
    assert cache.key_of("quality", {}) != before


def test_every_section_has_a_template_with_a_title_and_methods() -> None:
    from analysis.section import template

    for name, module in SECTIONS.items():
        found = template(name)
        assert found.title
        assert "methods" in found.texts
        assert callable(importlib.import_module(module).compute)


def test_another_source_of_the_users_own_extractor_is_another_extractor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = set()
    for source in (
        "def features(images): return images.mean((1, 2))",
        "def features(images): return images.max((1, 2))",
    ):
        (tmp_path / "mine_for_the_cache.py").write_text(source)
        found.add(extractor_key(Context(Workspace.at(tmp_path), extractor="mine_for_the_cache:features")))
    assert len(found) == 2
    weights = tmp_path / "weights.pt"
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        found.add(extractor_key(Context(Workspace.at(tmp_path), weights=weights)))
    assert len(found) == 4


def test_a_context_with_another_extractor_has_another_key(tmp_path: Path) -> None:
    """Sections take one for the machine observer; the key is found once for each, not once for both."""
    context = Context(Workspace.at(tmp_path), extractor="random")
    assert extractor_key(context) != extractor_key(replace(context, extractor="imagenet"))


# ------------------------------------------------------------------------------------------------ helpers

two_cores = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="helpers need Linux and a second core"
)


def process_of(folder: Path, number: int) -> dict[str, Any]:
    return cache.cached(folder, "process", {"number": number}, lambda: {"id": os.getpid()})


@two_cores
def test_helpers_fill_the_cache_from_the_last_task_on(tmp_path: Path) -> None:
    tasks = [functools.partial(process_of, tmp_path, number) for number in range(6)]
    last = tmp_path / f"process-{cache.key_of('process', {'number': 5})}.npz"
    first = tasks[0]()
    with cache.helped(tasks):
        until = time.monotonic() + 60
        while not last.is_file() and time.monotonic() < until:
            time.sleep(0.01)
        assert tasks[5]()["id"] != os.getpid()
        assert tasks[0]() == first
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@two_cores
def test_what_a_helper_has_begun_is_not_computed_twice(tmp_path: Path) -> None:
    def slow() -> dict[str, Any]:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(0.3)
        return {"id": os.getpid()}

    def task() -> dict[str, Any]:
        return cache.cached(tmp_path, "slow", {}, slow)

    with cache.helped([task]):
        while not list(tmp_path.iterdir()):
            time.sleep(0.001)
        assert task()["id"] != os.getpid()
    assert len([path for path in tmp_path.iterdir() if path.name.isdecimal()]) == 1
    assert not cache.BEGUN.any()


def test_what_helpers_begin_and_end_meanwhile_stops_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """np.isin looks twice at the memory that they share: an IndexError if a helper began a result in between."""
    monkeypatch.setattr(cache, "BEGUN", np.zeros(512, np.uint64))
    interval, ended = sys.getswitchinterval(), threading.Event()

    def helper() -> None:
        while not ended.is_set():
            cache.BEGUN[3] = np.uint64(2**63 + 7)
            cache.BEGUN[3] = 0

    other = threading.Thread(target=helper)
    sys.setswitchinterval(1e-6)
    other.start()
    try:
        for _ in range(20_000):
            with cache._begun(np.uint64(5)):
                pass
    finally:
        ended.set()
        other.join()
        sys.setswitchinterval(interval)


@two_cores
def test_figures_are_drawn_ahead_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_drawn", lambda draw: {"process": np.array([os.getpid()])})
    draws: list[Any] = [functools.partial(process_of, tmp_path, number) for number in range(4)]
    section = Section("survey", figures={str(number): draw for number, draw in enumerate(draws)})
    keep = functools.partial(cache.cached, tmp_path)
    with page.drawn_ahead([section], keep):
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("figure-*.npz"))) < 4 and time.monotonic() < until:
            time.sleep(0.01)
        assert all(page._kept(draw, keep)["process"] != os.getpid() for draw in draws)


@two_cores
def test_an_error_of_a_helper_is_left_to_the_block_and_one_of_the_block_ends_the_helpers(tmp_path: Path) -> None:
    def fails() -> None:
        raise AnalysisError("not in a helper")

    with cache.helped([functools.partial(process_of, tmp_path, 0), fails]):
        assert process_of(tmp_path, 0)["id"] == os.getpid()
    with pytest.raises(AnalysisError, match="of the block"), cache.helped([fails, functools.partial(time.sleep, 60)]):
        raise AnalysisError("of the block")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@two_cores
def test_a_helper_that_is_stuck_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PATIENCE_S", 0.1)
    begun = time.monotonic()

    def stuck() -> None:
        (tmp_path / "stuck").touch()
        time.sleep(600)

    with cache.helped([functools.partial(process_of, tmp_path, 0), stuck]):
        while not (tmp_path / "stuck").exists():
            time.sleep(0.01)
    assert time.monotonic() - begun < 60
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@two_cores
def test_a_survey_has_the_same_scores_with_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    kinds = [(f"{kind}{i}", kind) for kind in ("real", "generated") for i in range(6)]
    rows = [f"{p},{i},{k},{rng.choice(['real', 'generated'])},{s}" for s in "abcd" for p in range(6) for i, k in kinds]
    (tmp_path / "answers.csv").write_text("\n".join(["participant,image,truth,answer,set", *rows]))
    answers = read_csv(tmp_path / "answers.csv").trials
    found = []
    for folder, least in (("alone", 10**9), ("helped", 1)):
        for module in (survey, reliability, compose):
            monkeypatch.setattr(module, "MANY_ANSWERS", least)
        context = Context(Workspace(tmp_path), responses=answers, cache=tmp_path / folder)
        sections, _ = compose.compute(context, ["survey", "reliability"])
        found.append(json.dumps([strict_json(one.scores) for one in sections], sort_keys=True))
    assert found[0] == found[1]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@two_cores
def test_a_helper_has_no_helpers(tmp_path: Path) -> None:
    def nested() -> None:
        with cache.helped([functools.partial(process_of, tmp_path, 1)]):
            (tmp_path / "within").write_text(str(len(multiprocessing.active_children())))
        (tmp_path / "done").touch()

    with cache.helped([nested]):
        until = time.monotonic() + 60
        while not (tmp_path / "done").exists() and time.monotonic() < until:
            time.sleep(0.01)
    assert (tmp_path / "within").read_text() == "0"
