"""Make image sets from photos: one command for each kind of source.

Each can be run again: an image set that the same photos and options made is left as it is.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glimpse.command_line import PAPER_SETS, Commands, Parser, counted, pasteable
from glimpse.files import GlimpseError
from glimpse.prepare.option_types import (
    count_share_or_list,
    height_and_width,
    level,
    number_or_auto,
    positive,
    share,
    side_or_height_and_width,
)
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from glimpse.prepare.pipeline import Prepared


def add_commands(commands: Commands) -> Commands:
    """Add `prepare` and its sources to gan_core's commands; returns the parsers of the sources."""
    prepare = commands.add_parser("prepare", help="make image sets from photos", description=__doc__)
    kinds: Commands = prepare.add_subparsers(title="sources", metavar="SOURCE", required=True)
    for add in (_add_folder, _add_hands, _add_patches, _add_isic):
        parser = add(kinds)
        parser.add_seed("the split into training and test images")
        parser.add_argument("--licence", default="", metavar="TEXT", help="licence of the photos, for the manifest")
        parser.add_argument(
            "--skip-broken",
            action="store_true",
            help="leave out files that are unreadable or do not fit, and count them",
        )
        parser.add_argument(
            "--window", nargs=2, type=number_or_auto, metavar=("LOW", "HIGH|auto"),
            help="values that become black and white, for photos of more than 8 bits; auto: the darkest and the "
            "brightest of each (default: the full range, or a DICOM file's own window)",
        )  # fmt: skip
        parser.alone["--window"] = "auto"
        parser.add_argument(
            "--page", type=positive, metavar="N", help="page of TIFF stacks and animations (default: 1)"
        )
        parser.add_argument("--overwrite", action="store_true", help="replace an image set of the same name")
        parser.add_argument(
            "--threads", type=positive, metavar="N", help="photos read concurrently (default: one per processor)"
        )
        parser.add_json()
    return kinds


def _add_folder(kinds: Commands) -> Parser:
    folder = kinds.add_parser(
        "folder", help="any images: photos, or those of another generator",
        description="Make an image set from a folder or zip of images of any kind and size. A folder of class folders "
        "makes one set per class; folders called train and test split them.",
    )  # fmt: skip
    folder.add_argument("source", nargs="+", type=Path, metavar="SRC", help="folders or zip files of images")
    folder.add_argument("--name", metavar="SET", help="make one image set of this name (default: the folder's)")
    folder.add_argument(
        "--size", type=side_or_height_and_width, metavar="N|HxW",
        help="side in pixels, or height and width, as in 480x640 (default: the largest that needs no enlargement, "
        "at most 640)",
    )  # fmt: skip
    add_fit(folder)
    folder.add_argument("--label", metavar="TEXT", help="label of the images (default: the set's or class's name)")
    folder.add_argument(
        "--group-pattern", metavar="REGEX",
        help="pattern whose first matching group in the path is the person, lesion, ... that stays on one side of the "
        "split (default: each image is its own group)",
    )  # fmt: skip
    folder.add_argument("--metadata", type=Path, metavar="CSV", help="table of file names and groups")
    folder.add_argument("--group-column", default="group", metavar="NAME", help="column of groups in that table")
    folder.add_argument(
        "--test-share", dest="test", type=share, metavar="SHARE",
        help="share of test images, 0 to 1 (default: 0.2, or as folders called train and test have it)",
    )  # fmt: skip
    folder.set_defaults(run=_run_folder)
    return folder


def add_fit(parser: Parser) -> None:
    parser.add_argument(
        "--fit", choices=("crop", "pad", "stretch"), default="crop",
        help="how images of other proportions get the size: cropped around the centre, padded with black, or stretched "
        "(default: crop)",
    )  # fmt: skip


