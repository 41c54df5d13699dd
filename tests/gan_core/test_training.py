"""The engine in all three ways: what it learns from, what it logs, what it keeps, what it refuses."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_core.cli import main
from gan_core.experiments import EXPERIMENTS, TrainingError
from gan_core.training.checkpoint import load_discriminator, load_generators
from gan_core.training.engine import tensors_of
from gan_core.training.loop import Training
from gan_core.training.observe import observe
from gan_core.training.run import Run
from gan_core.training.trouble import longer_than_an_hour
from glimpse.workspace import Workspace
from tests.gan_core.tiny import TINY, make_domains, make_set, tiny_training, trained

LOGGED = {
    "images", "seconds", "images_per_second", "loss_g", "loss_d", "loss_r1", "loss_pairing", "grad_norm_g",
    "grad_norm_d", "d_real_train", "d_real_test", "d_generated", "d_real_train_sd", "d_real_test_logit",
    "d_generated_logit_sd", "d_accuracy", "peak_memory_mb",
}  # fmt: skip


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def train(*words: str) -> int:
    settings = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    return main(["train", "--device", "cpu", *([] if "--resume" in words else settings), *words])


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


def test_the_log_of_a_cyclic_run_tells_its_two_discriminators_apart(workspace: Workspace) -> None:
    make_domains(workspace)
    line = log_of(trained(workspace, "cycle-eczema", images=4))[0]
    assert line["d_real_train"] == pytest.approx((line["d_real_train_healthy"] + line["d_real_train_eczema"]) / 2)


def test_without_test_images_the_log_says_null(workspace: Workspace) -> None:
    make_set(workspace, "df", test=0)
    assert log_of(trained(workspace, "df", images=4))[0]["d_real_test"] is None


def test_the_same_seed_gives_the_same_run_and_another_seed_another(workspace: Workspace) -> None:
    make_set(workspace, "df")
    runs = [tiny_training(workspace, "df", name=f"run-{i}", seed=seed) for i, seed in enumerate((0, 0, 1))]
    for run in runs:
        run.go()
    first, again, other = (dict(tensors_of(run.state()["engine"])) for run in runs)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first if name.startswith("generators"))


def test_watching_the_discriminator_changes_nothing(workspace: Workspace) -> None:
    make_set(workspace, "df")
    for preset in ("paper", "modern"):
        training = tiny_training(workspace, "df", preset=preset)
        training.engine.step()
        before = {name: tensor.clone() for name, tensor in tensors_of(training.state())}
        observe(training.engine)
        training.usable_generators()
        assert all(torch.equal(tensor, before[name]) for name, tensor in tensors_of(training.state()))
        assert training.engine.discriminators.training


def test_training_and_test_images_are_watched_in_equal_batches(workspace: Workspace) -> None:
    make_set(workspace, "df", train=16, test=3)
    training = tiny_training(workspace, "df", batch=8)
    sizes = []
    discriminator = training.engine.discriminators["df"]
    discriminator.whole.register_forward_hook(lambda module, given, made: sizes.append(len(given[0])))
    observe(training.engine)
    assert set(sizes) == {3}


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


def test_adding_eczema_gives_one_mask_to_many_patches(workspace: Workspace) -> None:
    make_domains(workspace)
    scheme = tiny_training(workspace, "add-eczema").engine.scheme
    masks = scheme.domains["eczema"].train_masks
    assert masks is not None
    met: dict[int, set[bytes]] = {}
    for _ in range(40):
        for given in scheme.draw().inputs["eczema"]:
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
    for given in scheme.draw().inputs["healthy"]:
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


def test_each_image_is_shown_once_a_pass(workspace: Workspace) -> None:
    make_set(workspace, "df", train=10)
    scheme = tiny_training(workspace, "df").engine.scheme
    shown = [p for _ in range(5) for p in scheme.shuffles["df"].next(4).tolist()]
    assert sorted(shown[:10]) == sorted(shown[10:]) == list(range(10))


def test_epochs_become_images(workspace: Workspace) -> None:
    make_set(workspace, "df", train=10)
    assert tiny_training(workspace, "df", epochs=3).run.settings.images == 30


def test_the_best_generator_by_kid_is_kept_beside_the_last(workspace: Workspace) -> None:
    make_set(workspace, "df")
    kids = iter([3.0, 1.0, 2.0])

    def make_scorer(real: np.ndarray) -> Any:
        assert real.shape == (8, 32, 32, 3)
        assert real.dtype == np.uint8

        def score(generated: np.ndarray) -> dict[str, Any]:
            assert generated.shape == (8, 32, 32, 3)
            return {"kid": next(kids), "fid": 9.0, "extractor": "random"}

        return score

    folder = trained(workspace, "df", scorer=make_scorer, images=48, tick_images=16)
    assert [line["kid"] for line in log_of(folder)] == [3.0, 1.0, 2.0]
    assert load_generators(folder / "generator.safetensors")[1]["images"] == 32
    assert load_generators(folder / "generator-last.safetensors")[1]["images"] == 48


def test_a_translation_keeps_its_last_generator(workspace: Workspace) -> None:
    make_domains(workspace)
    folder = trained(workspace, "add-eczema", scorer=lambda real: pytest.fail("translation is not scored"), images=8)
    best, last = (load_generators(folder / f"generator{x}.safetensors") for x in ("", "-last"))
    assert best[1]["images"] == last[1]["images"] == 8


def test_the_average_of_the_weights_is_what_is_kept(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", ema_images=1000, lr=1e-2)
    training.go()
    engine = training.engine
    assert engine.averaged is not None
    kept = load_generators(training.folder / "generator.safetensors")[0]["df"].to_rgb.weight
    assert torch.equal(kept, engine.averaged["df"].to_rgb.weight)
    assert not torch.equal(kept, engine.generators["df"].to_rgb.weight)


def test_ctrl_c_saves_everything_and_the_run_can_go_on(workspace: Workspace) -> None:
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


def test_a_second_ctrl_c_says_what_is_kept(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_set(workspace, "df")

    def interrupt_twice() -> None:
        while not (workspace.root / "runs/df/checkpoint.pt").is_file():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    from gan_core.training.engine import Engine

    step = Engine.step

    def slow_step(engine: Engine) -> None:
        step(engine)
        time.sleep(0.05)

    thread = threading.Thread(target=interrupt_twice)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "step", slow_step)
        thread.start()
        code = train("df", "--set", "images=400000")
        thread.join()
    out, err = capsys.readouterr()
    assert code == 130
    assert "nothing was lost" not in err
    assert "all saved" in out or "kept as it was at image" in out


@pytest.mark.slow  # the compiler alone takes a quarter of a minute
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's tracing looks
def test_compiled_networks_train_as_eager_ones_also_with_the_penalty(workspace: Workspace) -> None:
    """What CUDA runs do, on the CPU with the compiler's front half: R1's double backward must go past it."""
    make_set(workspace, "df")
    eager, compiled = (tiny_training(workspace, "df", name=name, preset="modern") for name in ("eager", "compiled"))
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
    for experiment in ("df", "cycle-eczema"):
        single, mixed = (tiny_training(workspace, experiment, name=name) for name in ("single", "mixed"))
        mixed.engine.bf16 = True
        for training in (single, mixed):
            for _ in range(4):
                training.engine.step()
        assert mixed.engine.gathered() == pytest.approx(single.engine.gathered(), rel=0.1)
        assert all(p.dtype == torch.float32 for p in mixed.engine.g_parameters)


# ------------------------------------------------------------------------------------------ the command


def test_the_command_trains_once_and_says_so_the_second_time(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df") == 0
    said = capsys.readouterr().out
    assert "to go" in said
    assert "Next: gan_core publish df" in said
    before = (workspace.root / "runs/df/checkpoint.pt").stat().st_mtime_ns
    assert train("df") == 0
    assert "already trained" in capsys.readouterr().out
    assert (workspace.root / "runs/df/checkpoint.pt").stat().st_mtime_ns == before
    assert list((workspace.root / "runs/df/tensorboard").glob("events*"))
    scored = log_of(workspace.root / "runs/df")[-1]
    assert scored["extractor"] == "imagenet"
    assert {"kid", "frechet"} <= scored.keys()
    assert main(["runs"]) == 0
    assert "32/32" in capsys.readouterr().out


def test_without_a_name_everything_is_trained_whose_images_are_there(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    make_set(workspace, "healthy", train=16)
    make_set(workspace, "eczema")  # without masks: nothing targeted
    assert train() == 0
    assert workspace.names("runs") == ["cycle-eczema", "df", "eczema", "healthy"]


def test_another_configuration_of_the_same_name_is_refused_with_the_remedy(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df") == 0
    kept = (workspace.root / "runs/df/config.json").read_bytes()
    assert train("df", "--preset", "demo") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (workspace.root / "runs/df/config.json").read_bytes() == kept
    assert train("df", "--preset", "demo", "--name", "df-demo") == 0
    assert train("df", "--preset", "demo", "--overwrite") == 0
    assert Run.of(workspace.root / "runs/df").preset == "demo"


def test_a_finished_run_stays_until_the_one_that_replaces_it_has_saved_something(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df") == 0
    folder = workspace.root / "runs" / "df"

    def files() -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    before = files()
    assert train("df", "--overwrite", "--weights", "nowhere.pth") == 2
    assert (
        train("df", "--overwrite", "--set", "lr=1e30", "--set", "tick_images=32") == 2
    )  # not finite at its first tick
    assert "became NaN" in capsys.readouterr().err
    assert files() == before

    def killed(self: Training) -> bool:
        raise SystemExit  # as far as SIGKILL goes: nothing is put in order behind it

    with monkeypatch.context() as patch:
        patch.setattr(Training, "go", killed)
        patch.setattr("gan_core.training.session.replacing", lambda folder, until: nullcontext())
        with pytest.raises(SystemExit):
            train("df", "--overwrite")
    assert files() != before
    assert train("df") == 0
    assert "already trained" in capsys.readouterr().out
    assert files() == before
    assert train("df", "--overwrite", "--set", "seed=1") == 0
    assert Run.of(folder).settings.seed == 1
    assert [p.name for p in folder.parent.iterdir()] == ["df"]


def test_after_memory_ran_out_the_advice_can_be_typed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gan_core.training.data import Domain
    from gan_core.training.engine import Engine

    make_set(workspace, "df")

    def short_of_memory(*given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    for owner, method in ((Domain, "load"), (Engine, "__init__"), (Engine, "step"), (Training, "go")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, short_of_memory)
            assert train("df", "--set", "batch=8") == 2
        error = capsys.readouterr().err
        assert "memory" in error
        assert error.count("\n") == 1
    assert train("df", "--set", "batch=4") == 0


def test_the_table_of_runs_overlooks_a_line_half_written(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    folder = trained(workspace, "df")
    with open(folder / "log.jsonl", "a") as log:
        log.write('{"images": 48, "sec')
    assert main(["runs"]) == 0
    assert "32/32" in capsys.readouterr().out


def test_a_set_prepared_again_with_another_split_is_another_set(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df", train=16, test=8)
    assert train("df") == 0
    make_set(workspace, "df", train=18, test=6)
    assert train("df", "--resume", "--set", "images=48") == 2
    error = capsys.readouterr().err
    assert "index.csv of 'df'" in error
    assert "images of 'df'" not in error, "the pixels are the same"


def test_resume_may_train_longer_and_slower_but_not_something_else(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df") == 0
    assert train("df", "--resume", "--set", "images=48", "--set", "lr=1e-4") == 0
    assert log_of(workspace.root / "runs/df")[-1]["images"] == 48
    assert Run.of(workspace.root / "runs/df").settings.lr == 1e-4
    assert train("df", "--resume", "--set", "g_features=16") == 2
    assert "may change images, epochs, lr" in capsys.readouterr().err


def test_resume_takes_the_names_of_runs_and_without_one_all_of_them(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df", "--name", "mine") == 0
    assert train("mine", "--resume", "--set", "images=40") == 0
    assert train("--resume") == 0
    assert "mine: already trained (40 images)" in capsys.readouterr().out


def test_a_lower_resolution_is_trained_on_downsampled_images(workspace: Workspace) -> None:
    make_set(workspace, "hands", size=(64, 96))
    assert train("hands", "--resolution", "32") == 0
    generators, metadata = load_generators(workspace.root / "runs/hands/generator.safetensors")
    assert (metadata["height"], metadata["width"]) == (32, 48)
    assert generators["hands"](torch.zeros(2, TINY["z_dim"])).shape == (2, 3, 32, 48)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["heathy"], "did you mean 'healthy'"),
        (["mel"], "There is no image set 'mel'"),
        (["df", "--set", "batch=400"], "fewer than a batch of 400"),
        (["df", "--resolution", "64"], "only ever made smaller"),
        (["df", "--resolution", "16"], "can be halved only"),
        (["add-eczema"], "no masks"),
        (["df", "--name", "../df"], "cannot be a name"),
        (["df", "--set", "beta1=1"], "beta1 must be at most"),
        (["df", "--set", "beta2=1.5"], "beta2 must be at most"),
        (["df", "--set", "seed=99999999999999999999"], "seed must be at most"),
        (["df", "--set", "g_features=1000000"], "memory of the CPU device ran out"),
        (["df", "--set", "z_dim=1e12"], "memory of the CPU device ran out"),
        (["df", "--weights", "nowhere.pth"], "nowhere.pth"),
        (["df", "--set", "batchsize=2"], "did you mean 'batch'"),
        (["df", "--resume"], "There is no run 'df'"),
        (["df", "--device", "cuda"], "no CUDA device"),
        (["df", "--images", "eczema=df", "--name", "a", "--images", "df=nothing"], "There is no image set 'nothing'"),
    ],
)
def test_bad_input_gets_one_sentence(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    for name in ("df", "healthy", "eczema"):
        make_set(workspace, name)
    assert main(["train", "--device", "cpu", "--set", "batch=4", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert workspace.names("runs") == []


def test_too_little_memory_names_the_batch_that_would_fit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_core.training.engine import Engine

    make_set(workspace, "df")
    training = tiny_training(workspace, "df", batch=16)
    step = Engine.step

    def short_of_memory(engine: Engine) -> None:
        if engine.settings.batch > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        step(engine)

    monkeypatch.setattr(Engine, "step", short_of_memory)
    with pytest.raises(TrainingError, match="try --set batch=4"):
        training.estimate()


def test_somebody_who_starts_a_day_of_training_on_a_cpu_is_told_of_the_demo(workspace: Workspace) -> None:
    make_set(workspace, "df")
    run = tiny_training(workspace, "df").run
    told = longer_than_an_hour(86400 * 2, run, torch.device("cpu"))
    assert told is not None
    assert "2.0 days" in told
    assert "--preset demo" in told
    assert longer_than_an_hour(3000, run, torch.device("cpu")) is None
    assert longer_than_an_hour(86400, run, torch.device("cuda")) is None


def test_estimating_leaves_no_trace(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df")
    before = {name: tensor.clone() for name, tensor in tensors_of(training.state())}
    assert training.estimate() > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors_of(training.state()))
