"""Photos of pairs of hands (section 3.1): cropped to 4:3, resampled by area, split by person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.files import atomic_folder, cores, sha256_json
from glimpse.imageset import ImageSetError, ImageSetWriter
from glimpse.prepare import matching, pipeline, pixels, sources, tables
from glimpse.prepare.pipeline import Findings, Prepared, Recipe
from glimpse.prepare.sources import SourceFile, composed
from glimpse.prepare.split import groups_for_testing
from glimpse.workspace import Workspace

# What tells the two photos of one pair of hands apart, at the end of their names.
SIDE = re.compile(
    r"(?:[ _./-]*(?:front|back|dorsal|dorsum|palmar|palm|volar|vorne|hinten)|[ _.-][fbdpv])$", re.IGNORECASE
)


def prepare_hands(
    workspace: Workspace,
    photos: Path | Sequence[Path],
    *,
    name: str = "hands",
    size: tuple[int, int] = (640, 480),
    people: Path | None = None,
    person_column: str = "person",
    person_pattern: str | None = None,
    test_share: float = 0.2,
    seed: int = 0,
    licence: str = "",
    skip_broken: bool = False,
    made_from: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> Prepared:
    """One image set of `size` (width, height), the centre of each photo without distortion.

    The person is what `person_pattern` finds in the path (the first of its groups that takes part, if it has any), or
    `person_column` of the CSV `people`; by default the path without its ending and without a final front, back,
    palmar, ... Raises ImageSetError.
    """
    threads = threads or cores()
    findings = Findings()
    found = sources.find_photos([photos] if isinstance(photos, Path) else photos, workspace)
    files = {file.name: file for file in matching.by_stem(found, "stem" if people else "path").values()}
    digests = sources.hash_files(list(files.values()), threads)
    persons = _persons(files, people, person_column, person_pattern)
    options = {"size": list(size), "test": test_share, "seed": seed, "skip_broken": skip_broken}
    recipe = Recipe(
        "hands", options,
        {"photos": sources.hash_of_all(digests), "people": sha256_json(persons), **(made_from or {})}, licence,
    )  # fmt: skip
    if there := pipeline.already_there(workspace, name, recipe):
        return there

    files = pipeline.drop_copies(files, digests, findings)
    if skip_broken:
        files = pipeline.without_broken(files, lambda file: file.decoded(pixels.decode_photo), findings, threads)
    if len({persons[file] for file in files}) == len(files) and not people:
        findings.sentences.append(
            "Every photo has a person of its own, so the split is by photo and may leak: name the people with "
            "--person-pattern or --people."
        )
    testing = groups_for_testing([persons[file] for file in files], test_share, seed, "photos")
    width, height = size
    with atomic_folder(workspace.new("images", name)) as folder, ImageSetWriter(folder, height, width) as writer:

        def make(photo: NDArray[np.uint8], file: str) -> NDArray[np.uint8]:
            return pixels.shrink(pixels.crop_to_ratio(photo, width, height), width, height, file)

        for file, image, mark in pipeline.each_image(files, make, name, threads):
            person = persons[file]
            split = "test" if person in testing else "train"
            if not findings.lookalikes.is_duplicate(file, split, mark):
                row = {"image_id": files[file].path, "source": file, "group": person, "split": split}
                writer.add(image, {**row, "label": "hands"})
        pipeline.finish(writer, name, recipe, {"photos": len(files)}, findings)
    return Prepared(pipeline.load(workspace, name), made=True, notes=findings.notes())


def _persons(files: Mapping[str, SourceFile], people: Path | None, column: str, pattern: str | None) -> dict[str, str]:
    """The person of each photo, by its path."""
    if people:
        found = tables.column_by_photo(people, column, {f.stem for f in files.values()})
        nobody = sorted(name for name, file in files.items() if file.stem not in found)
        if nobody:
            raise ImageSetError(f"{people.name} names no person for {nobody[0]} ({len(nobody)} in all).")
        return {name: found[file.stem] for name, file in files.items()}
    return {name: person_of(name, pattern) for name in files}


def person_of(name: str, pattern: str | None = None) -> str:
    """The person in the path of a photo. Raises ImageSetError for a bad pattern, or one that finds nothing."""
    path = composed(PurePosixPath(name).with_suffix("").as_posix())
    if pattern is None:
        return SIDE.sub("", path) or path
    try:
        match = re.search(pattern, path)
    except re.error as error:
        raise ImageSetError(f"--person-pattern {pattern!r} is not a regular expression: {error}.") from None
    groups = (match.groups() or (match[0],)) if match else ()
    person = next((group for group in groups if group), None)
    if not person:
        raise ImageSetError(f"--person-pattern {pattern!r} finds nobody in {name}.")
    return str(person)
