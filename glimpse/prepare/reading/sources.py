"""Photo files in folders, in zips as downloaded, or in folders of zips: finding, reading and hashing them."""

from __future__ import annotations

import os
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from glob import iglob
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NoReturn, TypeVar

from glimpse.files import sha256_bytes, sha256_json
from glimpse.imageset import ImageSetError
from glimpse.workspace import KINDS, Workspace

PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".jp2", ".j2k", ".avif",
    ".heic", ".heif", ".hif", ".dcm", ".dicom", ".pgm", ".ppm",
})  # fmt: skip
# Not read, but may hold photos: raw files, other image formats, formats of microscopes and scanners, arrays, archives,
# films.
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".7z", ".rar"})
OTHER_SUFFIXES = ARCHIVES | frozenset({
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw", ".raw",
    ".psd", ".psb", ".xcf", ".kra", ".svg", ".eps", ".jxl", ".jxr", ".exr", ".hdr", ".tga", ".pcx", ".sgi", ".rgb",
    ".dds", ".qoi", ".pbm", ".pnm", ".pam", ".pfm", ".xbm", ".xpm", ".ras", ".fits", ".fit", ".fts", ".dib", ".apng",
    ".avifs", ".heics", ".mpo", ".jps", ".pns", ".ico", ".icns", ".cur", ".wmf", ".emf", ".jpx", ".jpf", ".jpm",
    ".j2c", ".jpc", ".jls", ".svs", ".ndpi", ".czi", ".lif", ".lsm", ".nd2", ".oib", ".oif", ".vsi", ".scn", ".bif",
    ".mrxs", ".ims", ".nii", ".mha", ".mhd", ".nrrd", ".mgz", ".npy", ".npz", ".mat", ".h5", ".hdf5", ".tfrecord",
    ".tfrecords", ".lmdb", ".mdb", ".parquet", ".arrow", ".feather", ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm",
    ".wmv", ".mpg", ".mpeg",
})  # fmt: skip
MAGIC = (
    b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8", b"BM", b"\0\0\0\x0cjP  ", b"8BPS",
    b"\xff\x0a", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!",
)  # fmt: skip
MOST_BYTES = 2**30  # of one file
MOST_UNPACKED = 2**28, 100  # most bytes of a file in a zip that expands by more than this factor

Item = TypeVar("Item")
Result = TypeVar("Result")


