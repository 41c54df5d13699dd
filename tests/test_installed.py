"""Claims about what each part of the installation needs: the survey host without the extras, other systems, types."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse import EXTRAS, files, how_to_install
from glimpse.runs.record import peak_memory_mb
from glimpse.stimuli import Source, write_stimulus_set

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

ABSENT = """
import sys

blocked = set(sys.argv[1].split(","))


class Present:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else self.finder.find_spec(name, path, target)


sys.meta_path[:] = map(Present, sys.meta_path)
"""  # of the modules named in the first argument
BARE = f"""
{ABSENT}
from importlib import import_module

for line in sys.argv[2:]:
    module, *words = line.split()
    print(module, words, import_module(module).main(words), flush=True)
"""


def bare(workspace: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run commands in one process in which no package of any extra can be imported."""
    blocked = ",".join(package for packages in EXTRAS.values() for package in packages)
    environment = {**os.environ, "GLIMPSE_WORKSPACE": str(workspace)}
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, "-c", BARE, blocked, *lines]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_survey_host_needs_no_package_of_an_extra(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sources = [
        Source(rng.integers(0, 256, (16, 16, 3), np.uint8), truth, {}, practice)
        for truth in ("real", "generated")
        for practice in [False] * 10 + [True] * 2
    ]
    write_stimulus_set(tmp_path / "stimuli" / "df", label="df", sources=iter(sources), made_from={})
    study = "study_app.cli"
    lines = [f"{study} {words}" for words in ("load df", "simulate --participants 2", "status", "export", "backup")]
    done = bare(tmp_path, *lines)
    assert done.returncode == 0, done.stderr
    assert [line[-1] for line in done.stdout.splitlines() if line.startswith(study)] == ["0"] * len(lines), done.stdout


def test_the_next_step_on_a_survey_host_is_not_one_that_asks_for_another_install(tmp_path: Path) -> None:
    (tmp_path / "study.db").touch()
    copied = f"copy sets that were published elsewhere to {tmp_path.resolve() / 'stimuli'}, then "
    done = bare(tmp_path, "study_app.cli load --all", "study_app.cli status", "study_app.cli export")
    assert f"There is no study yet. Next: {copied}" in done.stdout
    assert f"There is no stimulus set in {tmp_path / 'stimuli'}; next: {copied}`study_app load" in done.stderr
    assert "gan_core" not in done.stdout + done.stderr
    empty = bare(tmp_path / "typo", "study_app.cli status", "study_app.cli backup")
    assert empty.stderr.count("or start one: copy sets that were published elsewhere to ") == 2, empty.stderr
    assert "gan_core" not in empty.stderr


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("analysis.report.__main__", "report"),
        ("analysis.power", "report"),
        ("analysis.compare a b", "train"),
        ("gan_core.cli prepare phantom", "report"),
        ("gan_core.cli train df", "train"),
    ],
)
def test_a_command_without_its_extra_says_what_to_install(tmp_path: Path, line: str, extra: str) -> None:
    done = bare(tmp_path, line)
    assert done.stdout.endswith(" 2\n"), done.stderr
    assert done.stderr.startswith("error: This needs ")
    assert done.stderr.endswith(f", which is not installed: {how_to_install(extra)}.\n")


