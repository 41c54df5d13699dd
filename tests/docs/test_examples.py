"""The code of docs/examples.md and docs/extending.md works as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from analysis.images import extractors
from analysis.report import compose
from analysis.section import Context
from gan_core import experiments
from glimpse import EXTRAS
from glimpse.workspace import Workspace
from study_app import texts
from study_app.definition.study_toml import parse_study
from tests.test_installed import ABSENT

DOCS = Path(__file__).parents[2] / "docs"

SAID = {
    "Accuracy": r"^0\.696, 95 % interval 0\.655 to 0\.737: detectable",
    "KID": r"KID \d.*p = 0\.001",
    "Does a generator copy": r"3\d% copies",
    "How often": r"people can tell, in \d+%",
    "A stimulus set": r"study_app load mine",
}


def block(page: str, heading: str, language: str = "python") -> str:
    """The one block of code in the section of a page whose heading begins so."""
    (section,) = [s for s in (DOCS / page).read_text("utf-8").split("\n## ") if s.startswith(heading)]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return found


def module(heading: str) -> ModuleType:
    """The example of docs/extending.md as a module."""
    made = ModuleType("example")
    exec(compile(block("extending.md", heading), heading, "exec"), made.__dict__)
    return made


@pytest.mark.parametrize("heading", SAID)
def test_an_example_says_what_it_promises(
    heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block("examples.md", heading), heading, "exec"), {})
    assert re.search(SAID[heading], capsys.readouterr().out)


def test_every_example_is_run() -> None:
    assert (DOCS / "examples.md").read_text("utf-8").count("```python") == len(SAID)


def test_an_example_that_does_not_name_the_extra_train_runs_without_it(tmp_path: Path) -> None:
    sections = {s.partition("\n")[0]: s for s in (DOCS / "examples.md").read_text("utf-8").split("\n## ")[1:]}
    code = [block("examples.md", heading) for heading, section in sections.items() if "`[train]`" not in section]
    assert len(code) == 3
    command = [sys.executable, "-c", "\n".join([ABSENT, *code]), ",".join(EXTRAS["train"])]
    path = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_experiment_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "EXPERIMENTS", dict(experiments.EXPERIMENTS))
    module("An experiment")
    assert experiments.experiment_named("naevi").more == {"batch": 32}
    assert experiments.experiment_named("age-skin").makes == ("old", "young")


def test_a_metric_is_a_function_of_features(capsys: pytest.CaptureFixture[str]) -> None:
    module("A metric")
    assert capsys.readouterr().out.startswith("1.414")


def test_an_extractor_is_a_function_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(block("extending.md", "A feature extractor"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert extractors.load("mine:colours").dims == 6


def test_a_section_is_computed_with_the_others(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compose.SECTIONS, "workload", "workload")
    monkeypatch.setitem(sys.modules, "workload", module("A section"))
    rows = pd.DataFrame({"participant": ["ann", "ann", "bob", "bob"]})
    (section,), absent = compose.compute(Context(workspace, responses=rows), ["workload"])
    assert (section.scores, absent) == ({"median": 2.0}, {})
    assert compose.compute(Context(workspace), ["workload"])[0] == []


def test_a_question_is_a_table_of_the_study_file() -> None:
    years, effort = parse_study(tomllib.loads(block("extending.md", "A question", "toml"))).questions
    assert (len(years.options), effort.scale, effort.after) == (3, 5, True)


def test_a_language_begins_with_a_file_of_every_text(tmp_path: Path) -> None:
    (tmp_path / "it.po").write_bytes(texts.template("it"))
    with pytest.raises(ValueError, match=r"it\.po lacks \d+ of \d+ texts"):
        texts.read_language(tmp_path / "it.po", "it")
