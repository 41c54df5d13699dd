"""Translation with a trained translator: images of any size by tiles, rows of an image set with their masks, and the
results of `gan_core translate`: an image set with its scores, or a folder of photos, each with a sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from gan_core.experiments import TrainingError
from gan_core.networks import Translator
from gan_core.sampling import load_generator
from gan_core.training.data import to_pixels, to_signed
from gan_core.training.run import Run
from glimpse.files import atomic_folder, sha256_file
from glimpse.images import Pixels, as_picture, by_tiles, evenly, in_rows, resized_mask, sheet, shrink, size_in_words
from glimpse.imageset import ImageSet, ImageSetWriter
from glimpse.prepare.reading.masks import decode_mask
from glimpse.prepare.reading.matching import Matched
from glimpse.prepare.reading.pixels import decode_photo
from glimpse.progress import progress
from glimpse.psnr_ssim import TruthScore

SHEET_IMAGES = 24  # two per row, each as before, mask and after, as in Figures 11-13
LONGEST = 256  # pixels, of an image on the sheet
Triple = tuple[Pixels, Pixels | None, Pixels]  # before, mask, after


@dataclass(frozen=True)
class LoadedTranslator:
    """A translator on a device, and the run it comes from."""

    network: nn.Module
    run: Run
    device: str

    @property
    def needs_mask(self) -> bool:
        return self.run.experiment.masked is not None

    def size_for(self, images: ImageSet) -> tuple[int, int]:
        """Height and width at which a set is translated: shrunk to the run's height; smaller ones keep their size."""
        return images.size_at(min(self.run.height, images.height))


def load_translator(folder: Path, domain: str | None = None, device: str = "cpu") -> LoadedTranslator:
    """The translator of a run's folder or a .safetensors file; `domain` selects one of a cyclic run by what it makes.

    Raises TrainingError for a run that does not translate.
    """
    network, run = load_generator(folder, domain)
    if not isinstance(network, Translator):
        raise TrainingError(f"The run '{run.name}' is unconditional, so it cannot translate images.")
    return LoadedTranslator(network.to(device), run, device)


def random_masks(lender: ImageSet, count: int, rng: np.random.Generator) -> Pixels:
    """(count, H, W) masks of a set's test images (or training images, without any), drawn with replacement.

    Raises TrainingError for a set without masks.
    """
    if lender.masks is None:
        raise TrainingError(f"The image set '{lender.name}' has no masks to lend: name another with --mask-from.")
    rows = lender.where("test")
    rows = rows if len(rows) else lender.where("train")
    return np.stack([lender.masks[row] for row in rng.choice(rows, count)])


@torch.no_grad()
def translate(translator: LoadedTranslator, image: Pixels, mask: Pixels | None = None) -> Pixels:
    """(H, W, 3) uint8 of any size to the same size, clamped; `mask` (H, W) in {0, 1} if the translator needs one."""
    if translator.needs_mask and (mask is None or mask.shape != image.shape[:2]):
        raise TrainingError(
            f"The run '{translator.run.name}' needs a mask of the image's size, "
            f"{size_in_words(*image.shape[:2])}: give one with --masks or --mask-from."
        )
    channels = [image, mask[..., None] * np.uint8(255)] if translator.needs_mask and mask is not None else [image]
    stacked = np.concatenate(channels, 2)  # (H, W, 3 or 4), the mask as 0 or 255
    after = by_tiles(stacked, translator.run.height, translator.run.width, lambda tiles: _changed(translator, tiles))
    return to_pixels(torch.from_numpy(after).permute(2, 0, 1)[None])[0]


def _changed(translator: LoadedTranslator, tiles: Pixels) -> NDArray[np.float32]:
    """(b, h, w, 3 or 4) uint8 to (b, h, w, 3) in [-1, 1]."""
    x = torch.from_numpy(tiles).to(translator.device)
    given = to_signed(x[..., :3])
    if translator.needs_mask:
        given = torch.cat([given, (x[..., 3] > 0)[:, None].float()], 1)
    after: Tensor = translator.network(given)
    return after.permute(0, 2, 3, 1).cpu().numpy()


