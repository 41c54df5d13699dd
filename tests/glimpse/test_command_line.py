"""The command lines as a whole: help, version, workspace, completion, errors, and commands that can be pasted."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from glimpse.command_line import Parser, analysis_command, pasteable, program, version
from glimpse.workspace import Workspace

PROGRAMS = ("gan_core.cli", "study_app.cli", "analysis.report.__main__", "analysis.power")
HEAVY = {"numpy", "PIL", "pandas", "scipy", "matplotlib", "torch", "flask", "sqlalchemy", "tqdm", "argcomplete"}


def parsers(parser: argparse.ArgumentParser) -> Iterator[Parser]:
    """A parser and, depth first, those of its subcommands."""
    assert isinstance(parser, Parser)
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from parsers(child)


def every_parser() -> list[Parser]:
    return [parser for name in PROGRAMS for parser in parsers(importlib.import_module(name).build_parser())]


def refused(parser: Parser, words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(words)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_every_option_of_every_command_is_explained() -> None:
    for parser in every_parser():
        assert parser.description, parser.prog
        for action in parser._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), (parser.prog, action.dest)
        assert "--workspace" in parser._option_string_actions


@pytest.mark.parametrize("module", PROGRAMS)
def test_help_loads_nothing_heavy_and_takes_under_half_a_second(module: str) -> None:
    script = f"import sys, {module} as m\nm.build_parser().format_help()\nprint(*sys.modules)"
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not HEAVY & set(output.split())
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5  # seconds of processor time


@pytest.mark.parametrize("module", PROGRAMS)
def test_the_version_is_that_of_the_package(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(module).main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"glimpse-study {version()}\n"


def test_a_subcommand_tells_the_version_too(capsys: pytest.CaptureFixture[str]) -> None:
    for parser in every_parser():
        with pytest.raises(SystemExit) as stop:
            parser.parse_args(["--version"])
        assert (stop.value.code, capsys.readouterr().out) == (0, f"glimpse-study {version()}\n"), parser.prog


@pytest.mark.parametrize(
    "words",
    [
        ["--workspace", "W", "prepare", "phantom"],
        ["prepare", "--workspace", "W", "phantom"],
        ["prepare", "phantom", "--workspace", "W"],
    ],
)
def test_the_workspace_may_be_named_at_each_level(words: list[str]) -> None:
    from gan_core.cli import build_parser

    assert build_parser().parse_args(words).workspace == "W"
    assert build_parser().parse_args(["prepare", "phantom"]).workspace is None


def test_a_misspelt_word_is_answered_with_the_nearest_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    from gan_core.cli import build_parser

    for words, sentence in (
        (["trian"], "error: argument COMMAND: 'trian' is unknown: did you mean 'train'? See `gan_core --help`.\n"),
        (["prepare", "phantom", "--count", "4"], "error: unknown argument '--count': choose from: --help, --workspace"),
        (["train", "--preest", "demo"], "error: unknown argument '--preest': did you mean '--preset'? "),
        (["train", "--preset=modrn"], "error: argument --preset: 'modrn' is unknown: did you mean 'modern'? "),
        (
            ["prepare", "hands", "x", "--tset-share=1"],
            "did you mean '--test-share'? See `gan_core prepare hands --help`.",
        ),
        (["sample"], "error: the following arguments are required: RUN|FILE. See `gan_core sample --help`.\n"),
    ):
        message = refused(build_parser(), words, capsys)
        assert sentence in message
        assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "words", "reason"),
    [
        ("analysis.power", "--accuracy high", "argument --accuracy: 'high' is not a number."),
        ("study_app.cli", "serve --port http", "argument --port: 'http' is not a whole number."),
        ("gan_core.cli", "prepare phantom --seed 1.5", "argument --seed: '1.5' is not a whole number."),
        ("gan_core.cli", "prepare patches --mask-threshold soft", "argument --mask-threshold: 'soft' is not a number."),
    ],
)
def test_a_value_that_is_no_number_is_called_so(
    module: str, words: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """argparse says 'invalid level value', by the name of a function."""
    assert reason in refused(importlib.import_module(module).build_parser(), words.split(), capsys)


@pytest.mark.parametrize("script", ["glimpse-report", "glimpse-power", "glimpse-compare"])
def test_an_installed_script_is_named_as_it_was_called(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside a user's own package `analysis`, the form `python -m analysis.report` does not work."""
    (entry,) = entry_points(group="console_scripts", name=script)
    module, called = importlib.import_module(entry.module), Path("/opt/bin") / script
    for written, named in (
        (called, script),
        (called.with_suffix(".exe"), script),
        (Path("x.py"), "python -m analysis."),
    ):
        monkeypatch.setattr(sys, "argv", [str(written)])
        assert module.build_parser().format_usage().startswith(f"usage: {named}")
    monkeypatch.setattr(sys, "argv", [str(called)])
    assert f"See `{script} --help`.\n" in refused(module.build_parser(), ["--sede", "x"], capsys)


