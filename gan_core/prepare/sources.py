"""Where photos come from: folders, zips as downloaded, or folders of zips; found, named and matched to their masks."""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from gan_core.imageset import ImageSetError
from gan_core.workspace import KINDS, Workspace, sha256_bytes, sha256_json

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
TABLE_SUFFIXES = frozenset({".csv", ".tab", ".tsv"})
# What data sets append to a photo's name to name its mask: IMG_1_segmentation, IMG_1-lesion-mask, IMG_1_hand ...
MASK_WORDS = "segmentation|segmentations|seg|masks?|lesions?|eczema|skin|hands?|gt|label|groundtruth|ground_truth"
MASK_SUFFIX = re.compile(rf"(?:[ _.-](?:{MASK_WORDS}))+$", re.IGNORECASE)

Item = TypeVar("Item")
Result = TypeVar("Result")


class BrokenPhotoError(ImageSetError):
    """One file cannot be read; `--skip-broken` leaves it out."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be read ({reason}): repair or remove it, or give --skip-broken.")
        self.name = name


@dataclass(frozen=True)
class SourceFile:
    """A file in a folder or in a zip."""

    name: str  # its path inside the folder or the zip, parts joined by "/"
    place: Path = field(compare=False)  # the file itself, or the zip that holds it
    archive: zipfile.ZipFile | None = field(default=None, compare=False, repr=False)

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def path(self) -> str:
        return PurePosixPath(self.name).with_suffix("").as_posix()

    @property
    def where(self) -> str:
        return f"{self.name} in {self.place}" if self.archive else str(self.place)

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    def read(self) -> bytes:
        """The content; raises BrokenPhotoError when the file or its zip is damaged. Safe from several threads."""
        try:
            return self.archive.read(self.name) if self.archive else self.place.read_bytes()
        except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise BrokenPhotoError(self.name, str(error)) from None


def find_files(places: Iterable[Path]) -> list[SourceFile]:
    """Every visible file in these folders, zips, and folders of zips, by name."""
    files: list[SourceFile] = []
    for place in places:
        if place.is_dir():
            for path in sorted(_all_files(place)):
                name = path.relative_to(place).as_posix()
                files += _in_zip(path) if path.suffix.lower() == ".zip" else [SourceFile(name, path)]
        elif place.suffix.lower() == ".zip" and place.is_file():
            files += _in_zip(place)
        elif place.is_file():
            files.append(SourceFile(place.name, place))
        else:
            raise ImageSetError(f"{place} does not exist: give a folder of photos or a zip.")
    return sorted((f for f in files if not _hidden(f.name)), key=lambda f: (f.name, str(f.place)))


def find_photos(places: Iterable[Path], workspace: Workspace) -> list[SourceFile]:
    """The photos in these places, but for what Glimpse itself made there; raises ImageSetError when there are none."""
    places = list(places)
    ours = {(workspace.root / kind / name).resolve() for kind in KINDS for name in workspace.names(kind)}
    files = [f for f in find_files(places) if not ours & set(f.place.resolve().parents)]
    photos = [file for file in files if file.suffix in PHOTO_SUFFIXES]
    if not photos:
        where = ", ".join(map(str, places))
        inner = next((f.name for f in files if f.suffix == ".zip"), None)
        hint = f" It holds the zip {inner}: unpack that first." if inner else ""
        raise ImageSetError(f"There is no photo in {where} (looked for {', '.join(sorted(PHOTO_SUFFIXES))}).{hint}")
    unspeakable = [photo.name for photo in photos if photo.name.encode("utf-8", "ignore").decode() != photo.name]
    if unspeakable:
        raise ImageSetError(f"The file name {unspeakable[0]!a} is not UTF-8: rename it.")
    return photos


def _all_files(folder: Path) -> Iterator[Path]:
    """The files below a folder and below the folders that links in it lead to, each folder once: links may go round."""
    seen: set[str] = set()
    for at, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(f for f in folders if os.path.realpath(os.path.join(at, f)) not in seen)
        seen |= {os.path.realpath(at), *(os.path.realpath(os.path.join(at, f)) for f in folders)}
        yield from (path for name in files if (path := Path(at, name)).is_file())


def _in_zip(path: Path) -> list[SourceFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ImageSetError(f"{path} cannot be read as a zip ({error}): download it again.") from None
    return [SourceFile(info.filename, path, archive) for info in archive.infolist() if not info.is_dir()]


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def by_stem(files: Iterable[SourceFile], key: Literal["stem", "path"] = "stem") -> dict[str, SourceFile]:
    """The files under their names without ending, and but for "path" without folder.

    Raises ImageSetError when two share one.
    """
    found: dict[str, SourceFile] = {}
    for file in files:
        other = found.setdefault(getattr(file, key), file)
        if other is not file:
            raise ImageSetError(
                f"{other.where} and {file.where} have the same name without ending: rename or remove one."
            )
    return found


def match_masks(photos: Mapping[str, SourceFile], masks: Iterable[SourceFile]) -> dict[str, SourceFile]:
    """The mask of each photo: same stem, with a suffix like `_segmentation` or without; a suffixed one goes first.

    So photos and masks may lie in one folder. Raises ImageSetError when a photo has two masks.
    """
    exact: dict[str, SourceFile] = {}
    suffixed: dict[str, SourceFile] = {}
    for mask in masks:
        bare = MASK_SUFFIX.sub("", mask.stem)
        target, key = (suffixed, bare) if bare in photos and bare != mask.stem else (exact, mask.stem)
        other = target.setdefault(key, mask)
        if other is not mask and key in photos:
            raise ImageSetError(f"{photos[key].name} has two masks, {other.name} and {mask.name}: keep one of them.")
    return {stem: mask for stem, mask in {**exact, **suffixed}.items() if stem in photos}


def without_masks(photos: Mapping[str, SourceFile]) -> dict[str, SourceFile]:
    """Leave out what is by its name the mask of another of these files."""
    return {s: p for s, p in photos.items() if (bare := MASK_SUFFIX.sub("", s)) == s or bare not in photos}


# ------------------------------------------------------------------------------------------------ hashes and order


def hash_files(files: Sequence[SourceFile], threads: int) -> dict[str, str]:
    """SHA-256 of each file's content, by name; a file that cannot be read is told apart, and met again on decoding."""

    def digest(file: SourceFile) -> str:
        try:
            return sha256_bytes(file.read())
        except BrokenPhotoError:
            return f"unreadable {file.name}"

    digests = in_order(digest, files, threads)
    return {file.name: digest for file, digest in zip(files, digests, strict=True)}


