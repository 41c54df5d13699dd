"""Features of images: computed once, streamed in bounded memory, and cached in the workspace.

A cached array is found by the hash of the extractor (weights, layers, input size) and the hash of the images, so old
features are never used for new weights or images. torch is imported only when a network is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.cache import key_of
from analysis.section import AnalysisError, Context, OptionError
from gan_core.device import pick_device
from glimpse.files import GlimpseError, atomic_file, read_json, sha256_bytes, sha256_file, sha256_json, write_json
from glimpse.progress import progress as progress_bar

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

BATCH = 64


class Images(Protocol):
    """Images (n, H, W, 3) uint8, possibly too many for memory: an array, a mapped file, or a view of one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Features:
    """Features of n images, with logits if the extractor has classes.

    >>> Features(np.array([[1.0], [2.0], [3.0]])).take(np.array([2, 0])).values.tolist()
    [[3.0], [1.0]]
    """

    values: NDArray[np.float32]  # (n, d)
    logits: NDArray[np.float32] | None = None  # (n, classes): for the Inception score
    blocks: int = 1  # independent networks side by side in the d columns

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[np.intp]) -> Features:
        return Features(self.values[rows], None if self.logits is None else self.logits[rows], self.blocks)

    def parts(self) -> list[NDArray[np.float32]]:
        """The columns of each independent network, (n, d / blocks).

        >>> [part.tolist() for part in Features(np.array([[1.0, 2.0], [3.0, 4.0]]), blocks=2).parts()]
        [[[1.0], [3.0]], [[2.0], [4.0]]]
        """
        return np.split(self.values, self.blocks, axis=1)


def checked(values: NDArray[Any], what: str = "The features") -> NDArray[Any]:
    """`values` (n, d) if a distance can be computed from them; raises AnalysisError for n < 2, OptionError for NaN.

    >>> checked(np.array([[1.0, 2.0]]))
    Traceback (most recent call last):
    analysis.section.AnalysisError: The features are of fewer than two images: a distribution needs at least two.
    """
    if values.ndim != 2 or len(values) < 2:
        raise AnalysisError(f"{what} are of fewer than two images: a distribution needs at least two.")
    broken = int((~np.isfinite(values)).any(axis=1).sum())
    if broken:
        raise OptionError(
            f"{what} of {broken} of {len(values)} images are not finite: the network that made the images or the "
            "weights of the extractor are broken; train or download again."
        )
    return values


