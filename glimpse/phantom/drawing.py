"""Draw all the photos of a scale, on all processors, and prepare them exactly like real photos."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.files import GlimpseError, cores, scratch_folder
from glimpse.progress import progress
from glimpse.workspace import Workspace

if TYPE_CHECKING:  # the processes that draw photos do not load the code that prepares them
    from glimpse.prepare.pipeline import Prepared

VERSION = 1  # to be raised whenever the same seed draws different pictures
SETS = ("hands", "healthy", "eczema", "df", "mel")
LICENCE = "Drawn by Glimpse (MIT licence): phantoms, not photos of people."


@dataclass(frozen=True)
class Scale:
    """The number and size (width, height) of the photos, and of the image sets made from them."""

    pairs: int  # of hands; each is photographed from the back and from the front
    hands: tuple[int, int]  # of the image set
    hands_size: tuple[int, int]  # of the photos, as drawn
    eczema_photos: int  # each drawn with and without eczema
    eczema_size: tuple[int, int]
    test_photos: int
    patch: int
    stride: int
    lesions: dict[str, tuple[int, int]]  # label: number of photos, number of lesions in them
    lesion_size: tuple[int, int]
    lesion_set: int


SCALES = {
    # Small enough to train all eight generators in ten minutes on two cores, and 102 real images or more in each set.
    "demo": Scale(pairs=60, hands=(96, 72), hands_size=(192, 144), eczema_photos=16, eczema_size=(1152, 768),
                  test_photos=5, patch=64, stride=16, lesions={"DF": (115, 73), "MEL": (130, 80)},
                  lesion_size=(128, 96), lesion_set=64),
    # The numbers of section 3.1; HAM10000's 115 and 1113 photos show 73 and 614 lesions.
    "paper": Scale(pairs=246, hands=(640, 480), hands_size=(960, 720), eczema_photos=131, eczema_size=(3456, 2304),
                   test_photos=52, patch=128, stride=64, lesions={"DF": (115, 73), "MEL": (1113, 614)},
                   lesion_size=(352, 264), lesion_set=256),
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One photo to draw (for eczema with its clean version and masks): the same on any processor."""

    kind: str  # "hands", "eczema", "DF", "MEL"
    number: int
    subject: int  # the person, or the lesion
    palm: bool
    folder: Path
    name: str
    size: tuple[int, int]
    seed: int


def prepare_phantom(
    workspace: Workspace, scale: str = "demo", seed: int = 0, *, overwrite: bool = False
) -> list[Prepared]:
    """The image sets hands, healthy, eczema (with masks and truth), df and mel, drawn from `seed`.

    The same scale and seed give the same bytes on any number of processors; existing sets of the same scale and seed
    are kept. Raises GlimpseError for an unknown scale and, without `overwrite`, if a set of one of these names was made
    differently.
    """
    if scale not in SCALES:
        raise GlimpseError(f"There is no scale '{scale}': choose from {', '.join(SCALES)}.")
    if there := _already_there(workspace, scale, seed, overwrite):
        return there
    what = SCALES[scale]
    with scratch_folder(workspace.root / "phantom") as folder:
        draw_all(jobs(what, folder, seed), cores())
        return _prepare(workspace, what, folder, seed, {"phantom": _origin(scale, seed)}, overwrite)


def jobs(what: Scale, folder: Path, seed: int) -> list[Job]:
    """All photos to draw, the slowest first."""
    found = [
        Job("eczema", i, 10_000 + i, False, folder / "eczema", f"eczema_{i:04d}", what.eczema_size, seed)
        for i in range(what.eczema_photos)
    ]
    found += [
        Job("hands", 2 * i + k, i, side == "front", folder / "hands", f"pair_{i:04d}_{side}", what.hands_size, seed)
        for i in range(what.pairs)
        for k, side in enumerate(("back", "front"))
    ]
    for label, (photos, lesions) in what.lesions.items():
        place = folder / "lesions"
        found += [
            Job(label, i, i % lesions, False, place, f"PHANTOM_{label}_{i:05d}", what.lesion_size, seed)
            for i in range(photos)
        ]
    return found


def draw_all(todo: list[Job], workers: int) -> None:
    for job in todo:
        for place in _places(job.folder):
            place.mkdir(parents=True, exist_ok=True)
    for _ in progress(_run(draw, todo, workers), title="drawing", unit="photos", total=len(todo)):
        pass
    for folder in {job.folder for job in todo if job.kind in ("DF", "MEL")}:
        with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["lesion_id", "image_id", "dx"])
            table.writerows([f"{j.kind}_{j.subject:04d}", j.name, j.kind.lower()] for j in todo if j.folder == folder)


