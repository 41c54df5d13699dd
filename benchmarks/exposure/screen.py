"""Exposures as they are on a screen, sampled from outside the browser: Chromium and Firefox, idle and loaded.

    python -m benchmarks.exposure.screen [--exposures 40] [--only idle|loaded] [--browser chromium|firefox]

The screen is Xvfb's (`apt-get install xvfb`), which keeps its picture in a file: a process of high priority reads one
pixel in the middle of the image about 1000 times a second. A trial is off when the image was on the screen for two
frames longer or shorter than planned (rounded to frames), or than stored; it should carry a flag. Loaded: two busy
processes per core.
"""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Error, sync_playwright

from benchmarks.exposure.firefox import Firefox
from benchmarks.exposure.run import our_server
from glimpse.command_line import program

WIDTH, HEIGHT = 800, 760
LONGEST_GAP_MS = 8.0  # between two samples; where it is longer, the sampler itself was late
ABOUT_EXPOSURES = {"frame-off", "exposure-wrong", "exposure-unverified", "dropped-frames", "resized"}
Spell = tuple[float, float, float]  # onset (s since 1970), duration, longest gap between samples at its ends (ms)
EXPOSURES = "exposure_ms = [500, 1500]\n"
BROWSERS = ("chromium", "firefox")
CONDITIONS = ("idle", "loaded")
# Answers for the participant, a moment after each image; does nothing while an image is shown.
ANSWER = """void new MutationObserver(() => {
  if (document.body.dataset.phase === "answer") setTimeout(() => document.getElementById("answer-real").click(), 50);
}).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] })"""
DONE = "document.body.dataset.phase === 'done'"


@contextlib.contextmanager
def virtual_screen(folder: Path) -> Iterator[tuple[str, Path]]:
    """Xvfb; its DISPLAY, and the file that holds its picture."""
    if shutil.which("Xvfb") is None:
        sys.exit("Xvfb is not here: run `apt-get install xvfb` first.")
    ours, its = os.pipe()
    command = ["Xvfb", "-displayfd", str(its), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir", str(folder)]
    server = subprocess.Popen(command, pass_fds=[its], stderr=subprocess.DEVNULL)
    try:
        os.close(its)
        with os.fdopen(ours) as number:
            yield f":{number.readline().strip()}", folder / "Xvfb_screen0"
    finally:
        server.terminate()
        server.wait()


def picture(file: Path) -> np.ndarray:
    """The screen, (H, W, 4) uint8 as blue, green, red, mapped: it changes as the screen does."""
    header = np.fromfile(file, ">u4", 25)  # XWD: header size first, colours after it, then the pixels
    offset = int(header[0]) + 12 * int(header[19])
    line = int(header[12])
    pixels = np.memmap(file, np.uint8, "r", offset, (HEIGHT, line))
    return pixels[:, : 4 * WIDTH].reshape(HEIGHT, WIDTH, 4)


def is_image(pixels: np.ndarray) -> np.ndarray:
    """The mask of the benchmark's orange images; everything else on the page is grey."""
    return pixels[..., 2].astype(int) - pixels[..., 0] > 40


def sample(file: Path, found: Any, stop: Any) -> None:
    """Append to `found` each period for which the image is on the screen."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    screen = picture(file)
    while (shown := is_image(screen)).sum() < 30_000:  # more than a toolbar
        time.sleep(0.005)
    time.sleep(0.2)  # should it have been drawn half
    rows, columns = np.nonzero(is_image(screen) | shown)
    pixel = screen[int(np.median(rows)), int(np.median(columns))]
    spells: list[Spell] = []
    epoch = time.time() - time.perf_counter()
    last, was, began, gap_on = time.perf_counter(), True, 0.0, 0.0
    while not stop.is_set():
        time.sleep(0.0006)
        now, on = time.perf_counter(), int(pixel[2]) - int(pixel[0]) > 40
        gap = (now - last) * 1000
        if on and not was:
            began, gap_on = now - gap / 2000, gap
        elif was and not on:  # of the first spell, in which the image was found, only the end is known
            spells.append((epoch + began, (now - gap / 2000 - began) * 1000, max(gap, gap_on)))
        last, was = now, on
    found.put(spells)


def busy() -> None:
    while True:
        pass


@contextlib.contextmanager
def load(condition: str) -> Iterator[None]:
    processes = [multiprocessing.Process(target=busy, daemon=True) for _ in range(2 * (os.cpu_count() or 1))]
    for process in processes if condition == "loaded" else []:
        process.start()
    yield
    for process in processes if condition == "loaded" else []:
        process.terminate()
        process.join()


@contextlib.contextmanager
def chromium(display: str, folder: Path) -> Iterator[tuple[Callable[[str], Any], Callable[[str], Any]]]:
    """Functions that go to an address and evaluate an expression."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), headless=False, env=os.environ | {"DISPLAY": display},
            args=["--no-sandbox", "--window-position=0,0", f"--window-size={WIDTH},{HEIGHT}"],
        )  # fmt: skip
        page = browser.new_context(no_viewport=True).new_page()
        yield page.goto, page.evaluate
        browser.close()


