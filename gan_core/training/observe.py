"""The discriminator's outputs at a tick on training, test and generated images: Figure 6, and section 3.2.4's
'confidence and consistency'. Nothing here changes the run's random numbers or batch statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gan_core.networks import batch_norms
from gan_core.training.data import Draws, to_signed
from gan_core.training.engine import Engine
from gan_core.training.ranks import Ranks


@contextmanager
def on_batch_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm uses the statistics of each batch, the running ones stay; everything else is as in `eval`."""
    norms = batch_norms(network)
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
    draws of them averaged. With two
    discriminators each has its fields with its domain's name, and the plain fields are their means. `forward` is called
    past the compiler, which would recompile for this unusual mode.
    """
    scheme, settings = engine.scheme, engine.settings
    draws = Draws(settings.seed + 10_000 + engine.images, engine.device, Ranks())
    fields: dict[str, list[float | None]] = {}
    for domain, discriminator in engine.discriminators.items():
        images = scheme.domains[domain]
        size = min(settings.batch, len(images.test)) if len(images.test) else settings.batch
        logits: dict[str, list[Tensor]] = {"real_train": [], "real_test": [], "generated": []}
        with on_batch_statistics(discriminator), on_batch_statistics(engine.generators):
            for _ in range(settings.observe_batches):
                given = scheme.inputs(draws, max(size, 2), shuffled=False)[domain]
                made = engine.generators[domain].forward(given)[:size]
                logits["generated"].append(discriminator.forward(engine.augment(made, draws)))
                for kind, real in (("real_train", images.train), ("real_test", images.test)):
                    if len(real):
                        chosen = draws.order(len(real))[:size]
                        logits[kind].append(discriminator.forward(engine.augment(to_signed(real[chosen]), draws)))
        found = {k: v for kind, values in logits.items() for k, v in _moments(kind, values).items()}
        right_real = torch.cat(logits["real_train"]) > 0
        right = torch.cat([right_real, torch.cat(logits["generated"]) < 0])
        found["d_accuracy"] = right.float().mean().item()
        for key, value in found.items():
            fields.setdefault(key, []).append(value)
            if len(engine.discriminators) > 1:
                fields[f"{key}_{domain}"] = [value]
    return {key: _mean(values) for key, values in fields.items()}


def _moments(kind: str, batches: list[Tensor]) -> dict[str, float | None]:
    names = [f"d_{kind}", f"d_{kind}_sd", f"d_{kind}_logit", f"d_{kind}_logit_sd"]
    if not batches:
        return dict.fromkeys(names)
    logits = torch.cat(batches).double()
    outputs = logits.sigmoid()
    values = (outputs.mean(), outputs.std(correction=0), logits.mean(), logits.std(correction=0))
    return {name: value.item() for name, value in zip(names, values, strict=True)}


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if len(there) == len(values) else None