def draw(job: Job) -> None:
    """Draw one job into its folder."""
    from glimpse.phantom.dermoscopy import shoot
    from glimpse.phantom.lesion import draw_lesion
    from glimpse.phantom.person import draw_person
    from glimpse.phantom.photo import draw_hands

    width, height = job.size
    kind = ("hands", "eczema", "DF", "MEL").index(job.kind)
    numbers = np.random.SeedSequence([job.seed, kind, job.number]).generate_state(1)
    shot, subject = int(numbers[0]), int(np.random.SeedSequence([job.seed, kind, job.subject, 7]).generate_state(1)[0])
    person = draw_person(subject)
    if job.kind in ("DF", "MEL"):
        lesion = draw_lesion(subject, job.kind, person, width)
        _save(shoot(shot, lesion, person, width, height), job.folder / f"{job.name}.jpg")
    elif job.kind == "hands":
        ill = bool(np.random.default_rng(subject).random() < 0.35)
        photo = draw_hands(shot, person, palm=job.palm, width=width, height=height, eczema=ill)
        _save(photo.picture, job.folder / f"{job.name}.jpg")
    else:
        photo = draw_hands(shot, person, palm=False, width=width, height=height, eczema=True)
        pictures = (photo.picture, photo.clean, photo.skin * 255, photo.eczema * 255)
        for place, picture in zip(_places(job.folder), pictures, strict=True):
            _save(picture, place / f"{job.name}.png")


def _places(folder: Path) -> list[Path]:
    """The folders of a job's files: for eczema the photo, its clean version, and the masks of skin and lesion."""
    if folder.name != "eczema":
        return [folder]
    return [folder / part for part in ("photos", "clean", "skin", "lesions")]


def _save(picture: NDArray[np.uint8], path: Path) -> None:
    image = Image.fromarray(picture)
    if path.suffix == ".jpg":
        image.save(path, quality=95, subsampling=0)
    else:
        image.save(path, compress_level=1)


def _run(work: Callable[[Job], None], todo: list[Job], workers: int) -> Iterator[None]:
    """Run the jobs in this process or in several, which are spawned so that no thread is forked."""
    if workers == 1:
        yield from map(work, todo)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_follow_the_parent) as pool:
        yield from pool.map(work, todo)


def _follow_the_parent() -> None:
    """Leave Ctrl-C to the parent process, and exit when it exits for any reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _prepare(
    workspace: Workspace, what: Scale, folder: Path, seed: int, made_from: dict[str, object], overwrite: bool
) -> list[Prepared]:
    from glimpse.prepare.hands import HandsOptions, prepare_hands
    from glimpse.prepare.isic import IsicOptions, prepare_isic
    from glimpse.prepare.patches import PatchOptions, prepare_patches

    eczema = folder / "eczema"
    common: dict[str, Any] = {"seed": seed, "licence": LICENCE, "made_from": made_from, "overwrite": overwrite}
    return [
        prepare_hands(workspace, HandsOptions(source=[folder / "hands"], size=what.hands, **common)),
        *prepare_patches(
            workspace,
            PatchOptions(
                photos=[eczema / "photos"], lesion_masks=[eczema / "lesions"], skin_masks=[eczema / "skin"],
                truth=[eczema / "clean"], size=what.patch, stride=what.stride, test=what.test_photos, **common,
            ),
        ),
        *prepare_isic(
            workspace,
            IsicOptions(source=[folder / "lesions"], label=sorted(what.lesions), size=what.lesion_set, **common),
        ),
    ]  # fmt: skip


def _origin(scale: str, seed: int) -> dict[str, object]:
    return {"scale": scale, "seed": seed, "drawing": VERSION}


def _already_there(workspace: Workspace, scale: str, seed: int, overwrite: bool) -> list[Prepared] | None:
    """All five sets, if they were made from this scale and seed and are undamaged.

    Raises ImageSetError, before hours of drawing, if one of them was made differently, unless `overwrite`.
    """
    from glimpse.prepare.pipeline import Prepared, made_before

    origin = {"made_from.phantom": _origin(scale, seed)}
    found = [made_before(workspace, name, origin, overwrite) for name in SETS]
    sets = [Prepared(images, made=False) for images in found if images is not None]
    return sets if len(sets) == len(SETS) else None
