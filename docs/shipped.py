"""The generators of the phantoms that come with Glimpse, made from the finished runs of a workspace, in half precision.

gan_core prepare phantom && gan_core train --preset shipped && python -m docs.shipped
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from gan_core.experiments import EXPERIMENTS, TrainingError
from gan_core.training.run import Run
from glimpse.command_line import pasteable, program, run_command
from glimpse.files import atomic_folder, read_json, write_json
from glimpse.imageset import ImageSet
from glimpse.runs.shipped import FILES, SHIPPED, recipe_of
from glimpse.workspace import Workspace

LICENCE = "Trained on phantoms, which Glimpse draws (MIT licence): no photo of a person was used."


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
        phantoms = [recipe_of(ImageSet.load(workspace.existing("images", domain))) for domain in config["image_sets"]]
        if None in phantoms:
            raise TrainingError(f"The run '{name}' was not trained on phantoms: only these may be shipped.")
        generators, metadata = load_generators(folder / FILES[2])
        weights = {key: t.half() if t.ndim > 1 else t for key, t in generators.state_dict().items()}
        with atomic_folder(to / name) as building:
            save_generators(building / FILES[2], weights, run, **{k: metadata.get(k) for k in ("images", "best")})
            shutil.copyfile(folder / FILES[1], building / FILES[1])
            write_json(building / FILES[0], {**config, "phantom": phantoms[0], "licence": LICENCE})
        print(f"{name}: {(to / name / FILES[2]).stat().st_size:,} bytes")


def main(argv: Sequence[str] | None = None) -> int:
    parser = program("python -m docs.shipped", __doc__ or "")
    args = parser.parse_args(argv)
    workspace = Workspace.at(args.workspace)
    return run_command(lambda: copy_to_ship(workspace, list(EXPERIMENTS), SHIPPED), workspace=workspace)


if __name__ == "__main__":
    raise SystemExit(main())
