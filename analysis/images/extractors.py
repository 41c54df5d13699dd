"""The networks that turn images into features: torch-fidelity's (Inception, DINOv2, CLIP) and a random one.

This is the only module that imports torch-fidelity, and so the only place that has to know two of its traps: beside a
CPU-only torch its import of torchvision fails (`import_torch_fidelity`), and it unpickles whatever file it is given
(`_checked_weights` reads the file as plain tensors first).
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from analysis import EXTRACTORS
from analysis.section import AnalysisError
from glimpse.files import sha256_file
from glimpse.images import evenly

OFFICIAL_INCEPTION, OFFICIAL_DINOV2 = "6726825d", "b938bf1b"  # how the SHA-256 of the published weights begins
DINOV2_URL = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth"
# torch-fidelity's name of the network, the layers asked for, and how many of the columns are class logits
NETWORKS = {
    "inception": ("inception-v3-compat", ("2048", "logits_unbiased"), 1008),
    "dinov2": ("dinov2-vit-s-14", ("dinov2",), 0),
    "clip": ("clip-vit-b-32", ("clip",), 0),
}

RANDOM_WIDTHS = (16, 32, 64, 128, 256)
RANDOM_SIDE = 128
RANDOM_COMPONENTS = 16  # of each network; with 32 and 64 a distance of other classes from its noise is smaller
CALIBRATION = 512


@dataclass(frozen=True)
class Extractor:
    """A network ready for use: `forward` takes (B, H, W, 3) uint8 of any size, gives (B, dims + classes) float32."""

    name: str
    key: str  # SHA-256 of what its numbers depend on: weights, layers, input size
    dims: int
    blocks: int  # independent networks side by side in the columns, each of dims / blocks features
    classes: int  # columns of class logits after the features (Inception score), or 0
    side: int  # images are resized to a square of this side
    official: bool  # are these the published weights, so that the distance may bear its published name?
    forward: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    @property
    def distance(self) -> str:
        """What the Fréchet distance on these features is called; only the official Inception's is an FID."""
        if self.name == "random":
            return "random-feature Fréchet distance"
        if self.official:
            return {"inception": "FID", "dinov2": "Fréchet DINOv2 distance", "clip": "Fréchet CLIP distance"}[self.name]
        return f"Fréchet distance ({self.name} with weights {self.key[:8]})"


def load(
    name: str,
    *,
    calibration: NDArray[np.uint8] | None = None,
    weights: Path | None = None,
    seeds: tuple[int, ...] = (0, 1, 2),
    device: str = "cpu",
) -> Extractor:
    """The extractor `name`; `calibration` (n, H, W, 3), the training images, is needed by `random` alone.

    Raises AnalysisError for an unknown name and for weights that cannot be had, are damaged, are not what the hash in
    their file name promises, or are given to the random one, which has none.
    """
    if name == "random":
        if weights is not None:
            raise AnalysisError(f"The random extractor takes no weights: leave out --weights {weights} or --extractor.")
        if calibration is None or len(calibration) < 2:
            raise AnalysisError("The random extractor is calibrated on training images: it needs at least two.")
        return _random(evenly(calibration, CALIBRATION), seeds, device)
    if name not in NETWORKS:
        raise AnalysisError(f"There is no feature extractor '{name}': choose from {', '.join(EXTRACTORS)}.")
    return _torch_fidelity(name, weights, device)


# ------------------------------------------------------------------------------------------------ random features