def checked_images(images: Any, what: str = "The images") -> Any:
    """`images` if they are (n, H, W, 3) uint8; raises AnalysisError for none, grey images, and floats.

    >>> checked_images(np.zeros((1, 4, 4, 3), np.uint8)).shape
    (1, 4, 4, 3)
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or not images.size:
        raise AnalysisError(
            f"{what} must be (n, H, W, 3) of type uint8, at least one: these are {images.shape} of {images.dtype}. "
            "Give colour images with levels from 0 to 255."
        )
    return images


def batches(images: Images) -> Iterator[NDArray[np.uint8]]:
    """The images (N, H, W, 3) in batches, so that a mapped file is never read as a whole.

    >>> [len(batch) for batch in batches(np.zeros((BATCH + 1, 1, 1, 3), np.uint8))] == [BATCH, 1]
    True
    """
    for start in range(0, len(images), BATCH):
        yield np.asarray(images[np.arange(start, min(start + BATCH, len(images)))])


def extract(
    extractor: Extractor,
    images: Iterable[NDArray[np.uint8]],
    count: int,
    *,
    source: str | None = None,
    folder: Path | None = None,
    label: str = "",
) -> Features:
    """Features of `count` images that come in batches (b, H, W, 3) of any size; the extractor resizes them.

    `source` identifies the images (a hash of their pixels, or of a generator with its seed and count): with it and a
    `folder`, features in the cache are read without using `images`. `label`: title of the progress bar, which is shown
    only with one.
    Raises AnalysisError if the images are not (b, H, W, 3) uint8, or their number is not `count`.

    >>> from analysis.images.extractors import Extractor
    >>> brightness = Extractor("mean", "", 1, lambda images: images.mean((1, 2, 3), np.float32)[:, None], side=None)
    >>> extract(brightness, [np.full((2, 8, 8, 3), 7, np.uint8)], count=2).values.tolist()
    [[7.0], [7.0]]
    """
    width = extractor.dims + extractor.classes
    path = None
    if folder is not None and source is not None:
        key = key_of("features", {"extractor": extractor.key, "source": source, "count": count})
        path = folder / f"{extractor.name.replace(':', '.')}-{key}.npy"
        found = _cached(path, (count, width))
        if found is not None:
            return _split(found, extractor)
    bar = progress_bar(title=label, unit="images", total=count, shown=bool(label))
    with bar:
        if path is None:
            values = np.empty((count, width), np.float32)
            _fill(values, extractor, images, bar)
            return _split(values, extractor)
        with atomic_file(path) as temporary:
            mapped = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=(count, width))
            _fill(mapped, extractor, images, bar)
            mapped.flush()
            del mapped
            description = {
                "extractor": extractor.name, "extractor_key": extractor.key, "source": source,
                "shape": [count, width], "sha256": sha256_file(temporary),
            }  # fmt: skip
        write_json(path.with_suffix(".json"), description)
    return _split(np.load(path, mmap_mode="r"), extractor)


def _fill(values: NDArray[np.float32], extractor: Extractor, images: Iterable[NDArray[np.uint8]], bar: Any) -> None:
    done = 0
    for batch in images:
        checked_images(batch)
        if done + len(batch) > len(values):
            raise AnalysisError(f"{len(values)} images were expected and more came: the image set or run is damaged.")
        for start in range(0, len(batch), BATCH):
            piece = batch[start : start + BATCH]
            values[done : done + len(piece)] = extractor.forward(piece)
            done += len(piece)
            bar.update(len(piece))
    if done != len(values):
        raise AnalysisError(f"{len(values)} images were expected and {done} came: the image set or run is damaged.")


def _cached(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """The cached array; None if there is none, or if it is damaged."""
    try:
        described = read_json(path.with_suffix(".json"))
        if described["sha256"] != sha256_file(path):
            raise ValueError
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        return values if values.shape == shape and values.dtype == np.float32 else None
    except (OSError, ValueError, KeyError, GlimpseError):
        if path.exists():
            print(f"{path.name} is damaged: computed again.", file=sys.stderr)
        return None


def _split(values: NDArray[np.float32], extractor: Extractor) -> Features:
    logits = values[:, extractor.dims :] if extractor.classes else None
    return Features(values[:, : extractor.dims], logits, extractor.blocks)


def pixels_sha256(images: NDArray[np.uint8]) -> str:
    """The hash of the shape and pixels of images in memory.

    >>> pixels_sha256(np.zeros((1, 2, 2, 3), np.uint8)) == pixels_sha256(np.zeros((2, 1, 2, 3), np.uint8))
    False
    """
    return sha256_bytes(f"{images.shape}".encode() + np.ascontiguousarray(images).tobytes())


def extractor_key(context: Context) -> str:
    """A hash that identifies the extractor of the context without loading torch: part of the key of every result.

    It covers the requested name, the content of `--weights`, the weights that torch has downloaded, and for
    `module:function` the module's source.
    """
    return context.once(
        f"key of {context.extractor} {context.weights}", lambda: _extractor_key(context.extractor, context.weights)
    )


def _extractor_key(extractor: str, weights: Path | None) -> str:
    given = sha256_file(weights) if weights is not None and weights.is_file() else str(weights)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    folder = Path(os.environ.get("TORCH_HOME") or cache).expanduser() / "hub" / "checkpoints"
    files = sorted((path.name, path.stat().st_size) for path in folder.glob("*") if path.is_file())
    return sha256_json([extractor, given, files, _own_source(extractor)])


def _own_source(extractor: str) -> str | None:
    """The hash of the module of `module:function`; None for other extractors and for a module without a file."""
    module, colon, _ = extractor.partition(":")
    with suppress(ImportError, ValueError):  # loading the extractor says what is wrong
        found = find_spec(module) if colon else None
        if found is not None and found.origin and Path(found.origin).is_file():
            return sha256_file(Path(found.origin))
    return None


_loaded: dict[tuple[Any, ...], Extractor] = {}


def extractor_for(context: Context, calibration: NDArray[np.uint8]) -> Extractor:
    """The extractor that the context requests, loaded once."""
    from analysis.images import extractors

    weights, device = context.weights, pick_device(context.device)
    name = extractors.chosen(context.extractor, weights)
    file = weights.stat() if weights is not None and weights.is_file() else None
    key = (
        name, device, weights, file and (file.st_mtime_ns, file.st_size),
        name == "random" and pixels_sha256(calibration),
    )  # fmt: skip
    if key not in _loaded:
        _loaded[key] = extractors.load(name, calibration=calibration, weights=weights, device=device)
    return _loaded[key]
