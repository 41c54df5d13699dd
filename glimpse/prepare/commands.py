"""Make image sets from photos: one command for each kind of source.

Each can be run again: an image set that the same photos and options made is left as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glimpse.command_line import seed
from glimpse.files import GlimpseError
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from glimpse.prepare.pipeline import Prepared


def add_commands(commands: Any, common: argparse.ArgumentParser) -> Any:
    """Add `prepare` and its kinds of source to gan_core's commands; returns the parsers of the sources."""
    prepare = commands.add_parser("prepare", help="make image sets from photos", description=__doc__)
    kinds = prepare.add_subparsers(title="sources", metavar="SOURCE", required=True)
    photos = argparse.ArgumentParser(add_help=False, parents=[common])
    photos.add_argument("--seed", type=seed, default=0, metavar="N", help="of the split (default: %(default)s)")
    photos.add_argument("--licence", default="", metavar="TEXT", help="licence of the photos, kept in the manifest")
    photos.add_argument("--skip-broken", action="store_true", help="leave out what cannot be read, and count it")
    photos.add_argument("--threads", type=int, metavar="N", help="photos read at once (default: one a processor)")
    _add_hands(kinds, photos)
    _add_patches(kinds, photos)
    _add_isic(kinds, photos)
    return kinds


def _add_hands(kinds: Any, photos: argparse.ArgumentParser) -> None:
    hands = kinds.add_parser(
        "hands",
        parents=[photos],
        help="photos of pairs of hands",
        description="Make one image set from photos of hands of any size, cropped to 4:3 and split by person.",
    )
    hands.add_argument("source", nargs="+", type=Path, metavar="SRC", help="folders or zips")
    hands.add_argument("--name", default="hands", help="of the image set (default: %(default)s)")
    hands.add_argument("--size", type=width_and_height, default=(640, 480), metavar="WxH", help="default: 640x480")
    hands.add_argument("--people", type=Path, metavar="CSV", help="table with the file names and a column of persons")
    hands.add_argument("--person-column", default="person", metavar="NAME", help="of that table (default: %(default)s)")
    hands.add_argument(
        "--person-pattern",
        metavar="REGEX",
        help="in the path finds the person, by its first group that takes part (default: without front, back, ...)",
    )
    hands.add_argument("--test-share", type=share, default=0.2, metavar="S", help="0 to 1 (default: %(default)s)")
    hands.set_defaults(run=_run_hands)


def _add_patches(kinds: Any, photos: argparse.ArgumentParser) -> None:
    patches = kinds.add_parser(
        "patches",
        parents=[photos],
        help="healthy and eczema patches of skin",
        description="Cut every window that is skin alone from photos with lesion masks: those without a lesion pixel "
        "become one image set, those with a share of lesion within --coverage the other.",
    )
    places = {"nargs": "+", "type": Path, "metavar": "PLACE"}
    patches.add_argument("--photos", required=True, **places, help="folders or zips of photos, any size")
    patches.add_argument(
        "--lesion-masks", required=True, **places, help="their lesions: two-coloured images, same stem"
    )
    patches.add_argument("--skin-masks", **places, help="their skin (default: all but a plain backdrop at the border)")
    patches.add_argument("--truth", **places, help="twins of the photos without lesions, where such exist")
    patches.add_argument("--names", nargs=2, default=("healthy", "eczema"), metavar="NAME", help="of the image sets")
    patches.add_argument("--size", type=positive, default=128, metavar="N", help="of a window (default: %(default)s)")
    patches.add_argument("--stride", type=positive, default=64, metavar="N", help="default: %(default)s")
    patches.add_argument(
        "--coverage", nargs=2, type=float, default=(0.1, 0.8), metavar=("FROM", "TO"), help="default: 0.1 0.8"
    )
    patches.add_argument(
        "--test-photos",
        type=count_share_or_list,
        default=0.4,
        metavar="N|SHARE|FILE",
        help="photos for the test side: how many, what share, or a list of them (default: %(default)s)",
    )
    patches.add_argument(
        "--metadata", type=Path, metavar="CSV", help="table with the file names and a column of groups"
    )
    patches.add_argument(
        "--group-column", default="lesion_id", metavar="NAME", help="photos that share it stay together (default: "
        "%(default)s)",
    )  # fmt: skip
    patches.set_defaults(run=_run_patches)


