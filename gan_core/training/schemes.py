"""The three training schemes. Each defines the generators' inputs and the loss that ties a translation to its input.

Everything is keyed by domain: the generator that makes images of a domain, their discriminator, the real images. The
rest is the same for all schemes: equation 1 and the optimisers (engine.py), ticks and checkpoints (loop.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.losses import cycle_loss, relevancy_loss
from gan_core.networks import Discriminator, Generator, Translator, initialise
from gan_core.training.data import Domain, Draws, Shuffle, seeded_subset, to_pixels, to_signed
from gan_core.training.ranks import Ranks
from gan_core.training.run import Run
from glimpse.images import evenly

GRID_ROWS, GRID_COLUMNS = 4, 8  # of a sample grid; a translator's has as many columns
ByDomain = Mapping[str, Tensor]


class Scheme(ABC):
    """Networks, data order and losses of one run."""

    def __init__(self, run: Run, domains: Mapping[str, Domain], device: torch.device, ranks: Ranks) -> None:
        self.run, self.domains, self.device, self.ranks = run, domains, device, ranks
        rng = torch.Generator().manual_seed(run.settings.seed)
        self.generators, self.discriminators = build_generators(run), build_discriminators(run)
        for network in [*self.generators.values(), *self.discriminators.values()]:
            initialise(network, rng)
        self.draws = Draws(run.settings.seed + 1, device, ranks)
        self.shuffles = {name: Shuffle(len(domains[name].train), self.draws) for name in self.generators}
        self.subsets: dict[str, Tensor] = {}  # of a domain's training images, those that are translated

    @abstractmethod
    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        """Inputs of each generator: the next ones of the run if `shuffled`, else drawn independently of its order."""

    @abstractmethod
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        """The rows (n, H, W, 3) of the sample grid, always from the same latents or images."""

    def pairing_loss(self, inputs: ByDomain, generated: ByDomain) -> Tensor:
        """The weighted loss that ties a translation to its input; zero for unconditional generation."""
        return torch.zeros((), device=self.device)

    def drawn_subsets(self) -> dict[str, list[int]]:
        """`subsets` as kept in `config.json`."""
        return {name: subset.tolist() for name, subset in self.subsets.items()}

    def draw(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """This rank's share of the next step, by domain: the inputs of its generator, and real images.

        It takes all random numbers of a step except for augmentation.
        """
        batch = self.run.settings.batch
        inputs = self.inputs(self.draws, batch, shuffled=True)
        reals = {n: to_signed(self.domains[n].train[self.shuffles[n].next(batch)]) for n in self.generators}
        return inputs, reals

    def state(self) -> dict[str, Any]:
        shuffles = {name: shuffle.state() for name, shuffle in self.shuffles.items()}
        return {"rng": self.draws.rng.get_state(), "shuffles": shuffles}

    def load(self, state: dict[str, Any], steps: int) -> bool:
        """Continue after `steps` steps; False if the random numbers start from a new seed (see `Draws.load`)."""
        for name, shuffle in self.shuffles.items():
            shuffle.load(state["shuffles"][name])
        return self.draws.load(state["rng"], seed=self.run.settings.seed + 40_000 + steps)


class Unconditional(Scheme):
    """Generation from latents alone: hands, healthy, eczema, df, mel (section 4.1)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        rng = torch.Generator().manual_seed(self.run.settings.seed + 2)
        latents = torch.randn(GRID_ROWS * GRID_COLUMNS, self.run.settings.z_dim, generator=rng)
        self.shown = latents.to(self.device)

    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        return {self.run.experiment.target: draws.normal(batch, self.run.settings.z_dim)}

    @torch.no_grad()
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        pictures = to_pixels(generators[self.run.experiment.target](self.shown))
        return list(pictures.reshape(GRID_ROWS, GRID_COLUMNS, *pictures.shape[1:]))


