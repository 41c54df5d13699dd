"""Distances of translated images to real ones of the other domain: eczema added or removed, with or without masks.

The test images of one domain are translated and compared with the real test images of the other. Most of an image stays
as it was, so a distance alone says little (the paper found that FID 'applies poorly' here), and that of the untouched
images is given as well. For phantoms, removal is also compared with the same skin drawn without its lesion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis import inventory
from analysis.images import features
from analysis.images.features import Features, pixels_sha256
from analysis.images.pairs import FEWEST
from analysis.images.runs import EvaluatedRun
from analysis.section import Context
from glimpse.imageset import ImageSet

IMAGES = 500  # translated in each direction at most


@dataclass(frozen=True)
class Direction:
    """One direction in which a run translates between the image sets of its two domains."""

    name: str  # as `publish` calls the stimulus set
    domain: str  # the domain of the result
    source: EvaluatedRun  # the run with the images to translate
    target: EvaluatedRun  # the run with the images of the domain of the result
    donors: ImageSet | None  # the image set whose masks are used; None if the images have masks or need none

    @property
    def size(self) -> tuple[int, int]:
        return self.target.size

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything that the results depend on, for the cache key."""
        return {
            "domain": self.domain, "source": self.source.inputs, "target": self.target.inputs,
            "donors": None if self.donors is None else self.donors.manifest["files"],
        }  # fmt: skip

    def rows(self, seed: int) -> NDArray[np.intp]:
        """Indices of the source images to translate: of the test split, or of training if nothing was held out."""
        test = self.source.rows("test")
        return np.random.default_rng(seed).permutation(test if len(test) >= 2 else self.source.rows("train"))[:IMAGES]

    def translated(self, rows: NDArray[np.intp], seed: int) -> Iterator[NDArray[np.uint8]]:
        """Each of these images (H, W, 3), translated."""
        from gan_core.translating import load_translator, translate_rows

        translator = load_translator(self.target.folder, self.domain, self.target.device)
        rng = np.random.default_rng(seed)
        for _, _, after in translate_rows(translator, self.source.real, rows, self.donors, rng):
            yield after


def directions(context: Context) -> list[Direction]:
    """Each direction of each translation run with a generator and unchanged image sets."""
    found = []
    for one in inventory.runs(context):
        run, experiment = one.run, one.run.experiment
        if experiment.source is None or one.generator_sha256 is None:
            continue
        sets = {domain: inventory.trained_on(context, facts) for domain, facts in run.image_sets.items()}
        lacking = [domain for domain, s in sets.items() if s is None or len(s) < FEWEST]
        if lacking:
            context.notice(
                f"The run '{one.name}' is left out: its image set '{run.image_sets[lacking[0]]['name']}' is gone, "
                f"damaged, was made again or holds fewer than {FEWEST} images."
            )
            continue
        beside = {
            domain: EvaluatedRun(s, context.device, context.seed, run, one.folder, one.generator_sha256)
            for domain, s in sets.items() if s is not None
        }  # fmt: skip
        for label, target in experiment.published_as(one.name).items():
            source, lender = str(experiment.source_of(target)), experiment.lender(target)
            found.append(Direction(label, target, beside[source], beside[target], sets[lender] if lender else None))
    return found


def published_from(context: Context, name: str, origin: Mapping[str, Any]) -> dict[str, Any]:
    """`made_from` of a stimulus set, with `run` the folder that holds this generator now, or None.

    `direction` is the direction of a translation run; `pair` the name of the pair of image sets.
    """
    if "generator_sha256" not in origin:
        return {**origin, "pair": name if "generated" in origin else None}
    sha256, named = origin["generator_sha256"], str(origin.get("run"))
    holders = [one.name for one in inventory.runs(context) if one.generator_sha256 == sha256]
    if not holders:
        context.notice(
            f"The stimulus set '{name}' was published from a generator of '{named}' that no usable run holds any "
            "longer, so no metrics of a run are shown beside its answers."
        )
        return {**origin, "run": None}
    run = named if named in holders else holders[0]
    used = [
        one.name for one in directions(context)
        if one.target.name == run and one.domain == origin.get("domain")
    ]  # fmt: skip
    return {**origin, "run": run, "direction": next(iter(used), None)}


@dataclass(frozen=True)
class Translated:
    """Features of translated images, and of the same images before translation."""

    made: Features
    untouched: Features
    groups: NDArray[np.str_]
    truth: dict[str, float | None]  # PSNR and SSIM against the true skin, by 'translated' or 'untouched'; or empty


def translated_features(direction: Direction, context: Context) -> Translated:
    """Features of the translated images; for phantoms also PSNR and SSIM against the same skin without its lesion."""
    from glimpse.psnr_ssim import TruthScore

    source, rows = direction.source, direction.rows(context.seed)
    made = np.stack(list(direction.translated(rows, context.seed)))
    extractor = direction.target.extractor(context)
    found = features.extract(
        extractor, features.batches(made), len(made), source=pixels_sha256(made), folder=context.workspace.features,
        label=f"features of images by {direction.name}",
    )  # fmt: skip
    truth: dict[str, float | None] = {}
    real = source.real
    if real.truth is not None and real.masks is not None and direction.domain == "healthy":
        for kind, images in (("translated", made), ("untouched", source.real_images(rows))):
            score = TruthScore()
            for i, row in enumerate(rows):
                score.add(images[i], real.truth[row], real.masks[row])
            truth |= {f"{name}_{kind}": value for name, value in score.result().items()}
    return Translated(found, source.real_features(extractor, rows, context), source.groups(rows), truth)
