"""Experiments, settings and presets: the paper's Tables 1 and 2 as data, and the stages for an image size.

Every setting of a run is a field of `Settings`. A preset lists the settings it changes; `--set name=value` changes one
more. No torch here, so that `--help` can list everything at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glimpse.command_line import MAX_SEED, did_you_mean
from glimpse.files import GlimpseError
from glimpse.settings import setting


class TrainingError(GlimpseError):
    """A run cannot be started, resumed or used as requested."""


@dataclass(frozen=True)
class Draw:
    """The seed of a generator's latents and their truncation: |z| < truncation in each component.

    Raises TrainingError for a truncation that is not positive and finite.
    """

    seed: int = 0
    truncation: float | None = None

    def __post_init__(self) -> None:
        if self.truncation is not None and not 0 < self.truncation < math.inf:
            raise TrainingError(f"--truncation must be above 0 and finite, not {self.truncation}: for example 0.5.")


@dataclass(frozen=True)
class Settings:
    """All settings of a run. Defaults are those of the paper or, where it is silent, of docs/method.md."""

    images: int = setting(600_000, "length of training: real images shown in total", 1)
    epochs: int = setting(0, "length in passes over the training images instead (0: use `images`)", 0)
    batch: int = setting(64, "images per step, over all GPUs", 2)
    lr: float = setting(5e-5, "Adam's learning rate", 0)
    d_lr: float = setting(0.0, "Adam's learning rate of the discriminator (0: lr)", 0)
    beta1: float = setting(0.9, "Adam's decay of the first moment", 0, high=0.9999999)
    beta2: float = setting(0.999, "Adam's decay of the second moment", 0, high=0.9999999)
    g_features: int = setting(1024, "Table 2: feature maps of the generator's first deconvolution", 4)
    d_features: int = setting(128, "Table 2: feature maps of the discriminator's first convolution", 1)
    z_dim: int = setting(100, "length of the latent vector", 1)
    refine: bool = setting(False, "add a 3x3 convolution after each deconvolution (hands, section 3.2.1)")
    dense_norm: bool = setting(False, "batch norm and activation after the generator's dense layer, as in DCGAN")
    d_norm: bool = setting(True, "batch norm in the discriminator")
    upsampling: str = setting(
        "deconvolution", "how generators double the size; nearest: repeated pixels, then a convolution: no grid",
        among=("deconvolution", "nearest"),
    )  # fmt: skip
    relevancy: float = setting(10.0, "weight of equation 2 (targeted)", 0)
    cycle: float = setting(10.0, "weight of equation 3 (cyclic)", 0)
    ema_images: int = setting(0, "half-life of the generator's running average, in images (0: none)", 0)
    diffaugment: int = setting(0, "images until translation and cutout may augment all, if D overfits (0: never)", 0)
    flips: bool = setting(False, "flip and transpose real and generated images alike, where the shape allows")
    r1: float = setting(0.0, "weight gamma of the gradient penalty on real images (Mescheder et al. 2018)", 0)
    r1_every: int = setting(16, "steps from one gradient penalty to the next", 1)
    tick_images: int = setting(6_000, "images from one log line, grid and checkpoint to the next", 1)
    score_images: int = setting(
        5_000, "generated images (and at most as many real ones) for KID and the Fréchet distance (0: none)", 0
    )
    score_ticks: int = setting(5, "ticks from one score to the next", 1)
    observe_batches: int = setting(8, "batches on which the discriminator is evaluated at a tick", 1)
    bf16: bool = setting(True, "mixed precision on GPUs from Ampere on and processors with AMX")
    compile: bool = setting(True, "torch.compile on CUDA")
    seed: int = setting(0, "seed of initial weights, data order and latents", 0, high=MAX_SEED)


@dataclass(frozen=True)
class Experiment:
    """One experiment of the paper: its training scheme, image sets and widths (Table 2).

    A translator goes from the `source` domain to the `target` domain; an unconditional experiment has only a target.
    A domain has the name of its default image set. `masked` is the domain whose masks are used.
    """

    scheme: str  # "unconditional", "targeted" or "cyclic"
    target: str
    g_features: int
    d_features: int
    source: str | None = None
    masked: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)  # other settings

    @property
    def domains(self) -> tuple[str, ...]:
        return (self.target,) if self.source is None else (self.source, self.target)

    @property
    def makes(self) -> tuple[str, ...]:
        """The domains with a generator and a discriminator."""
        return (self.target,) if self.scheme != "cyclic" else (self.target, str(self.source))

    def source_of(self, target: str) -> str | None:
        """The domain whose images are translated to `target`; None without translation."""
        return next((domain for domain in self.domains if domain != target), None)

    def lender(self, target: str) -> str | None:
        """The domain that lends masks to images translated to `target`; None if they need none or have their own."""
        return target if self.masked == target else None

    def published_as(self, name: str) -> dict[str, str]:
        """The stimulus sets of a run, with the domain that each shows: NAME, or NAME-add and NAME-remove if cyclic."""
        names = (f"{name}-add", f"{name}-remove") if self.scheme == "cyclic" else (name,)
        return dict(zip(names, self.makes, strict=True))


def lesions(target: str) -> Experiment:
    """Images of any set by the recipe of the paper's lesions; `batch_for` scales its batch to other sizes."""
    return Experiment("unconditional", target, 512, 64, more={"batch": 32})