def _add_hands(kinds: Commands) -> Parser:
    hands = kinds.add_parser(
        "hands", help="photos of pairs of hands",
        description="Make an image set from photos of hands of any size, cropped to 4:3 and split by person.",
    )  # fmt: skip
    hands.add_argument("source", nargs="+", type=Path, metavar="SRC", help="folders or zip files of photos")
    hands.add_argument("--name", default="hands", metavar="SET", help="name of the image set")
    hands.add_argument(
        "--size", type=height_and_width, default=(640, 480), metavar="HxW",
        help="height and width in pixels (default: 480x640)",
    )  # fmt: skip
    hands.add_argument("--people", type=Path, metavar="CSV", help="table of file names and persons")
    hands.add_argument("--person-column", default="person", metavar="NAME", help="column of persons in that table")
    hands.add_argument(
        "--person-pattern", metavar="REGEX",
        help="pattern whose first matching group in the path is the person (default: the file name without front, "
        "back, left, ...)",
    )  # fmt: skip
    hands.add_argument(
        "--test-share", dest="test", type=share, default=0.2, metavar="SHARE", help="share of test images, 0 to 1"
    )
    hands.set_defaults(run=_run_hands)
    return hands


def _add_patches(kinds: Commands) -> Parser:
    patches = kinds.add_parser(
        "patches", help="healthy and eczema patches of skin",
        description="Cut windows that lie entirely on skin from photos with lesion masks. Windows without a lesion "
        "pixel become one image set, windows with a share of lesion within --coverage the other.",
    )  # fmt: skip
    places: dict[str, Any] = {"nargs": "+", "type": Path, "metavar": "PATH"}
    patches.add_argument("--photos", required=True, **places, help="folders or zip files of photos of any size")
    patches.add_argument(
        "--lesion-masks", required=True, **places, help="their lesion masks: two-coloured images named like the photos"
    )
    patches.add_argument(
        "--skin-masks", **places, help="their skin masks (default: everything but a plain background at the border)"
    )
    patches.add_argument("--truth", **places, help="the same photos without lesions, where they exist")
    patches.add_argument(
        "--mask-pattern", metavar="REGEX",
        help="pattern in the names of lesion masks whose first group is in the photo's name too, or is all of it",
    )  # fmt: skip
    patches.add_argument(
        "--mask-threshold", type=level, metavar="T",
        help="for masks with soft edges: a pixel is inside from this level (1 to 255) or share of white (such as 0.5)",
    )  # fmt: skip
    patches.add_argument("--invert-masks", action="store_true", help="lesions are black in their masks")
    patches.add_argument(
        "--unturned-masks", action="store_true",
        help="masks were drawn on photos as stored, before EXIF turns them (default: on upright photos)",
    )  # fmt: skip
    patches.add_argument(
        "--names", nargs=2, default=("healthy", "eczema"), metavar="SET",
        help="names of the two image sets (default: healthy eczema)",
    )  # fmt: skip
    patches.add_argument("--size", type=positive, default=128, metavar="N", help="side of a window in pixels")
    patches.add_argument("--stride", type=positive, default=64, metavar="N", help="distance of windows in pixels")
    patches.add_argument(
        "--coverage", nargs=2, type=float, default=(0.1, 0.8), metavar=("FROM", "TO"),
        help="share of lesion pixels in a lesion patch (default: 0.1 0.8)",
    )  # fmt: skip
    patches.add_argument(
        "--test-photos", dest="test", type=count_share_or_list, default=0.4, metavar="N|SHARE|FILE",
        help="test photos: a number, a share, or a file that lists them",
    )  # fmt: skip
    patches.add_argument("--metadata", type=Path, metavar="CSV", help="table of file names and groups")
    patches.add_argument(
        "--group-column", default="lesion_id", metavar="NAME",
        help="column of that table; photos of one group stay on one side of the split",
    )  # fmt: skip
    patches.set_defaults(run=_run_patches)
    return patches


