"""The screenshots in docs/images, made from drawn phantoms: the survey, its dashboard, the report.

    python -m docs.screenshots [--workspace DIR]
    python -m docs.screenshots --responses gengap2024/responses.csv

Draws phantoms, publishes images of the generators of `df` and `mel` that come with Glimpse, serves them, and takes the
survey in Chromium. With `--responses`, the report's page and figures are made instead, from the answers of
Lüdemann, Schulz and Kuhl 2024 that docs/results.md describes.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from glimpse.command_line import program
from glimpse.workspace import Workspace
from tests.browser.conftest import CHROMIUM, answering, enter
from tests.study_app.commands.test_serve import free_port, served

IMAGES = Path(__file__).parent / "images"
RUNS = {"df": "Dermatofibroma", "mel": "Melanoma"}
PARTICIPANTS = 60  # simulated, on the dashboard
SHOWN = 8  # the trial of the screenshots
PHASES = ("fixation", "stimulus", "answer")
FIGURES = ("answers", "dependence", "figure-10", "image-rates")
PASSWORD = "screenshots"
STUDY = """
slug = "lesions-2026"
languages = ["en", "de", "fr"]
contact = "study@example.org"
fixation_ms = 2000
questions = []
"""


def run(*words: str | Path) -> None:
    if code := subprocess.run([sys.executable, "-m", *map(str, words)]).returncode:
        sys.exit(code)


def prepare(workspace: Workspace) -> None:
    """Phantoms, runs, stimulus sets and an open study of them."""
    run("gan_core", "prepare", "phantom", "--scale", "demo", "--workspace", workspace.root)
    run("gan_core", "train", *RUNS, "--shipped", "--workspace", workspace.root)
    run("gan_core", "publish", *RUNS, "--jpeg-quality", "95", "--workspace", workspace.root)
    sets = [f'[[sets]]\nname = "{name}"\nlabel = "{label}"\nquota = 50\n' for name, label in RUNS.items()]
    study = workspace.root / "study.toml"
    study.write_text(STUDY + "".join(sets), encoding="utf-8")
    run("study_app.cli", "load", study, "--workspace", workspace.root)
    run("study_app.cli", "simulate", "--participants", str(PARTICIPANTS), "--workspace", workspace.root)


@contextmanager
def open_page(browser: Browser, width: int, height: int, *, phone: bool = False) -> Iterator[Page]:
    size = {"width": width, "height": height}
    context = browser.new_context(viewport=size, locale="en-GB", has_touch=phone, is_mobile=phone)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def pixels(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def trials(page: Page, count: int) -> list[Image.Image]:
    """Begin, answer until trial `count` is over, and return its phases; practice comes first."""
    page.click("#begin")
    page.wait_for_selector("body[data-practice]")
    page.wait_for_selector("body:not([data-practice])", timeout=60_000)
    pictures: list[Image.Image] = []
    for trial in range(1, count + 1):
        for phase in PHASES if trial == SHOWN else ():
            page.wait_for_selector(f"body[data-phase={phase}]")
            pictures.append(pixels(page))
        with answering(page):
            page.keyboard.press("fj"[trial % 2])
    return pictures


def practise(page: Page) -> None:
    """Answer the practice trials, whenever they ask, in the page itself."""
    page.add_init_script("""
      addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
        if (document.body.dataset.practice && document.body.dataset.phase === "answer")
          setTimeout(() => document.getElementById("answer-real").click(), 50);
      }).observe(document.body, { attributes: true }));
    """)


def side_by_side(pictures: Sequence[Image.Image], name: str) -> None:
    """Save pictures of one height in a row, 12 white pixels apart."""
    padded = [np.pad(np.asarray(one), ((0, 0), (0, 12), (0, 0)), constant_values=255) for one in pictures]
    save(Image.fromarray(np.hstack(padded)[:, :-12]), name)


def save(picture: Image.Image, name: str) -> None:
    picture.save(IMAGES / name, optimize=True)
    print(IMAGES / name)


def survey(browser: Browser, url: str) -> None:
    with open_page(browser, 800, 500) as page:
        practise(page)
        enter(page, url)
        side_by_side(trials(page, SHOWN), "survey-trial.png")
    with open_page(browser, 330, 677, phone=True) as page:
        practise(page)
        page.goto(url)
        pictures = [pixels(page)]
        enter(page, url)
        pictures += [pixels(page), *trials(page, 20)[1:]]
        page.wait_for_selector("body[data-phase=done]")
        page.click("#finish")
        page.wait_for_selector(".score")
        side_by_side([*pictures, pixels(page)], "survey-phone.png")


def dashboard(browser: Browser, url: str) -> None:
    with open_page(browser, 1180, 1400) as page:
        page.goto(f"{url}/admin/")
        page.fill("input[type=password]", PASSWORD)
        page.press("input[type=password]", "Enter")
        page.click("text=Simulated")
        page.wait_for_selector("text=Timing")
        save(pixels(page), "dashboard.png")


def report(browser: Browser, folder: Path) -> None:
    with open_page(browser, 1100, 1180) as page:
        page.goto((folder / "index.html").resolve().as_uri())
        save(pixels(page), "report.png")
    for name in FIGURES:
        shutil.copyfile(folder / "figures" / f"{name}.png", IMAGES / f"gengap-{name}.png")


def main() -> None:
    parser = program("python -m docs.screenshots", __doc__ or "")
    parser.add_argument("--responses", type=Path, metavar="FILE", help="answers of which the report is made")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        if args.responses:
            out, attentive = Path(temporary) / "report", "passed_attention_check=True"
            run("analysis.report", "--responses", args.responses, "--where", attentive, "--out", out)
            report(browser, out)
            return
        workspace = Workspace.at(Path(args.workspace) if args.workspace else Path(temporary))
        prepare(workspace)
        os.environ["GLIMPSE_ADMIN_PASSWORD"] = PASSWORD
        port = free_port()
        with served(workspace, port):
            survey(browser, f"http://127.0.0.1:{port}/")
            dashboard(browser, f"http://127.0.0.1:{port}")


if __name__ == "__main__":
    main()
