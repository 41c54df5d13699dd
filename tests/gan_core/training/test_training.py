"""The engine in all three ways: what it learns from, what it logs, what it keeps, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_core.cli import main
from gan_core.experiments import EXPERIMENTS
from gan_core.training.checkpoint import load_discriminator, load_generators
from gan_core.training.data import seeded_subset
from gan_core.training.engine import Engine
from gan_core.training.loop import Training
from gan_core.training.run import Run
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_domains, make_set, tensors_of, tiny_options, tiny_training, trained

LOGGED = {
    "images", "seconds", "images_per_second", "loss_g", "loss_d", "loss_r1", "loss_pairing", "grad_norm_g",
    "grad_norm_d", "d_real_train", "d_real_test", "d_generated", "d_real_train_sd", "d_real_test_logit",
    "d_generated_logit_sd", "d_accuracy", "augmented", "peak_memory_mb",
}  # fmt: skip


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("preset", ["paper", "modern"])
def test_every_experiment_trains_in_every_preset(workspace: Workspace, experiment: str, preset: str) -> None:
    for name in EXPERIMENTS[experiment].domains:
        make_set(workspace, name, size=(32, 48) if name == "hands" else (32, 32), lesion=name == "eczema")
    folder = trained(workspace, experiment, preset=preset, images=8, tick_images=4)
    lines = log_of(folder)
    assert [line["images"] for line in lines] == [4, 8]
    assert all(line.keys() >= LOGGED for line in lines)
    assert all(isinstance(line["d_real_test"], float) for line in lines)
    assert sorted(p.name for p in (folder / "samples").iterdir()) == ["000000004.png", "000000008.png"]
    generators, metadata = load_generators(folder / "generator.safetensors")
    assert metadata["settings"] == Run.of(folder).to_json()["settings"]
    assert (len(generators) > 1) == (experiment == "cycle-eczema")
    size = (metadata["height"], metadata["width"])
    assert load_discriminator(folder)(torch.zeros(2, 3, *size)).shape == (2,)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(workspace: Workspace) -> None:
    make_set(workspace, "df")
    runs = [tiny_training(workspace, "df", name=f"run-{i}", seed=seed) for i, seed in enumerate((0, 0, 1))]
    for run in runs:
        run.go()
    first, again, other = (dict(tensors_of(run.state()["engine"])) for run in runs)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first if name.startswith("generators"))


def test_both_optimisers_have_the_settings_of_the_run(workspace: Workspace) -> None:
    make_set(workspace, "df")
    engine = tiny_training(workspace, "df", lr=0.25, beta1=0.125, beta2=0.75).engine
    for optimiser in (engine.g_optimiser, engine.d_optimiser):
        assert optimiser.defaults["lr"] == 0.25
        assert optimiser.defaults["betas"] == (0.125, 0.75)


def test_the_generators_step_leaves_the_discriminator_alone(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df")
    engine = training.engine
    engine.step()
    gradients = [p.grad for p in engine.d_parameters]
    assert all(g is not None for g in gradients), "the discriminator's gradients are those of its own step"
    assert not any(p.requires_grad for p in engine.d_parameters), "it was frozen while the generator learned"


def test_the_discriminators_loss_is_equation_1_without_the_penalty(workspace: Workspace) -> None:
    make_set(workspace, "df")
    plain, penalised = (
        tiny_training(workspace, "df", name=f"r1-{r1:.0f}", preset="modern", r1=r1, r1_every=1) for r1 in (0.0, 1.0)
    )
    for training in (plain, penalised):
        training.engine.step()
    without, found = plain.engine.gathered(), penalised.engine.gathered()
    assert found["loss_d"] == without["loss_d"]
    assert without["loss_r1"] == 0 < found["loss_r1"]


def test_the_means_of_a_tick_are_those_of_its_own_steps(workspace: Workspace) -> None:
    make_set(workspace, "df")
    each, both = (tiny_training(workspace, "df", name=name).engine for name in ("each", "both"))
    lost = []
    for _ in range(2):
        each.step()
        both.step()
        lost.append(each.gathered()["loss_d"])
        each.new_tick()
    assert both.gathered()["loss_d"] == pytest.approx(sum(lost) / 2, rel=1e-6)
    assert lost[0] != lost[1]


def test_a_lazy_penalty_is_as_strong_as_one_at_every_step(workspace: Workspace) -> None:
    """With `r1_every=2` it is twice as strong at step 0 and absent at step 1 (Karras et al. 2020, appendix B)."""
    make_set(workspace, "df")
    lost: dict[int, list[float]] = {}
    for every in (1, 2):
        engine = tiny_training(workspace, "df", name=f"r1-{every}", preset="modern", r1=3.0, r1_every=every).engine
        for _ in range(2):
            engine.step()
            lost.setdefault(every, []).append(engine.gathered()["loss_r1"])
            engine.new_tick()
    assert lost[2] == [pytest.approx(2 * lost[1][0], rel=1e-6), 0]
    assert min(lost[1]) > 0


@pytest.mark.parametrize(
    ("ema_images", "batch", "decays"),
    [
        (1000, 4, (0.5**5, 0.5**2.5)),  # half-lives of a fifth of 4 and of 8 images
        (4, 16, (0.5**5, 0.5**4)),  # of a fifth of 16 images, then of 4 images, which is less than a fifth of 32
    ],
)
def test_the_half_life_of_the_average_grows_with_the_run_up_to_its_setting(
    workspace: Workspace, ema_images: int, batch: int, decays: tuple[float, float]
) -> None:
    make_set(workspace, "df")
    engine = tiny_training(workspace, "df", ema_images=ema_images, batch=batch, lr=0.1).engine
    assert engine.averaged is not None
    average = engine.averaged["df"].to_rgb.weight
    for decay in decays:
        before = average.double().clone()
        engine.step()
        new = engine.generators["df"].to_rgb.weight.detach().double()
        expected = decay * before + (1 - decay) * new
        assert (new - before).abs().max() > 0.01
        assert torch.allclose(average.double(), expected, rtol=0, atol=1e-7)
        old = (average.double() - new) / (before - new)
        assert old.median().item() == pytest.approx(decay, rel=1e-3), "what remains of the old weights"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_diffaugment_reaches_a_share_of_the_images(workspace: Workspace, share: float) -> None:
    make_set(workspace, "df")
    engine = tiny_training(workspace, "df", diffaugment=1000).engine
    engine.augmented.fill_(share)
    images = torch.ones(400, 3, 32, 32)  # every image has a cutout, so that every augmented one differs
    changed = (engine.augment(images, engine.scheme.draws) != images).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(share, abs=0.08 * (0 < share < 1))


@pytest.mark.parametrize(
    ("logit", "start", "end"),
    [(1.0, 0.25, 0.25 + 4 / 1000), (-1.0, 0.25, 0.25 - 4 / 1000), (1.0, 0.998, 1.0), (-1.0, 0.002, 0.0)],
)
def test_diffaugment_reaches_more_images_where_the_discriminator_is_sure_of_real_ones(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, logit: float, start: float, end: float
) -> None:
    make_set(workspace, "df")
    engine = tiny_training(workspace, "df", diffaugment=1000, batch=4).engine
    engine.augmented.fill_(start)
    discriminator = engine.discriminators["df"]
    forward = discriminator.forward
    monkeypatch.setattr(discriminator, "forward", lambda images: 0 * forward(images) + logit)
    engine.step()
    assert engine.augmented.item() == pytest.approx(end, abs=1e-6)


def test_diffaugment_holds_where_four_of_five_real_images_count_as_real(workspace: Workspace) -> None:
    """The mean sign of the logits is 0.6 there, as in StyleGAN2-ADA."""
    make_set(workspace, "df")
    engine = tiny_training(workspace, "df", diffaugment=1000, batch=4).engine
    found = []
    for real in (7, 8, 9):
        engine.augmented.fill_(0.5)
        engine._adapt(torch.tensor([1.0] * real + [-1.0] * (10 - real), dtype=torch.float64).mean())
        found.append(round(engine.augmented.item(), 6))
    assert found == [0.496, 0.5, 0.504]


def test_adding_eczema_gives_one_mask_to_many_patches(workspace: Workspace) -> None:
    make_domains(workspace)
    scheme = tiny_training(workspace, "add-eczema").engine.scheme
    masks = scheme.domains["eczema"].train_masks
    assert masks is not None
    met: dict[int, set[bytes]] = {}
    for _ in range(40):
        for given in scheme.draw()[0]["eczema"]:
            which = next(i for i, mask in enumerate(masks) if torch.equal(mask.float(), given[3]))
            met.setdefault(which, set()).add(given[:3].numpy().tobytes())
    assert max(len(patches) for patches in met.values()) > 3


def test_removing_eczema_gives_each_patch_its_own_mask(workspace: Workspace) -> None:
    make_domains(workspace)
    scheme = tiny_training(workspace, "remove-eczema").engine.scheme
    domain = scheme.domains["eczema"]
    pairs = {
        (image.numpy().tobytes(), mask.numpy().tobytes())
        for image, mask in zip(domain.train, domain.train_masks, strict=True)  # type: ignore[arg-type]
    }
    for given in scheme.draw()[0]["healthy"]:
        image = ((given[:3] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        assert (image.numpy().tobytes(), given[3].to(torch.uint8).numpy().tobytes()) in pairs


def test_the_healthy_set_is_truncated_for_the_generator_but_not_for_the_discriminator(workspace: Workspace) -> None:
    make_domains(workspace)  # 24 healthy, 16 eczema
    adding = tiny_training(workspace, "add-eczema").engine.scheme
    config = json.loads((workspace.root / "runs/add-eczema/config.json").read_text())
    assert len(set(config["subsets"]["healthy"])) == len(config["subsets"]["healthy"]) == 16
    assert adding.shuffles["source"].count == 16
    removing = tiny_training(workspace, "remove-eczema").engine.scheme
    assert removing.shuffles["healthy"].count == 24
    cyclic = tiny_training(workspace, "cycle-eczema").engine.scheme
    assert (cyclic.shuffles["into eczema"].count, cyclic.shuffles["healthy"].count) == (16, 24)


def test_equations_2_and_3_are_weighted_as_set(workspace: Workspace) -> None:
    """The generators add a grey level of their own, so that each loss follows from its equation."""
    make_domains(workspace)
    adding = tiny_training(workspace, "add-eczema", relevancy=7.0).engine.scheme
    given = torch.zeros(2, 4, 32, 32)
    given[:, 3, :8] = 1  # a quarter lies inside the mask
    changed = {"eczema": torch.full((2, 3, 32, 32), 0.5)}
    assert adding.pairing_loss({"eczema": given}, changed).item() == pytest.approx(7 * 0.75 * 0.5**2)
    cyclic = tiny_training(workspace, "cycle-eczema", cycle=3.0).engine.scheme
    for name, shift in (("healthy", 0.1), ("eczema", 0.3)):
        cyclic.generators[name].forward = lambda x, shift=shift: x + shift  # type: ignore[method-assign]
    inputs = {name: torch.zeros(2, 3, 32, 32) for name in ("healthy", "eczema")}
    generated = {"healthy": torch.full((2, 3, 32, 32), 0.1), "eczema": torch.full((2, 3, 32, 32), 0.3)}
    assert cyclic.pairing_loss(inputs, generated).item() == pytest.approx(3 * 2 * 0.4**2), "there and back: both shifts"


def test_each_image_is_shown_once_a_pass(workspace: Workspace) -> None:
    make_set(workspace, "df", train=10)
    scheme = tiny_training(workspace, "df").engine.scheme
    shown = [p for _ in range(5) for p in scheme.shuffles["df"].next(4).tolist()]
    assert sorted(shown[:10]) == sorted(shown[10:]) == list(range(10))


def test_epochs_become_images(workspace: Workspace) -> None:
    make_set(workspace, "df", train=10)
    assert tiny_training(workspace, "df", epochs=3).run.settings.images == 30


def test_the_subset_is_sorted_and_drawn_by_seed() -> None:
    subset = seeded_subset(100, 10, seed=3).tolist()
    assert len(set(subset)) == 10
    assert subset == sorted(subset) == seeded_subset(100, 10, seed=3).tolist()
    assert subset != seeded_subset(100, 10, seed=4).tolist()
    assert max(subset) >= 10, "not the first ten"
    assert seeded_subset(5, 10, seed=3).tolist() == [0, 1, 2, 3, 4]


def test_a_translation_keeps_its_last_generator(workspace: Workspace) -> None:
    make_domains(workspace)
    folder = trained(workspace, "add-eczema", scorer=lambda real: pytest.fail("translation is not scored"), images=8)
    best, last = (load_generators(folder / f"generator{x}.safetensors") for x in ("", "-last"))
    assert best[1]["images"] == last[1]["images"] == 8


def test_a_slow_disk_holds_up_no_training_where_nothing_is_scored(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write under way at a tick is left to end; the last one waits, and has the last weights."""
    from gan_core.training import checkpoint

    make_domains(workspace)
    training, write, steps = tiny_training(workspace, "add-eczema", images=64, tick_images=8), checkpoint._write, []
    last = threading.Event()

    def slow(*given: Any) -> None:
        steps.append(training.engine.steps)
        if len(steps) == 1:
            assert last.wait(30), "training waited for the first write"
        write(*given)

    step = training.engine.step

    def counted() -> None:
        step()
        if training.engine.images == 64:
            last.set()

    training.engine.step = counted  # type: ignore[method-assign]
    monkeypatch.setattr(checkpoint, "_write", slow)
    assert training.go()
    assert len(steps) == 2, "the first tick's, and the final one"
    assert load_generators(training.folder / "generator.safetensors")[1]["images"] == 64


