"""Through all five arrows of the design, on the command line: photos, image set, run, stimuli, answers, report."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from analysis.images import runs
from analysis.report.__main__ import main as report
from analysis.report.page import FORMATS
from analysis.sections.images import quality
from docs.dictionary import undocumented
from gan_core.cli import main as gan_core
from glimpse.workspace import Workspace
from study_app.cli import main as study_app

TRIALS = 20


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 small drawn photos, two of each lesion, with a table of labels in HAM10000's format."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:45, :60]
    with open(folder / "HAM10000_metadata.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"])
        for i in range(32):
            skin = np.array([215, 170, 150]) + rng.normal(0, 12, 3)
            depth = 90 * np.exp(
                -((xx - rng.uniform(22, 38)) ** 2 + (yy - rng.uniform(16, 28)) ** 2) / rng.uniform(40, 160)
            )
            pixels = skin - depth[..., None] * np.array([0.7, 1.0, 1.0]) + rng.normal(0, 4, (45, 60, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"ISIC_{i:07d}.jpg", quality=95)
            rows.writerow([f"HAM_{i // 2:07d}", f"ISIC_{i:07d}", "df", "histo", 40, "female", "lower extremity"])
    return folder


def command(main: Callable[[list[str]], int], *words: str | Path, code: int = 0) -> str:
    """Run a command as its program does; returns what it printed on both streams."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        assert main([*map(str, words)]) == code, said.getvalue()
    return said.getvalue()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving() -> Iterator[str]:
    """`study_app serve` on a free port; yields its address and ends it as a service manager would."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "study_app.cli", "serve", "--port", str(port)]) as server:
        address = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                assert server.poll() is None, "the server ended by itself"
                time.sleep(0.05)
        yield address
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=15) == 0


def get(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        return bytes(response.read())


def post(url: str, body: bytes, kind: str) -> tuple[int, str]:
    """Returns the status code and where a redirect ended."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind}, method="POST")
    try:
        with urllib.request.urlopen(request) as response:
            return int(response.status), str(response.url)
    except urllib.error.HTTPError as error:
        return error.code, url


def take_part(address: str, always: str) -> None:
    """One participant who gives the same answer to every image, over plain HTTP."""
    with urllib.request.urlopen(address + "/") as response:
        study = response.url
    assert re.fullmatch(rf"{address}/study/[a-z0-9-]+/", study)
    form = urllib.parse.urlencode({"consent": "yes"}).encode()
    _, place = post(study + "enter", form, "application/x-www-form-urlencoded")
    assert re.fullmatch(rf"{address}/p/[A-Za-z0-9_-]{{20,}}/", place)
    for number in range(1, TRIALS + 1):
        trial = json.loads(get(place + "next"))
        assert (trial["trial"], trial["of"]) == (number, TRIALS)
        assert 2000 <= trial["exposure_ms"] <= 3000
        assert get(urllib.parse.urljoin(address, trial["image"])).startswith(b"\x89PNG")
        answer: dict[str, Any] = {
            "trial": number, "answer": always, "exposure_ms": trial["exposure_ms"] + 0.1, "response_time_ms": 2900.5,
            "dropped_frames": 0, "focus_lost": False,
        }  # fmt: skip
        assert post(place + "answer", json.dumps(answer).encode(), "application/json")[0] == 200
        assert post(place + "answer", json.dumps(answer).encode(), "application/json")[0] == 200
        other = {**answer, "answer": "real" if always == "generated" else "generated"}
        assert post(place + "answer", json.dumps(other).encode(), "application/json")[0] == 409
    assert json.loads(get(place + "next")) == {"done": True}


def test_the_whole_way_from_photos_to_the_report(
    workspace: Workspace, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.page.FORMATS", {"svg": FORMATS["svg"]})  # tests/analysis/report has them all
    for module in (quality, runs):
        monkeypatch.setattr(module, "GENERATED", 24)
    command(gan_core, "prepare", "isic", photos, "--label", "DF", "--size", "32")
    assert workspace.names("images") == ["df"]

    tiny = ["images=48", "batch=8", "tick_images=24", "g_features=16", "d_features=8", "score_images=16"]
    settings = [word for setting in tiny for word in ("--set", setting)]
    command(gan_core, "train", "df", "--preset", "demo", "--device", "cpu", *settings)
    run = workspace.existing("runs", "df")
    assert {"config.json", "log.jsonl", "checkpoint.pt", "generator.safetensors"} <= {p.name for p in run.iterdir()}
    ticks = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {
        "images", "seconds", "images_per_second", "loss_g", "loss_d", "d_real_train", "d_real_test", "d_generated",
    } <= ticks[-1].keys()  # fmt: skip
    assert ticks[-1]["images"] >= 48
    assert list((run / "samples").glob("*.png"))

    said = command(gan_core, "publish", "df", code=2)
    assert re.search(r"--count \d+", said), "a set that is too small must be told the largest count that works"
    command(gan_core, "publish", "df", "--count", "10")
    manifest = json.loads((workspace.existing("stimuli", "df") / "manifest.json").read_text())
    scored = [s["truth"] for s in manifest["stimuli"] if not s["practice"]]
    assert (scored.count("real"), scored.count("generated")) == (10, 10)
    assert sum(s["practice"] for s in manifest["stimuli"]) == 4
    sizes = {path.stat().st_size for path in workspace.existing("stimuli", "df").glob("*.png")}
    assert len(sizes) == 1, "the length of a file must not tell the truth"

    command(study_app, "load", "df")
    with serving() as address:
        take_part(address, always="generated")
        take_part(address, always="real")

    with closing(sqlite3.connect(workspace.root / "study.db")) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(responses)")]
        rows = database.execute(
            'SELECT participant, "set", truth, answer, exposure_ms_actual FROM responses'
        ).fetchall()
    assert columns[:15] == [
        "participant", "set", "set_sha256", "stimulus", "truth", "answer", "position", "exposure_ms_planned",
        "exposure_ms_actual", "dropped_frames", "focus_lost", "response_time_ms", "answered_at", "flags", "simulated",
    ]  # fmt: skip
    assert len(rows) == 2 * TRIALS
    assert {row[1] for row in rows} == {"df"}

    command(report, "--skip", "memorisation")  # a third of its time, with tests of its own
    scores = json.loads((workspace.report / "scores.json").read_text())
    assert scores["schema"] == 1
    assert list(undocumented(scores)) == [], "docs/dictionary.py tells every key"
    assert scores["survey"]["df"]["participants"] == 2
    assert scores["survey"]["df"]["trials"] == 2 * TRIALS
    # Always saying 'generated' scores 2/3, never saying it scores 0: the habit that F1 rewards.
    assert scores["survey"]["df"]["accuracy"]["mean"] == pytest.approx(0.5)
    page = (workspace.report / "index.html").read_text()
    assert "<svg" in page
    assert not re.search(r"""(src|href)=["']https?://""", page), "the report must load nothing from other hosts"