class RandomNetwork(nn.Module):
    """A convolutional network that was never trained: He-initialised, batch norm calibrated on the images at hand.

    The mean of each map at each of five scales, then the leading principal components of these over the calibration
    images, whitened: without them brightness, which moves every map, drowns all else. Half of the first filters have
    zero mean, so that fine grain, and the lack of it, is seen beside brightness. Without calibrated batch norm
    (PyTorch's default initialisation, identity statistics) such features carry no signal at all.
    """

    mean: torch.Tensor
    projection: torch.Tensor

    def __init__(self, seed: int, components: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for width in RANDOM_WIDTHS:
            convolution = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu", generator=generator)
            self.convolutions.append(convolution)
            self.norms.append(nn.BatchNorm2d(width, affine=False, momentum=1.0))  # statistics of one calibration batch
            channels = width
        first: Any = self.convolutions[0].weight.data
        first = first[RANDOM_WIDTHS[0] // 2 :]
        first -= first.mean((2, 3), keepdim=True)
        self.register_buffer("mean", torch.zeros(sum(RANDOM_WIDTHS)))
        self.register_buffer("projection", torch.zeros(sum(RANDOM_WIDTHS), components))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        whitened = (self.pooled(images) - self.mean) @ self.projection
        return torch.asinh(whitened)  # so that one odd image (a ruler, a black corner) cannot carry the cubic kernel

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        x, means = images, []  # (B, 3, side, side) in [-1, 1]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(norm(convolution(x)))
            means.append(x.mean((2, 3)))
        return torch.cat(means, 1)

    @torch.no_grad()
    def calibrate(self, images: torch.Tensor) -> None:
        self.train()
        self(images)
        self.eval()
        pooled = self.pooled(images).double()
        centred, sd = pooled - pooled.mean(0), pooled.std(0)
        scale = torch.where(sd > 1e-6, 1 / sd, torch.zeros_like(sd))  # a dead map stays at zero
        _, lengths, directions = torch.linalg.svd(centred * scale, full_matrices=False)
        count = self.projection.shape[1]
        spread = (lengths[:count] / (len(pooled) - 1) ** 0.5).clamp_min(1e-3)
        self.mean.copy_(pooled.mean(0))
        self.projection.copy_(scale[:, None] * directions[:count].T / spread)


def _random(calibration: NDArray[np.uint8], seeds: tuple[int, ...], device: str) -> Extractor:
    side = min(RANDOM_SIDE, max(calibration.shape[1:3]))

    def prepared(images: NDArray[np.uint8]) -> torch.Tensor:
        x = to_tensor(images, device).float() / 127.5 - 1
        if x.shape[2:] != (side, side):
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)
        return x

    components = min(RANDOM_COMPONENTS, max(2, len(calibration) // 4))
    networks = [RandomNetwork(seed, components).to(device) for seed in seeds]
    for network in networks:
        network.calibrate(prepared(calibration))

    @torch.inference_mode()
    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = prepared(images)
        return torch.cat([network(x) for network in networks], 1).cpu().numpy()

    identity = hashlib.sha256(f"random 1 {RANDOM_WIDTHS} {components} {side} {seeds} {calibration.shape}".encode())
    identity.update(np.ascontiguousarray(calibration).data)
    return Extractor("random", identity.hexdigest(), len(seeds) * components, len(seeds), 0, side, True, forward)


# ------------------------------------------------------------------------------------------------ torch-fidelity


_declared: list[Any] = []  # keeps the operator declarations below alive


def import_torch_fidelity() -> ModuleType:
    """torch-fidelity, also beside a CPU-only torch.

    There `import torchvision`, which torch-fidelity does, dies with "operator torchvision::nms does not exist": its
    compiled half belongs to the CUDA build (pytorch/vision#9085). Declaring the operators it misses is enough, as
    nothing here calls them; that is done only after the import has failed.
    """
    for operator in ("nms", "qnms", None):
        try:
            import_module("torchvision")

            break
        except RuntimeError as error:
            if operator is None or f"torchvision::{operator} " not in str(error):
                raise
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _declared.append(library)
    import torch_fidelity

    return torch_fidelity


def official_weights(name: str) -> Path:
    """Where torch's hub keeps (or will keep) the published weights of an extractor, as torch-fidelity names them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / _published(name)[2]


def _published(name: str) -> tuple[str, str, str]:
    """The address of the published weights, how their SHA-256 begins, and the name of their file."""
    import_torch_fidelity()
    from torch_fidelity import feature_extractor_clip as clip
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    if name == "clip":
        network = NETWORKS["clip"][0]
        sha256 = clip.MODEL_METADATA[network]["hash"]
        return clip.MODEL_URLS[network], sha256, f"{network}-{sha256}.pt"
    url, sha256 = {
        "inception": (inception.URL_INCEPTION_V3, OFFICIAL_INCEPTION), "dinov2": (DINOV2_URL, OFFICIAL_DINOV2),
    }[name]  # fmt: skip
    return url, sha256, url.rpartition("/")[2]


def _torch_fidelity(name: str, weights: Path | None, device: str) -> Extractor:
    import_torch_fidelity()
    from torch_fidelity.utils import create_feature_extractor

    path, sha256, official = _checked_weights(name, weights)
    network_name, layers, classes = NETWORKS[name]
    arguments = {} if name == "dinov2" else {"feature_extractor_weights_path": str(path)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name == "dinov2":
                network = _dinov2(path)
            else:
                network = create_feature_extractor(network_name, list(layers), cuda=False, verbose=False, **arguments)
    except (RuntimeError, KeyError, ValueError, AttributeError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":.")
        raise AnalysisError(
            f"{path} does not hold the weights of {network_name} ({reason}): give the published file with --weights."
        ) from None
    network.to(device)

    @torch.inference_mode()
    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return torch.cat(network(to_tensor(images, device)), 1).cpu().numpy()

    side = int(str(getattr(network, "INPUT_IMAGE_SIZE", 0) or network.resolution))
    width = forward(np.zeros((1, side, side, 3), np.uint8)).shape[1]
    key = hashlib.sha256(f"{network_name} {layers} {sha256}".encode()).hexdigest()
    return Extractor(name, key, width - classes, 1, classes, side, official, forward)


def _dinov2(path: Path) -> nn.Module:
    """torch-fidelity's DINOv2, which takes no file of weights: the same network from torch's hub, with the file's."""
    from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

    hub: Any = torch.hub
    load = hub.load

    def untrained(repo: Any, model: Any, *_: Any, **__: Any) -> Any:
        try:
            return load(repo, model, pretrained=False, trust_repo=True, verbose=False)
        except (OSError, RuntimeError) as error:  # the hub says RuntimeError when it finds no network
            raise AnalysisError(
                f"The code of DINOv2 cannot be downloaded from github.com/facebookresearch/dinov2 ({error}): "
                f"put it into {torch.hub.get_dir()} or choose another extractor."
            ) from None

    hub.load = untrained
    try:
        network: nn.Module = FeatureExtractorDinoV2(NETWORKS["dinov2"][0], ["dinov2"])
    finally:
        hub.load = load
    model: Any = network.model
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network


def _checked_weights(name: str, given: Path | None) -> tuple[Path, str, bool]:
    """A file of weights that is whole and is what its name says: path, SHA-256, and whether it is the official one."""
    url, prefix, _ = _published(name)
    path = given or official_weights(name)
    if given is None and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=prefix, progress=True)
        except (OSError, RuntimeError) as error:
            raise AnalysisError(
                f"The weights of {name} cannot be downloaded from {url} ({error}): download them elsewhere and give "
                "the file with --weights, or use --extractor random."
            ) from None
    if not path.is_file():
        raise AnalysisError(f"There is no file of weights {path}: check --weights.")
    sha256 = sha256_file(path)
    named = re.search(r"-([0-9a-f]{8,64})\.", path.name)  # torch.hub's convention
    promised = prefix if given is None else named[1] if named and not named[1].isdigit() else ""  # digits: a date
    if not sha256.startswith(promised):
        raise AnalysisError(
            f"{path} is not what its name promises: its SHA-256 begins with {sha256[:8]}, not {promised[:8]}. "
            "It may be truncated: download it again."
        )
    try:
        if name == "clip":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.jit.load(str(path), map_location="cpu")
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()):
                raise TypeError
    except Exception:  # torch raises many kinds for what is no file of named tensors
        raise AnalysisError(
            f"{path} cannot be read as weights; it may be truncated: download it again (the SHA-256 of {name}'s begins "
            f"with {prefix[:8]})."
        ) from None
    return path, sha256, sha256.startswith(prefix)


def to_tensor(images: NDArray[np.uint8], device: str) -> torch.Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) uint8 on the device."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, 3, 1))).to(device)