def described(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments that setup.py gives."""
    found: dict[str, Any] = {}
    monkeypatch.setattr("setuptools.setup", found.update)
    runpy.run_path(str(ROOT / "setup.py"))
    return found


def test_a_package_that_is_published_links_to_its_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://example.org/who/glimpse"
    monkeypatch.setenv("GLIMPSE_REPOSITORY", address + "/")
    package = described(monkeypatch)
    tag = f"v{PROJECT['project']['version']}"
    assert package["project_urls"]["Source"] == address
    assert package["project_urls"]["Changes"] == f"{address}/blob/{tag}/CHANGELOG.md"
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", package["long_description"])
    assert len([picture for picture, _ in links if picture]) == 3
    for picture, link in links:
        before, _, path = link.partition(f"/{tag}/")
        assert before == f"{address}/{'raw' if picture else 'blob'}"
        assert (ROOT / path).is_file()


def test_a_package_that_is_not_published_names_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIMPSE_REPOSITORY", raising=False)
    monkeypatch.setitem(sys.modules, "tomllib", None)  # as on an older Python, which pip refuses only after setup.py
    package = described(monkeypatch)
    assert list(package["project_urls"]) == ["Paper"]
    assert package["long_description"] == (ROOT / "README.md").read_text("utf-8")


def test_the_image_of_the_survey_host_is_built_from_all_that_setup_reads() -> None:
    copied = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[0] == "!"}
    packages = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert copied >= {"pyproject.toml", "setup.py", "README.md", "LICENSE", *(name.strip("*") for name in packages)}


@pytest.mark.parametrize("module", ["report", "power", "compare"])
def test_a_folder_named_analysis_where_one_works_does_not_hide_ours(tmp_path: Path, module: str) -> None:
    (tmp_path / "analysis").mkdir()
    command = [sys.executable, "-m", f"analysis.{module}", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("glimpse-study "), done.stderr


def test_every_package_of_an_extra_has_its_sentence() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    names = metadata.packages_distributions()
    for extra, packages in EXTRAS.items():
        declared = {wanted.partition(">")[0].partition("[")[0] for wanted in extras[extra]} - {"glimpse-study"}
        found = {names[package][0].lower().replace("_", "-") for package in packages}
        assert found == declared


def test_the_lowest_versions_are_tested_with_all_that_those_tests_import() -> None:
    lowest = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8").partition("\n  lowest:")[2]
    extras = re.findall(r"--extra (\w+)", lowest)
    named = re.findall(r"-r lowest.txt (.*)", lowest)[0].split()
    assert named[:2] == ["-e", "."], "tests read the metadata of the installation: its scripts and its version"
    project = PROJECT["project"]
    wanted = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    there = {re.split(r"[>\[]", line)[0] for line in [*wanted, *named]}
    distributions = metadata.packages_distributions()
    for word in re.findall(r"tests/\S+", lowest):
        for path in [p for found in ROOT.glob(word) for p in (found.rglob("*.py") if found.is_dir() else [found])]:
            nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
            names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
            names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
            for package in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
                if package in distributions and not (ROOT / package).is_dir():
                    found = {name.lower().replace("_", "-") for name in distributions[package]}
                    assert found & there, f"{path.relative_to(ROOT)} imports {package}"


def test_a_source_distribution_holds_every_file_of_the_checkout() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout of git")
    manifest = [line.split() for line in (ROOT / "MANIFEST.in").read_text("utf-8").splitlines()]
    folders = {word for first, *words in manifest if first == "graft" for word in words}
    folders |= {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    files = {word for first, *words in manifest if first == "include" for word in words}
    files |= {"pyproject.toml", "setup.py", "LICENSE", "MANIFEST.in"}  # setuptools adds these itself
    for name in listed.stdout.splitlines():
        top, _, below = name.partition("/")
        assert top in folders if below else any(fnmatch(name, pattern) for pattern in files), name


def test_each_package_is_typed_for_its_users() -> None:
    for package in PROJECT["tool"]["mypy"]["packages"]:
        assert (ROOT / package / "py.typed").is_file()
        assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][package]


def test_what_needs_a_module_that_windows_lacks_is_listed() -> None:
    """Tests must be collected there; the benchmarks that cannot even be imported are those of `make bench`."""
    found = {
        path.relative_to(ROOT).parts[0]
        for folder in [*PROJECT["tool"]["mypy"]["packages"], "benchmarks", "tests"]
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"^(?:import|from) (?:resource|fcntl|pwd|termios)\b", path.read_text("utf-8"), re.MULTILINE)
    }
    assert found <= {"benchmarks"}
    lacking = (ROOT / "docs" / "installing.md").read_text("utf-8").partition("On Windows,")[2]
    assert "`make bench`" in lacking


def test_windows_flushes_files_through_a_writable_handle_and_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    (tmp_path / "file").touch()
    real_open = os.open
    with monkeypatch.context() as windows:
        windows.setattr(files.os, "name", "nt")
        windows.setattr(files.os, "open", lambda path, flags: opened.append(flags) or real_open(path, flags))
        files.flush(tmp_path / "file")
        files.flush(tmp_path)
        alive = files._alive(2**22 + 1)
    assert opened == [os.O_RDWR]
    assert alive  # signal 0 would be Ctrl-C there: nothing is sent


def test_training_without_the_module_resource_logs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory_mb() is None
