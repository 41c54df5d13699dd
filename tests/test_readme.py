"""The README's paths run as printed: each command of its blocks, in order, in a folder with small inputs."""

from __future__ import annotations

import re
import shlex
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import analysis.power
import analysis.report.__main__
import gan_core.cli
import study_app.cli
from analysis.report.page import FORMATS
from glimpse.workspace import Workspace
from tests.gan_core.tiny import TINY
from tests.study_app.commands.test_serve import free_port, served

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
HEADINGS = re.findall(r"^## (My .+)$", README, re.MULTILINE)
PROGRAMS = {
    "gan_core": gan_core.cli.main,
    "study_app": study_app.cli.main,
    "python -m analysis.report": analysis.report.__main__.main,
    "python -m analysis.power": analysis.power.main,
}

AS_PRINTED = pytest.mark.parametrize(
    "tiny", [True, pytest.param(False, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])], ids=["tiny", "as-printed"]
)
FEW = ("--count", "12")  # images of each class, in the quick form
# The report's sections that measure every image.
SLOW = ("joined", "machine_observer", "memorisation", "neighbours", "quality", "truncation")
SKIPPED = [word for section in SLOW for word in ("--skip", section)]


def block(heading: str) -> list[list[str]]:
    """The words of each command of the block below a heading, without its comment."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [shlex.split(line, comments=True) for line in re.findall(r"^    (\S.*)$", section, re.MULTILINE)]


def follow(words: list[str], workspace: Workspace, *more: str) -> None:
    """Run a command of the README, with further options; a server until its first page has come."""
    if words == ["study_app", "serve"]:
        port = free_port()
        with served(workspace, port), urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert page.status == 200
        return
    size = 3 if words[0] == "python" else 1
    assert not PROGRAMS[" ".join(words[:size])]([*words[size:], *more]), shlex.join(words)


def photos(folder: Path, count: int, ending: str) -> None:
    """Smooth images with noise, larger than the README asks for, no two alike."""
    folder.mkdir()
    rng = np.random.default_rng(count + len(folder.name))
    for i in range(count):
        colours = Image.fromarray(rng.uniform(90, 220, (4, 4, 3)).astype(np.uint8))
        smooth = np.asarray(colours.resize((160, 160), Image.Resampling.BICUBIC))
        noisy = (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i}{ending}", quality=90)


@AS_PRINTED
def test_the_paths_one_after_another_in_one_folder(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tiny: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GLIMPSE_WORKSPACE")  # ./workspace, as for a reader who types these lines
    if tiny:
        monkeypatch.setattr("analysis.report.page.FORMATS", {"svg": FORMATS["svg"]})
    settings = [part for name, value in {**TINY, "score_images": 0}.items() for part in ("--set", f"{name}={value}")]
    quick = {
        "train": settings, "publish": FEW, "simulate": ("--participants", "4"), "--include-simulated": SKIPPED,
        "analysis.power": ("--simulations", "20"),
    } if tiny else {}  # fmt: skip
    for folder in ("photos", "real", "generated"):
        photos(tmp_path / folder, 102, ".jpg")
    rng = np.random.default_rng(0)
    rows = [
        f"p{person},{truth}-{image}.png,{truth},{truth if rng.random() < 0.7 else other}"
        for person in range(8) for image in range(6) for truth, other in (("real", "generated"), ("generated", "real"))
    ]  # fmt: skip
    (tmp_path / "answers.csv").write_text("\n".join(["participant,image,truth,answer", *rows]), encoding="utf-8")
    said = {}
    for heading in HEADINGS:
        for words in block(heading):
            follow(words, workspace, *next((more for name, more in quick.items() if name in words), ()))
        said[heading] = capsys.readouterr()
    mine, two, answers = said.values()
    assert "come from JPEG files" not in mine.err
    assert "warning" not in two.err.lower()
    people = 4 if tiny else 20
    assert f"{people} of the {people} participants are simulated" in two.out
    assert "participants in this report" not in answers.out
    assert workspace.names("stimuli") == ["mine", "photos"]
    assert (workspace.root / "report" / "index.html").is_file()


def test_every_block_holds_commands_and_at_most_five() -> None:
    assert len(HEADINGS) == 3
    for heading in HEADINGS:
        assert 2 <= len(block(heading)) <= 5