def _add_isic(kinds: Commands) -> Parser:
    isic = kinds.add_parser(
        "isic", help="photos with a table of diagnoses: ISIC, HAM10000, PAD-UFES-20, ...",
        description="Make an image set per label from photos and their tables of diagnoses, split by lesion and "
        "patient: ISIC 2016 to 2020, the ISIC Archive, HAM10000, PAD-UFES-20, or any table with image_id and dx.",
    )  # fmt: skip
    isic.add_argument(
        "source", nargs="*", type=Path, metavar="SRC", help="folders or zip files with photos and their diagnoses"
    )
    isic.add_argument(
        "--label", nargs="+", required=True, metavar="LABEL",
        help="MEL, NV, BCC, AKIEC, BKL, DF, VASC, or any other that the table has; one image set for each",
    )  # fmt: skip
    isic.add_argument(
        "--labels-csv", type=Path, metavar="CSV",
        help="table with the columns image_id, dx and perhaps lesion_id (default: the tables beside the photos)",
    )  # fmt: skip
    isic.add_argument(
        "--name", metavar="SET",
        help="name of the image set, with several labels its beginning (default: the label in lower case)",
    )  # fmt: skip
    isic.add_argument("--size", type=positive, default=256, metavar="N", help="side of an image in pixels")
    isic.add_argument(
        "--test-share", dest="test", type=share, default=0.2, metavar="SHARE", help="share of test images, 0 to 1"
    )
    isic.add_argument(
        "--crop-square", action="store_true", help="crop to the central square (default: squeeze the whole photo)"
    )
    isic.add_argument(
        "--drop-hairy",
        type=share,
        default=0.0,
        metavar="SHARE",
        help="share of the photos to leave out, hairiest first",
    )
    isic.set_defaults(run=_run_isic)
    return isic


def _run_folder(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.prepare.folder import FolderOptions, prepare_folder

    options = replace(FolderOptions.of(args), refuse_sides=args.test is not None)
    print_prepared(prepare_folder(workspace, options), args, workspace)


def _run_hands(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.prepare.hands import HandsOptions, prepare_hands

    print_prepared([prepare_hands(workspace, HandsOptions.of(args))], args, workspace)


def _run_patches(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.prepare.patches import PatchOptions, prepare_patches

    if not 0 <= args.coverage[0] <= args.coverage[1] <= 1:
        raise GlimpseError("--coverage takes the least and the largest share of lesion pixels, 0 to 1: 0.1 0.8.")
    print_prepared(prepare_patches(workspace, PatchOptions.of(args)), args, workspace)


def _run_isic(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.prepare.isic import IsicOptions, prepare_isic
    from glimpse.prepare.reading.diagnoses import WORDS

    options = IsicOptions.of(args)
    labels = list(options.label)
    if not options.source:  # argparse takes FOLDER in `--label DF FOLDER` for another label
        labels = [word for word in labels if word.upper() in WORDS or not Path(word).exists()]
    places = [*options.source, *(Path(word) for word in options.label if word not in labels)]
    if not places:
        raise GlimpseError("Name the folder or zip with the photos: gan_core prepare isic SRC --label DF.")
    print_prepared(prepare_isic(workspace, replace(options, source=places, label=labels)), args, workspace)


def print_prepared(prepared: Iterable[Prepared], args: argparse.Namespace, workspace: Workspace) -> None:
    """Say what was made, what stands out, and what to do next; with `--json` all of it as data."""
    sets = list(prepared)
    if args.json:
        print(json.dumps([_described(one) for one in sets], indent=1, ensure_ascii=False))
        return
    from glimpse.images import size_in_words

    said: set[str] = set()  # several sets share what is true of their folder
    for one in sets:
        images, counts = one.images, one.images.manifest["counts"]
        print(
            f"{images.name}: {counted(len(images), 'image')} of {size_in_words(images.height, images.width)}, "
            f"{counts['train']:,} to train and {counts['test']:,} to test, from {counted(counts['groups'], 'group')}"
            + (f", in {images.folder}." if one.made else f"; already there, unchanged, in {images.folder}.")
        )
        for note in dict.fromkeys(one.notes):
            if note not in said:
                print(f"  {note}")
        said.update(one.notes)
    previews = " and ".join(shlex.quote(str(one.images.folder / "preview.png")) for one in sets)
    names = [one.images.name for one in sets]
    chosen = [] if PAPER_SETS.issuperset(names) else names
    print(f"Look at {previews}. Next: {pasteable(workspace, 'gan_core', 'train', *chosen)}")


def _described(one: Prepared) -> dict[str, Any]:
    images = one.images
    return {
        "name": images.name, "folder": str(images.folder), "new": one.made, "images": len(images),
        "width": images.width, "height": images.height, "counts": images.manifest["counts"], "notes": list(one.notes),
    }  # fmt: skip
