"""Differences between real and generated images that are not content, and what would make them equal.

A person or a classifier can tell two sets apart by their compression, sharpness or proportions without looking at what
is shown. Exact copies of real images among the generated ones, and near copies, are found here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.files import cores, sha256_bytes
from glimpse.images import evenly, size_in_words
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.duplicates import Lookalikes, fingerprint
from glimpse.prepare.checks.traits import (
    KINDS,
    MEASURED,
    block_energy,
    fine_detail,
    grey_middle,
    power_by_ring,
    repeated_lines,
    steps_by_phase,
)
from glimpse.prepare.reading.sources import in_order
from glimpse.progress import progress

# Differences of at least this size are reported. Two halves of one set stay below all of them; JPEG of quality 90 and
# an enlargement by 1.5 are found (measured in docs/data.md).
KIND_SHARE = 0.1  # of the files have another format, bit depth or profile, or of the images no colour
SHRUNK_RATIO, ASPECT_RATIO = 1.1, 1.02
BLOCK_ENERGY = 0.05
DETAIL_RATIO = 3.0
REPEATED = 0.1  # of the rows and columns
GREY_WITHIN = 8  # levels by which the channels of a grey image may differ, as after JPEG

NAMES = {"format": "file format", "bits": "bits per channel", "profile": "colour profile"}
REMEDIES = {
    "format": "Compression can tell them apart: start from uncompressed files, or publish both with "
    "--jpeg-quality {quality}.",
    "bits": "Fewer bits show as steps in smooth areas: save both sides with 8 bits per channel by the same program.",
    "profile": "Colours outside of sRGB are clipped: export both sides in sRGB.",
}


def differences(
    real: ImageSet, generated: ImageSet, fit: str, compressed: bool = False, off_grid: bool = False
) -> list[str]:
    """Sentences, with numbers, on each property by which two image sets of one size differ.

    The properties of the files are those that `prepare` wrote into the manifests; properties that a manifest lacks are
    not compared. `compressed` and `off_grid` say that both go through --jpeg-quality and --off-grid.
    """
    one, other = _properties(real), _properties(generated)
    quality = min(90, *(side.get("jpeg_quality") or _quality(side["block_energy"]) for side in (one, other)))
    blocks = [side["block_energy"] for side in (one, other)]
    blocky = not off_grid and None not in blocks and abs(blocks[0] - blocks[1]) >= BLOCK_ENERGY
    found = [
        f"{NAMES[kind]}: {_shares(one[kind])} (real), {_shares(other[kind])} (generated)."
        + (
            "" if kind == "format" and blocky else " " + REMEDIES[kind].format(quality=quality)
        )  # the blocks' serves both
        for kind in KINDS
        if kind in one and kind in other and _apart(one[kind], other[kind]) >= KIND_SHARE
        if not (kind == "format" and (compressed or off_grid))
    ]
    if blocky:
        found.append(
            f"JPEG blocks: the steps across 8-pixel boundaries are {blocks[0]:.2f} times the largest elsewhere in the "
            f"real images, {blocks[1]:.2f} times in the generated ones. Start from files that were never compressed, "
            f"or publish both with --off-grid, which hides the blocks"
            + ("." if compressed else f", or with --jpeg-quality {quality} or less.")
        )
    if "width" in one and "width" in other:
        found += _of_sizes((one["width"], one["height"]), (other["width"], other["height"]), real, fit)
    grey = [_grey_share(images) for images in (real, generated)]
    if abs(grey[0] - grey[1]) >= KIND_SHARE:
        found.append(
            f"colour: {grey[0]:.0%} of the real images and {grey[1]:.0%} of the generated ones are grey. Use images in "
            "colour, or grey ones, on both sides."
        )
    found += _of_detail(real, generated, blocks if blocky else None)
    return [f"{real.name} and {generated.name} differ in {sentence}" for sentence in found]


def _properties(images: ImageSet) -> dict[str, Any]:
    """The properties in the manifest; if it has none, the block energy measured on the images."""
    if "traits" in images.manifest:
        return dict(images.manifest["traits"])
    steps = [s for image in evenly(images.images, MEASURED) if (s := steps_by_phase(grey_middle(image))) is not None]
    return {"block_energy": block_energy(steps) if steps else None}


def _quality(energy: float | None) -> int:
    """The JPEG quality, in steps of 5, that leaves blocks as deep as this, where no file states one (docs/data.md).

    >>> _quality(1.0), _quality(1.15), _quality(1.64)
    (95, 90, 55)
    """
    return 5 * int(np.interp(energy or 1, (1.05, 1.15, 1.43, 1.72), (95, 90, 75, 50)) / 5)


def _of_detail(real: ImageSet, generated: ImageSet, blocks: list[float] | None) -> Iterator[str]:
    """Repeated pixels, else power at the highest frequencies, unless it is that of JPEG `blocks` (real, generated)."""
    some = [evenly(images.images, MEASURED) for images in (real, generated)]
    repeated = [float(np.median([repeated_lines(image) for image in images])) for images in some]
    if abs(repeated[0] - repeated[1]) >= REPEATED:
        yield (
            f"repeated pixels: {repeated[0]:.0%} of the rows and columns of the real images equal the one before, "
            f"{repeated[1]:.0%} of those of the generated ones, as after an enlargement without smoothing. Use the "
            "files from before it, or a smaller --size."
        )
        return
    power = [[p for image in images if (p := power_by_ring(grey_middle(image))) is not None] for images in some]
    details = fine_detail(*(np.median(side, axis=0) for side in power)) if all(power) else None
    if details is None or max(details) < DETAIL_RATIO * min(details):
        return
    times = max(details) / min(details)
    if details[0] > details[1] and not (blocks and blocks[0] > blocks[1]):
        yield (
            f"fine detail: the generated images have {times:.1f} times less power at the highest frequencies, as after "
            "an enlargement, blurring or strong compression. Use the files from before it, or a smaller --size."
        )
    if details[0] < details[1] and not (blocks and blocks[0] < blocks[1]):
        yield (
            f"fine detail: the generated images have {times:.1f} times more power at the highest frequencies: they "
            "have noise or a pattern that the real ones lack, or the real ones were enlarged, blurred or strongly "
            "compressed. Use the real files from before that, or a smaller --size."
        )


def _grey_share(images: ImageSet) -> float:
    """The share of the measured images whose channels are equal."""
    some = evenly(images.images, MEASURED)
    return float(np.mean([int(np.ptp(image.astype(np.int16), axis=2).max()) <= GREY_WITHIN for image in some]))


def _of_sizes(one: tuple[int, int], other: tuple[int, int], at: ImageSet, fit: str) -> Iterator[str]:
    shrunk = [min(width / at.width, height / at.height) for width, height in (one, other)]
    if max(shrunk) >= SHRUNK_RATIO * min(shrunk):
        yield (
            f"original size: {size_in_words(*one[::-1])}, shrunk {shrunk[0]:.2f} times (real), "
            f"{size_in_words(*other[::-1])}, shrunk {shrunk[1]:.2f} times (generated). Shrinking removes noise and "
            "compression: the comparison is fair only if the generator was trained on images shrunk as much."
        )
    ratios = [width / height for width, height in (one, other)]
    if max(ratios) >= ASPECT_RATIO * min(ratios):
        remedy = (
            "If the generator was trained on stretched images, use --fit stretch."
            if fit == "crop"
            else "If the generator was trained on cropped images, use --fit crop."
        )
        yield f"proportions (width to height): {ratios[0]:.2f}:1 (real), {ratios[1]:.2f}:1 (generated). {remedy}"


def _apart(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The total variation distance: the share of files that would have to change their kind."""
    totals = sum(one.values()), sum(other.values())
    return sum(abs(one.get(k, 0) / totals[0] - other.get(k, 0) / totals[1]) for k in {*one, *other}) / 2


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return ", ".join(f"{kind} {count / total:.0%}" for kind, count in counts.items())


# ------------------------------------------------------------------------------------------------ copies


def digests(images: ImageSet) -> list[str]:
    """The hash of each image's pixels."""
    return [sha256_bytes(image.tobytes()) for image in images.images]


def near_copies(real: ImageSet, generated: Sequence[tuple[str, NDArray[np.uint8]]]) -> list[tuple[str, str]]:
    """(real image, generated image) of each pair that looks alike, by name; the generated ones with their pixels."""
    found = Lookalikes()
    names = [str(name) for name in real.index["source"]]
    everything = [("train", name, image) for name, image in zip(names, real.images, strict=True)]
    everything += [("test", name, image) for name, image in generated]
    marks = in_order(lambda item: fingerprint(item[2]), everything, cores())
    bar = progress(marks, title="near copies", unit="images", total=len(everything))
    for (side, name, _), mark in zip(everything, bar, strict=True):
        found.is_duplicate(f"{side} {name}", side, mark)
    return [(one.partition(" ")[2], other.partition(" ")[2]) for one, other in found.across_the_split()]
