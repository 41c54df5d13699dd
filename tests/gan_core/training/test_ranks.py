"""Many processes train as one: two ranks with half the batch each against one with the whole."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from gan_core.losses import discriminator_loss, gradient_penalty
from gan_core.training.ranks import Ranks, share_batch_norm
from glimpse.workspace import Workspace
from tests.gan_core.tiny import TINY, make_set, tensors_of, tiny_training

# Over 20 steps batch norm and Adam amplify rounding, so those are compared without batch norm, and its gradients apart.
TWO_RANKS = """
import os, sys
from gan_core.cli import main
from glimpse.workspace import Workspace
from tests.gan_core.training.test_ranks import train_without_batch_norm

os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": sys.argv[2]}
child = os.fork()
os.environ["RANK"] = os.environ["LOCAL_RANK"] = "1" if child == 0 else "0"
train_without_batch_norm(Workspace.at(), sys.argv[1])
os.environ["MASTER_PORT"] = sys.argv[3]  # another: one of the two may still have the first open
assert main(sys.argv[4:]) == 0
sys.stdout.flush()
assert child == 0 or os.waitpid(child, 0)[1] == 0
"""


def train_without_batch_norm(workspace: Workspace, out: str) -> None:
    torch.set_num_threads(1)
    ranks = Ranks.join("cpu")
    training = tiny_training(workspace, "df", name=f"run-{ranks.rank}-{ranks.world}", preset="modern", r1=1.0, batch=8)
    training.ranks = training.engine.scheme.ranks = training.engine.scheme.draws.ranks = ranks
    for network in [*training.engine.generators.values(), *training.engine.discriminators.values()]:
        remove_batch_norm(network)
    training.engine.__init__(training.engine.scheme)  # type: ignore[misc]
    for _ in range(20):
        training.engine.step()
    found = {**dict(tensors_of(training.engine.state())), "loss": torch.tensor(training.engine.gathered()["loss_g"])}
    found |= gradients_with_batch_norm(ranks)
    torch.save(found, f"{out}-{ranks.rank}-{ranks.world}.pt")
    ranks.leave()


def gradients_with_batch_norm(ranks: Ranks) -> dict[str, torch.Tensor]:
    """Gradients of a discriminator's loss with R1, and the running statistics, on this rank's share of eight images."""
    rng = torch.Generator().manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, momentum=None),
        nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(36, 1),
    )  # fmt: skip
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.0, 0.5, generator=rng)
    real, fake = (ranks.share(torch.randn(8, 3, 7, 7, generator=rng)).requires_grad_(True) for _ in range(2))
    if ranks.world > 1:
        share_batch_norm(network)
    logits = network(real).squeeze(1)
    (discriminator_loss(logits, network(fake).squeeze(1)) + gradient_penalty(real, logits)).backward()
    ranks.average_gradients(network.parameters())
    gradients = {f"gradient.{name}": p.grad for name, p in network.named_parameters() if p.grad is not None}
    return gradients | {f"statistics.{name}": buffer for name, buffer in network.named_buffers()}


def remove_batch_norm(network: nn.Module) -> None:
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, nn.Identity())
        else:
            remove_batch_norm(child)


def train_words() -> list[str]:
    """The command that trains 16 images with batches of 8, which processes share."""
    settings = {**TINY, "batch": 8, "images": 16}
    return ["train", "df", "--device", "cpu", *(w for k, v in settings.items() for w in ("--set", f"{k}={v}"))]


def assert_trained_once(workspace: Workspace, said: str) -> None:
    assert said.count("trained 16 images") == 1, "one process speaks"
    assert (workspace.root / "runs/df/generator.safetensors").is_file()


def test_two_ranks_with_half_the_batch_train_as_one_with_the_whole(workspace: Workspace, tmp_path: Path) -> None:
    """The two then run the command, with the environment that torchrun gives them."""
    make_set(workspace, "df")
    with socket.socket() as first_probe, socket.socket() as second_probe:
        ports = []
        for probe in (first_probe, second_probe):
            probe.bind(("127.0.0.1", 0))
            ports.append(str(probe.getsockname()[1]))
    command = [sys.executable, "-c", TWO_RANKS, str(tmp_path / "rank"), *ports, *train_words()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as workers:
        try:
            train_without_batch_norm(workspace, str(tmp_path / "rank"))
            said, _ = workers.communicate(timeout=120)
        finally:
            workers.kill()
    assert workers.returncode == 0
    assert_trained_once(workspace, said)
    alone, first, second = (torch.load(tmp_path / f"rank-{name}.pt") for name in ("0-1", "0-2", "1-2"))
    assert first.keys() == alone.keys()
    for name, tensor in first.items():
        if not name.startswith(("sums", "scheme.rng")):
            assert torch.equal(tensor, second[name]), f"{name} is the same on both ranks"
            assert torch.allclose(tensor.double(), alone[name].double(), rtol=1e-3, atol=2e-5), name
    start_weights = tiny_training(workspace, "df", name="fresh", preset="modern", batch=8).engine.generators
    assert sum(name.startswith("gradient.") for name in first) == 10
    moved = (start_weights["df"].to_rgb.weight - alone["generators.df.to_rgb.weight"]).abs().max().item()
    assert moved > 100 * 2e-5, "they learned something"


@pytest.mark.slow  # three processes import PyTorch; the test above runs the command without torchrun
def test_torchrun_trains_with_two_processes(workspace: Workspace) -> None:
    make_set(workspace, "df")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "gan_core",
        *train_words(),
    ]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_trained_once(workspace, done.stdout)
