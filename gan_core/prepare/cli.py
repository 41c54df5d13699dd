"""Make image sets from photos: one command for each kind of source.

Each can be run again: an image set that the same photos and options made is left as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_core.workspace import Workspace

if TYPE_CHECKING:
    from gan_core.prepare.building import Prepared


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `prepare` and its kinds of source to gan_core's commands."""
    prepare = commands.add_parser("prepare", help="make image sets from photos", description=__doc__)
    kinds = prepare.add_subparsers(title="sources", metavar="SOURCE", required=True)
    photos = argparse.ArgumentParser(add_help=False, parents=[common])
    photos.add_argument("--seed", type=int, default=0, metavar="N", help="of the split (default: %(default)s)")
    photos.add_argument("--licence", default="", metavar="TEXT", help="licence of the photos, kept in the manifest")
    photos.add_argument("--skip-broken", action="store_true", help="leave out what cannot be read, and count it")
    photos.add_argument("--threads", type=int, metavar="N", help="photos read at once (default: one a processor)")
    _add_isic(kinds, photos)


def _add_isic(kinds: Any, photos: argparse.ArgumentParser) -> None:
    isic = kinds.add_parser(
        "isic",
        parents=[photos],
        help="dermoscopic lesions of ISIC 2018 / HAM10000",
        description="Make one image set a label from the photos and tables of ISIC 2018 Task 3 or HAM10000, split by "
        "lesion.",
    )
    isic.add_argument(
        "source", nargs="+", type=Path, metavar="SRC", help="folders or zips, with the table of diagnoses"
    )
    isic.add_argument(
        "--label", nargs="+", required=True, metavar="LABEL", help="MEL, NV, BCC, AKIEC, BKL, DF, VASC; one set each"
    )
    isic.add_argument("--name", help="of the image set (default: the label in lower case)")
    isic.add_argument("--size", type=int, default=256, metavar="N", help="pixels a side (default: %(default)s)")
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


def _run_isic(args: argparse.Namespace, workspace: Workspace) -> None:
    from gan_core.prepare.isic import prepare_isic

    tell(
        prepare_isic(
            workspace, args.source, args.label, name=args.name, size=args.size, test_share=args.test_share,
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
