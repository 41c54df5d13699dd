"""Results of `gan_core translate`: an image set with its scores, or a folder of photos; each with a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan_core.experiments import TrainingError, experiment_named
from gan_core.training.data import size_at
from gan_core.translating import (
    LoadedTranslator,
    load_translator,
    random_masks,
    resized_mask,
    translate,
    translate_rows,
)
from glimpse.files import atomic_folder, sha256_file
from glimpse.images import Pixels, evenly, in_rows, sheet, shrink, shrink_mask
from glimpse.imageset import ImageSet, ImageSetWriter
from glimpse.prepare.reading.masks import decode_mask
from glimpse.prepare.reading.matching import Matched
from glimpse.prepare.reading.pixels import decode_photo
from glimpse.progress import progress
from glimpse.truth import TruthScore

SHEET_IMAGES = 24  # two in a row, each before, mask and after, as in Figures 11-13
LONGEST = 256  # pixels, of an image on the sheet


@dataclass(frozen=True)
class Translation:
    """The choices that decide a result of `gan_core translate`, beside the images."""

    weights: Path
    domain: str  # that it makes
    lender: ImageSet | None = None  # lends masks; without one, images have their own
    seed: int = 0  # of lent masks
    device: str = "cpu"

    def load(self) -> LoadedTranslator:
        return load_translator(self.weights, self.domain, self.device)


@dataclass(frozen=True)
class TranslationResult:
    """The folder of the translated images, and for phantoms their closeness to the true skin."""

    folder: Path
    count: int
    new: bool
    scores: dict[str, dict[str, float | None]]  # of "translated" and "untouched" images, against the truth


def translate_set(
    translation: Translation, images: ImageSet, rows: NDArray[np.intp], folder: Path, overwrite: bool = False
) -> TranslationResult:
    """Translate these rows of an image set into a new one, with a sheet of before, mask and after as its preview.

    Raises TrainingError if a different image set is in `folder`, unless `overwrite`.
    """
    translator, domain, lender = translation.load(), translation.domain, translation.lender
    made_from: dict[str, Any] = {
        "run": translator.metadata["name"], "generator_sha256": sha256_file(translation.weights), "domain": domain,
        "image_set": images.name, "images_sha256": images.sha256, "masks_from": lender.name if lender else None,
        "count": len(rows), "seed": translation.seed,
    }  # fmt: skip
    if (existing := ImageSet.existing(folder, made_from, overwrite)) is not None:
        return TranslationResult(folder, len(existing), False, existing.manifest["scores"])
    # The truth is the same skin without its lesion: it holds for removal only.
    adds = domain in {experiment_named(translator.metadata["experiment"]).masked, *images.index["label"]}
    known = images.truth is not None and images.masks is not None and not adds and len(rows) > 0
    scores = {"translated": TruthScore(), "untouched": TruthScore()} if known else {}
    shown: list[list[Pixels]] = []
    chosen = set(evenly(np.arange(len(rows)), SHEET_IMAGES).tolist())
    height, width = size_at(images, min(translator.height, images.height))
    triples = translate_rows(translator, images, rows, lender, np.random.default_rng(translation.seed))
    with atomic_folder(folder) as building:
        writer = ImageSetWriter(building, height, width, masks=translator.needs_mask)
        bar = progress(triples, title=folder.name, unit="images", total=len(rows))
        for i, (before, mask, after) in enumerate(bar):
            writer.add(after, {**dict(images.index.iloc[int(rows[i])]), "label": domain}, mask)
            if scores and images.truth is not None and images.masks is not None:
                truth = shrink(images.truth[rows[i]], height, width)
                inside = shrink_mask(images.masks[rows[i]], height, width)
                scores["translated"].add(after, truth, inside)
                scores["untouched"].add(before, truth, inside)
            if i in chosen:
                shown.append([before, *([] if mask is None else [_as_picture(mask)]), after])
        _write_sheet(shown, building / "preview.png")
        result = {key: score.result() for key, score in scores.items()}
        writer.finish(folder.name, source="translate", made_from=made_from, scores=result)
    return TranslationResult(folder, len(rows), True, result)


# ------------------------------------------------------------------------------------------ photos


def translate_photos(
    translation: Translation, photos: dict[str, Matched], folder: Path, overwrite: bool = False
) -> TranslationResult:
    """Translate photos of any size (see `matching.with_masks`) to PNG files with the same stems, in `folder`.

    Photos without a mask borrow one from the translation's lender, resized to the photo. `sheet/sheet.png` has its own
    folder, so that it never meets the name of a photo. Raises TrainingError if `folder` exists, unless `overwrite`.
    """
    if folder.exists() and not overwrite:
        raise TrainingError(f"{folder} exists: give this result another --name, or replace it with --overwrite.")
    translator, lender = translation.load(), translation.lender
    rng = np.random.default_rng(translation.seed)
    shown: list[list[Pixels]] = []
    with atomic_folder(folder) as building:
        for stem, (file, mask_file) in progress(photos.items(), title=folder.name, unit="photos", total=len(photos)):
            before = file.decoded(decode_photo)
            mask = None
            if mask_file is not None:
                mask = mask_file.decoded(decode_mask).astype(np.uint8)
                if mask.shape != before.shape[:2]:
                    raise TrainingError(f"{mask_file.where} is not as large as its photo {file.name}.")
            elif lender is not None and translator.needs_mask:
                mask = resized_mask(random_masks(lender, 1, rng)[0], *before.shape[:2])
            after = translate(translator, before, mask)
            Image.fromarray(after).save(building / f"{stem}.png")
            if len(shown) < SHEET_IMAGES:
                shown.append([before, *([] if mask is None else [_as_picture(mask)]), after])
        (building / "sheet").mkdir()
        _write_sheet(shown, building / "sheet" / "sheet.png")
    return TranslationResult(folder, len(photos), True, {})


def _as_picture(mask: Pixels) -> Pixels:
    return np.repeat(mask[..., None] * np.uint8(255), 3, 2)


def _write_sheet(triples: list[list[Pixels]], path: Path) -> None:
    """Before, mask and after of two images in a row."""
    rows = [[picture for triple in pair for picture in triple] for pair in in_rows(triples, 2)]
    Image.fromarray(sheet(rows, margin=2, at_most=LONGEST)).save(path)
