"""Drawn images beside generated ones, for the README: `python docs/generated.py WORKSPACE FILE.png`.

The first images of each class of every stimulus set that `make study` publishes: none is selected.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from glimpse.stimuli import StimulusSet
from glimpse.workspace import Workspace

SETS = {
    "hands": "hands", "healthy": "healthy skin", "eczema": "eczema", "df": "dermatofibroma", "mel": "melanoma",
    "add-eczema": "eczema added", "remove-eczema": "eczema removed",
    "cycle-eczema-add": "added, no mask", "cycle-eczema-remove": "removed, no mask",
}  # fmt: skip
EACH, HEIGHT, GAP, LEFT, TOP = 6, 72, 4, 170, 30
INK = (60, 60, 60)


def picture(workspace: Workspace) -> Image.Image:
    """A line for each set: its name, drawn images, generated images."""
    font = ImageFont.load_default(18)
    class_width = EACH * (HEIGHT * 4 // 3 + GAP)  # hands are 4:3
    canvas = Image.new("RGB", (LEFT + 2 * class_width + 20, TOP + len(SETS) * (HEIGHT + GAP)), "white")
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(("drawn", "generated")):
        draw.text((LEFT + column * (class_width + 20), 4), title, INK, font)
    for line, (name, title) in enumerate(SETS.items()):
        y = TOP + line * (HEIGHT + GAP)
        draw.text((0, y + HEIGHT // 2 - 10), title, INK, font)
        stimuli = StimulusSet.load(workspace.existing("stimuli", name))
        for column, truth in enumerate(("real", "generated")):
            width = HEIGHT * stimuli.width // stimuli.height
            for i, stimulus in enumerate(stimuli.of(truth)[: class_width // (width + GAP)]):
                image = Image.open(stimuli.folder / stimulus.file).resize((width, HEIGHT), Image.Resampling.BICUBIC)
                canvas.paste(image, (LEFT + column * (class_width + 20) + i * (width + GAP), y))
    return canvas


if __name__ == "__main__":
    path = Path(sys.argv[2])
    picture(Workspace(Path(sys.argv[1]))).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1024} KB")
