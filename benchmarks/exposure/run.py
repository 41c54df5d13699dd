"""Accuracy of exposures: our page and jsPsych in the same Chromium, by Chromium's own trace of its frames.

    (cd benchmarks/exposure && npm install)
    python benchmarks/exposure/run.py [--exposures 100] [--only idle|stressed|network] [--page glimpse|jspsych]

The probe is outside either page: the trace records a picture of each frame that differs from the one before, with the
time at which it is due on the display. An exposure lasts from the first such frame with the image to the first without;
its error is that minus the planned duration rounded to the frame period. Stressed: CPU throttled 4 times, and busy
loops of 60 ms at random times on the page's own thread. Network: every request takes 300 ms longer.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import io
import json
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from glimpse.command_line import program
from glimpse.stimuli import Source, encode_png, write_stimulus_set

HERE = Path(__file__).parent
FRAME_MS = 1000 / 60
Records = Callable[[], list[dict[str, Any]]]  # the trials that were given, in order, with their planned exposures
A_TRACE = 20  # exposures in one run of a page: Chromium keeps 450 pictures of frames a trace, about 20 a trial
CONDITIONS = ("idle", "stressed", "network")
BUSY = """
(function loop() {
  const until = performance.now() + 60;
  while (performance.now() < until);
  setTimeout(loop, 60 + Math.random() * 300);
})();
"""
# Answers for the participant, a moment after each image; does nothing while an image is shown.
ANSWER = """
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  if (document.body.dataset.phase === "answer") setTimeout(() => document.getElementById("answer-real").click(), 50);
}).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] }));
"""


def colourful(rng: np.random.Generator) -> np.ndarray:
    """An image that cannot be mistaken for the grey page."""
    return rng.integers(0, 256, (128, 128, 3), np.uint8) // 4 + np.array([160, 60, 30], np.uint8)


@contextlib.contextmanager
def our_server(exposures: int, seed: int, settings: str = "") -> Iterator[tuple[str, Records]]:
    """Our survey, serving a study of so many trials; the records are its stored trials."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        half = -(-exposures // 2)
        truths = ["real"] * half + ["generated"] * half
        sources = [Source(colourful(rng), truth, {}) for truth in truths]
        write_stimulus_set(Path(folder) / "stimuli" / "colours", label="Colours", sources=sources, made_from={})
        study = Path(folder) / "study.toml"
        study.write_text(
            'slug = "exposure"\npractice = 0\nquestions = []\nfixation_ms = 200\n'
            f"{settings}[trials]\ncount = {exposures}\n[[sets]]\nname = 'colours'\n"
        )
        command = [sys.executable, "-m", "study_app.cli"]
        subprocess.run([*command, "load", str(study), "--workspace", folder], check=True, stdout=subprocess.DEVNULL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            [*command, "serve", "--port", str(port), "--workspace", folder], stdout=subprocess.DEVNULL
        )
        try:
            for _ in range(600):  # on a loaded machine it takes more than ten seconds to start
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
                    break
                time.sleep(0.1)
            else:
                sys.exit("study_app serve does not start.")
            yield f"http://127.0.0.1:{port}/study/exposure/", functools.partial(stored, Path(folder) / "study.db")
        finally:
            server.kill()
            server.wait()


def stored(database: Path) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM responses ORDER BY position")]