def hash_of_all(digests: Mapping[str, str]) -> str:
    """One hash for many files: their names without folders, and their contents; not where they lie."""
    return sha256_json(sorted((PurePosixPath(name).name, digest) for name, digest in digests.items()))


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`map` on threads, in order, working at most two items a thread ahead: memory does not grow with the items."""
    if threads < 2:
        yield from map(work, items)
        return
    remaining = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        pending: list[Future[Result]] = [pool.submit(work, item) for item in islice(remaining, 2 * threads)]
        try:
            while pending:
                yield pending.pop(0).result()
                pending += [pool.submit(work, item) for item in islice(remaining, 1)]
        finally:
            for future in pending:
                future.cancel()


# ------------------------------------------------------------------------------------------------ tables


def read_table(file: SourceFile) -> list[dict[str, str]]:
    """The rows of a CSV (or tab-separated) file with a header."""
    text = as_text(file.read(), file.name)
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise ImageSetError(f"{file.name} cannot be read as a table ({error}): save it as CSV in UTF-8.") from None
    return [{(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str)} for row in rows]


def as_text(data: bytes, name: str) -> str:
    """UTF-8 with any system's line ends. Raises ImageSetError."""
    try:
        return io.StringIO(data.decode("utf-8-sig"), newline=None).read()
    except UnicodeDecodeError:
        raise ImageSetError(f"{name} is not UTF-8 text: save it in UTF-8.") from None


def column_by_photo(path: Path, column: str, stems: Iterable[str]) -> dict[str, str]:
    """The value of `column` for each photo; the column that names the photos is the one most of them are found in."""
    if not path.is_file():
        raise ImageSetError(f"{path} does not exist: give a CSV file with the photos' names and a column '{column}'.")
    table = SourceFile(path.name, path)
    rows = read_table(table)
    columns = list(rows[0]) if rows else []
    if column not in columns:
        raise ImageSetError(f"{table.name} has no column '{column}' (it has: {', '.join(columns) or 'no rows'}).")
    wanted = set(stems)
    keyed = [[PurePosixPath(row.get(name, "")).stem for row in rows] for name in columns if name != column]
    best = max(keyed, key=lambda found: len(wanted & set(found)), default=[])
    if not wanted & set(best):
        raise ImageSetError(f"No column of {table.name} names the photos: one must hold their file names.")
    values: dict[str, str] = {}
    for stem, row in zip(best, rows, strict=True):
        value = row.get(column)
        if stem in wanted and value and values.setdefault(stem, value) != value:
            raise ImageSetError(f"{table.name} gives {stem} two of '{column}', {values[stem]} and {value}: keep one.")
    return values
