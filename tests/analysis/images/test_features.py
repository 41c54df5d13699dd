"""Claims about features: the numbers of torch-fidelity, one cache entry for one set of weights and images."""

from __future__ import annotations

import json
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.images import extractors, features
from analysis.images.distances import (
    Units,
    frechet_distance,
    inception_score,
    kernel_mean,
    kid,
    precision_recall,
)
from analysis.section import AnalysisError, Context
from analysis.sections import neighbours
from glimpse.files import sha256_file
from glimpse.workspace import Workspace
from tests.analysis.pictures import textures


def random_extractor(seed: int = 0, **options: Any) -> extractors.Extractor:
    return extractors.load("random", calibration=textures(64, seed=seed), **options)


def extracted(
    extractor: extractors.Extractor, images: NDArray[np.uint8], folder: Path | None = None, source: str | None = None
) -> features.Features:
    return features.extract(
        extractor, features.batches(images), len(images), source=source, folder=folder, progress=False
    )


# ------------------------------------------------------------------------------------------------ the oracle


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights of Inception's shape that this test made: He-initialised, so that its features are alive."""
    extractors.import_torch_fidelity()
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    path = tmp_path_factory.mktemp("weights") / "made-by-a-test.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(inception.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        network = inception.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(network.state_dict(), path)
    return path