@contextlib.contextmanager
def jspsych_server(exposures: int, seed: int) -> Iterator[tuple[str, Records]]:
    """jsPsych's page from node_modules, with images and exposures drawn as ours are."""
    if not (HERE / "node_modules").is_dir():
        sys.exit(
            "jsPsych is not here: run `npm install` in benchmarks/exposure first, or measure --page glimpse alone."
        )
    rng = np.random.default_rng(seed)
    images = {f"/image/{i}.png": encode_png(colourful(rng)) for i in range(exposures)}
    planned = [int(ms) for ms in rng.integers(2000, 3001, exposures)]

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in images:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(images[self.path])))
            self.end_headers()
            self.wfile.write(images[self.path])
            return None

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(HERE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    what = urllib.parse.quote(json.dumps({"images": list(images), "exposures": planned}))
    try:
        yield (
            f"http://127.0.0.1:{server.server_port}/jspsych.html#{what}",
            lambda: [{"exposure_ms_planned": ms} for ms in planned],
        )
    finally:
        server.shutdown()


def measure(url: str, page_name: str, condition: str, executable: str) -> list[float]:
    """Run one page under one condition; the exposures (ms) that the trace shows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 360, "height": 480})
        page.add_init_script(ANSWER)
        cdp = page.context.new_cdp_session(page)
        if condition == "network":
            cdp.send("Network.enable")
            cdp.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": 300, "downloadThroughput": -1, "uploadThroughput": -1},
            )
        page.goto(url)
        if page_name == "glimpse":
            page.check("#consent")
            while page.query_selector("#begin") is None:
                with page.expect_navigation():  # a click alone returns on the old page
                    page.click("#continue")
        if condition == "stressed":
            cdp.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        frames = trace(cdp, page, lambda: start(page, page_name, condition))
        browser.close()
    return exposures_in(frames)


def start(page: Page, page_name: str, condition: str) -> None:
    if condition == "stressed":
        page.evaluate(BUSY)
    if page_name == "glimpse":
        page.click("#begin")


def trace(cdp: Any, page: Page, begin: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    complete: list[bool] = []
    cdp.on("Tracing.dataCollected", lambda e: events.extend(v for v in e["value"] if v["name"] == "Screenshot"))
    cdp.on("Tracing.tracingComplete", lambda _: complete.append(True))
    config = {"includedCategories": ["disabled-by-default-devtools.screenshot"], "excludedCategories": ["*"]}
    cdp.send("Tracing.start", {"traceConfig": config, "transferMode": "ReportEvents"})
    begin()
    while page.evaluate("document.body.dataset.phase") != "done":
        time.sleep(2)
    cdp.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(50)
    return sorted(events, key=lambda event: event["ts"])


def exposures_in(frames: list[dict[str, Any]]) -> list[float]:
    """The durations (ms) for which the frames of a trace show an image."""
    found, since = [], None
    for frame in frames:
        picture = Image.open(io.BytesIO(base64.b64decode(frame["args"]["snapshot"]))).convert("RGB")
        pixels = np.asarray(picture).astype(int)
        coloured = (pixels[..., 0] - pixels[..., 2] > 40).mean() > 0.03
        due = int(frame["args"]["expected_display_time"]) / 1000
        if coloured and since is None:
            since = due
        elif not coloured and since is not None:
            found.append(due - since)
            since = None
    return found


def main() -> None:
    parser = program("python benchmarks/exposure/run.py", __doc__ or "", workspace=False)
    parser.add_argument("--exposures", type=int, default=30, help="of each page under each condition")
    parser.add_argument("--only", choices=CONDITIONS, help="one condition")
    parser.add_argument("--page", choices=("glimpse", "jspsych"), help="one page")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser (default: %(default)s)")
    parser.add_seed("all random numbers")
    parser.add_argument("--json", type=Path, help="also write every number here")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for condition in [args.only] if args.only else CONDITIONS:
        for page_name, server in (("glimpse", our_server), ("jspsych", jspsych_server)):
            if args.page in (None, page_name):
                actual: list[float] = []
                trials: list[dict[str, Any]] = []
                for done in range(0, args.exposures, A_TRACE):
                    with server(min(A_TRACE, args.exposures - done), args.seed + done) as (url, records):
                        actual += measure(url, page_name, condition, args.chromium)
                        trials += records()
                results[f"{condition} {page_name}"] = report(condition, page_name, actual, trials)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


def report(condition: str, page_name: str, actual_ms: list[float], trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Print what was measured of one page under one condition, and return its numbers."""
    if len(actual_ms) != len(trials):
        sys.exit(f"{condition}, {page_name}: {len(trials)} exposures were given, the trace shows {len(actual_ms)}.")
    actual = np.array(actual_ms)
    planned = np.array([trial["exposure_ms_planned"] for trial in trials])
    errors = actual - np.round(planned / FRAME_MS) * FRAME_MS
    print(
        f"{condition:9}{page_name:9}mean {errors.mean():+7.2f}  mean |error| {np.abs(errors).mean():6.2f}  "
        f"SD {errors.std(ddof=1):6.2f}  max {np.abs(errors).max():6.1f} ms  ({len(errors)} exposures)",
        flush=True,
    )
    if page_name == "jspsych":
        return {"planned": planned.tolist(), "actual": actual_ms}
    own = np.array([trial["exposure_ms_actual"] for trial in trials]) - actual
    off = np.abs(errors) > 1.1 * FRAME_MS
    silent = sum(bool(far and not trial["flags"]) for far, trial in zip(off, trials, strict=True))
    print(
        f"{'':18}its own report minus the trace: mean {own.mean():+.2f}, worst {np.abs(own).max():.1f} ms; "
        f"off by more than a frame: {off.sum()}, of these not flagged: {silent}; "
        f"flagged in all: {sum(bool(trial['flags']) for trial in trials)}",
        flush=True,
    )
    return {"planned": planned.tolist(), "actual": actual_ms, "own_minus_actual": own.tolist()}


if __name__ == "__main__":
    main()
