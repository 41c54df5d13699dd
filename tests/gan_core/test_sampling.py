"""Images from a generator: the truncated law, seeds, statistics, and that the one file is enough."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from scipy import stats

from gan_core import sampling
from gan_core.cli import main
from gan_core.experiments import Draw, TrainingError
from gan_core.publishing import publish
from gan_core.sampling import _arc, for_draw, generate, interpolate, latents, load_generator
from gan_core.translating import load_translator, translate
from glimpse.files import GlimpseError
from glimpse.imageset import ImageSet
from glimpse.publishing.rules import PRACTICE, Publication
from glimpse.runs.seal import KEY
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_domains, make_set, trained


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("truncation", [0.1, 0.5, 1.0, 2.5])
def test_truncated_latents_have_the_law_of_plain_resampling(truncation: float) -> None:
    exact = latents(2000, 10, rng(), truncation).flatten().numpy()
    resampled = np.random.default_rng(1).normal(size=400_000)
    resampled = resampled[np.abs(resampled) < truncation][:20_000]
    assert stats.ks_2samp(exact, resampled).pvalue > 0.001
    assert np.abs(exact).max() <= truncation
    known = stats.truncnorm(-truncation, truncation)
    assert stats.kstest(exact, known.cdf).pvalue > 0.001
    assert exact.std() == pytest.approx(known.std(), rel=0.02)


def test_latents_without_truncation_are_standard_normal() -> None:
    z = latents(2000, 10, rng()).flatten().numpy()
    assert stats.kstest(z, "norm").pvalue > 0.001


def test_a_longer_draw_begins_with_the_shorter_one(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    long, generator = latents(100, 7, rng(), 0.5), rng()
    assert torch.equal(long, torch.cat([latents(n, 7, generator, 0.5) for n in (3, 64, 33)]))
    make_set(workspace, "df")
    run = trained(workspace, "df", images=8)
    few = np.concatenate(list(generate(run, 5, Draw(3))))
    monkeypatch.setattr(sampling, "BATCH", 4)
    many = np.concatenate(list(generate(run, 12, Draw(3))))
    assert np.abs(few.astype(int) - many[:5]).max() <= 1


def test_seeds_and_truncation_make_the_images(workspace: Workspace) -> None:
    make_set(workspace, "df")
    run = trained(workspace, "df", images=64, lr=5e-3)
    one, again, other, calm = (
        np.concatenate(list(generate(run, 8, Draw(seed, truncation))))
        for seed, truncation in ((0, None), (0, None), (1, None), (0, 0.05))
    )
    assert one.shape == (8, 32, 32, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, calm)


@pytest.mark.parametrize("dense_norm", [False, True])
def test_truncation_draws_images_together_unless_batch_norm_stretches_the_latents(
    workspace: Workspace, dense_norm: bool
) -> None:
    make_set(workspace, "df")
    run = trained(workspace, "df", images=64, lr=5e-3, dense_norm=dense_norm)
    free, short = (
        np.concatenate(list(generate(run, 64, Draw(0, truncation)))).astype(float).std(0).mean()
        for truncation in (None, 0.01)
    )
    assert short > 0.8 * free if dense_norm else short < 0.3 * free


def test_batch_statistics_are_those_of_the_truncated_latents(workspace: Workspace) -> None:
    make_set(workspace, "df")
    generator, _ = load_generator(trained(workspace, "df", images=8, dense_norm=True))
    norm = for_draw(generator, Draw(truncation=0.1)).dense_norm[0]  # type: ignore[union-attr,index]
    maps = generator.dense(latents(4096, generator.z_dim, rng(5), 0.1)).view(4096, 64, -1)  # type: ignore[operator,arg-type]
    expected = maps.transpose(0, 1).flatten(1).var(1)
    assert torch.allclose(norm.running_var, expected, rtol=0.15)
    assert (generator.dense_norm[0].running_var > 20 * expected).all()  # type: ignore[union-attr,index]


def test_the_file_alone_is_enough(workspace: Workspace, tmp_path: Path) -> None:
    make_set(workspace, "df")
    run = trained(workspace, "df", images=8)
    alone = shutil.copy(run / "generator.safetensors", tmp_path / "alone.safetensors")
    expected = np.concatenate(list(generate(run, 4)))
    shutil.rmtree(workspace.root)
    assert np.array_equal(np.concatenate(list(generate(Path(alone), 4))), expected)


def test_the_commands_take_the_file_in_place_of_a_run(workspace: Workspace, tmp_path: Path) -> None:
    make_domains(workspace)
    for experiment in ("df", "add-eczema"):
        run = trained(workspace, experiment, name=f"my-{experiment}", images=8)
        shutil.copy(run / "generator.safetensors", tmp_path / f"{experiment}.safetensors")
    expected = np.concatenate(list(generate(workspace.existing("runs", "my-df"), 4)))
    shutil.rmtree(workspace.root / "runs")
    assert main(["sample", str(tmp_path / "df.safetensors"), "--count", "4"]) == 0
    assert np.array_equal(ImageSet.load(workspace.existing("images", "df-samples")).images, expected)
    assert main(["translate", str(tmp_path / "add-eczema.safetensors"), "--name", "mine"]) == 0
    assert len(ImageSet.load(workspace.existing("images", "mine"))) == 8


def test_a_file_that_glimpse_did_not_write_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(TrainingError, match="cannot be read as a generator"):
        load_generator(path)
    save_file({"a": torch.zeros(2)}, path, {"glimpse": "[1]"})
    with pytest.raises(TrainingError, match="schema None"):
        load_generator(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="cannot be read as a generator"):
        load_generator(path)


def test_a_byte_that_flipped_anywhere_in_a_generator_is_noticed(workspace: Workspace) -> None:
    make_set(workspace, "df")
    path = trained(workspace, "df", images=16) / "generator.safetensors"
    whole = path.read_bytes()
    load_generator(path)
    for place in (9, len(whole) // 2, len(whole) - 1):  # in the header, and in the weights
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(GlimpseError, match=r"is damaged|cannot be read"):
            load_generator(path)


def test_a_generator_that_diverged_makes_no_images(workspace: Workspace, tmp_path: Path) -> None:
    """As uint8 its NaN would be a picture like any other, and would be scored, shown and published as one."""
    make_set(workspace, "df")
    make_domains(workspace)
    run, translating = (trained(workspace, name, images=16) for name in ("df", "remove-eczema"))
    for folder in (run, translating):
        with safe_open(folder / "generator.safetensors", "pt") as file:
            unsealed = {"glimpse": file.metadata()["glimpse"].replace(KEY, "an older version's")}
            broken = {name: file.get_tensor(name) * float("nan") for name in file.keys()}  # noqa: SIM118 (not a dict)
        save_file(broken, folder / "generator.safetensors", unsealed)
    image = np.zeros((32, 32, 3), np.uint8)
    for name, use in (
        ("df", lambda: next(generate(run, 4))), ("df", lambda: next(generate(run, 4, Draw(truncation=0.5)))),
        ("df", lambda: interpolate(run, 2, 2)), ("df", lambda: list(publish(workspace, "df", Publication(4)))),
        ("remove-eczema", lambda: translate(load_translator(translating), image, image[..., 0])),
    ):  # fmt: skip
        with pytest.raises(TrainingError, match=f"generator of the run '{name}' makes values that are not finite"):
            use()


def test_a_walk_follows_the_great_circle() -> None:
    share = torch.tensor([[0.0], [0.25], [0.5], [0.75]])
    angles = share.double() * np.pi / 2
    found = _arc(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), share)
    assert torch.allclose(found.double(), 2 * torch.cat([angles.cos(), angles.sin()], 1), atol=1e-6)


def test_a_walk_begins_at_its_latents_and_moves_in_small_steps(workspace: Workspace) -> None:
    make_set(workspace, "df")
    run = trained(workspace, "df", images=64, lr=5e-3)
    walk = interpolate(run, 3, 16, Draw(4)).astype(int)
    ends = np.concatenate(list(generate(run, 3, Draw(4)))).astype(int)
    assert np.abs(walk[:, 0] - ends).max() <= 1
    steps = np.abs(np.diff(walk.reshape(48, -1), axis=0)).mean(1)
    assert steps.max() < np.abs(ends[0] - ends[1]).mean()


def test_sample_fills_an_image_set_once(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_set(workspace, "df")
    run = trained(workspace, "df", images=8)
    command = ["sample", "df", "--count", "70", "--seed", "2", "--truncation", "0.7"]
    assert main(command) == 0
    images = ImageSet.load(workspace.existing("images", "df-samples"))
    assert np.array_equal(images.images, np.concatenate(list(generate(run, 70, Draw(2, 0.7)))))
    assert len(set(images.groups)) == 70, "each generated image is its own group"
    sets = ImageSet.load(workspace.existing("images", "df"))
    following = f"Next: gan_core publish df --count {len(sets) - PRACTICE}\n"
    assert following in capsys.readouterr().out
    shutil.rmtree(sets.folder)
    assert main(command) == 0, "drawing needs no real image"
    said = capsys.readouterr().out
    assert "already there" in said
    assert said.endswith(following)
    assert main([*command[:-1], "0.5"]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_samples_are_written_as_png_files_for_others(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    trained(workspace, "df", images=8)
    command = ["sample", "df", "--count", "3", "--name", "three", "--png", str(tmp_path / "out")]
    assert main(command) == 0
    images = ImageSet.load(workspace.existing("images", "three"))
    for identity, image in zip(images.index["image_id"], images.images, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / f"{identity}.png")), image)
    assert main(command) == 2
    assert "out is not empty: name another folder" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    (tmp_path / "out" / "thesis.txt").write_text("")
    assert main([*command, "--overwrite"]) == 2
    assert (tmp_path / "out" / "thesis.txt").exists()
    for more in ((), ("--overwrite",)):  # before anything is drawn, or undone
        assert main(["sample", "df", "--count", "2", "--name", "two", "--png", str(tmp_path / "out"), *more]) == 2
    assert workspace.names("images") == ["df", "three"]


def test_a_walk_is_a_gif_or_a_grid(workspace: Workspace, tmp_path: Path) -> None:
    make_set(workspace, "df")
    trained(workspace, "df", images=8)
    for name in ("walk.gif", "walk.png"):
        assert main(["sample", "df", "--interpolate", str(tmp_path / name), "--rows", "3", "--steps", "4"]) == 0
    with Image.open(tmp_path / "walk.gif") as gif:
        assert gif.n_frames == 12  # type: ignore[attr-defined]
    with Image.open(tmp_path / "walk.png") as grid:
        assert grid.size == (4 * 34 + 2, 3 * 34 + 2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sample", "mel"], "There is no run 'mel'"),
        (["sample", "df", "--truncation", "0"], "--truncation must be above 0"),
        (["sample", "df", "--truncation", "inf"], "--truncation must be above 0"),
        (["sample", "df", "--truncation", "nan"], "--truncation must be above 0"),
        (["sample", "missing.safetensors"], "it does not exist"),
        (["sample", "df", "--count", "0"], "--count must be at least 1"),
        (["sample", "df", "--interpolate", "walk.mp4"], ".gif or a .png"),
        (["sample", "add-eczema"], "use `gan_core translate add-eczema"),
        (["translate", "df"], "use `gan_core sample df"),
    ],
)
def test_bad_input_gets_one_sentence(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    make_domains(workspace)
    trained(workspace, "df", images=4)
    trained(workspace, "add-eczema", images=4)
    capsys.readouterr()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["sample", "df", "--seed", "9" * 20], ["translate", "add-eczema", "--seed", "-1"]])
def test_a_seed_that_torch_does_not_take_is_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert f"{words[-1]} is not a valid seed" in capsys.readouterr().err