def test_the_average_of_the_weights_is_what_is_kept(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", ema_images=1000, lr=1e-2)
    training.go()
    engine = training.engine
    assert engine.averaged is not None
    kept = load_generators(training.folder / "generator.safetensors")[0]["df"].to_rgb.weight
    assert torch.equal(kept, engine.averaged["df"].to_rgb.weight)
    assert not torch.equal(kept, engine.generators["df"].to_rgb.weight)


def test_ctrl_c_saves_everything_and_the_run_can_be_resumed(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=400_000, tick_images=100_000)

    def interrupt() -> None:
        while training.engine.steps < 3:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert training.go() is False
    thread.join()
    steps = training.engine.steps
    again = Training(training.run, training.domains, training.folder, training.device)
    again.resume()
    assert again.engine.steps == steps >= 3
    assert (training.folder / "generator-last.safetensors").is_file()


def test_a_stopped_translation_keeps_the_generator_of_its_last_step(workspace: Workspace) -> None:
    make_domains(workspace)
    training = tiny_training(workspace, "add-eczema", images=400, tick_images=8)
    step = training.engine.step

    def step_and_stop() -> None:
        step()
        training.stop = training.engine.steps == 3  # after the first tick, in the middle of the second

    training.engine.step = step_and_stop  # type: ignore[method-assign]
    assert training.go() is False
    for name in ("generator", "generator-last"):
        assert load_generators(training.folder / f"{name}.safetensors")[1]["images"] == 12


def test_a_run_stopped_between_two_ticks_says_how_far_it_came(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    step, log = Engine.step, workspace.root / "runs/df/log.jsonl"

    def step_and_ask(engine: Engine) -> None:
        step(engine)
        time.sleep(0.05)  # `seconds` has one decimal
        if engine.steps == 3 and log.is_file() and log.stat().st_size:  # not while the time is estimated
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Engine, "step", step_and_ask)
    assert main(["train", "df", "--device", "cpu", *tiny_options(images=400, tick_images=8)]) == 130
    assert "df: stopped at image 12, all saved" in capsys.readouterr().out
    assert log_of(log.parent)[-1]["images"] == 8
    assert main(["runs", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["images"], found["finished"]) == (12, False)
    assert found["seconds"] > 0
    assert main(["publish", "df", "--count", "4"]) == 2
    assert "'df' is unfinished (12 of 400 images)" in capsys.readouterr().err


@pytest.mark.slow  # the compiler alone takes a quarter of a minute
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's tracing looks
def test_compiled_networks_train_as_eager_ones_also_with_the_penalty(workspace: Workspace) -> None:
    """As in CUDA runs, but on the CPU with the compiler's front half: R1's double backward must bypass it."""
    make_set(workspace, "df")
    eager, compiled = (
        tiny_training(workspace, "df", name=name, preset="modern", r1=1.0) for name in ("eager", "compiled")
    )
    for network in [*compiled.engine.generators.values(), *compiled.engine.discriminators.values()]:
        network.compile(dynamic=False, backend="aot_eager")
    for training in (eager, compiled):
        for _ in range(2):
            training.engine.step()
    expected, found = eager.engine.gathered(), compiled.engine.gathered()
    assert found == pytest.approx(expected, rel=1e-4)
    torch._dynamo.reset()


def test_mixed_precision_trains_much_as_single(workspace: Workspace) -> None:
    make_domains(workspace)
    for experiment in EXPERIMENTS:
        single, mixed = (tiny_training(workspace, experiment, name=f"{experiment}-{n}") for n in ("single", "mixed"))
        mixed.engine.bf16 = True
        for training in (single, mixed):
            for _ in range(3):
                training.engine.step()
        expected, found = single.engine.gathered(), mixed.engine.gathered()
        for loss in ("loss_d", "loss_g"):
            assert found[loss] != expected[loss], "bf16 was used"
            assert found[loss] == pytest.approx(expected[loss], rel=0.015), (experiment, loss)
        assert found == pytest.approx(expected, rel=0.1, abs=1e-4), experiment
        assert all(p.dtype == torch.float32 for p in mixed.engine.g_parameters)
        inputs, _ = mixed.engine.scheme.draw()
        with mixed.engine.autocast():
            made = {name: mixed.engine.generators[name](given) for name, given in inputs.items()}
            logits = [network(made[name]) for name, network in mixed.engine.discriminators.items()]
        assert {values.dtype for values in [*made.values(), *logits]} == {torch.float32}, "bf16 is coarser than a byte"