class UnfitFileError(ImageSetError):
    """One file does not fit; `--skip-broken` leaves it out and counts it by `kind` (a key of pipeline.UNFIT)."""

    def __init__(self, name: str, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name
        self.kind = kind


class BrokenPhotoError(UnfitFileError):
    """One file cannot be read."""

    def __init__(self, name: str, reason: str, where: str = "") -> None:
        sentence = f"{where or name} cannot be read ({reason}): repair or remove it, or give --skip-broken."
        super().__init__(name, "broken", sentence)


@dataclass(frozen=True)
class SourceFile:
    """A file in a folder or in a zip."""

    name: str  # its path inside the folder or the zip, parts joined by "/"
    place: Path = field(compare=False)  # the file itself, or the zip that holds it
    zipped: bool = field(default=False, compare=False)

    @property
    def stem(self) -> str:
        return composed(PurePosixPath(self.name).stem)

    @property
    def path(self) -> str:
        return composed(PurePosixPath(self.name).with_suffix("").as_posix())

    @property
    def full_path(self) -> str:
        """Its path from the root, without ending."""
        path = PurePosixPath(Path(os.path.abspath(self.place)).as_posix(), self.name if self.zipped else "")
        return composed(path.with_suffix("").as_posix())

    @property
    def where(self) -> str:
        return f"{self.name} in {self.place}" if self.zipped else str(self.place)

    @property
    def spot(self) -> tuple[str, str]:
        """A key that is the same for a file found twice, through any folder or link."""
        return os.path.realpath(self.place), self.name if self.zipped else ""

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    def read(self, most: int = -1) -> bytes:
        """The content, or its first `most` bytes. Raises BrokenPhotoError when the file or its zip is damaged, or too
        much would be unpacked. Thread-safe."""
        try:
            most = self._limit() if most < 0 else most  # a zip may hold more than the size that it states
            with _archive(self.place).open(self.name) if self.zipped else open(self.place, "rb") as file:
                return file.read(most)
        except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BrokenPhotoError(self.name, reason, self.where) from None

    def _limit(self) -> int:
        """The size in bytes. Raises BrokenPhotoError before a zip bomb, or a file too large to be a photo, fills the
        memory."""
        if not self.zipped:
            size, packed = self.place.stat().st_size, 0
        else:
            info = _archive(self.place).getinfo(self.name)
            size, packed = info.file_size, info.compress_size
        bound, times = MOST_UNPACKED
        if size > MOST_BYTES or (self.zipped and size > bound and size > times * packed):
            packing = f", {size // max(packed, 1):,} times its compressed size," if packed else ""
            reason = f"its size, {size / 2**20:,.0f} MB{packing} is too large for a photo or a table"
            raise BrokenPhotoError(self.name, reason, self.where)
        return size

    def decoded(self, decode: Callable[[bytes, str], Result]) -> Result:
        """The content decoded by `decode`, which also gets the file's place, for its errors."""
        try:
            return decode(self.read(), self.where)
        except UnfitFileError as error:
            error.name = self.name
            raise


def composed(text: str) -> str:
    """Each accented letter as one character: macOS writes file names as letter and accent, all others as one."""
    return unicodedata.normalize("NFC", text)


def is_there(place: Path) -> bool:
    """Whether a place can be read: a folder, a file, or a pattern such as results/*_fake.png that names files."""
    return place.exists() or any(iglob(str(place), recursive=True))


def find_files(places: Iterable[Path]) -> list[SourceFile]:
    """Every visible file in these folders, zips, folders of zips, and places that a pattern names, by name."""
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
        elif is_there(place):
            base = next(folder for folder in place.parents if folder.is_dir())
            for path in map(Path, iglob(str(place), recursive=True)):
                within = (path if path.is_dir() else path.parent).relative_to(base)
                files += [
                    file if file.zipped else replace(file, name=(within / file.name).as_posix())
                    for file in find_files([path])
                ]
        else:
            raise ImageSetError(f"{place} does not exist: give a folder of photos or a zip.")
    return sorted((f for f in files if not _hidden(f.name)), key=lambda f: (f.name, str(f.place)))


def find_photos(places: Iterable[Path], workspace: Workspace) -> list[SourceFile]:
    """The photos in these places, except images that Glimpse made there. Raises ImageSetError if there are none."""
    places = list(places)
    return photos_among(find_files(places), places, workspace)


def photos_among(files: Iterable[SourceFile], places: Sequence[Path], workspace: Workspace) -> list[SourceFile]:
    """`find_photos` for places whose files are already listed."""
    files = _not_ours(files, workspace)
    photos = [file for file in files if file.suffix in PHOTO_SUFFIXES]
    if not photos:
        where = ", ".join(map(str, places))
        hint = ""
        if inner := next((f.where for f in files if f.suffix in ARCHIVES), None):
            hint = f" Unpack {inner} first."
        elif looks := next(
            (f.where for f in files if f.suffix not in OTHER_SUFFIXES and _looks_like_an_image(f)), None
        ):
            hint = f" {looks} looks like an image: give it the ending of its format, such as .jpg, or .dcm for DICOM."
        raise ImageSetError(f"There is no photo in {where} (looked for {', '.join(sorted(PHOTO_SUFFIXES))}).{hint}")
    undecodable = [photo.name for photo in photos if photo.name.encode("utf-8", "ignore").decode() != photo.name]
    if undecodable:
        raise ImageSetError(f"The file name {undecodable[0]!a} is not UTF-8: rename it.")
    return photos


def _not_ours(files: Iterable[SourceFile], workspace: Workspace) -> list[SourceFile]:
    """The files outside of the workspace's image sets, runs and stimulus sets."""
    ours = {(workspace.root / kind / name).resolve() for kind in KINDS for name in workspace.names(kind)}
    return [f for f in files if not ours & set(Path(os.path.realpath(f.place)).parents)]


def unread_files(places: Iterable[Path], workspace: Workspace) -> list[SourceFile]:
    """The files that look like images or archives, by their ending or their first bytes, but are not read."""
    others = [f for f in _not_ours(find_files(places), workspace) if f.suffix not in PHOTO_SUFFIXES]
    return [f for f in others if f.suffix in OTHER_SUFFIXES or _looks_like_an_image(f)]


def _looks_like_an_image(file: SourceFile) -> bool:
    if file.suffix in (".csv", ".tsv", ".txt", ".json", ".md", ".pdf", ".xlsx", ".docx", ".html"):
        return False  # a spreadsheet is a zip by its first bytes
    try:
        head = file.read(132)
    except BrokenPhotoError:
        return False
    riff = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return head.startswith(MAGIC) or riff or head[4:8] == b"ftyp" or is_dicom(head)


def is_dicom(data: bytes) -> bool:
    """Whether this is DICOM: by its magic bytes, or by its first element where the preamble is left out."""
    group, element, vr = data[:2], int.from_bytes(data[2:4], "little"), data[4:6]
    explicit = group in (b"\2\0", b"\x08\0") and vr.isalpha() and vr.isupper()
    length = int.from_bytes(data[4:8], "little")
    implicit = group == b"\x08\0" and 0 < length <= 1024 and length % 2 == 0
    return data[128:132] == b"DICM" or (element <= 0x18 and (explicit or implicit))


def _all_files(folder: Path) -> Iterator[Path]:
    """The files below a folder and the folders it links to, each folder once: links may lead in a circle or nowhere."""
    seen: set[str] = set()
    for at, folders, files in os.walk(folder, onerror=_unreadable, followlinks=True):
        folders[:] = sorted(f for f in folders if not _hidden(f) and os.path.realpath(os.path.join(at, f)) not in seen)
        seen |= {os.path.realpath(at), *(os.path.realpath(os.path.join(at, f)) for f in folders)}
        visible = (Path(at, name) for name in files if not _hidden(name))
        yield from (path for path in visible if path.is_file() or not path.exists())  # a dead link cannot be read


def _unreadable(error: OSError) -> NoReturn:
    raise ImageSetError(
        f"{error.filename} cannot be read ({error.strerror}): make it readable, or move it elsewhere."
    ) from None


def _in_zip(path: Path) -> list[SourceFile]:
    try:
        return [SourceFile(info.filename, path, True) for info in _archive(path).infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise ImageSetError(f"{path} cannot be read as a zip ({error}): download it again.") from None
    except OSError as error:
        _unreadable(error)


def _archive(path: Path) -> zipfile.ZipFile:
    status = path.stat()
    return _open_archive(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)  # few enough for any limit of open files; one that falls out closes when its last reader ends
def _open_archive(path: Path, *_version: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _hidden(name: str) -> bool:
    """Whether a path is hidden, or added by macOS, Windows or a Synology server."""
    return any(part.startswith((".", "__MACOSX", "$RECYCLE", "@eaDir")) for part in PurePosixPath(name).parts)


def hash_files(files: Sequence[SourceFile], threads: int) -> dict[str, str]:
    """SHA-256 of each file's content, by name; an unreadable file gets a unique value, and decoding reports it."""

    def digest(file: SourceFile) -> str:
        try:
            return sha256_bytes(file.read())
        except BrokenPhotoError:
            return f"unreadable {file.name}"

    digests = in_order(digest, files, threads)
    return {file.name: digest for file, digest in zip(files, digests, strict=True)}


def hash_of_all(digests: Mapping[str, str]) -> str:
    """One hash for many files: their names without folders, and their contents, wherever they are."""
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