def translation(source: str, target: str, masked: str | None) -> Experiment:
    """A translation between two sets: inside the masks of one of them, or in both directions without masks."""
    return Experiment("targeted" if masked else "cyclic", target, 1024, 256, source, masked, {"batch": 16})


# Table 2 (initial features), with our batch and duration (docs/method.md). Table 1 follows from `grid_and_stages`.
EXPERIMENTS: dict[str, Experiment] = {
    "hands": Experiment("unconditional", "hands", 512, 32, more={"batch": 16, "refine": True}),
    "healthy": Experiment("unconditional", "healthy", 1024, 128, more={"epochs": 20}),
    "eczema": Experiment("unconditional", "eczema", 1024, 256, more={"epochs": 200}),
    "df": lesions("df"),
    "mel": lesions("mel"),
    "add-eczema": translation("healthy", "eczema", masked="eczema"),
    "remove-eczema": translation("eczema", "healthy", masked="eczema"),
    "cycle-eczema": translation("healthy", "eczema", masked=None),
}

TRANSLATION = re.compile(r"(\S+) to (\S+?)(?:, masks of (\S+))?")


def translation_name(source: str, target: str, masked: str | None) -> str:
    """The name of a translation between any two sets; `experiment_named` reads it."""
    return f"{source} to {target}" + (f", masks of {masked}" if masked else "")


def experiment_named(name: str) -> Experiment:
    """The experiment of the paper with this name, else its recipe applied to the image sets in the name.

    >>> experiment_named("naevi").scheme, experiment_named("scc to naevi, masks of scc").scheme
    ('unconditional', 'targeted')
    """
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    found = TRANSLATION.fullmatch(name)
    return translation(found[1], found[2], found[3]) if found else lesions(name)


def batch_for(height: int, width: int, images: int) -> int:
    """The batch of an image set of any size: the paper's 64 at 128x128, 32 at 256x256 and 16 at 480x640.

    A power of two, inversely proportional to the side, from 2 to 64, and at most the number of training images.

    >>> [batch_for(side, side, 1000) for side in (64, 128, 256, 512)], batch_for(480, 640, 1000), batch_for(64, 64, 20)
    ([64, 64, 32, 16], 16, 16)
    >>> batch_for(181, 181, 1000), batch_for(182, 182, 1000)  # 128 and 256 meet at 128 times the root of 2
    (64, 32)
    """
    wanted = 32 * 256 / math.sqrt(height * width)
    return next((batch for batch in (64, 32, 16, 8, 4) if batch <= min(images, math.sqrt(2) * wanted)), 2)


def score_images_for(images: int) -> int:
    """The generated images by which an image set of any size is scored: the paper's 5,000, ten times the training
    images where these are fewer, at least 256. More would not make the scores of few real images more exact.

    >>> [score_images_for(images) for images in (9, 115, 1113)]
    [256, 1150, 5000]
    """
    return min(Settings.score_images, max(256, 10 * images))


