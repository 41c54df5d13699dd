"""The generators of the phantoms that come with Glimpse: run folders without checkpoints, in half precision.

`gan_core train --shipped` puts them into a workspace as finished runs. `python -m gan_core.commands.shipped` makes
them, from runs that `gan_core train --preset shipped` trained on the image sets of `gan_core prepare phantom`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_core.experiments import EXPERIMENTS, TrainingError
from gan_core.training.run import Run
from glimpse.command_line import pasteable, program, run_command
from glimpse.files import atomic_folder, read_json, write_json
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace

SHIPPED = Path(__file__).parents[1] / "phantom_generators"
FILES = ("config.json", "log.jsonl", "generator.safetensors")
LICENCE = "Trained on phantoms, which Glimpse draws (MIT licence): no photo of a person was used."


def install(workspace: Workspace, names: Sequence[str], overwrite: bool = False) -> None:
    """Put the shipped generators of these experiments into the workspace as runs. An existing run is kept.

    Raises TrainingError if one is not shipped or was trained on other images.
    """
    from gan_core.training.begin import facts_of

    for name in names:
        source = SHIPPED / name
        if not (source / FILES[0]).is_file():
            raise TrainingError(f"No generator of '{name}' comes with Glimpse: train it without --shipped.")
        config = read_json(source / FILES[0])
        sets = {domain: ImageSet.load(workspace.existing("images", domain)) for domain in config["image_sets"]}
        for images in sets.values():
            if _phantom(images) != config["phantom"]:
                raise TrainingError(
                    f"The shipped generator of '{name}' was trained on phantoms, but the image set '{images.name}' is "
                    f"another: train it without --shipped, or use `{pasteable(workspace, 'gan_core', 'prepare')} "
                    "phantom` in another workspace."
                )
        folder = workspace.new("runs", name)
        if (folder / FILES[0]).is_file() and not overwrite:
            print(f"{name}: the existing run is kept; --overwrite replaces it with the one that comes with Glimpse.")
            continue
        with atomic_folder(folder) as building:
            for file in FILES[1:]:
                shutil.copyfile(source / file, building / file)
            # Another version of NumPy or libjpeg may draw phantoms that differ by rounding: the run names those here.
            here = {domain: facts_of(images) for domain, images in sets.items()}
            write_json(building / FILES[0], {**config, "trained_on": config["image_sets"], "image_sets": here})
        print(f"{name}: comes with Glimpse, trained on {config['finished']['images']:,} images: {folder}")


def copy_to_ship(workspace: Workspace, names: Sequence[str], to: Path) -> None:
    """Make the folders to ship, in `to`, from the finished runs of these experiments in the workspace."""
    from gan_core.training.checkpoint import load_generators, save_generators

    for name in names:
        folder = workspace.existing("runs", name)
        config, run = read_json(folder / FILES[0]), Run.of(folder)
        if not config.get("finished"):
            raise TrainingError(
                f"The run '{name}' is not finished: `{pasteable(workspace, 'gan_core', 'train', name)}`."
            )
        phantoms = [_phantom(ImageSet.load(workspace.existing("images", domain))) for domain in config["image_sets"]]
        if None in phantoms:
            raise TrainingError(f"The run '{name}' was not trained on phantoms: only these may be shipped.")
        generators, metadata = load_generators(folder / FILES[2])
        weights = {key: t.half() if t.ndim > 1 else t for key, t in generators.state_dict().items()}
        with atomic_folder(to / name) as building:
            save_generators(building / FILES[2], weights, run, **{k: metadata.get(k) for k in ("images", "best")})
            shutil.copyfile(folder / FILES[1], building / FILES[1])
            write_json(building / FILES[0], {**config, "phantom": phantoms[0], "licence": LICENCE})
        print(f"{name}: {(to / name / FILES[2]).stat().st_size:,} bytes")


def _phantom(images: ImageSet) -> Any:
    """The recipe that drew these images, None for other images."""
    return images.manifest.get("made_from", {}).get("phantom")


def main(argv: Sequence[str] | None = None) -> int:
    parser = program("python -m gan_core.commands.shipped", __doc__ or "")
    args = parser.parse_args(argv)
    workspace = Workspace.at(args.workspace)
    return run_command(lambda: copy_to_ship(workspace, list(EXPERIMENTS), SHIPPED), workspace=workspace)


if __name__ == "__main__":
    raise SystemExit(main())
