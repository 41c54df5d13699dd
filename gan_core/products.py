"""What `sample` and `translate` leave behind: image sets like those of `prepare`, sheets to look at, walks as GIFs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan_core.experiments import EXPERIMENTS, TrainingError
from gan_core.sampling import Statistics, generate, interpolate, load_generator
from gan_core.training.data import size_at
from gan_core.training.log import grid_of
from gan_core.translating import LoadedTranslator, TruthScore, load_translator, random_masks, translate
from glimpse.files import atomic_file, atomic_folder, read_json, sha256_file
from glimpse.images import shrink, shrink_mask
from glimpse.imageset import ImageSet, ImageSetWriter
from glimpse.prepare.matching import by_stem, match_masks, without_masks
from glimpse.prepare.pixels import decode_mask, decode_photo
from glimpse.prepare.sources import find_photos
from glimpse.progress import progress
from glimpse.workspace import Workspace

Pixels = NDArray[np.uint8]
SHEET_ROWS = 12  # before, mask and after, twice in a row, as in Figures 11-13


def already_made(folder: Path, made_from: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether an image set was made from just this. Raises TrainingError where it was made from something else."""
    if overwrite or not (folder / "manifest.json").is_file():
        return False
    if read_json(folder / "manifest.json").get("made_from") == made_from:
        return True
    raise TrainingError(
        f"There is an image set '{folder.name}' made from something else: give this one its own --name, or replace it "
        "with --overwrite."
    )


def sample_set(
    workspace: Workspace, weights: Path, name: str, count: int, seed: int, truncation: float | None, device: str,
    overwrite: bool = False, statistics: Statistics = "matched",
) -> tuple[ImageSet, bool]:  # fmt: skip
    """`count` images of a generator straight into an image set; returns it and whether it had to be made."""
    _, metadata = load_generator(weights)
    run = metadata["name"]
    folder = workspace.new("images", name)
    made_from = {
        "run": run, "generator_sha256": sha256_file(weights), "count": count, "seed": seed, "truncation": truncation,
        "statistics": statistics,
    }  # fmt: skip
    if already_made(folder, made_from, overwrite):
        return ImageSet.load(folder), False
    label = EXPERIMENTS[metadata["experiment"]].target
    # Refuses before anything is written.
    batches = generate(weights, count, seed, truncation, device, statistics=statistics)
    with atomic_folder(folder) as building:
        writer = ImageSetWriter(building, metadata["height"], metadata["width"])
        shown: list[Pixels] = []
        with progress(title=name, unit="images", total=count) as bar:
            for batch in batches:
                for image in batch:
                    identity = f"{run}-{seed}-{writer.count}"
                    facts = {"image_id": identity, "source": run, "group": identity, "split": "train", "label": label}
                    writer.add(image, facts)
                shown += list(batch[: max(0, 64 - len(shown))])
                bar.update(len(batch))
        preview(building, [np.stack(shown[i : i + 8]) for i in range(0, len(shown), 8)])
        writer.finish(name, source="sample", made_from=made_from)
    return ImageSet.load(folder), True


def walk(
    weights: Path, path: Path, rows: int, steps: int, seed: int, truncation: float | None, device: str,
    statistics: Statistics = "matched",
) -> None:  # fmt: skip
    """The latent interpolation as a GIF (one image that changes) or a PNG grid (a row from one latent to the next)."""
    if path.suffix.lower() not in (".gif", ".png"):
        raise TrainingError(f"--interpolate {path}: name a .gif or a .png file.")
    pictures = interpolate(weights, rows, steps, seed, truncation, device, statistics)
    with atomic_file(path) as temporary:
        if path.suffix.lower() == ".png":
            Image.fromarray(grid_of(list(pictures))).save(temporary, "png")
            return
        frames = [Image.fromarray(picture) for picture in pictures.reshape(-1, *pictures.shape[2:])]
        frames[0].save(temporary, "gif", save_all=True, append_images=frames[1:], duration=60, loop=0)


@dataclass(frozen=True)
class Translated:
    """What was translated, where it lies, and for phantoms how close it is to the true skin."""

    folder: Path
    count: int
    new: bool
    scores: dict[str, dict[str, float | None]]  # "translated" and "untouched", against the truth