@dataclass(frozen=True)
class Preset:
    """Changes to the settings: for all experiments, then by training scheme, then for single experiments."""

    meaning: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    by: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # scheme, experiment, "another set" -> changes

    def for_experiment(self, name: str) -> dict[str, Any]:
        known = name if name in EXPERIMENTS else "another set"
        return {**self.changes, **self.by.get(experiment_named(name).scheme, {}), **self.by.get(known, {})}

    def longer(self, meaning: str, changes: Mapping[str, Any], by: Mapping[str, Mapping[str, Any]]) -> Preset:
        """This preset with other changes for all experiments and by training scheme; `images` are spent in 20 ticks."""
        schemes = {k: {**self.by[k], **more, "tick_images": more["images"] // 20} for k, more in by.items()}
        return Preset(meaning, {**self.changes, **changes}, {**self.by, **schemes})


# Measured by `python -m benchmarks.recipes` and `benchmarks.translation`; docs/results.md has the numbers.
LEARNING = {"lr": 2e-4, "beta1": 0.5, "upsampling": "nearest", "ema_images": 10_000}
UPRIGHT = {"flips": False}  # flips leak into the generated images where orientation matters
# A translator starts as the identity, near its goal: with one rate for both it outruns its discriminator and moves past
# that goal. KID of add-eczema after two minutes: 0.019, with one rate 0.049, with its batch norm 0.030.
TRANSLATORS = {"lr": 5e-5, "d_lr": 4e-4, "d_norm": False, "flips": True}

PRESETS: dict[str, Preset] = {
    "paper": Preset("the networks, losses and optimiser of the paper"),
    "modern": Preset(
        "for small sets: DCGAN's faster Adam, averaged generator, DiffAugment, flips",
        LEARNING,
        {
            "unconditional": {
                "diffaugment": 100_000,  # reaching all images whatever the discriminator, it doubled KID on MEL
                "flips": True,
                "upsampling": "deconvolution",  # after 5 minutes half of the KID on DF, the grid hardly stronger
            },
            "targeted": TRANSLATORS,
            "cyclic": TRANSLATORS,
            "hands": UPRIGHT,
            "another set": UPRIGHT,
        },
    ),
    "demo": (
        DEMO := Preset(
            "for two CPU cores: narrow networks, minutes instead of days",
            {**LEARNING, "epochs": 0, "batch": 16, "flips": True, "score_images": 256, "observe_batches": 2},
            {
                "unconditional": {
                    "images": 9_600, "tick_images": 600, "score_ticks": 8, "g_features": 64, "d_features": 16,
                },
                "hands": {"d_features": 8, **UPRIGHT},
                "eczema": {"d_features": 32},
                "targeted": {"images": 7_200, "tick_images": 720, "g_features": 64, "d_features": 32, **TRANSLATORS},
                "cyclic": {"images": 4_800, "tick_images": 480, "g_features": 32, "d_features": 32, **TRANSLATORS},
            },
        )
    ),
    "shipped": DEMO.longer(
        "demo for longer: the generators of phantoms that come with Glimpse",
        {"z_dim": 64},  # the dense layer is half of a generator's file
        {
            # Without DiffAugment the discriminator knows the 104 melanomas by heart after 60,000 images.
            "unconditional": {"images": 200_000, "diffaugment": 100_000},
            "targeted": {"images": 16_000},
            "cyclic": {"images": 24_000},
        },
    ),
}  # fmt: skip


def check_name(name: str, image_sets: Sequence[str] = ()) -> str:
    """The name itself. Raises TrainingError, suggesting the nearest, unless it is an experiment or an image set."""
    if name not in EXPERIMENTS and name not in image_sets:
        remedy = did_you_mean(name, [*EXPERIMENTS, *image_sets])
        raise TrainingError(f"'{name}' is neither an experiment nor an image set: {remedy}")
    return name


def settings_for(
    name: str, preset: str, chosen: Mapping[str, Any] | None = None, experiment: Experiment | None = None
) -> Settings:
    """The settings of a run: the experiment's, overridden by the preset, overridden by the `chosen` ones.

    `experiment` is needed for any that is not the paper's. Raises TrainingError for an unknown name or preset.
    """
    if preset not in PRESETS:
        raise TrainingError(f"Unknown preset '{preset}': {did_you_mean(preset, list(PRESETS))}")
    row = experiment or EXPERIMENTS[check_name(name)]
    result = replace(Settings(), g_features=row.g_features, d_features=row.d_features, **row.more)
    result = replace(result, **PRESETS[preset].for_experiment(name))
    by_images = {"epochs": 0} if chosen and "images" in chosen else {}
    return replace(result, **{**by_images, **(chosen or {})})


def grid_and_stages(height: int, width: int) -> tuple[int, int, int]:
    """Rows and columns of the dense grid and the number of stages for an image size, exactly as in the paper's Table 1.

    Height and width are halved while both are even and the shorter half is at least 8.
    Raises TrainingError for a size with fewer than two stages.
    """
    rows, columns, stages = height, width, 0
    while rows % 2 == 0 and columns % 2 == 0 and min(rows, columns) // 2 >= 8:
        rows, columns, stages = rows // 2, columns // 2, stages + 1
    if stages < 2:
        halved = "can be halved only once: then" if stages else "cannot be halved:"
        raise TrainingError(
            f"Images of {height}x{width} pixels (height x width) {halved} a side is odd or would fall below 8 pixels, "
            "but two halvings are needed. Prepare them at a size that divides by 4, at least 32 pixels, such as 64, "
            "128 or 256."
        )
    return rows, columns, stages
