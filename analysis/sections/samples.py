"""Pictures of what the generators make: Figures 3-5, 8 and 9 (samples) and 11-13 (translations) of the paper.

Nothing is selected by appearance: stimuli are in the order of their random IDs, a run's pictures from the latents or
photos that it showed at every tick.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from analysis import inventory
from analysis.figures import pictures
from analysis.section import PAPER_FIGURE, Context, Section, in_paper_order
from gan_core.experiments import experiment_named
from glimpse.files import sha256_file

TILES = 8  # images per row
TALLEST = 128  # pixels; larger images are reduced for the page
WIDEST = 1400


def compute(context: Context) -> Section | None:
    """Each stimulus set, generated images above real ones, and the last picture of each translation run."""
    section = Section("samples")
    sets = inventory.stimulus_sets(context)
    for name in in_paper_order(sets):
        stimuli = sets[name]
        generated, real = ([s.file for s in stimuli.of(truth)[: 2 * TILES]] for truth in ("generated", "real"))
        if not generated or not real:
            continue
        section.figure(
            f"samples-{name}", partial(_draw_stimuli, stimuli.folder, generated, real), "stimuli", label=stimuli.label,
            generated=len(generated), real=len(real), figure=PAPER_FIGURE.get(name),
        )  # fmt: skip
        section.scores[name] = {"stimuli": len(stimuli.stimuli), "sha256": stimuli.sha256}
        if "unfinished" in stimuli.made_from:
            section.scores[name]["unfinished"] = stimuli.made_from["unfinished"]
    translated = translations(context)
    order = in_paper_order(experiment for _, experiment, _, _ in translated)
    for name, experiment, images, picture in sorted(translated, key=lambda one: order.index(one[1])):
        section.figure(
            f"translations-{name}", partial(_draw_picture, picture), "translations", run=name, images=images,
            masked=experiment_named(experiment).scheme == "targeted", figure=PAPER_FIGURE.get(experiment),
        )  # fmt: skip
        section.scores[name] = {"images": images, "picture_sha256": sha256_file(picture)}
    if not section.figures:
        return None
    section.explain()
    return section


def translations(context: Context) -> list[tuple[str, str, int, Path]]:
    """Each translation run with its experiment, the images it had seen, and its last picture."""
    found = []
    for one in inventory.runs(context):
        pictures = sorted((one.folder / "samples").glob("[0-9]*.png"))
        if one.run.experiment.scheme != "unconditional" and pictures:
            try:
                with Image.open(pictures[-1]) as image:
                    image.load()
            except (OSError, SyntaxError, ValueError) as error:
                context.notice(f"The picture {pictures[-1]} is left out: it cannot be read ({error}).")
                continue
            found.append((one.name, one.run.experiment_name, int(pictures[-1].stem), pictures[-1]))
    return found


def _draw_stimuli(folder: Path, generated: list[str], real: list[str]) -> Any:
    rows = []
    for files in (generated, real):
        images = [pictures.from_file(folder / file, TALLEST * 4 // 3, TALLEST) for file in files]
        rows.append([images[i : i + TILES] for i in range(0, len(images), TILES)])
    return pictures.picture_rows([("generated", rows[0]), ("real", rows[1])])


def _draw_picture(path: Path) -> Any:
    return pictures.picture(pictures.from_file(path, WIDEST, WIDEST))