@contextlib.contextmanager
def firefox(display: str, folder: Path) -> Iterator[tuple[Callable[[str], Any], Callable[[str], Any]]]:
    prefs = 'user_pref("focusmanager.testmode", true);\n'  # there is no window manager that gives the focus
    with Firefox(folder / "profile", display=display, preferences=prefs) as browser:
        browser.command("WebDriver:SetWindowRect", {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})
        yield browser.goto, browser.evaluate


def measure(browser: str, condition: str, exposures: int, seed: int) -> tuple[list[Any], list[dict[str, Any]]]:
    """The spells of the images on the screen, and the trials as stored; the first is spent on finding the image."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        url, records = stack.enter_context(our_server(exposures + 1, seed, EXPOSURES))
        display, file = stack.enter_context(virtual_screen(folder))
        goto, evaluate = stack.enter_context({"chromium": chromium, "firefox": firefox}[browser](display, folder))
        goto(url)
        evaluate("document.getElementById('consent').checked = true")
        while not wait(evaluate, "document.getElementById('begin')?.disabled === false", 0):
            wait(evaluate, "document.getElementById('continue')?.click()", 0)
            time.sleep(1)
        evaluate(ANSWER)
        found: Any = multiprocessing.Queue()
        stop = multiprocessing.Event()
        sampler = multiprocessing.Process(target=sample, args=(file, found, stop), daemon=True)
        sampler.start()
        stack.enter_context(load(condition))
        evaluate("void setTimeout(() => document.getElementById('begin').click(), 1000)")
        while not wait(evaluate, DONE, 5):
            pass
        stop.set()
        spells, trials = found.get(timeout=60), records()
    return shown_in(spells[1:], [datetime.fromisoformat(t["answered_at"]).timestamp() for t in trials]), trials[1:]


def shown_in(spells: list[Spell], answered: list[float]) -> list[tuple[float, float]]:
    """The time for which each trial but the first showed its image, and the longest gap between samples at its ends
    (ms).

    A trial's spells begin between the answer before it and its own: none means that its image was not shown at all, two
    that it was also seen at another time, which counts as a duration without end.
    """
    shown = []
    for before, after in pairwise(answered):
        own = [(ms, gap_ms) for began, ms, gap_ms in spells if before < began <= after]
        shown.append(own[0] if len(own) == 1 else (math.inf if own else 0.0, 0.0))
    return shown


def wait(evaluate: Callable[[str], Any], condition: str, seconds: float) -> bool:
    time.sleep(seconds)
    with contextlib.suppress(Error, AssertionError):  # the page may be on its way to the next one
        return bool(evaluate(condition))
    return False


def report(browser: str, condition: str, spells: list[Any], trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Print what was measured in one browser under one condition, and return its numbers."""
    judged = [(spell, t) for (spell, gap), t in zip(spells, trials, strict=True) if gap <= LONGEST_GAP_MS]
    shown = np.array([spell for spell, _ in judged])
    frame_ms = np.array([trial["frame_ms"] for _, trial in judged])
    planned = np.array([trial["exposure_ms_planned"] for _, trial in judged])
    stored = np.array([trial["exposure_ms_actual"] for _, trial in judged])
    flagged = np.array([bool(ABOUT_EXPOSURES & set(trial["flags"].split())) for _, trial in judged])
    error = shown - np.round(planned / frame_ms) * frame_ms
    off = (np.abs(error) > 2 * frame_ms) | (np.abs(stored - shown) > 2 * frame_ms)
    glimpsed = np.isinf(shown)
    error, differs = error[~glimpsed], (stored - shown)[~glimpsed]
    print(
        f"{condition:7}{browser:9}mean {error.mean():+7.2f}  mean |error| {np.abs(error).mean():6.2f}  "
        f"SD {error.std(ddof=1):6.2f}  max {np.abs(error).max():6.1f} ms  ({len(shown)} of {len(trials)} exposures "
        f"judged); stored minus shown: SD {differs.std(ddof=1):.2f}, "
        f"worst {np.abs(differs).max():.1f} ms; seen twice: {glimpsed.sum()}, never: {(shown == 0).sum()}; "
        f"off by more than two frames: {off.sum()}, of these flagged: {(off & flagged).sum()}; "
        f"flagged in all: {flagged.sum()}",
        flush=True,
    )
    return {
        "planned": planned.tolist(), "shown": shown.tolist(), "stored": stored.tolist(),
        "flags": [trial["flags"] for _, trial in judged],
        "uncertain": [trial["exposure_uncertain_ms"] for _, trial in judged],
    }  # fmt: skip


def main() -> None:
    parser = program("python -m benchmarks.exposure.screen", __doc__ or "", workspace=False)
    parser.add_argument("--exposures", type=int, default=40, help="in each browser under each condition")
    parser.add_argument("--only", choices=CONDITIONS, help="one condition")
    parser.add_argument("--browser", choices=BROWSERS, help="one browser")
    parser.add_seed("all random numbers")
    parser.add_argument("--json", type=Path, help="also write every number here")
    args = parser.parse_args()
    results = {}
    for condition in [args.only] if args.only else CONDITIONS:
        for browser in [args.browser] if args.browser else BROWSERS:
            spells, trials = measure(browser, condition, args.exposures, args.seed)
            results[f"{condition} {browser}"] = report(browser, condition, spells, trials)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