def translate_rows(
    translator: LoadedTranslator, images: ImageSet, rows: NDArray[np.intp], lender: ImageSet | None,
    rng: np.random.Generator,
) -> Iterator[Triple]:  # fmt: skip
    """Each of these images before translation, its mask if the translator needs one, and the image after translation.

    A `lender` lends masks at random; without one each image has its own mask. Raises TrainingError without any masks.
    """
    size = translator.size_for(images)
    own, masks = images.masks, iter([None] * len(rows))
    if translator.needs_mask and lender is not None:
        masks = iter(random_masks(lender, len(rows), rng))
    elif translator.needs_mask:
        if own is None:
            raise TrainingError(f"The image set '{images.name}' has no masks: borrow some with --mask-from SET.")
        masks = (own[row] for row in rows)

    def triple(row: int, mask: Pixels | None) -> Triple:
        before = shrink(images.images[row], *size)
        mask = None if mask is None else resized_mask(mask, *size)
        return before, mask, translate(translator, before, mask)

    return map(triple, rows, masks)  # lazy, after the errors above


@dataclass(frozen=True)
class Translation:
    """The options that determine a result of `gan_core translate`, except for the images."""

    weights: Path
    domain: str  # that it makes
    lender: ImageSet | None = None  # lends masks; without one, images have their own
    seed: int = 0  # of lent masks
    device: str = "cpu"
    unfinished: str | None = None  # of an unfinished run: its images so far

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
        "run": translator.run.name, "generator_sha256": sha256_file(translation.weights), "domain": domain,
        "image_set": images.name, "images_sha256": images.sha256, "masks_from": lender.name if lender else None,
        "count": len(rows), "seed": translation.seed,
    } | ({"unfinished": translation.unfinished} if translation.unfinished else {})  # fmt: skip
    if (existing := ImageSet.existing(folder, made_from, overwrite)) is not None:
        return TranslationResult(folder, len(existing), False, existing.manifest["scores"])
    # The truth is the same skin without its lesion: it holds for removal only.
    adds = domain in {translator.run.experiment.masked, *images.index["label"]}
    known = images.truth is not None and images.masks is not None and not adds and len(rows) > 0
    scores = {"translated": TruthScore(), "untouched": TruthScore()} if known else {}
    shown: list[Triple] = []
    chosen = set(evenly(np.arange(len(rows)), SHEET_IMAGES).tolist())
    triples = translate_rows(translator, images, rows, lender, np.random.default_rng(translation.seed))
    with atomic_folder(folder) as building:
        writer = ImageSetWriter(building, *translator.size_for(images), masks=translator.needs_mask)
        bar = progress(triples, title=folder.name, unit="images", total=len(rows))
        for i, (before, mask, after) in enumerate(bar):
            writer.add(after, {**dict(images.index.iloc[int(rows[i])]), "label": domain}, mask)
            if scores and images.truth is not None and images.masks is not None:
                for kind, image in (("translated", after), ("untouched", before)):
                    scores[kind].add(image, images.truth[rows[i]], images.masks[rows[i]])
            if i in chosen:
                shown.append((before, mask, after))
        _write_sheet(shown, building / "preview.png")
        result = {key: score.result() for key, score in scores.items()}
        writer.finish(folder.name, source="translate", made_from=made_from, scores=result)
    return TranslationResult(folder, len(rows), True, result)


def translate_photos(
    translation: Translation, photos: dict[str, Matched], folder: Path, overwrite: bool = False
) -> TranslationResult:
    """Translate photos of any size (see `matching.with_masks`) to PNG files with the photos' names, in `folder`.

    Photos without a mask borrow one from the translation's lender, resized to the photo. `sheet/sheet.png` has its own
    folder, so that it cannot have the path of a photo. Raises TrainingError if `folder` exists, unless `overwrite`.
    """
    if folder.exists() and not overwrite:
        raise TrainingError(f"{folder} exists: give this result another --name, or replace it with --overwrite.")
    translator, lender = translation.load(), translation.lender
    rng = np.random.default_rng(translation.seed)
    shown: list[Triple] = []
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
                shown.append((before, mask, after))
        (building / "sheet").mkdir()
        _write_sheet(shown, building / "sheet" / "sheet.png")
    return TranslationResult(folder, len(photos), True, {})


def _write_sheet(triples: list[Triple], path: Path) -> None:
    """Before, mask and after of two images in a row."""
    pictures = [[as_picture(one) if one.ndim == 2 else one for one in some if one is not None] for some in triples]
    rows = [[picture for some in pair for picture in some] for pair in in_rows(pictures, 2)]
    Image.fromarray(sheet(rows, margin=2, at_most=LONGEST)).save(path)
