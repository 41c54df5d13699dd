"""The log of a tick: the discriminator's outputs and the generator's scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gan_core.training.checkpoint import Saver, load_generators
from gan_core.training.data import to_pixels
from gan_core.training.observe import _moments, observe
from glimpse.workspace import Workspace
from tests.gan_core.tiny import TINY, make_domains, make_set, tensors_of, tiny_training, trained


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_log_of_a_cyclic_run_tells_its_two_discriminators_apart(workspace: Workspace) -> None:
    make_domains(workspace)
    line = log_of(trained(workspace, "cycle-eczema", images=4))[0]
    assert line["d_real_train"] == pytest.approx((line["d_real_train_healthy"] + line["d_real_train_eczema"]) / 2)


def test_without_test_images_the_log_says_null(workspace: Workspace) -> None:
    make_set(workspace, "df", test=0)
    assert log_of(trained(workspace, "df", images=4))[0]["d_real_test"] is None


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


def test_spreads_are_those_of_the_images_shown(workspace: Workspace) -> None:
    found = _moments("real_train", [torch.tensor([0.0, 2.0]), torch.tensor([4.0])])
    assert found["d_real_train_logit"] == 2
    assert found["d_real_train_logit_sd"] == pytest.approx((8 / 3) ** 0.5)
    outputs = [0.5, 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-4))]
    assert found["d_real_train"] == pytest.approx(np.mean(outputs))
    assert found["d_real_train_sd"] == pytest.approx(np.std(outputs))


@pytest.mark.parametrize(("bright", "accuracy"), [(1.0, 0.5), (-1.0, 0.5), (0.0, 1.0)])
def test_accuracy_counts_real_images_above_and_generated_images_below_one_half(
    workspace: Workspace, bright: float, accuracy: float
) -> None:
    """A discriminator that says always real, always generated, or the truth, which is whether an image is bright."""
    make_set(workspace, "df")
    engine = tiny_training(workspace, "df").engine
    black = torch.full((1, 3, 32, 32), -1.0)
    engine.generators["df"].forward = lambda z: black.expand(len(z), -1, -1, -1)  # type: ignore[method-assign]
    engine.discriminators["df"].forward = lambda x: x.mean((1, 2, 3)) + 0.9  # type: ignore[method-assign]
    if bright:
        engine.discriminators["df"].forward = lambda x: torch.full((len(x),), bright)  # type: ignore[method-assign]
    assert observe(engine)["d_accuracy"] == accuracy


@pytest.mark.parametrize("busy", [False, True])
def test_the_best_generator_by_kid_is_kept_beside_the_last_also_where_the_disk_is_slow(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    monkeypatch.setattr(Saver, "busy", busy)
    make_set(workspace, "df")
    kids = iter([3.0, 1.0, 2.0])

    def make_scorer(real: np.ndarray) -> Any:
        assert real.shape == (8, 32, 32, 3)
        assert real.dtype == np.uint8

        def score(generated: np.ndarray) -> dict[str, Any]:
            assert generated.shape == (8, 32, 32, 3)
            return {"random_feature_kid": next(kids), "random_feature_frechet_distance": 9.0, "extractor": "random"}

        return score

    folder = trained(workspace, "df", scorer=make_scorer, images=48, tick_images=16)
    assert [line[line["score"]] for line in log_of(folder)] == [3.0, 1.0, 2.0]
    assert load_generators(folder / "generator.safetensors")[1]["images"] == 32
    assert load_generators(folder / "generator-last.safetensors")[1]["images"] == 48


def test_scores_come_every_few_ticks_and_at_the_end_from_latents_of_their_own_seed(workspace: Workspace) -> None:
    make_set(workspace, "df")
    scored: list[np.ndarray] = []

    def scorer(generated: np.ndarray) -> dict[str, Any]:
        scored.append(generated)
        return {"kid": 1.0}

    training = tiny_training(
        workspace, "df", scorer=lambda real: scorer, images=48, tick_images=16, score_ticks=2, seed=5
    )
    assert training.go()
    assert [line.get("kid") for line in log_of(training.folder)] == [None, 1.0, 1.0]
    rng = torch.Generator().manual_seed(5 + 30_000)
    generator = load_generators(training.folder / "generator-last.safetensors")[0]["df"]
    expected = np.concatenate([to_pixels(generator(torch.randn(4, TINY["z_dim"], generator=rng))) for _ in range(2)])
    assert np.abs(scored[-1].astype(int) - expected).max() <= 1


def test_discriminators_alone_learn_which_images_are_real(workspace: Workspace) -> None:
    make_set(workspace, "df")
    engine = tiny_training(workspace, "df", lr=2e-3).engine
    for _ in range(30):
        inputs, reals = engine.scheme.draw()
        engine._teach_discriminators(reals, {"df": engine.generators["df"](inputs["df"])})
    found = observe(engine)
    real, generated = found["d_real_train_logit"], found["d_generated_logit"]
    assert real is not None
    assert generated is not None
    assert real > 1
    assert generated < -1