def translate_set(
    workspace: Workspace, weights: Path, images: ImageSet, name: str, domain: str, masks_from: ImageSet | None,
    rows: NDArray[np.intp], seed: int, device: str, overwrite: bool = False,
) -> Translated:  # fmt: skip
    """Translate these rows of an image set into a new one, with a before/mask/after sheet as its preview.

    Where no lender is named, each image keeps its own mask. Images, masks and truth are read at the run's height,
    as they were for its training; smaller ones are left as they are.
    """
    translator = load_translator(weights, domain, device)
    height, width = size_at(images, min(translator.height, images.height))
    folder = workspace.new("images", name)
    made_from: dict[str, Any] = {
        "run": translator.metadata["name"], "generator_sha256": sha256_file(weights), "domain": domain,
        "image_set": images.name, "images_sha256": images.sha256, "masks_from": masks_from.name if masks_from else None,
        "count": len(rows), "seed": seed,
    }  # fmt: skip
    if already_made(folder, made_from, overwrite):
        manifest = read_json(folder / "manifest.json")
        return Translated(folder, manifest["count"], False, manifest["scores"])
    masks = _masks(translator, images, masks_from, rows, seed, height, width)
    scores = {"translated": TruthScore(), "untouched": TruthScore()} if _has_truth(images, domain, rows) else {}
    sheet: list[list[Pixels]] = []
    shown = set(np.linspace(0, len(rows) - 1, min(len(rows), 2 * SHEET_ROWS)).astype(int).tolist())
    with atomic_folder(folder) as building:
        writer = ImageSetWriter(building, height, width, masks=masks is not None)
        for i, row in enumerate(progress(rows, title=name, unit="images")):
            before, mask = shrink(images.images[row], height, width), masks[i] if masks is not None else None
            after = translate(translator, before, mask)
            facts = dict(images.index.iloc[int(row)])
            writer.add(after, {**facts, "label": domain}, mask)
            if scores and images.truth is not None and images.masks is not None:
                truth, inside = shrink(images.truth[row], height, width), shrink_mask(images.masks[row], height, width)
                scores["translated"].add(after, truth, inside)
                scores["untouched"].add(before, truth, inside)
            if i in shown:
                sheet.append([before, *([] if mask is None else [_shown(mask)]), after])
        preview(building, before_after(sheet))
        result = {key: score.result() for key, score in scores.items()}
        writer.finish(name, source="translate", made_from=made_from, scores=result)
    return Translated(folder, len(rows), True, result)


def translate_photos(
    workspace: Workspace, weights: Path, photos: Path, masks: Path | None, lender: ImageSet | None, domain: str,
    name: str, seed: int, device: str, count: int | None = None, overwrite: bool = False,
) -> Translated:  # fmt: skip
    """Translate the (first `count`) photos of a folder or zip, of any size, to PNG files of the same names.

    Masks come from the files of the same stems (photos without one are refused), or from an image set's masks,
    enlarged to the photo. They lie in `translated/NAME`, and `sheet/sheet.png` there, apart from any photo's name.
    Raises TrainingError where that folder is there already, unless it may be overwritten.
    """
    out = workspace.new("translated", name)
    if out.exists() and not overwrite:
        raise TrainingError(f"{out} is there already: give this result its own --name, or replace with --overwrite.")
    translator = load_translator(weights, domain, device)
    lent = find_photos([masks], workspace) if masks else []
    every = without_masks(by_stem(find_photos([photos], workspace)), lent)
    found = dict(list(every.items())[:count])
    files = match_masks(found, lent)
    if masks and (missing := sorted(set(found) - set(files))):
        raise TrainingError(f"{found[missing[0]].name} has no mask in {masks}: add it, or take the photo away.")
    rng = np.random.default_rng(seed)
    sheet: list[list[Pixels]] = []
    with atomic_folder(out) as building:
        for stem, file in progress(found.items(), title=out.name, unit="photos", total=len(found)):
            before = file.decoded(decode_photo)
            mask = None
            if stem in files:
                mask = files[stem].decoded(decode_mask).astype(np.uint8)
                if mask.shape != before.shape[:2]:
                    raise TrainingError(f"{files[stem].where} is not as large as its photo {file.name}.")
            elif lender is not None and translator.needs_mask:
                mask = _enlarged(random_masks(lender, 1, rng)[0], before.shape[0], before.shape[1])
            after = translate(translator, before, mask)
            Image.fromarray(after).save(building / f"{stem}.png")
            if len(sheet) < 2 * SHEET_ROWS:
                sheet.append([_small(p) for p in (before, *([] if mask is None else [_shown(mask)]), after)])
        (building / "sheet").mkdir()
        preview(building / "sheet", before_after(sheet), "sheet.png")
    return Translated(out, len(found), True, {})


def _masks(
    translator: LoadedTranslator, images: ImageSet, lender: ImageSet | None, rows: NDArray[np.intp], seed: int,
    height: int, width: int,
) -> Pixels | None:  # fmt: skip
    if not translator.needs_mask:
        return None
    if lender is not None:
        masks = random_masks(lender, len(rows), np.random.default_rng(seed))
        return np.stack([_enlarged(mask, height, width) for mask in masks])
    if images.masks is None:
        raise TrainingError(f"The image set '{images.name}' has no masks: lend it some with --mask-from SET.")
    return np.stack([shrink_mask(images.masks[row], height, width) for row in rows])


def _has_truth(images: ImageSet, domain: str, rows: NDArray[np.intp]) -> bool:
    """The truth twin is the same skin without its lesion: it is the truth for removing only."""
    return images.truth is not None and images.masks is not None and domain == "healthy" and len(rows) > 0


def _enlarged(mask: Pixels, height: int, width: int) -> Pixels:
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))


def _shown(mask: Pixels) -> Pixels:
    return np.repeat(mask[..., None] * np.uint8(255), 3, 2)


def _small(picture: Pixels, side: int = 256) -> Pixels:
    """At most `side` pixels, on a white square, so that photos of any size make one sheet."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(square)


def before_after(triples: list[list[Pixels]]) -> list[Pixels]:
    """Before, mask and after of two images a row, as in Figures 11-13."""
    return [np.stack([p for triple in triples[i : i + 2] for p in triple]) for i in range(0, len(triples), 2)]


def preview(folder: Path, rows: list[Pixels], name: str = "preview.png") -> None:
    Image.fromarray(grid_of(rows)).save(folder / name)
