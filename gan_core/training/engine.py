"""One training step, the same for all schemes, on CPU, CUDA and several GPUs; and the state that makes it repeatable.

A step trains the discriminators on real and generated images (equation 1), then the generators on the gradient of the
updated discriminators for the same generated images. Nothing waits for the device: losses add up there until the tick.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gan_core.augment import flip, translate_and_cut
from gan_core.device import computes_bf16
from gan_core.losses import discriminator_loss, generator_loss, gradient_penalty
from gan_core.training.data import Draws
from gan_core.training.ranks import share_batch_norm
from gan_core.training.schemes import ByDomain, Scheme

GATHERED = ("loss_d", "loss_g", "loss_pairing", "grad_norm_d", "grad_norm_g", "loss_r1")
AUGMENTED_AT = 0.6  # mean sign of the logits of real images at which DiffAugment reaches neither more nor fewer
Check = Callable[[str, Tensor], None]  # given a tensor's name and value


class Engine:
    """The networks of a run with their optimisers, and `step`."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme, self.settings, self.device = scheme, scheme.run.settings, scheme.device
        s = self.settings
        cuda, several = self.device.type == "cuda", scheme.ranks.world > 1
        self.notes: list[str] = []  # sentences on settings that this machine cannot follow
        self.generators, self.discriminators = scheme.generators, scheme.discriminators
        for networks in (self.generators, self.discriminators):
            if several:
                share_batch_norm(networks)
            networks.to(self.device)
            networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.generators).requires_grad_(False) if s.ema_images else None
        self.g_parameters = list(self.generators.parameters())
        self.d_parameters = list(self.discriminators.parameters())
        betas = (s.beta1, s.beta2)
        self.g_optimiser = torch.optim.Adam(self.g_parameters, lr=s.lr, betas=betas, fused=True)
        self.d_optimiser = torch.optim.Adam(self.d_parameters, lr=s.d_lr or s.lr, betas=betas, fused=True)
        self.bf16 = s.bf16 and computes_bf16(self.device)
        if s.bf16 and cuda and not self.bf16:
            self.notes.append("This GPU does not compute in bf16 (compute capability below 8.0): it trains in fp32.")
        self.compiled = False
        if s.compile and cuda and several:
            self.notes.append("Several GPUs train without torch.compile, which breaks at each shared batch norm.")
        elif s.compile and cuda:
            self.compile()
        self.steps = 0
        self.tick_steps = 0
        self.augmented = torch.zeros((), device=self.device)  # share of images that DiffAugment reaches
        self.sums = torch.zeros(len(GATHERED), dtype=torch.float64, device=self.device)
        self.check: Check | None = None  # set for the replay after a value that is not finite

    def compile(self, backend: str | Callable[..., Any] = "inductor") -> None:
        """Compile the networks, each at its first use."""
        try:
            torch._dynamo.config.recompile_limit = 64  # several networks, each with and without gradients
            for network in [*self.generators.values(), *self.discriminators.values()]:
                network.compile(dynamic=False, backend=backend)
            self.compiled = True
        except Exception as error:  # for example for a Python that is newer than torch
            self._without_compiler(error)

    def warm_up(self, steps: int) -> None:
        """A few steps, which compile and tune. If compiled networks fail here, for example without a C++ compiler,
        Python's headers or Triton, this process trains without the compiler. These steps change the state: load one
        afterwards."""
        try:
            for _ in range(steps):
                self.step()
        except (torch.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # compilers raise exceptions of any type
            if not self.compiled:
                raise
            self._without_compiler(error)
            self.warm_up(steps)

    def _without_compiler(self, error: Exception) -> None:
        cause = getattr(error, "inner_exception", error)  # the outer error only names the backend
        lines = str(cause).strip().splitlines() or [""]
        reason = f"{type(cause).__name__}: {lines[0].removesuffix('.')[:200]}"
        torch._dynamo.reset()
        torch.compiler.set_stance("force_eager")
        self.compiled = False
        self.notes.append(
            f"torch.compile does not work here ({reason}): training without it, more slowly. It needs a C++ compiler, "
            "Python's headers and Triton; --set compile=false leaves it out."
        )

    @property
    def images(self) -> int:
        """Real images shown so far."""
        return self.steps * self.settings.batch

    def autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def augment(self, images: Tensor, draws: Draws) -> Tensor:
        """Images (b, 3, H, W) as the discriminator sees them."""
        whole = len(images) * draws.ranks.world
        if self.settings.flips:
            images = flip(images, draws.uniform(whole, 3))
        if self.settings.diffaugment:
            uniform = draws.uniform(whole, 5)
            chosen = uniform[:, 4] < self.augmented
            images = torch.where(chosen[:, None, None, None], translate_and_cut(images, uniform[:, :4]), images)
        return images

    def step(self) -> None:
        inputs, reals = self.scheme.draw()
        with self.autocast():
            generated = {name: self.generators[name](given) for name, given in inputs.items()}
        self._checked("the generated images of", generated.items())
        loss_d, loss_r1, norm_d = self._teach_discriminators(reals, generated)
        loss_g, pairing, norm_g = self._teach_generators(inputs, generated)
        self.steps += 1
        self.tick_steps += 1
        if self.averaged is not None:
            self._average()
        self.sums += torch.stack([loss_d, loss_g, pairing, norm_d, norm_g, loss_r1]).double()

    def _teach_discriminators(self, reals: ByDomain, generated: ByDomain) -> tuple[Tensor, Tensor, Tensor]:
        s = self.settings
        self.discriminators.requires_grad_(True)
        self.d_optimiser.zero_grad(set_to_none=True)
        penalise = s.r1 > 0 and self.steps % s.r1_every == 0
        losses, signs, penalties = [], [], [torch.zeros((), device=self.device)]
        for name, discriminator in self.discriminators.items():
            draws = self.scheme.draws
            real, fake = self.augment(reals[name], draws), self.augment(generated[name].detach(), draws)
            with self.autocast():
                on_real, on_fake = discriminator(real), discriminator(fake)
            self._checked("the discriminator's logits of", ((name, on_real), (name, on_fake)))
            losses.append(discriminator_loss(on_real, on_fake))
            signs.append(on_real.detach().sign().mean())
            if penalise:
                # Its double backward cannot be compiled (torch 2.13): `forward` bypasses the compiler.
                real = real.detach().requires_grad_(True)
                penalty = gradient_penalty(real, discriminator.forward(real))
                penalties.append(s.r1 * s.r1_every * penalty)
        loss, loss_r1 = torch.stack(losses).sum(), torch.stack(penalties).sum()
        self._checked("the loss of", (("the discriminator", loss), ("the gradient penalty", loss_r1)))
        (loss + loss_r1).backward()
        norm = self._apply(self.d_optimiser, self.d_parameters, "discriminators")
        if s.diffaugment:
            self._adapt(torch.stack(signs).mean())
        return loss.detach(), loss_r1.detach(), norm

    def _adapt(self, sign: Tensor) -> None:
        """Let DiffAugment reach more images where the discriminator is too sure of real ones (mean sign of their
        logits), fewer otherwise: the rule of StyleGAN2-ADA (Karras et al. 2020, section 3)."""
        mean = self.scheme.ranks.sum(sign) / self.scheme.ranks.world
        step = self.settings.batch / self.settings.diffaugment
        self.augmented = (self.augmented + step * torch.sign(mean - AUGMENTED_AT)).clamp(0, 1)

    def _teach_generators(self, inputs: ByDomain, generated: ByDomain) -> tuple[Tensor, Tensor, Tensor]:
        self.discriminators.requires_grad_(False)
        self.g_optimiser.zero_grad(set_to_none=True)
        losses = []
        for name, discriminator in self.discriminators.items():
            shown = self.augment(generated[name], self.scheme.draws)
            with self.autocast():
                logits = discriminator(shown)
            losses.append(generator_loss(logits))
        with self.autocast():
            pairing = self.scheme.pairing_loss(inputs, generated)
        loss = torch.stack(losses).sum()
        self._checked("the loss of", (("the generator", loss), ("the pairing", pairing)))
        (loss + pairing).backward()
        norm = self._apply(self.g_optimiser, self.g_parameters, "generators")
        return loss.detach(), pairing.detach(), norm

    def _apply(self, optimiser: torch.optim.Adam, parameters: list[nn.Parameter], networks: str) -> Tensor:
        """Average the gradients over ranks, measure their norm, and take Adam's step."""
        self.scheme.ranks.average_gradients(parameters)
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.check:
            named = list(getattr(self, networks).named_parameters(prefix=networks))
            self._checked("the gradient of", ((n, p.grad) for n, p in named if p.grad is not None))
        optimiser.step()
        if self.check:
            self._checked("after Adam's step, the weights", ((n, p.detach()) for n, p in named))
        return norm.detach()

    @torch.no_grad()
    def _average(self) -> None:
        """Update the average of the weights; its half-life is a fifth of the images so far, at most `ema_images`."""
        assert self.averaged is not None
        half_life = min(self.settings.ema_images, 0.2 * self.images)
        decay = 0.5 ** (self.settings.batch / half_life)
        get_ema_multi_avg_fn(decay)(list(self.averaged.parameters()), self.g_parameters, None)

    def _checked(self, what: str, tensors: Any) -> None:
        if self.check:
            for name, tensor in tensors:
                self.check(f"{what} {name}", tensor)

    def gathered(self) -> dict[str, float]:
        """Means since the last tick, over all ranks; waits for the device. One NaN or infinity shows in its mean."""
        sums = self.scheme.ranks.sum(self.sums.clone()) / self.scheme.ranks.world
        return dict(zip(GATHERED, (sums / max(1, self.tick_steps)).tolist(), strict=True))

    def new_tick(self) -> None:
        self.sums.zero_()
        self.tick_steps = 0

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, and the sums of this tick; tensors are not copied."""
        return {
            "steps": self.steps, "tick_steps": self.tick_steps, "sums": self.sums, "scheme": self.scheme.state(),
            "augmented": self.augmented,
            "generators": self.generators.state_dict(), "discriminators": self.discriminators.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
            "g_optimiser": self.g_optimiser.state_dict(), "d_optimiser": self.d_optimiser.state_dict(),
        }  # fmt: skip

    def load(self, state: dict[str, Any]) -> None:
        self.generators.load_state_dict(state["generators"])
        self.discriminators.load_state_dict(state["discriminators"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        for optimiser, name in ((self.g_optimiser, "g_optimiser"), (self.d_optimiser, "d_optimiser")):
            groups = optimiser.state_dict()["param_groups"]  # keep ours: a resumed run may have another learning rate
            optimiser.load_state_dict({"state": state[name]["state"], "param_groups": groups})
        if not self.scheme.load(state["scheme"], state["steps"]):
            self.notes.append(
                "The checkpoint comes from another kind of device: random numbers continue from a new seed, so the "
                "run will not be bit-identical to an uninterrupted one."
            )
        self.steps = state["steps"]
        self.new_tick()
        self.tick_steps = state["tick_steps"]
        self.sums.copy_(state["sums"])
        self.augmented = state.get("augmented", self.augmented).to(self.device)  # older checkpoints have none


def copied(value: Any) -> Any:
    """A nested state with its tensors copied to the host, so that training continues while it is written."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value
