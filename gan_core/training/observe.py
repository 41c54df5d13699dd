"""The measurements of a tick: the discriminator's outputs on training, test and generated images (Figure 6, and section
3.2.4's 'confidence and consistency'), and scores of the generator. The run's random numbers and statistics are not
changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan_core.training.data import Domain, Draws, seeded_subset, to_pixels, to_signed
from gan_core.training.engine import Engine
from gan_core.training.ranks import Ranks
from gan_core.training.run import Run
from glimpse.images import Pixels

# Generated images (n, H, W, 3) to scores by name; the lowest value of the first score marks the best generator.
Scorer = Callable[[Pixels], Mapping[str, Any]]


@contextmanager
def on_batch_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm uses the statistics of each batch and keeps the running ones; all else is as in `eval`."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    network.eval()
    for norm in norms:
        norm.train()
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        network.train()


@torch.no_grad()
def observe(engine: Engine) -> dict[str, float | None]:
    """Mean and SD of the outputs (sigmoid and logit) on each kind of image, and the accuracy on training images.

    Equal batches of min(batch, test images) on all sides, augmented where training augments, `observe_batches` seeded
    draws of them averaged. With two discriminators each has its fields with its domain's name, and the plain fields are
    their means. `forward` is called past the compiler, which would recompile for this unusual mode.
    """
    draws = Draws(engine.settings.seed + 10_000 + engine.images, engine.device, Ranks())
    found = {domain: _observed(engine, domain, draws) for domain in engine.discriminators}
    if len(found) == 1:
        return found.popitem()[1]
    fields = {f"{key}_{domain}": value for domain, values in found.items() for key, value in values.items()}
    for key in next(iter(found.values())):
        known = [values[key] for values in found.values() if values[key] is not None]
        fields[key] = fmean(known) if len(known) == len(found) else None  # type: ignore[arg-type]
    return fields


def _observed(engine: Engine, domain: str, draws: Draws) -> dict[str, float | None]:
    settings, images, discriminator = engine.settings, engine.scheme.domains[domain], engine.discriminators[domain]
    size = min(settings.batch, len(images.test)) if len(images.test) else settings.batch
    logits: dict[str, list[Tensor]] = {"real_train": [], "real_test": [], "generated": []}
    with on_batch_statistics(discriminator), on_batch_statistics(engine.generators):
        for _ in range(settings.observe_batches):
            given = engine.scheme.inputs(draws, max(size, 2), shuffled=False)[domain]
            made = engine.generators[domain].forward(given)[:size]
            logits["generated"].append(discriminator.forward(engine.augment(made, draws)))
            for kind, real in (("real_train", images.train), ("real_test", images.test)):
                if len(real):
                    chosen = draws.order(len(real))[:size]
                    logits[kind].append(discriminator.forward(engine.augment(to_signed(real[chosen]), draws)))
    right = torch.cat([torch.cat(logits["real_train"]) > 0, torch.cat(logits["generated"]) < 0])
    moments = {name: value for kind, values in logits.items() for name, value in _moments(kind, values).items()}
    return {**moments, "d_accuracy": right.float().mean().item()}


def _moments(kind: str, batches: list[Tensor]) -> dict[str, float | None]:
    names = [f"d_{kind}", f"d_{kind}_sd", f"d_{kind}_logit", f"d_{kind}_logit_sd"]
    if not batches:
        return dict.fromkeys(names)
    logits = torch.cat(batches).double()
    outputs = logits.sigmoid()
    values = (outputs.mean(), outputs.std(correction=0), logits.mean(), logits.std(correction=0))
    return {name: value.item() for name, value in zip(names, values, strict=True)}


def scorer_for(run: Run, domains: Mapping[str, Domain], make_scorer: Callable[[Pixels, int], Scorer]) -> Scorer | None:
    """A scorer against at most `score_images` training images; None for translation (section 3.2.4 of the paper).

    `make_scorer` is given the real images (n, H, W, 3) and the run's seed.
    """
    wanted, seed = run.settings.score_images, run.settings.seed
    if not wanted or run.experiment.scheme != "unconditional":
        return None
    train = domains[run.experiment.target].train
    chosen = seeded_subset(len(train), wanted, seed)
    return make_scorer(train[chosen.to(train.device)].cpu().numpy(), seed)


@torch.no_grad()
def score(scorer: Scorer, run: Run, generator: nn.Module, device: torch.device) -> dict[str, Any]:
    """The scores of `score_images` generated images, from the same latents at every tick; `score` names the first."""
    settings, rng = run.settings, torch.Generator().manual_seed(run.settings.seed + 30_000)
    sizes = [len(part) for part in torch.arange(settings.score_images).split(settings.batch)]
    latents = (torch.randn(size, settings.z_dim, generator=rng).to(device) for size in sizes)
    found = scorer(np.concatenate([to_pixels(generator(z)) for z in latents]))
    return {"score": next(iter(found)), **found}
