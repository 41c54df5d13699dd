"""The parts of a GPU run that a CPU can test: compiler, mixed precision, a state from another device, short memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from gan_core.cli import main
from gan_core.device import computes_bf16
from gan_core.experiments import EXPERIMENTS
from gan_core.networks import Discriminator, Generator, Translator, initialise
from gan_core.training.data import Domain, Draws
from gan_core.training.engine import Engine, copied
from gan_core.training.forecast import seconds_left
from gan_core.training.loop import Training
from gan_core.training.ranks import Ranks
from gan_core.training.request import Request, describe_run, into_memory, open_domains
from glimpse.workspace import Workspace
from tests.gan_core.tiny import CPU, TINY, make_domains, make_set, tiny_training


@pytest.fixture
def compiler(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Restores the compiler's state after the test."""
    with caplog.at_level(logging.CRITICAL, "torch.__trace"):  # it makes records by the thousand
        yield
    torch.compiler.set_stance("default")
    torch._dynamo.reset()


NETWORKS = {
    "generator": (lambda: Generator(32, 32, 8, z_dim=6, refine=True), (4, 6)),
    "nearest": (lambda: Generator(32, 32, 8, z_dim=6, upsampling="nearest"), (4, 6)),
    "translator": (lambda: Translator(4, 8), (4, 4, 32, 32)),
    "discriminator": (lambda: Discriminator(32, 32, 4), (4, 3, 32, 32)),
}


@pytest.mark.slow  # a C++ compiler for each
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # inductor imports what torch deprecates
@pytest.mark.parametrize("name", list(NETWORKS))
def test_inductor_computes_what_eager_torch_does(compiler: None, name: str) -> None:
    build, shape = NETWORKS[name]
    network, given = build(), torch.randn(shape, generator=torch.Generator().manual_seed(1))
    initialise(network, torch.Generator().manual_seed(0))
    gradients = []
    for compiled in (False, True):
        if compiled:
            network.compile(dynamic=False)
        network.zero_grad()
        output = network(given)
        output.square().sum().backward()
        with torch.no_grad():
            frozen = network(given)
        gradients.append([output.detach(), frozen, *(p.grad.clone() for p in network.parameters())])
    for eager, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, eager, rtol=1e-3, atol=1e-4 * eager.abs().max().item() + 1e-9)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # dynamo looks at it while it traces
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("experiment", list(EXPERIMENTS))
def test_an_experiment_has_three_or_four_graphs_and_compiles_no_more(
    compiler: None, workspace: Workspace, experiment: str, mixed: bool
) -> None:
    """No graph breaks, and no later step compiles again: 3, 4 and 4 graphs for the three training schemes."""
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    make_domains(workspace)
    engine = tiny_training(workspace, experiment).engine
    engine.bf16 = mixed
    torch._dynamo.reset()
    engine.compile(count)
    expected = 3 if EXPERIMENTS[experiment].scheme == "unconditional" else 4
    for _ in range(3):
        engine.step()
        assert len(graphs) == expected


def test_without_a_compiler_a_run_trains_eagerly_and_says_why(compiler: None, workspace: Workspace) -> None:
    """As on a machine that lacks a C++ compiler, Python's headers or Triton."""

    def broken(*given: Any) -> Any:
        raise FileNotFoundError("Python.h: No such file or directory\nand a long traceback")

    make_set(workspace, "df")
    eager, training = (tiny_training(workspace, "df", name=name) for name in ("eager", "compiled"))
    training.engine.compile(broken)
    assert seconds_left(training) > 0
    (note,) = training.engine.notes
    assert "torch.compile does not work here" in note
    assert "Python.h: No such file" in note
    assert "--set compile=false" in note
    assert "\n" not in note
    for engine in (eager.engine, training.engine):
        engine.step()
    assert training.engine.gathered() == eager.engine.gathered()


