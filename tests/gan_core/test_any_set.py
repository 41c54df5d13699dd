"""Training on any image set under its own name, and translating between any two."""

from __future__ import annotations

import pytest

from gan_core.cli import main
from gan_core.experiments import EXPERIMENTS, experiment_named, settings_for, translation_name
from gan_core.training.request import Request, describe_run
from gan_core.training.run import Run
from glimpse.stimuli import StimulusSet
from glimpse.workspace import Workspace
from tests.gan_core.commands.test_train import train
from tests.gan_core.tiny import make_set


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("add-eczema", ("healthy", "eczema", "eczema")),
        ("remove-eczema", ("eczema", "healthy", "eczema")),
        ("cycle-eczema", ("healthy", "eczema", None)),
    ],
)
def test_the_papers_translations_are_rows_of_the_same_mechanism(row: str, words: tuple[str, str, str | None]) -> None:
    assert experiment_named(translation_name(*words)) == experiment_named(row) == EXPERIMENTS[row]


def test_any_other_set_has_the_recipe_of_the_lesions_without_flips(workspace: Workspace) -> None:
    ours, lesions = settings_for("naevi", "paper", None, experiment_named("naevi")), settings_for("df", "paper")
    assert ours == lesions
    assert ours.score_images == 5_000
    assert not settings_for("naevi", "modern", None, experiment_named("naevi")).flips
    images = make_set(workspace, "naevi", train=20)
    run = describe_run("naevi", "naevi", {"naevi": images}, Request())
    assert run.settings.batch == 16, "64 at this size, but there are 20 training images"
    assert run.settings.score_images == 256, "5,000 would take minutes, and be compared with 20 images"
    assert describe_run("naevi", "naevi", {"naevi": images}, Request(chosen={"batch": 4})).settings.batch == 4


def test_an_image_set_is_trained_sampled_and_published_under_its_own_name(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "naevi", train=6, test=4)
    assert main(["runs"]) == 0
    assert "Next: gan_core train naevi\n" in capsys.readouterr().out, "no experiment of the paper has this image set"
    assert train("naevi") == 0
    assert "Next: gan_core publish naevi --count 8\n" in capsys.readouterr().out
    assert main(["train", "naevi", "--device", "cpu", "--resume"]) == 0
    weights = workspace.root / "runs/naevi/generator.safetensors"
    assert main(["sample", str(weights), "--count", "2"]) == 0
    assert workspace.names("images") == ["naevi", "naevi-samples"]
    assert main(["publish", "naevi", "--count", "4"]) == 0
    assert len(StimulusSet.load(workspace.existing("stimuli", "naevi")).of("generated")) == 4


def test_a_translator_between_two_sets_is_trained_and_published(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "naevi", train=6, test=6)
    make_set(workspace, "scc", train=6, test=6, lesion=True)
    assert train("--from", "scc", "--to", "naevi") == 0
    run = Run.of(workspace.existing("runs", "scc-to-naevi"))
    assert (run.experiment_name, run.experiment.scheme) == ("scc to naevi, masks of scc", "targeted")
    assert run.experiment.masked == "scc"
    assert main(["translate", "scc-to-naevi", "--count", "3"]) == 0
    assert "against the true skin" in capsys.readouterr().out, "removal is scored where the truth is known"
    assert main(["publish", "scc-to-naevi", "--count", "4"]) == 0
    origins = {s.origin["image_set"] for s in StimulusSet.load(workspace.existing("stimuli", "scc-to-naevi")).stimuli}
    assert origins == {"scc", "naevi"}


@pytest.mark.parametrize(
    ("source", "target", "experiment"),
    [("a", "b", "a to b"), ("a", "m", "a to m, masks of m"), ("m", "a", "m to a, masks of m"),
     ("n", "m", "n to m, masks of n")],
)  # fmt: skip
def test_without_masks_the_translation_is_cyclic_and_masks_of_the_source_come_first(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], source: str, target: str, experiment: str
) -> None:
    for name in (source, target):
        make_set(workspace, name, train=4, test=2, lesion=name in "mn")
    assert main(["train", "--from", source, "--to", target, "--device", "cpu", "--set", "batch=400"]) == 2
    assert f"{experiment}: the image set '{source}' has 4 training images" in capsys.readouterr().err
    assert experiment_named(experiment).scheme == ("targeted" if "masks" in experiment else "cyclic")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nevi"], "neither an experiment nor an image set: did you mean 'naevi'?"),
        (["--from", "naevi"], "--from and --to name two image sets"),
        (
            ["--from", "naevi", "--to", "naevi"],
            "--from and --to both name 'naevi': a translation needs two image sets.",
        ),
        (
            ["one"],
            "one: the image set 'one' has 1 training image, but training needs at least 2: prepare it from more "
            "photos, or with fewer for testing.",
        ),
        (
            ["naevi", "--set", "batch=5"],
            "the image set 'naevi' has 4 training images, fewer than a batch of 5: try --set batch=2.",
        ),
        (["df", "--from", "naevi", "--to", "type"], "--from and --to name two image sets"),
        (["--from", "naevi", "--to", "nothing"], "There is no image set 'nothing'"),
        (["type"], "PyTorch cannot save a generator named 'type'"),
    ],
)
def test_wrong_names_and_sets_that_are_too_small_get_one_sentence(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    for name, count in (("naevi", 4), ("type", 4), ("one", 1)):
        make_set(workspace, name, train=count, test=2)
    assert main(["train", "--device", "cpu", *words]) == 2
    assert sentence in capsys.readouterr().err
