"""The generators of the phantoms that come with Glimpse: run folders without checkpoints, in half precision.

`gan_core train --shipped` puts them into a workspace as finished runs; `python -m docs.shipped` makes them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glimpse.command_line import pasteable
from glimpse.files import GlimpseError, atomic_folder, read_json, write_json
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace

SHIPPED = Path(__file__).parent / "phantom_generators"
FILES = ("config.json", "log.jsonl", "generator.safetensors")


def install(workspace: Workspace, names: Sequence[str], overwrite: bool = False) -> None:
    """Put the shipped generators of these experiments into the workspace as runs. An existing run is kept.

    Raises GlimpseError if one is not shipped, or if the phantoms it was trained on are missing or differ.
    """
    for name in names:
        source = SHIPPED / name
        if not (source / FILES[0]).is_file():
            raise GlimpseError(f"No generator of '{name}' comes with Glimpse: train it without --shipped.")
        config = read_json(source / FILES[0])
        if lacking := [domain for domain in config["image_sets"] if domain not in workspace.names("images")]:
            raise GlimpseError(
                f"The shipped generator of '{name}' was trained on phantoms, but there is no image set '{lacking[0]}': "
                f"draw it with `{pasteable(workspace, 'gan_core', 'prepare', 'phantom')}`."
            )
        sets = {domain: ImageSet.load(workspace.existing("images", domain)) for domain in config["image_sets"]}
        for images in sets.values():
            if recipe_of(images) != config["phantom"]:
                raise GlimpseError(
                    f"The shipped generator of '{name}' was trained on phantoms, but the image set '{images.name}' "
                    "holds other images: train it without --shipped, or use another workspace, in which "
                    "`gan_core prepare phantom --workspace DIR` draws the phantoms."
                )
        folder = workspace.new("runs", name)
        if (folder / FILES[0]).is_file() and not overwrite:
            print(f"{name}: the existing run is kept; --overwrite replaces it with the one that comes with Glimpse.")
            continue
        with atomic_folder(folder) as building:
            for file in FILES[1:]:
                shutil.copyfile(source / file, building / file)
            # Another version of NumPy or libjpeg may draw phantoms that differ by rounding: the run records this
            # workspace's.
            here = {domain: images.facts() for domain, images in sets.items()}
            write_json(building / FILES[0], {**config, "trained_on": config["image_sets"], "image_sets": here})
        print(f"{name}: comes with Glimpse, trained on {config['finished']['images']:,} images: {folder}")


def recipe_of(images: ImageSet) -> Any:
    """The recipe that drew these images, None for other images."""
    return images.manifest.get("made_from", {}).get("phantom")