class Translating(Scheme):
    """Translators from one domain to another. The larger domain's inputs are truncated to the smaller's (section 4.2);
    discriminators see all real images."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        domains = self.run.experiment.domains
        self.source = {name: str(self.run.experiment.source_of(name)) for name in sorted(self.generators)}
        sizes = {name: len(self.domains[name].train) for name in domains}
        self.subsets = {
            source: seeded_subset(sizes[source], min(sizes.values()), self.run.settings.seed).to(self.device)
            for source in self.source.values()
        }
        self.key = {name: "source" if len(self.source) == 1 else f"into {name}" for name in self.source}
        for name, source in self.source.items():
            self.shuffles[self.key[name]] = Shuffle(len(self.subsets[source]), self.draws)

    def places(self, name: str, draws: Draws, batch: int, shuffled: bool) -> Tensor:
        """The positions of the source's training images that the generator of a domain translates."""
        subset = self.subsets[self.source[name]]
        return subset[self.shuffles[self.key[name]].next(batch) if shuffled else draws.below(batch, len(subset))]

    def shown_of(self, source: str) -> tuple[Tensor, Tensor | None]:
        """Test images, or training images without any, that the sample grid shows, and their masks."""
        domain = self.domains[source]
        images, masks = (domain.test, domain.test_masks) if len(domain.test) else (domain.train, domain.train_masks)
        rows = evenly(np.arange(len(images)), GRID_COLUMNS)
        return to_signed(images[rows]), None if masks is None else masks[rows]


class Targeted(Translating):
    """Eczema added or removed inside a mask, the rest unchanged: add-eczema, remove-eczema (section 4.2).

    The input is the image with the mask as fourth channel. Adding: each healthy patch gets a random eczema mask, so
    that one mask serves many patches. Removing: each eczema patch has its own mask.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        experiment, self.target = self.run.experiment, self.run.experiment.target
        masks = self.domains[str(experiment.masked)].train_masks
        assert masks is not None
        self.masks, self.own_masks = masks, experiment.lender(self.target) is None
        images, own = self.shown_of(self.source[self.target])
        lent = masks[evenly(np.arange(len(masks)), GRID_COLUMNS)]
        shown = own if self.own_masks and own is not None else lent[torch.arange(len(images)) % len(lent)]
        self.shown = with_mask(images, shown)

    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        rows = self.places(self.target, draws, batch, shuffled)
        masks = self.masks[rows if self.own_masks else draws.below(batch, len(self.masks))]
        return {self.target: with_mask(to_signed(self.domains[self.source[self.target]].train[rows]), masks)}

    def pairing_loss(self, inputs: ByDomain, generated: ByDomain) -> Tensor:
        given = inputs[self.target]
        return self.run.settings.relevancy * relevancy_loss(given[:, :3], generated[self.target], given[:, 3:])

    @torch.no_grad()
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        mask = self.shown[:, 3:].expand(-1, 3, -1, -1) * 2 - 1
        return [to_pixels(images) for images in (self.shown[:, :3], mask, generators[self.target](self.shown))]


class Cyclic(Translating):
    """Two translations without masks, each the inverse of the other: cycle-eczema (section 4.3, CycleGAN)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.shown = {name: self.shown_of(source)[0] for name, source in self.source.items()}

    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        return {
            name: to_signed(self.domains[source].train[self.places(name, draws, batch, shuffled)])
            for name, source in self.source.items()
        }

    def pairing_loss(self, inputs: ByDomain, generated: ByDomain) -> Tensor:
        one, other = (cycle_loss(inputs[n], self.generators[s](generated[n])) for n, s in self.source.items())
        return self.run.settings.cycle * (one + other)

    @torch.no_grad()
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        rows = []
        for name, source in self.source.items():
            there = generators[name](self.shown[name])
            rows += [to_pixels(images) for images in (self.shown[name], there, generators[source](there))]
        return rows


SCHEMES: dict[str, type[Scheme]] = {"unconditional": Unconditional, "targeted": Targeted, "cyclic": Cyclic}


def with_mask(images: Tensor, masks: Tensor) -> Tensor:
    """Images (b, 3, H, W) and masks (b, H, W) in {0, 1} to (b, 4, H, W)."""
    return torch.cat([images, masks[:, None].float()], 1)


def build_generators(run: Run) -> nn.ModuleDict:
    """The generators of a run by the domain they make, before `initialise`."""
    s, experiment = run.settings, run.experiment
    if experiment.scheme == "unconditional":
        sizes = (run.height, run.width, s.g_features, s.z_dim)
        return nn.ModuleDict({experiment.target: Generator(*sizes, s.refine, s.dense_norm, s.upsampling)})
    channels = 4 if experiment.scheme == "targeted" else 3
    return nn.ModuleDict({name: Translator(channels, s.g_features, s.upsampling) for name in experiment.makes})


def build_discriminators(run: Run) -> nn.ModuleDict:
    size, s = (run.height, run.width), run.settings
    return nn.ModuleDict({name: Discriminator(*size, s.d_features, s.d_norm) for name in run.experiment.makes})