def _add_isic(kinds: Any, photos: argparse.ArgumentParser) -> None:
    isic = kinds.add_parser(
        "isic",
        parents=[photos],
        help="dermoscopic lesions of ISIC 2018 / HAM10000",
        description="Make one image set a label from the photos and tables of ISIC 2018 Task 3 or HAM10000, split by "
        "lesion.",
    )
    isic.add_argument(
        "source", nargs="*", type=Path, metavar="SRC", help="folders or zips, with the table of diagnoses"
    )
    isic.add_argument(
        "--label", nargs="+", required=True, metavar="LABEL", help="MEL, NV, BCC, AKIEC, BKL, DF, VASC; one set each"
    )
    isic.add_argument("--name", help="of the image set (default: the label in lower case)")
    isic.add_argument("--size", type=positive, default=256, metavar="N", help="pixels a side (default: %(default)s)")
    isic.add_argument("--test-share", type=share, default=0.2, metavar="S", help="0 to 1 (default: %(default)s)")
    isic.add_argument(
        "--crop-square", action="store_true", help="cut the centred square instead of squeezing the photo"
    )
    isic.add_argument(
        "--drop-hairy", type=share, default=0.0, metavar="Q", help="set aside this share of the photos, hairiest first"
    )
    isic.set_defaults(run=_run_isic)


def share(text: str) -> float:
    """A number from 0 to below 1, as an option's type."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share: it must be at least 0 and less than 1")
    return value


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def width_and_height(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text} is not a size like 640x480")
    return int(width), int(height)


def count_share_or_list(text: str) -> int | float | Path:
    """`52`, `0.4` or a file that lists photos."""
    try:
        return int(text) if text.isdigit() else share(text)
    except ValueError:
        return Path(text)


def _run_hands(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.prepare.hands import prepare_hands

    tell(
        [
            prepare_hands(
                workspace, args.source, name=args.name, size=args.size, people=args.people,
                person_column=args.person_column, person_pattern=args.person_pattern, test_share=args.test_share,
                seed=args.seed, skip_broken=args.skip_broken, licence=args.licence, threads=args.threads,
            )
        ]
    )  # fmt: skip


def _run_patches(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.prepare.patches import prepare_patches

    if not 0 <= args.coverage[0] <= args.coverage[1] <= 1:
        raise GlimpseError("--coverage takes the least and the largest share of lesion pixels, 0 to 1: 0.1 0.8.")
    tell(
        prepare_patches(
            workspace, args.photos, args.lesion_masks, args.skin_masks, args.truth, size=args.size, stride=args.stride,
            coverage=tuple(args.coverage), test_photos=args.test_photos, metadata=args.metadata,
            group_column=args.group_column, names=tuple(args.names), seed=args.seed, skip_broken=args.skip_broken,
            licence=args.licence, threads=args.threads,
        )
    )  # fmt: skip


def _run_isic(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.prepare.isic import LABELS, prepare_isic

    # `--label DF FOLDER`: with several labels allowed, argparse takes a folder behind them for one more.
    labels = [word for word in args.label if word.upper() in LABELS or not Path(word).exists()]
    places = [*args.source, *(Path(word) for word in args.label if word not in labels)]
    if not places:
        raise GlimpseError("Name the folder or zip with the photos: gan_core prepare isic SRC --label DF.")
    tell(
        prepare_isic(
            workspace, places, labels, name=args.name, size=args.size, test_share=args.test_share,
            seed=args.seed, crop_square=args.crop_square, drop_hairy=args.drop_hairy, skip_broken=args.skip_broken,
            licence=args.licence, threads=args.threads,
        )
    )  # fmt: skip


def tell(prepared: Iterable[Prepared]) -> None:
    """Say what was made, what stands out, and what to do next."""
    names = []
    for one in prepared:
        images, counts = one.images, one.images.manifest["counts"]
        print(
            f"{images.name}: {len(images):,} images of {images.width}x{images.height}, {counts['train']:,} to train "
            f"and {counts['test']:,} to test, from {counts['groups']:,} groups"
            + (f", in {images.folder}." if one.made else f"; already there, unchanged, in {images.folder}.")
        )
        for note in one.notes:
            print(f"  {note}")
        names.append(images.name)
    print(f"Look at {' and '.join(f'{name}/preview.png' for name in names)}.")