def test_a_python_without_a_compiler_at_all_trains_eagerly(
    compiler: None, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.compile itself raises, before any step, for example for a Python newer than torch."""

    def refuse(*given: Any, **more: Any) -> None:
        raise RuntimeError("torch.compile is not supported on Python 3.99+")

    make_set(workspace, "df")
    engine = tiny_training(workspace, "df").engine
    monkeypatch.setattr(torch.nn.Module, "compile", refuse)
    engine.compile()
    assert not engine.compiled
    assert "not supported on Python 3.99+" in engine.notes[0]
    engine.step()


def test_an_error_of_the_run_itself_is_not_blamed_on_the_compiler(
    compiler: None, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_set(workspace, "df")

    def wrong(engine: Engine) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(Engine, "step", wrong)
    with pytest.raises(ZeroDivisionError):
        tiny_training(workspace, "df").engine.warm_up(1)


@pytest.mark.parametrize(("capability", "bf16"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_before_ampere_is_not_believed_to_compute_in_bf16(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], bf16: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *given: True)
    assert computes_bf16(torch.device("cuda")) is bf16


@pytest.mark.parametrize(("can", "bf16"), [({"amx_bf16": True}, True), ({"avx512_bf16": True}, False), ({}, False)])
def test_a_processor_computes_in_bf16_with_amx_only(
    monkeypatch: pytest.MonkeyPatch, can: dict[str, bool], bf16: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can, raising=False)
    assert computes_bf16(CPU) is bf16
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # an older torch does not say
    assert computes_bf16(CPU) is False


@pytest.mark.parametrize("experiment", ["add-eczema", "cycle-eczema"])
def test_a_checkpoint_of_another_kind_of_device_can_be_resumed(workspace: Workspace, experiment: str) -> None:
    """CUDA's generator has a state of 16 bytes, the CPU's one of 5056."""
    make_domains(workspace)
    saved = tiny_training(workspace, experiment, name="saved").engine
    saved.step()
    state = saved.state()
    state["scheme"]["rng"] = torch.zeros(16, dtype=torch.uint8)
    resumed = [tiny_training(workspace, experiment, name=name).engine for name in ("one", "other")]
    for engine in resumed:
        engine.load(copied(state))
        assert "another kind of device" in engine.notes[0]
        engine.step()
    assert resumed[0].gathered() == resumed[1].gathered(), "from the same new seed"
    assert resumed[0].steps == 2


def test_a_state_of_the_same_kind_of_device_continues_the_draws() -> None:
    one, other = Draws(0, CPU, Ranks()), Draws(5, CPU, Ranks())
    one.normal(2, 3)
    assert other.load(one.rng.get_state(), seed=9)
    assert torch.equal(one.normal(2, 3), other.normal(2, 3))


def test_images_that_exceed_the_memory_of_the_device_are_named(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")

    def short_of_memory(*given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Domain, "load", short_of_memory)
    settings = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    assert main(["train", "df", "--device", "cpu", *settings]) == 2
    error = capsys.readouterr().err
    assert "the images of df do not fit into the memory of the CPU device: choose a lower --resolution" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("preset", ["paper", "modern"])
@pytest.mark.parametrize("experiment", list(EXPERIMENTS))
def test_a_step_leaves_no_tensor_on_the_cpu_and_never_waits_for_the_device(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, experiment: str, preset: str
) -> None:
    """On the device `meta`, in place of a GPU: its tensors have no values to wait for, and mix only with their own."""
    meta, adam = torch.device("meta"), torch.optim.Adam

    def without_generator(draws: Draws, seed: int, device: torch.device, ranks: Ranks) -> None:
        draws.rng, draws.device, draws.ranks = None, device, ranks  # type: ignore[assignment]

    monkeypatch.setattr(Draws, "__init__", without_generator)  # meta has no random numbers, ...
    monkeypatch.setattr(Engine, "autocast", lambda engine: nullcontext())  # ... no bf16, and no fused Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda parameters, fused, **more: adam(parameters, **more))
    make_domains(workspace)
    request = Request(preset, {**TINY, "r1": 1.0, "r1_every": 1})
    images = open_domains(workspace, experiment, request)
    run = describe_run(experiment, experiment, images, request)
    engine = Training(run, into_memory(run, images, meta), workspace.root, meta).engine
    engine.step()
    assert engine.sums.device == meta
