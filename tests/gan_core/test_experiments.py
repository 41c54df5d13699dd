"""Tables 1 and 2, the presets, and what `--set` takes."""

from __future__ import annotations

import dataclasses

import pytest

from gan_core.experiments import (
    EXPERIMENTS,
    PRESETS,
    Settings,
    TrainingError,
    grid_and_stages,
    settings_for,
)
from glimpse.files import GlimpseError
from glimpse.settings import describe_settings, parse_settings


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (15, 20, 5)),  # full hands: 20 x 15 (width x height), 5 deconvolutions
        ((128, 128), (8, 8, 4)),  # skin patches
        ((256, 256), (8, 8, 5)),  # skin lesions
        ((72, 96), (9, 12, 3)),
        ((64, 32), (16, 8, 2)),
    ],
)
def test_table_1_follows_from_the_rule(size: tuple[int, int], expected: tuple[int, int, int]) -> None:
    assert grid_and_stages(*size) == expected


@pytest.mark.parametrize(
    ("size", "halved"),
    [
        ((16, 16), "can be halved only once: then"), ((30, 64), "can be halved only once: then"),
        ((34, 34), "can be halved only once: then"), ((31, 31), "cannot be halved:"), ((14, 14), "cannot be halved:"),
    ],
)  # fmt: skip
def test_a_size_with_fewer_than_two_stages_is_refused_with_its_remedy(size: tuple[int, int], halved: str) -> None:
    with pytest.raises(TrainingError) as error:
        grid_and_stages(*size)
    assert str(error.value) == (
        f"Images of {size[0]}x{size[1]} pixels (height x width) {halved} a side is odd or would fall below 8 pixels, "
        "but two halvings are needed. Prepare them at a size that divides by 4, at least 32 pixels, such as 64, 128 or "
        "256."
    )


def test_table_2_is_the_paper_preset() -> None:
    features = {
        name: (settings_for(name, "paper").g_features, settings_for(name, "paper").d_features) for name in EXPERIMENTS
    }
    assert features == {
        "hands": (512, 32), "healthy": (1024, 128), "eczema": (1024, 256), "df": (512, 64), "mel": (512, 64),
        "add-eczema": (1024, 256), "remove-eczema": (1024, 256), "cycle-eczema": (1024, 256),
    }  # fmt: skip


def test_the_paper_preset_has_the_papers_optimiser_and_none_of_the_additions() -> None:
    for name in EXPERIMENTS:
        s = settings_for(name, "paper")
        assert (s.lr, s.beta1, s.beta2, s.z_dim, s.relevancy, s.cycle) == (5e-5, 0.9, 0.999, 100, 10.0, 10.0)
        assert (s.upsampling, s.ema_images, s.diffaugment, s.flips, s.r1) == ("deconvolution", 0, 0, False, 0.0)


def test_modern_generators_double_by_deconvolution_and_its_translators_by_repeated_pixels() -> None:
    found = {name: settings_for(name, "modern").upsampling for name in EXPERIMENTS}
    translators = {"add-eczema", "remove-eczema", "cycle-eczema"}
    assert {name for name, upsampling in found.items() if upsampling == "nearest"} == translators
    assert {settings_for(name, "demo").upsampling for name in EXPERIMENTS} == {"nearest"}


def test_how_long_the_paper_trains() -> None:
    assert settings_for("healthy", "paper").epochs == 20
    assert settings_for("eczema", "paper").epochs == 200
    assert (settings_for("df", "paper").epochs, settings_for("df", "paper").images) == (0, 600_000)


def test_images_that_were_chosen_win_over_the_papers_epochs() -> None:
    chosen = settings_for("healthy", "paper", {"images": 100})
    assert (chosen.images, chosen.epochs) == (100, 0)


def test_only_unconditional_runs_are_augmented_in_the_modern_preset() -> None:
    assert settings_for("df", "modern").diffaugment
    assert settings_for("df", "modern").flips
    assert not settings_for("hands", "modern").flips, "hands have an upright"
    assert not settings_for("cycle-eczema", "modern").diffaugment
    assert settings_for("cycle-eczema", "modern").ema_images > 0


def test_settings_and_presets_cannot_be_changed_by_accident() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().lr = 1.0  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["paper"].meaning = "other"  # type: ignore[misc]


def test_settings_are_read_by_type() -> None:
    words = ["lr=1e-3", "batch=32", "images=1e4", "flips=yes", "upsampling=nearest", "beta1=0", "beta2=0.9999999"]
    read = parse_settings(words, Settings)
    assert read == {
        "lr": 1e-3, "batch": 32, "images": 10_000, "flips": True, "upsampling": "nearest", "beta1": 0.0,
        "beta2": 0.9999999,
    }  # fmt: skip
    assert [type(v) for v in read.values()] == [float, int, int, bool, str, float, float]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("batchsize=4", "did you mean 'batch'"),
        ("learning=4", "Unknown setting 'learning'"),
        ("batch", "name=value"),
        ("batch=3.5", "a whole number, not '3.5'"),
        ("batch=many", "a whole number, not 'many'"),
        ("batch=1", "at least 2"),
        ("lr=fast", "a number, not 'fast'"),
        ("lr=inf", "a number, not 'inf'"),
        ("lr=nan", "a number, not 'nan'"),
        ("images=0", "at least 1"),
        ("beta1=1", "at most 0.9999999"),
        ("flips=perhaps", "true or false"),
        ("upsampling=cubic", "deconvolution or nearest"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(word: str, sentence: str) -> None:
    with pytest.raises(GlimpseError, match=sentence):
        parse_settings([word], Settings)


def test_a_misspelt_experiment_gets_the_nearest_name_suggested() -> None:
    with pytest.raises(TrainingError, match="did you mean 'healthy'"):
        settings_for("heathy", "paper")


def test_every_setting_is_explained_in_the_help() -> None:
    for field in dataclasses.fields(Settings):
        assert f"  {field.name} " in describe_settings(Settings)