def test_the_next_step_beside_another_package_analysis_is_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert analysis_command("report") == ["python", "-m", "analysis.report"]
    (tmp_path / "analysis").mkdir()
    assert analysis_command("report")[0] == "python", "a folder that is no package hides nothing"
    (tmp_path / "analysis" / "__init__.py").touch()
    assert analysis_command("report") == ["glimpse-report"]
    monkeypatch.chdir(Path(__file__).parents[2])
    assert analysis_command("power")[0] == "python", "in a checkout, it is ours"


def test_every_python_prints_the_same_usage_and_defaults() -> None:
    parser = program("glimpse x", "A\nsentence.", "rows:\n  a   " + "word " * 20)
    parser.add_argument("file", nargs="*", metavar="FILE", help="files")
    parser.add_argument("-n", "--count", type=int, default=3, metavar="N", help="how many")
    parser.add_argument("--label", nargs="+", required=True, metavar="[A=]B", help="labels")
    text = parser.format_help()
    assert text.startswith("usage: glimpse x [FILE ...] --label [A=]B [[A=]B ...] [options]\n\nA sentence.\n")
    assert "  -n, --count N " in text
    assert "how many (default: 3)" in text
    assert "\n      word word" in text  # continued under the second column


def completions(line: str, answer: Path) -> set[str]:
    """The words that gan_core offers a shell which asks for completions of a line."""
    asking = {
        "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": " ", "COMP_LINE": line, "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
    }  # fmt: skip
    script = "from gan_core.cli import main; main()"
    subprocess.run([sys.executable, "-c", script], env={**os.environ, **asking}, check=True, timeout=60)
    return set(answer.read_text().split())


def test_commands_options_and_names_in_the_workspace_are_completed(tmp_path: Path) -> None:
    for name in ("df", "mel"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text("{}")
    answer = tmp_path / "answer"
    assert completions("gan_core tra", answer) == {"train", "translate"}
    assert completions("gan_core publish --tr", answer) == {"--truncation"}
    assert {"df", "mel"} <= completions(f"gan_core --workspace {tmp_path} publish ", answer)


@pytest.mark.parametrize("module", PROGRAMS)
def test_the_shells_global_hook_recognises_the_programs(module: str) -> None:
    source = Path(importlib.import_module(module).__file__ or "").read_text("utf-8")
    assert "PYTHON_ARGCOMPLETE_OK" in source[:1024]


def test_a_command_to_paste_survives_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIMPSE_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert pasteable(Workspace.at(), "study_app", "load", "df") == "study_app load df"
    assert pasteable(Workspace.at(tmp_path / "workspace"), "gan_core", "train") == "gan_core train"
    elsewhere = Workspace.at(tmp_path / "my photos")
    line = pasteable(elsewhere, "study_app", "load", "it's")
    assert shlex.split(line) == ["study_app", "load", "it's", "--workspace", str(elsewhere.root)]
    monkeypatch.setenv("GLIMPSE_WORKSPACE", str(elsewhere.root))
    assert pasteable(elsewhere, "study_app", "serve") == "study_app serve"
