"""Photos of pairs of hands (section 3.1): cropped to 4:3, resampled by area, split by person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from glimpse.files import sha256_json
from glimpse.imageset import ImageSetError
from glimpse.prepare.checks.findings import Findings
from glimpse.prepare.pipeline import PhotoOptions, PhotoSet, Prepared, photos_to_set
from glimpse.prepare.reading import matching, sources, tables
from glimpse.prepare.reading.sources import SourceFile, composed
from glimpse.prepare.split import group_in
from glimpse.workspace import Workspace

# The end of a file name that distinguishes the photos of one pair of hands.
SIDE = re.compile(
    r"(?:[ _./-]*(?:front|back|dorsal|dorsum|palmar|palm|volar|vorne|hinten)|[ _.-][fbdpv])$", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class HandsOptions(PhotoOptions):
    """Options of `prepare hands`."""

    name: str = "hands"
    size: tuple[int, int] = (640, 480)  # width, height
    people: Path | None = None  # CSV table of photos and persons
    person_column: str = "person"  # of that table
    person_pattern: str | None = None  # regular expression that finds the person in the path


def prepare_hands(workspace: Workspace, options: HandsOptions) -> Prepared:
    """One image set of photos cropped to the ratio of `size`, split by person.

    The person is the first group of `person_pattern` that matches in the path (the whole match if it has no groups), or
    is given in the table `people`; by default it is the path without its ending and without a final front, back,
    palmar, ... Raises ImageSetError.
    """
    found = sources.find_photos(options.source, workspace)
    files = matching.by_stem(found, "stem" if options.people else "path").values()
    photos = {file.path: file for file in files}
    persons = _persons(photos, options)

    def select(kept: dict[str, SourceFile], findings: Findings) -> dict[str, SourceFile]:
        if len({persons[path] for path in kept}) == len(kept) and not options.people:
            findings.sentences.append(
                "Every photo has a different person, so the split is by photo and may leak: name the people with "
                "--person-pattern or --people."
            )
        return kept

    wanted = PhotoSet(
        source="hands", name=options.name, label="hands", photos=photos, groups=persons, size=options.size, fit="crop",
        options=options.recorded(),
        made_from={"people": sha256_json({file.name: persons[path] for path, file in photos.items()})}, select=select,
    )  # fmt: skip
    return photos_to_set(workspace, wanted, options)


def _persons(photos: Mapping[str, SourceFile], options: HandsOptions) -> dict[str, str]:
    """The person of each photo, by its path without ending."""
    if options.people is None:
        return {path: person_of(file.name, options.person_pattern) for path, file in photos.items()}
    found = tables.column_by_photo(options.people, options.person_column, {file.stem for file in photos.values()})
    missing = sorted(file.name for file in photos.values() if file.stem not in found)
    if missing:
        raise ImageSetError(f"{options.people.name} names no person for {missing[0]} ({len(missing)} in all).")
    return {path: found[file.stem] for path, file in photos.items()}


def person_of(name: str, pattern: str | None = None) -> str:
    """The person in the path of a photo. Raises ImageSetError for a bad pattern, or one that finds nothing."""
    if pattern is not None:
        return group_in(name, pattern, "--person-pattern", "no person")
    path = composed(PurePosixPath(name).with_suffix("").as_posix())
    return SIDE.sub("", path) or path
