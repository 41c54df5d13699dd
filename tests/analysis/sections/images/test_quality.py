"""Claims about the parts of the report that judge generators, on runs trained for a few steps and on known features."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis import inventory
from analysis.images import extractors, features, runs, translation
from analysis.images.features import Features
from analysis.section import AnalysisError, Context, Section
from analysis.sections import people_and_metrics
from analysis.sections.images import (
    machine_observer,
    memorisation,
    neighbours,
    overfitting,
    quality,
    truncation,
    utility,
)
from gan_core.cli import main as gan_core
from glimpse.files import atomic_folder
from glimpse.images import one_of_each
from glimpse.imageset import ImageSetWriter
from glimpse.workspace import Workspace
from tests.analysis.pictures import textures
from tests.analysis.test_compare import SEEN


def write_set(workspace: Workspace, name: str, seed: int, grain: float) -> None:
    images = textures(60, seed=seed, grain=grain)
    with atomic_folder(workspace.new("images", name)) as folder:
        writer = ImageSetWriter(folder, 32, 32)
        for i, image in enumerate(images):
            split = "test" if i < 20 else "train"
            writer.add(
                image,
                {"image_id": f"{name}{i}", "source": "drawn", "group": f"g{i // 2}", "split": split, "label": name},
            )
        writer.finish(name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """A workspace with two image sets, a run of each and a stimulus set."""
    root = tmp_path_factory.mktemp("quality") / "workspace"
    workspace = Workspace.at(root)
    write_set(workspace, "df", 0, 0.8)
    write_set(workspace, "mel", 1, 1.6)
    settings = [
        "images=128",
        "tick_images=64",
        "batch=16",
        "score_images=0",
        "g_features=16",
        "d_features=4",
        "dense_norm=true",
    ]
    arguments = [word for setting in settings for word in ("--set", setting)]
    assert gan_core(["train", "df", "mel", "--preset", "demo", "--workspace", str(root), *arguments]) == 0
    assert gan_core(["publish", "df", "--count", "16", "--workspace", str(root)]) == 0
    with pytest.MonkeyPatch.context() as patch:
        for module in (quality, memorisation, runs):
            patch.setattr(module, "GENERATED", 60)
        yield Context(workspace, extractor="random", device="cpu")


@pytest.fixture(scope="module")
def translating(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Healthy skin, the same with a dark square in a mask, and a run that removes it and one in cycles."""
    root = tmp_path_factory.mktemp("translating") / "workspace"
    workspace = Workspace.at(root)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 1
    for name, seed in (("healthy", 0), ("eczema", 1)):
        with atomic_folder(workspace.new("images", name)) as folder:
            writer = ImageSetWriter(folder, 32, 32, masks=name == "eczema", truth=name == "eczema")
            for i, skin in enumerate(textures(60, seed=seed)):
                split = "test" if i < 20 else "train"
                row = {"image_id": f"{name}{i}", "source": "drawn", "group": f"photo {i // 2}", "split": split,
                       "label": name}  # fmt: skip
                if name == "healthy":
                    writer.add(skin, row)
                else:
                    writer.add(skin // (1 + mask[..., None]), row, mask, skin)
            writer.finish(name)
    settings = ["images=32", "tick_images=32", "batch=16", "g_features=8", "d_features=4", "lr=2e-4"]
    arguments = [word for setting in settings for word in ("--set", setting)]
    names = ["add-eczema", "remove-eczema", "cycle-eczema"]
    assert gan_core(["train", *names, "--preset", "demo", "--workspace", str(root), *arguments]) == 0
    return Context(workspace, extractor="random", device="cpu")


def test_translations_are_shown_beside_the_same_images_untouched_and_the_truth(translating: Context) -> None:
    part = drawn(quality.compute(translating))
    assert set(part.scores) == {"add-eczema", "remove-eczema", "cycle-eczema-add", "cycle-eczema-remove"}
    for found in part.scores.values():
        assert (found["n"], found["real_groups"]) == (20, 10)
        assert found["kid_untouched"] > found["real_kid_high"]
        assert abs(found["kid"] - found["kid_untouched"]) < 0.5 * found["kid_untouched"]  # a translator starts as none
    removed = part.scores["remove-eczema"]
    assert removed["psnr_inside_untouched"] < 20
    assert removed["psnr_outside_translated"] > removed["psnr_inside_untouched"]
    assert "psnr_inside_translated" not in part.scores["add-eczema"]
    assert part.tables["translation"]["run"].tolist() == list(part.scores)
    assert all("untouched" in sentence for sentence in part.sentences)
    assert "these are not compared with each other" in part.methods[0]
    assert "psnr_outside_untouched" in removed["note"]  # nothing but the mask's inside differs from the truth


def test_a_perfect_translation_equals_the_truth_and_is_indistinguishable_from_real(
    translating: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perfect(direction: translation.Direction, rows: NDArray[np.intp], _: int) -> Iterator[NDArray[np.uint8]]:
        real = direction.source.real
        assert direction.domain != "healthy" or real.truth is not None
        yield from (real.images if real.truth is None else real.truth)[rows]

    monkeypatch.setattr(translation.Direction, "translated", perfect)
    other = Context(translating.workspace, seed=1, extractor="random", device="cpu")
    part = quality.compute(other)
    assert part is not None
    removed = part.scores["remove-eczema"]
    assert removed["ssim_inside_translated"] == pytest.approx(1)
    assert removed["kid_p"] > 0.05
    assert removed["kid"] < 0.1 * removed["kid_untouched"]
    assert part.scores["add-eczema"]["kid"] == pytest.approx(part.scores["add-eczema"]["kid_untouched"])


def test_masks_are_lent_where_eczema_is_added_and_its_own_where_it_is_removed(translating: Context) -> None:
    found = {one.name: one for one in translation.directions(translating)}
    assert found["add-eczema"].donors is not None
    assert found["add-eczema"].donors.name == "eczema"
    assert found["remove-eczema"].donors is None
    assert (found["cycle-eczema-remove"].source.real.name, found["cycle-eczema-remove"].domain) == ("eczema", "healthy")


def drawn(part: Section | None) -> Section:
    """The part, after drawing every one of its figures and finding a caption for each."""
    assert part is not None
    for name, draw in part.figures.items():
        assert isinstance(draw(), Figure)
        assert part.captions[name]
    return part


def test_quality_is_given_beside_real_against_real_and_says_biased(trained: Context) -> None:
    part = drawn(quality.compute(trained))
    for name in ("df", "mel"):
        found = part.scores[name]
        assert (found["n"], found["real_groups"], found["against"]) == (20, 10, "test")
        assert found["kid"] > found["real_kid_high"]
        assert found["kid_p"] < 0.05
        assert found["frechet"] > found["real_frechet"]
        assert found["distance"] == "random-feature Fréchet distance"
    measures = {"precision", "recall", "density", "coverage"}
    assert measures | {f"real_{measure}" for measure in measures} <= set(part.tables["quality"])
    assert all("biased" in sentence for sentence in part.sentences)
    assert "not FIDs" in part.methods[0]


def test_a_part_is_computed_once_for_the_same_generator(trained: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    first = quality.compute(trained)
    monkeypatch.setattr(quality, "compare", lambda *_, **__: pytest.fail("computed again"))
    again = quality.compute(trained)
    assert first is not None
    assert again is not None
    assert first.scores == again.scores


def test_neighbours_come_from_the_training_split_alone(trained: Context) -> None:
    part = drawn(neighbours.compute(trained))
    places = part.tables["neighbours"]["training image"].str.extract(r"(\d+)")[0].astype(int)
    assert (places >= 20).all()
    assert part.scores["df"]["shortlist_recall"] == 1.0
    assert "40 of 40 of df" in part.methods[0]


def test_memorisation_is_reported_with_interval_and_resolution(trained: Context) -> None:
    part = drawn(memorisation.compute(trained))
    found = part.scores["df"]
    assert found["low"] <= found["share"] <= found["high"]
    assert found["groups"] == 30
    assert found["kid"]["gap"] is not None
    assert "would go unseen" in part.sentences[0]


def test_truncation_has_the_thresholds_of_table_3(trained: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    part = drawn(truncation.compute(trained))
    table = part.tables["truncation"]
    assert table["threshold"].tolist()[-1] == "real against real"
    for run, said in zip(part.scores, part.sentences, strict=True):
        assert f"biased at n = {part.scores[run]['n']}" in said
        assert "real against real" in said
    rows = table[table["run"] == "df"]
    assert rows["threshold"].tolist() == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, "none", "real against real"]
    assert {"frechet", "kid", "recall", "coverage"} <= set(table)


@pytest.mark.parametrize(("train", "test", "drawn"), [(92, 23, 250), (502, 166, 502), (5206, 2512, 1000)])
def test_no_more_images_are_drawn_than_there_are_real_ones_to_compare(
    monkeypatch: pytest.MonkeyPatch, train: int, test: int, drawn: int
) -> None:
    monkeypatch.setattr(runs, "GENERATED", 1000)  # other tests draw fewer
    monkeypatch.setattr(runs, "FEW", 250)
    rows = {"train": np.arange(train), "test": np.arange(test)}
    real: Any = SimpleNamespace(where=rows.__getitem__)
    run = runs.EvaluatedRun(real, "cpu", 0, cast(Any, None), Path(), "")
    assert run.scored == drawn
    assert [len(run.rows_used(split)) for split in rows] == [min(n, 1000) for n in (train, test)]


def test_a_gain_by_truncation_within_what_real_images_differ_is_not_called_one() -> None:
    table = pd.DataFrame({"threshold": [0.5, np.nan], "frechet": [5.5, 6.0]})
    for high, chance in ((6.5, True), (5.2, False)):
        real = {"real_frechet": 5.0, "real_frechet_low": 4.9, "real_frechet_high": high}
        assert ("which may be chance" in truncation._sentence("df", "distance", table, 23, real)) is chance


def test_numbers_in_sentences_have_a_minus_sign_and_never_a_hyphen() -> None:
    below = dict.fromkeys(("kid", "kid_low", "kid_high", "kid_untouched", "frechet", "real_frechet"), -0.00123)
    found = {"n": 30, "biased": True, "kernel_distance": "KID", "kid_p": 0.4, "real_groups": 12, **below}
    real = {f"real_frechet{end}": -1.5 for end in ("", "_low", "_high")}
    table = pd.DataFrame({"threshold": [0.5, np.nan], "frechet": [-4.0, -3.0]})
    said = [
        quality._sentence("df", "test", "distance", found),
        truncation._sentence("df", "distance", table, 30, real),
        overfitting._sentence({"run": "df", "gap": -0.1, "low": -0.2, "high": -0.05, "training_images": 9}, 1),
    ]
    for sentence in said:
        assert "−" in sentence
        assert "-" not in sentence
    assert "does not measurably rate" in said[2]


def test_an_observer_at_chance_is_not_said_to_distinguish() -> None:
    found = {"accuracy": 0.56, "low": 0.48, "high": 0.64}
    assert "does not measurably distinguish" in machine_observer._sentence("df", "pixels", found, 2)
    assert "on pixels distinguishes" in machine_observer._sentence("df", "pixels", {**found, "low": 0.51}, 1)


def test_a_set_too_small_to_compare_with_itself_is_left_out_by_name(trained: Context, tmp_path: Path) -> None:
    copy = Workspace.at(tmp_path / "copy")
    shutil.copytree(trained.workspace.root, copy.root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "FEWEST", 61)
        part = quality.compute(Context(copy, extractor="random", device="cpu"))
    assert part is not None
    assert part.scores == {}
    assert "The run 'df' is left out: its image set 'df' holds 60 images" in part.sentences[0]


def test_a_copy_of_a_run_replaces_nothing_and_a_damaged_one_stops_nothing(trained: Context, tmp_path: Path) -> None:
    before = quality.compute(trained)
    copy = Workspace.at(tmp_path / "copy")
    shutil.copytree(trained.workspace.root, copy.root)
    for name in ("df-backup", "df.old", "unreadable"):
        shutil.copytree(copy.root / "runs/df", copy.root / "runs" / name)
    (copy.root / "runs/unreadable/config.json").write_text("{")
    (copy.root / "runs/elsewhere").symlink_to(tmp_path / "unmounted")
    generator = copy.root / "runs/mel/generator.safetensors"
    damaged = bytearray(generator.read_bytes())
    damaged[-1] ^= 1
    generator.write_bytes(damaged)
    image = next((copy.root / "stimuli/df").glob("*.png"))
    image.write_bytes(image.read_bytes()[:-1])
    context = Context(copy, extractor="random", device="cpu")
    part = quality.compute(context)
    assert before is not None
    assert part is not None
    assert set(part.scores) == {"df", "df-backup"}
    assert part.scores["df"] == before.scores["df"]
    assert machine_observer.compute(context) is None
    said = "\n".join(context.notices)
    for words in (
        "runs/df-backup calls itself 'df'", "'df' and 'df-backup' have the same generator", "runs/df.old is left",
        "The run 'unreadable' is left out", "The run 'mel' is left out", "is damaged",
        "The stimulus set 'df' is left out", "runs/elsewhere is left out: it is a link to",
    ):  # fmt: skip
        assert words in said


def test_the_measures_of_shown_images_take_the_features_that_are_there(trained: Context) -> None:
    context = replace(trained, extractor="tests.analysis.test_compare:colours")
    quality.compute(context)
    machine_observer.compute(context)
    SEEN.clear()
    origin = translation.published_from(context, "df", inventory.shown_sets(context)["df"].made_from)
    measures = people_and_metrics._measured(context, "df", origin)
    assert measures[["nearest_training", "discriminator"]].notna().all(axis=None)
    assert SEEN == []


def test_a_run_finds_its_image_set_under_another_name(trained: Context, tmp_path: Path) -> None:
    moved = Workspace.at(tmp_path / "moved")
    shutil.copytree(trained.workspace.root, moved.root)
    (moved.root / "images/df").rename(moved.root / "images/skin")
    found, left_out = runs.evaluated_runs(Context(moved, device="cpu"))
    assert "df" in [run.name for run in found]
    assert not left_out


def test_beside_the_number_a_note_says_that_random_features_miss_layout(trained: Context) -> None:
    for module in (quality, truncation):
        part = drawn(module.compute(trained))
        assert all("grain and colour, not layout" in sentence for sentence in part.sentences)
        assert "grain and colour, not layout" in part.captions[part.name]


def test_overfitting_is_read_from_the_logs(trained: Context) -> None:
    part = drawn(overfitting.compute(trained))
    assert set(part.scores) == {"df", "mel"}
    assert part.scores["df"]["training_images"] == 40


def test_a_run_whose_log_lost_its_end_is_left_out_of_overfitting_by_name(trained: Context, tmp_path: Path) -> None:
    copy = Workspace.at(tmp_path / "copy")
    shutil.copytree(trained.workspace.root, copy.root)
    before = drawn(overfitting.compute(Context(copy)))
    log = copy.root / "runs" / "df" / "log.jsonl"
    log.write_text("")
    context = Context(copy)
    part = drawn(overfitting.compute(context))
    assert (set(before.scores), set(part.scores)) == ({"df", "mel"}, {"mel"})
    (told,) = context.notices
    assert told.startswith("'df' is left out of 'Overfitting of the discriminator': its log.jsonl ends at 0 of the ")


def test_the_machine_observer_detects_untrained_generators(trained: Context) -> None:
    part = drawn(machine_observer.compute(trained))
    for found in part.scores["df"]["observers"].values():
        assert found["accuracy"] > 0.9
        assert found["low"] < 1
    assert len(part.tables["machine-observer-images"]) == 32


def test_what_was_computed_with_other_weights_or_an_older_version_is_not_taken(
    trained: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key holds the weights themselves, not the file that `--weights` names or the word `auto`."""
    asked = []

    def cached(_: Context, name: str, inputs: dict[str, Any], *__: Any, **___: Any) -> dict[str, Any]:
        asked.append(inputs["extractor"])
        return {}

    monkeypatch.setattr(Context, "cached", cached)
    for module in (machine_observer, utility, quality, truncation, memorisation):
        with suppress(KeyError):  # of the result that is not there
            module.compute(trained)
    assert [len(extractor) for extractor in asked] == 5 * [64]


@pytest.mark.parametrize("cut", [0, 10, 700, -5])
def test_a_kept_part_that_is_cut_short_is_computed_again(trained: Context, tmp_path: Path, cut: int) -> None:
    context = Context(trained.workspace, cache=tmp_path)
    for _ in range(2):
        found = context.cached("some", {}, lambda: {"values": np.arange(300), "n": 1})
        assert found["values"].tolist() == list(range(300))
        file = next(tmp_path.glob("some-*.npz"))
        file.write_bytes(file.read_bytes()[:cut])


def test_a_kept_part_that_is_something_else_is_computed_again(trained: Context, tmp_path: Path) -> None:
    context = Context(trained.workspace, cache=tmp_path)
    context.cached("some", {}, lambda: {"n": 1})
    with next(tmp_path.glob("some-*.npz")).open("wb") as file:
        np.save(file, np.arange(3))
    assert context.cached("some", {}, lambda: {"n": 2}) == {"n": 2}


SECOND = """
import importlib, sys
from pathlib import Path
from analysis.section import Context
from glimpse.workspace import Workspace
context = Context(Workspace.at(Path(sys.argv[1])), extractor="random", device="auto")
for name in sys.argv[2:]:
    importlib.import_module(name).compute(context)
sys.exit("torch was loaded" if "torch" in sys.modules else 0)
"""


def test_an_unchanged_second_report_draws_no_image_and_loads_no_torch(trained: Context) -> None:
    modules = (overfitting, neighbours, truncation, quality, memorisation, machine_observer, utility)
    for module in modules:
        module.compute(trained)
    words = [str(trained.workspace.root), *(module.__name__ for module in modules)]
    subprocess.run([sys.executable, "-c", SECOND, *words], check=True)


@pytest.mark.parametrize("module", [machine_observer, utility, quality])
def test_an_extractor_that_gives_no_numbers_is_reported_in_a_sentence(
    module: ModuleType, trained: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = extractors.Extractor(
        "inception", "0" * 64, 4, lambda images: np.full((len(images), 4), np.nan, np.float32), 32
    )
    monkeypatch.setattr(extractors, "load", lambda *_, **__: broken)
    monkeypatch.setattr(features, "_loaded", {})
    with pytest.raises(AnalysisError, match="are not finite"):
        module.compute(Context(trained.workspace, extractor="inception", cache=tmp_path, device="cpu"))


def test_utility_compares_the_three_ways_of_training(trained: Context) -> None:
    part = drawn(utility.compute(trained))
    table = part.tables["utility-df-mel"]
    assert set(table["training"]) == {"real", "generated", "both"}
    real = table[(table["training"] == "real") & (table["share"] == 1) & (table["measure"] == "AUC")]
    assert real["mean"].item() > 0.9
    assert (table["low"] <= table["mean"]).all()


def test_an_empty_workspace_has_nothing_to_judge(workspace: Workspace) -> None:
    for module in (quality, neighbours, memorisation, truncation, overfitting, machine_observer, utility):
        assert module.compute(Context(workspace)) is None


def test_a_run_whose_image_set_was_made_again_is_left_out_with_a_sentence(trained: Context, tmp_path: Path) -> None:
    copy = Workspace.at(tmp_path / "copy")
    shutil.copytree(trained.workspace.root, copy.root)
    write_set(copy, "df", 7, 0.8)
    part = quality.compute(Context(copy, extractor="random", device="cpu"))
    assert part is not None
    assert set(part.scores) == {"mel"}
    assert any("'df' is left out" in sentence for sentence in part.sentences)


# ------------------------------------------------------------------------------------------------ on known features


def sample(n: int, seed: int, shift: float = 0.0) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).normal(size=(n, 8)) + shift).astype(np.float32)


def test_equal_distributions_are_not_told_apart_and_others_are() -> None:
    groups = np.arange(150)
    real, pool = Features(sample(150, 0)), Features(np.concatenate([sample(150, 0), sample(200, 1)]))
    for shift, differs in ((0.0, False), (0.5, True)):
        found = quality.compare(real, groups, Features(sample(150, 2, shift)), pool, np.arange(350))
        assert (found["kid_p"] < 0.05) is differs
        assert (found["kid_low"] > 0) is differs
        assert found["biased"]


def test_real_against_real_is_given_although_some_draws_hold_too_few_groups() -> None:
    """One photo gave a quarter of the images: a side that holds it has too few groups for precision and recall."""
    pool, groups = Features(sample(130, 0)), np.repeat(np.arange(11), [30, *[10] * 10])
    found = quality.compare(pool.take(np.arange(30, 130)), groups[30:], Features(sample(60, 1)), pool, groups)
    assert found["real_kid_low"] <= found["real_kid"] <= found["real_kid_high"]
    assert 0 <= found["real_precision"] <= 1


def test_real_against_real_shares_no_group() -> None:
    groups = np.repeat(np.arange(12), [1, 9, 3, 3, 3, 4, 5, 2, 8, 2, 6, 4])
    for seed in range(20):
        first, second = quality.two_samples(groups, 20, np.random.default_rng(seed), (12, 12))
        assert not set(groups[first]) & set(groups[second])
        assert len(first) == 20


def test_real_against_real_has_as_many_groups_as_the_comparison_beside_it() -> None:
    groups = np.arange(20).repeat(10)
    for count, held in ((50, 5), (80, 8)):  # five photos, or as many as it takes for 80 images
        first, second = quality.two_samples(groups, count, np.random.default_rng(0), (5, 200))
        assert (len(set(groups[first])), len(set(groups[second]))) == (held, 20 - held)
        assert len(first) == len(second) == count


def test_a_sample_of_few_images_holds_many_photos() -> None:
    groups = np.repeat(np.arange(8), [200, 5, 3, 100, 7, 50, 1, 30])
    rows = one_of_each(groups, np.random.default_rng(0))[:16]
    assert len(set(rows.tolist())) == 16
    assert sorted(np.bincount(groups[rows]).tolist()) == [1, 2, 2, 2, 2, 2, 2, 3]


def test_images_of_a_few_photos_are_measured_and_not_tested() -> None:
    pool, groups = Features(sample(200, 0)), np.repeat(np.arange(10), 20)
    for photos, tested, ranged in ((3, False, False), (5, True, False), (9, True, True)):
        n = 20 * photos
        found = quality.compare(pool.take(np.arange(n)), groups[:n], Features(sample(n, 1, 3.0)), pool, groups)
        assert found["real_groups"] == photos
        assert (found["kid_p"] is not None) is tested
        assert (found["kid_low"] is not None) is ranged
        assert ("fewer than 8" in found.get("note", "")) is not ranged
        assert (
            "too few for a test" in quality._sentence("run", "test", "distance", found | {"kernel_distance": "KID"})
        ) is not tested


def test_the_observer_finds_nothing_where_there_is_nothing_and_is_not_fooled_by_groups() -> None:
    """Ten images per group, alike within it: a classifier tested on groups it was trained on would find them all."""
    rng = np.random.default_rng(0)
    groups = np.arange(40).repeat(10)
    x = rng.normal(size=(40, 30)).repeat(10, axis=0) + 0.1 * rng.normal(size=(400, 30))
    generated = groups % 2 == 0
    probability = machine_observer.cross_validated(x, generated, groups)
    found = machine_observer.accuracy_and_auc(probability, generated, groups)
    assert found["low"] < 0.5 < found["high"]
    with pytest.raises(AnalysisError, match="not finite"):
        machine_observer.cross_validated(np.where(x > 2, np.nan, x), generated, groups)
    with pytest.raises(AnalysisError, match="at least two groups"):
        machine_observer.cross_validated(x, generated, (~generated).astype(int))


def test_the_observers_interval_is_that_of_the_mean_of_both_classes() -> None:
    """20 groups of each class, half of them right: a mean over groups has SD sqrt(0.25 / 20), of both classes less."""
    generated = np.repeat([True, False], 20)
    probability = np.tile([0.9, 0.1], 20)
    found = machine_observer.accuracy_and_auc(probability, generated, np.arange(40))
    half = 1.96 * np.sqrt(0.25 / 20 / 2)
    assert found["accuracy"] == 0.5
    assert (found["low"], found["high"]) == pytest.approx((0.5 - half, 0.5 + half), abs=0.03)


def test_an_observer_that_is_always_right_has_jeffreys_interval_over_groups() -> None:
    generated = np.repeat([True, False], 10)
    found = machine_observer.accuracy_and_auc(generated.astype(float), generated, np.arange(20))
    drawn = np.random.default_rng(1).beta(10.5, 0.5, (200_000, 2)).mean(axis=1)
    assert found["accuracy"] == 1
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.01)


def test_the_interval_of_a_learning_curve_is_students_over_five_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values 0.50 to 0.54: mean 0.52, SD 0.0158114, t with four degrees of freedom 2.776."""
    monkeypatch.setattr(utility, "trained_and_tested", lambda *given: (0.5 + given[-1] / 100, 0.5))
    some, groups = np.zeros((10, 2)), np.arange(10)
    curves = utility.learning_curves((some, some), (groups, groups), (some, some), (some, some), (groups, groups))
    row = curves[(curves["measure"] == "balanced accuracy") & (curves["training"] == "both")].iloc[0]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((0.52, 0.52 - 0.043893, 0.52 + 0.043893), abs=1e-5)


def test_generated_images_help_where_real_ones_are_few_and_they_are_good() -> None:
    def side(n: int, seed: int, shift: float) -> NDArray[np.float32]:
        return np.random.default_rng(seed).normal(size=(n, 12)).astype(np.float32) + np.float32(shift)

    curves = utility.learning_curves(
        (side(40, 0, 0), side(40, 1, 0.5)), (np.arange(40), np.arange(40)), (side(400, 2, 0), side(400, 3, 0.5)),
        (side(200, 4, 0), side(200, 5, 0.5)), (np.arange(200), np.arange(200)),
    )  # fmt: skip
    auc = curves[curves["measure"] == "AUC"].set_index(["training", "share"])["mean"]
    assert auc["both", 0.1] > auc["real", 0.1] + 0.05
    assert isinstance(curves, pd.DataFrame)


def test_the_words_of_the_report_take_the_names_of_distances_from_the_features() -> None:
    """On other features than the published Inception's none is called KID or FID alone."""
    for path in (Path(runs.__file__).parents[1] / "report" / "templates").rglob("*.md"):
        assert not re.search(r"\b[KF]ID\b", path.read_text("utf-8")), path.name