class Pictures(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


def calculate_metrics(
    one: NDArray[np.uint8], other: NDArray[np.uint8], weights: Path | None, network: str = "inception-v3-compat",
    **options: Any,
) -> Any:  # fmt: skip
    torch_fidelity = extractors.import_torch_fidelity()
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
    extractors.import_torch_fidelity()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    monkeypatch.setattr(FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", 75)  # not 299, for both
    one, other = textures(70, seed=0), textures(70, seed=1, grain=2.0)
    layers = {f"feature_layer_{metric}": "64" for metric in ("fid", "kid", "prc")}
    expected = calculate_metrics(one, other, inception_weights, fid=True, kid=True, prc=True, **layers)
    monkeypatch.setitem(extractors.NETWORKS, "inception", ("inception-v3-compat", ("64",), 0))
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


@pytest.fixture(scope="module")
def clip_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like CLIP's, a traced network with a text side, of a small vision transformer that this test made."""
    extractors.import_torch_fidelity()
    from torch_fidelity.feature_extractor_clip import CLIPVisual

    path = tmp_path_factory.mktemp("weights") / "made-by-a-test.pt"
    torch.manual_seed(0)
    model = CLIPVisual(embed_dim=16, image_resolution=32, vision_layers=2, vision_width=64, vision_patch_size=8)
    model.forward = lambda images: model.visual(images)
    model.text_projection = torch.nn.Parameter(torch.zeros(8, 16))
    model.logit_scale = torch.nn.Parameter(torch.ones([]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(model.eval(), torch.rand(1, 3, 32, 32)), str(path))
    return path


def test_clip_is_that_of_torch_fidelity(clip_weights: Path) -> None:
    one, other = textures(30, seed=0), 255 - textures(30, seed=1, grain=2.0)
    expected = calculate_metrics(one, other, clip_weights, "clip-vit-b-32", fid=True, kid=True)
    extractor = extractors.load("clip", weights=clip_weights)
    assert (extractor.dims, extractor.side) == (16, 32)
    assert extractor.distance.startswith("Fréchet distance (clip with weights ")
    x, y = extracted(extractor, one), extracted(extractor, other)
    assert frechet_distance(x, y) == pytest.approx(expected["frechet_inception_distance"], rel=1e-6)
    scale = kernel_mean(x.values, y.values)
    assert kid(x.values, y.values) == pytest.approx(expected["kernel_inception_distance_mean"], abs=1e-6 * scale)


class Small(torch.nn.Module):
    """Stands for DINOv2's network, whose code comes from GitHub."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Conv2d(3, 8, 14, stride=14)

    def forward(self, images: torch.Tensor) -> Any:
        return self.head(images).relu().mean((2, 3))


def test_dinov2_is_that_of_torch_fidelity_with_the_weights_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch-fidelity itself takes no file of weights for it, so the hub gives its side a network that has them."""
    torch.manual_seed(0)
    published, path = Small(), tmp_path / "made-by-a-test.pth"
    torch.save(published.state_dict(), path)

    def hub(repository: str, model: str, *, pretrained: bool = True, **_: Any) -> torch.nn.Module:
        assert (repository, model) == ("facebookresearch/dinov2", "dinov2_vits14")
        return published if pretrained else Small()

    monkeypatch.setattr(torch.hub, "load", hub)
    one, other = textures(30, seed=0), textures(30, seed=1, grain=2.0)
    expected = calculate_metrics(one, other, None, "dinov2-vit-s-14", fid=True)
    extractor = extractors.load("dinov2", weights=path)
    assert torch.hub.load is hub
    assert (extractor.dims, extractor.side) == (8, 224)
    x, y = extracted(extractor, one), extracted(extractor, other)
    assert frechet_distance(x, y) == pytest.approx(expected["frechet_inception_distance"], rel=1e-6)

    for error in (OSError("no network"), RuntimeError("the repo could not be found in the cache")):

        def unreachable(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr(torch.hub, "load", unreachable)
        with pytest.raises(AnalysisError, match="code of DINOv2 cannot be downloaded"):
            extractors.load("dinov2", weights=path)


# ------------------------------------------------------------------------------------------------ weights


def test_a_truncated_file_of_weights_is_named(inception_weights: Path, tmp_path: Path) -> None:
    broken = tmp_path / "w.pth"
    broken.write_bytes(inception_weights.read_bytes()[:1000])
    with pytest.raises(AnalysisError, match=r"w\.pth cannot be read as weights; it may be truncated"):
        extractors.load("inception", weights=broken)


def test_a_file_that_is_not_what_its_name_promises_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(AnalysisError, match=r"not what its name promises.*not 6726825d"):
        extractors.load("inception", weights=path)


@pytest.mark.parametrize("name", ["inception", "dinov2", "clip"])
def test_a_kept_download_that_is_not_the_published_file_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = extractors.official_weights(name)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut short")
    with pytest.raises(AnalysisError, match="not what its name promises"):
        extractors.load(name)


def test_weights_that_cannot_be_downloaded_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(AnalysisError, match=r"cannot be downloaded from https:.*--weights, or use --extractor random"):
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
    with pytest.raises(AnalysisError, match="There is no file of weights"):
        extractors.load("clip", weights=tmp_path / "none.pt")


@pytest.mark.parametrize("held", [[1, 2, 3], torch.zeros(3), {0: torch.zeros(2)}, {"a": 1.0}, "hello world"])
def test_a_file_that_holds_no_named_tensors_is_refused(held: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.pth"
    if isinstance(held, str):
        path.write_text(held)
    else:
        torch.save(held, path)
    with pytest.raises(AnalysisError, match=r"list\.pth cannot be read as weights"):
        extractors.load("inception", weights=path)


def test_a_date_in_the_name_of_a_file_of_weights_is_no_hash(inception_weights: Path, tmp_path: Path) -> None:
    dated = tmp_path / "inception-20241101.pth"
    dated.write_bytes(inception_weights.read_bytes())
    assert extractors.load("inception", weights=dated).name == "inception"


def test_weights_for_the_random_extractor_are_not_silently_left_unread(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"takes no weights: leave out --weights .*w\.pth"):
        random_extractor(weights=tmp_path / "w.pth")


def test_a_gpu_that_is_not_there_is_missed_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert features.device_of("auto") == features.device_of("cpu") == "cpu"
    with pytest.raises(AnalysisError, match="no CUDA device"):
        features.device_of("cuda")


def test_an_unknown_extractor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(AnalysisError, match="choose from inception, dinov2, clip, random"):
        extractors.load("vgg")


def test_without_weights_at_hand_auto_is_random(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "official_weights", lambda name: Path("/nowhere"))
    extractor = features.extractor_for(Context(workspace), textures(40, seed=0))
    assert extractor.name == "random"
    assert extractor.distance == "random-feature Fréchet distance"


# ------------------------------------------------------------------------------------------------ random features


def test_random_features_are_the_same_for_the_same_seeds_and_calibration() -> None:
    images = textures(5, seed=9)
    np.testing.assert_array_equal(
        extracted(random_extractor(), images).values, extracted(random_extractor(), images).values
    )
    assert random_extractor().key == random_extractor().key
    assert random_extractor().key != random_extractor(seed=1).key
    assert random_extractor().key != random_extractor(seeds=(5, 6, 7)).key


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

    again = features.extract(extractor, unread(), 70, source="images a", folder=tmp_path, progress=False)
    np.testing.assert_array_equal(first.values, again.values)


def test_images_stream_in_bounded_memory(tmp_path: Path) -> None:
    extractor, drawn = random_extractor(), textures(64, seed=0, size=64)  # 0.75 MiB a batch
    peaks = []
    for count in (2, 30):
        tracemalloc.start()
        stream = (drawn + np.uint8(i) for i in range(count))
        features.extract(extractor, stream, 64 * count, source=f"{count}", folder=tmp_path, progress=False)
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
        description.write_text(json.dumps({**json.loads(description.read_text()), "format": 0}))
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
    with pytest.raises(AnalysisError, match="20 images were promised and 10 came"):
        features.extract(random_extractor(), [images], 20, source="a", folder=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_more_images_than_promised_are_refused() -> None:
    with pytest.raises(AnalysisError, match="8 images were promised and more came"):
        features.extract(random_extractor(), [textures(10, seed=0)], 8, progress=False)


@pytest.mark.parametrize(
    "images",
    [textures(3, seed=0) / 255, textures(3, seed=0)[..., 0], textures(3, seed=0)[..., :1], textures(3, seed=0)[:0]],
    ids=["fractions", "grey", "one channel", "none"],
)
def test_what_is_no_colour_image_is_refused_wherever_images_are_taken(images: NDArray[Any]) -> None:
    good = textures(5, seed=0)
    with pytest.raises(AnalysisError, match=r"must be \(n, H, W, 3\) of type uint8"):
        features.extract(random_extractor(), [images], len(images), progress=False)
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
def test_features_that_are_no_distribution_are_refused(rows: int, message: str) -> None:
    values = np.zeros((rows, 3), np.float32)
    values[-1] = np.inf
    with pytest.raises(AnalysisError, match=message):
        features.checked(values)
