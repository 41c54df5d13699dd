"""Stimulus sets: drawn by rule, real and generated alike in everything but the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis import inventory
from analysis.section import Context
from analysis.sections import samples
from gan_core.cli import main
from gan_core.experiments import Draw
from gan_core.sampling import generate
from gan_core.translating import load_translator, translate_rows
from glimpse.imageset import ImageSet
from glimpse.publishing.rules import in_order_of_use
from glimpse.stimuli import StimulusSet
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_domains, make_set, trained


def pixels(stimuli: StimulusSet, truth: str, practice: bool = False) -> dict[str, np.ndarray]:
    return {s.id: np.asarray(Image.open(stimuli.folder / s.file)) for s in stimuli.of(truth, practice=practice)}


def published(workspace: Workspace, name: str) -> StimulusSet:
    return StimulusSet.load(workspace.existing("stimuli", name))


def test_real_images_come_from_test_first_and_from_as_many_groups_as_can_be(workspace: Workspace) -> None:
    images = make_set(workspace, "df", train=16, test=12, per_group=4)  # 3 test groups, 4 training groups
    order = in_order_of_use(images, np.random.default_rng(0))
    assert sorted(order) == list(range(28))
    assert set(images.index["split"].iloc[order[:12]]) == {"test"}
    groups = images.groups[order]
    assert len(set(groups[:3])) == 3, "one a group while groups last"
    assert len(set(groups[3:6])) == 3
    assert len(set(groups[12:16])) == 4
    other = in_order_of_use(images, np.random.default_rng(1))
    assert not np.array_equal(order, other)


def test_a_stimulus_set_holds_as_many_of_each_and_two_of_each_for_practice(workspace: Workspace) -> None:
    make_set(workspace, "df")
    run = trained(workspace, "df", images=8)
    assert main(["publish", "df", "--count", "10", "--seed", "5", "--label", "Lesions"]) == 0
    stimuli = published(workspace, "df")
    assert stimuli.label == "Lesions"
    assert [len(stimuli.of(t, practice=p)) for t in ("real", "generated") for p in (False, True)] == [10, 2, 10, 2]
    assert sum(s.origin["split"] == "test" for s in stimuli.of("real")) == 8, "all test images are used first"
    origins = [s.origin for s in stimuli.stimuli if s.truth == "generated"]
    assert sorted(o["index"] for o in origins) == list(range(12)), "consecutive latents: nothing was selected"
    expected = np.concatenate(list(generate(run, 12, Draw(5))))
    made = {s.origin["index"]: np.asarray(Image.open(stimuli.folder / s.file)) for s in stimuli.of("generated")}
    assert all(np.array_equal(made[i], expected[i]) for i in range(10))
    assert stimuli.made_from["run"] == "df"


def test_too_few_images_are_refused_with_the_largest_count_that_works(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df", train=16, test=8)
    trained(workspace, "df", images=8)
    assert main(["publish", "df"]) == 2
    assert "use --count 22." in capsys.readouterr().err
    assert workspace.names("stimuli") == []
    assert main(["publish", "df", "--count", "23"]) == 2
    assert main(["publish", "df", "--count", "22"]) == 0


def test_publishing_again_changes_nothing_and_other_options_need_overwrite(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    trained(workspace, "df", images=8)
    assert main(["publish", "df", "--count", "4"]) == 0
    before = published(workspace, "df").sha256
    assert main(["publish", "df", "--count", "4"]) == 0
    assert "already published" in capsys.readouterr().out
    assert main(["publish", "df", "--count", "5"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert published(workspace, "df").sha256 == before
    assert main(["publish", "df", "--count", "5", "--name", "df-five"]) == 0
    assert main(["publish", "df", "--count", "5", "--overwrite"]) == 0
    assert published(workspace, "df").sha256 != before


@pytest.mark.parametrize(
    ("experiment", "name", "target", "source"),
    [
        ("add-eczema", "add-eczema", "eczema", "healthy"),
        ("remove-eczema", "remove-eczema", "healthy", "eczema"),
        ("cycle-eczema", "cycle-eczema-add", "eczema", "healthy"),
        ("cycle-eczema", "cycle-eczema-remove", "healthy", "eczema"),
    ],
)
def test_a_translation_shows_translated_test_images_against_real_ones_of_the_target(
    workspace: Workspace, experiment: str, name: str, target: str, source: str
) -> None:
    make_domains(workspace)
    trained(workspace, experiment, images=4)
    assert main(["publish", experiment, "--count", "6"]) == 0
    stimuli = published(workspace, name)
    assert {s.origin["image_set"] for s in stimuli.of("real")} == {target}
    generated = [s for s in stimuli.stimuli if s.truth == "generated"]
    assert {(s.origin["image_set"], s.origin["split"]) for s in generated} == {(source, "test")}
    assert len({s.origin["image_id"] for s in generated}) == 8


def test_masks_are_lent_by_the_seed_after_the_one_of_the_images(workspace: Workspace) -> None:
    make_domains(workspace)
    run = trained(workspace, "add-eczema", images=8)
    assert main(["publish", "add-eczema", "--count", "4", "--seed", "6"]) == 0
    healthy, eczema = (ImageSet.load(workspace.existing("images", name)) for name in ("healthy", "eczema"))
    rng = np.random.default_rng(6)
    in_order_of_use(eczema, rng)  # the real images are drawn first
    rows = in_order_of_use(healthy, rng, ("test",))[:6]
    triples = translate_rows(load_translator(run), healthy, rows, eczema, np.random.default_rng(7))
    expected = {str(healthy.index["image_id"][row]): after for row, (_, _, after) in zip(rows, triples, strict=True)}
    stimuli = published(workspace, "add-eczema").of("generated")
    assert len(stimuli) == 4
    for stimulus in stimuli:
        shown = np.asarray(Image.open(workspace.existing("stimuli", "add-eczema") / stimulus.file))
        assert np.array_equal(shown, expected[stimulus.origin["image_id"]])


def test_a_translation_is_limited_by_its_test_images(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_domains(workspace)
    trained(workspace, "remove-eczema", images=4)
    assert main(["publish", "remove-eczema", "--count", "7"]) == 2
    assert "8 test images in 'eczema' to translate: use --count 6." in capsys.readouterr().err


def test_images_from_jpeg_are_warned_of_and_the_same_compression_helps(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df", suffix=".jpg")
    trained(workspace, "df", images=8)
    assert main(["publish", "df", "--count", "4"]) == 0
    assert "warning: df: 24 of 24 real images come from JPEG" in capsys.readouterr().err
    assert main(["publish", "df", "--count", "4", "--jpeg-quality", "30", "--name", "both"]) == 0
    assert "warning" not in capsys.readouterr().err
    plain, both = published(workspace, "df"), published(workspace, "both")
    for truth in ("real", "generated"):
        assert roughness(both, truth) < 0.9 * roughness(plain, truth), "both classes went through it"


def roughness(stimuli: StimulusSet, truth: str) -> float:
    """The mean step between neighbours: strong compression smooths noise away."""
    return float(np.mean([np.abs(np.diff(p.astype(int), axis=1)).mean() for p in pixels(stimuli, truth).values()]))


def test_all_publishes_every_finished_run(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_set(workspace, "df")
    make_set(workspace, "mel")
    trained(workspace, "df", images=4)
    begun = trained(workspace, "mel", images=4)
    config = json.loads((begun / "config.json").read_text())
    del config["finished"]
    (begun / "config.json").write_text(json.dumps(config))
    assert main(["publish", "--all", "--count", "4"]) == 0
    assert "mel: unfinished, left out" in capsys.readouterr().out
    assert workspace.names("stimuli") == ["df"]

    assert main(["publish", "mel", "--count", "4"]) == 2
    assert "'mel' is unfinished (4 of 4 images)" in (refused := capsys.readouterr().err)
    assert "publish it as it is with --unfinished" in refused
    assert main(["sample", "mel", "--count", "2"]) == 0
    assert "Next: gan_core publish mel --count 22 --unfinished\n" in capsys.readouterr().out
    assert main(["publish", "--all", "--count", "4", "--unfinished"]) == 0
    assert "the run 'mel' is unfinished (4 of 4 images)" in capsys.readouterr().err
    assert published(workspace, "mel").made_from["unfinished"] == "4 of 4 images"
    assert "unfinished" not in published(workspace, "df").made_from
    context = Context(workspace)
    section = samples.compute(context)
    assert section is not None
    assert [name for name, found in section.scores.items() if "unfinished" in found] == ["mel"]
    assert "The stimulus set 'mel' was published from an unfinished run (4 of 4 images)." in context.notices
    assert [run.name for run in inventory.runs(context)] == ["df", "mel"]
    assert [notice for notice in context.notices if notice.startswith("The run ")] == [
        "The run 'mel' is unfinished (4 of 4 images)."
    ]

    (begun / "generator.safetensors").unlink()
    assert main(["publish", "mel", "--count", "4"]) == 2
    assert "has no generator yet: resume it with `gan_core train mel --resume`" in (said := capsys.readouterr().err)
    assert "--unfinished" not in said


def test_images_drawn_from_an_unfinished_run_are_published_as_such_only(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    begun = trained(workspace, "df", images=4)
    config = json.loads((begun / "config.json").read_text())
    assert main(["sample", "df", "--count", "8", "--name", "all"]) == 0
    del config["finished"]
    (begun / "config.json").write_text(json.dumps(config))
    assert main(["sample", "df", "--count", "8", "--name", "some"]) == 0
    assert "the run 'df' is unfinished (4 of 4 images)" in capsys.readouterr().err
    pair = ["publish", "--real", "df", "--count", "4", "--size", "16", "--generated"]
    assert main([*pair, "all"]) == 0
    assert "unfinished" not in published(workspace, "all").made_from
    assert main([*pair, "some"]) == 2
    assert "'some' come from an unfinished run (4 of 4 images): publish them as they are with --unfinished." in (
        capsys.readouterr().err
    )
    assert main([*pair, "some", "--unfinished"]) == 0
    assert "'some' comes from an unfinished run (4 of 4 images); the report will say so" in capsys.readouterr().err
    assert published(workspace, "some").made_from["unfinished"] == "4 of 4 images"


def test_several_runs_are_published_together_or_not_at_all(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, train in (("df", 18), ("mel", 6)):
        make_set(workspace, name, train=train, test=6)
        trained(workspace, name, images=4)
    assert main(["publish", "df", "--count", "4"]) == 0
    before = published(workspace, "df").sha256
    capsys.readouterr()
    assert main(["publish", "df", "mel", "--count", "12", "--overwrite"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "mel: 12 of each class" in shown.err
    assert "use --count 10. Nothing was published." in shown.err
    assert published(workspace, "df").sha256 == before
    assert [path.name for path in (workspace.root / "stimuli").iterdir()] == ["df"]
    assert main(["publish", "df", "mel", "--count", "10", "--overwrite"]) == 0
    assert sorted(path.name for path in (workspace.root / "stimuli").iterdir()) == ["df", "mel"]


def test_both_sets_of_a_cyclic_run_are_published_or_neither(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "healthy", train=24)
    make_set(workspace, "eczema", test=6, lesion=True)
    trained(workspace, "cycle-eczema", images=4)
    assert main(["publish", "cycle-eczema", "--count", "3"]) == 0
    names = ["cycle-eczema-add", "cycle-eczema-remove"]
    before = [published(workspace, name).sha256 for name in names]
    capsys.readouterr()
    assert main(["publish", "cycle-eczema", "--count", "6", "--overwrite"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        "error: cycle-eczema-remove: 6 of each class and 2 for practice are more than the 6 test images in 'eczema' to "
        "translate: use --count 4. Nothing was published.\n"
    )
    assert [published(workspace, name).sha256 for name in names] == before
    assert sorted(path.name for path in (workspace.root / "stimuli").iterdir()) == names


def test_an_image_set_that_was_replaced_is_noticed(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_set(workspace, "df")
    trained(workspace, "df", images=4)
    make_set(workspace, "df", train=18)
    assert main(["publish", "df", "--count", "4"]) == 2
    assert "is not the one that 'df' was trained on" in capsys.readouterr().err


def test_nothing_is_left_of_a_set_whose_run_cannot_be_read(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    run = trained(workspace, "df", images=4)
    (run / "generator.safetensors").write_bytes(b"half of a file")
    assert main(["publish", "df", "--count", "4"]) == 2
    assert "generator.safetensors cannot be read" in capsys.readouterr().err
    assert not list(Path(workspace.root / "stimuli").glob("*"))
