"""The base of the three training schemes. A scheme defines the generators' inputs and the loss that ties both together.

Everything is keyed by domain: the generator that makes images of a domain, their discriminator, the real images. The
rest is the same for all schemes: equation 1 and the optimisers (engine.py), ticks and checkpoints (loop.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.networks import Discriminator, Generator, Translator, initialise
from gan_core.training.data import Domain, Draws, Shuffle, to_signed
from gan_core.training.ranks import Ranks
from gan_core.training.run import Run


@dataclass(frozen=True)
class Batch:
    """This rank's share of a step: the inputs of each domain's generator, and real images of each domain."""

    inputs: dict[str, Tensor]
    reals: dict[str, Tensor]


class Scheme(ABC):
    """Networks, data order and losses of one run."""

    def __init__(self, run: Run, domains: Mapping[str, Domain], device: torch.device, ranks: Ranks) -> None:
        self.run, self.domains, self.device, self.ranks = run, domains, device, ranks
        self.batch = run.settings.batch
        rng = torch.Generator().manual_seed(run.settings.seed)
        self.generators = nn.ModuleDict(build_generators(run))
        self.discriminators = nn.ModuleDict({domain: build_discriminator(run) for domain in run.experiment.makes})
        for network in [*self.generators.values(), *self.discriminators.values()]:
            initialise(network, rng)
        self.draws = Draws(run.settings.seed + 1, device, ranks)
        self.shuffles = {name: Shuffle(len(domains[name].train), self.draws) for name in self.generators}

    @abstractmethod
    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        """Inputs of each generator: the next ones of the run if `shuffled`, else drawn independently of its order."""

    def pairing_loss(self, inputs: Mapping[str, Tensor], generated: Mapping[str, Tensor]) -> Tensor:
        """The weighted loss that ties a translation to its input; zero for unconditional generation."""
        return torch.zeros((), device=self.device)

    @abstractmethod
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        """The rows (n, H, W, 3) of the sample grid, always from the same latents or images."""

    def drawn_subsets(self) -> dict[str, list[int]]:
        """The training images of a domain that are translated, if not all are; kept in `config.json`."""
        return {}

    def draw(self) -> Batch:
        """The next batch: all random numbers of a step except for augmentation."""
        inputs = self.inputs(self.draws, self.batch, shuffled=True)
        reals = {
            name: to_signed(self.domains[name].train[shuffle.next(self.batch)])
            for name, shuffle in self.shuffles.items()
            if name in self.generators
        }
        return Batch(inputs, reals)

    def generate(self, generators: nn.ModuleDict, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: generators[name](given) for name, given in inputs.items()}

    def free_inputs(self, seed: int, batches: int) -> Iterator[dict[str, Tensor]]:
        """Batches of inputs from another generator of random numbers: the run's own state does not change."""
        draws = Draws(seed, self.device, Ranks())
        for _ in range(batches):
            yield self.inputs(draws, self.batch, shuffled=False)

    def state(self) -> dict[str, Any]:
        return {
            "rng": self.draws.rng.get_state(),
            "shuffles": {name: shuffle.state() for name, shuffle in self.shuffles.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.draws.rng.set_state(state["rng"].cpu())
        for name, shuffle in self.shuffles.items():
            shuffle.load(state["shuffles"][name])


def build_generators(run: Run) -> dict[str, nn.Module]:
    """The generators of a run by the domain they make, before `initialise`."""
    s, experiment = run.settings, run.experiment
    if experiment.scheme == "unconditional":
        sizes = (run.height, run.width, s.g_features, s.z_dim)
        return {experiment.target: Generator(*sizes, s.refine, s.dense_norm, s.upsampling)}
    channels = 4 if experiment.scheme == "targeted" else 3
    return {domain: Translator(channels, s.g_features, s.upsampling) for domain in experiment.makes}


def build_discriminator(run: Run) -> Discriminator:
    return Discriminator(run.height, run.width, run.settings.d_features)
