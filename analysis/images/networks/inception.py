"""torch-fidelity's Inception: check its weights and load the network.

Only the module of torch-fidelity that defines the network is imported (`network_code`). Since torch-fidelity unpickles
any file that it is given, `checked_weights` first reads the file as plain tensors.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from analysis.section import OptionError
from glimpse.files import sha256_file

NETWORK, LAYERS, CLASSES = "inception-v3-compat", ("2048", "logits_unbiased"), 1008
PUBLISHED = "weights-inception-2015-12-05-6726825d.pth"
OFFICIAL = "6726825d"  # the beginning of their SHA-256


def network_code() -> ModuleType:
    """The module of torch-fidelity that defines Inception, without the package's other modules.

    Those import torchvision, which takes 3 s, and fails with a CPU-only torch (pytorch/vision#9085).
    """
    package, name = "torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"
    spec = find_spec(package)
    if package in sys.modules or spec is None:
        return import_module(name)
    sys.modules[package] = module_from_spec(spec)  # its __init__ is not executed
    try:
        return import_module(name)
    finally:
        del sys.modules[package]  # so that the whole package can still be imported


def official_weights() -> Path:
    """The file in which torch's hub stores the published weights after downloading them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED


def load(weights: Path | None, device: str) -> tuple[nn.Module, str, bool]:
    """torch-fidelity's network for uint8 (B, 3, H, W), the SHA-256 of its weights, and whether they are official.

    Without `weights` the published file is used, and downloaded if necessary. Batch norm is folded into the
    convolutions. Raises OptionError for weights that are missing, damaged, or not Inception's.
    """
    path, sha256, official = checked_weights(weights)
    try:
        network: nn.Module = network_code().FeatureExtractorInceptionV3(NETWORK, list(LAYERS), str(path))
    except (RuntimeError, KeyError, ValueError, AttributeError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":.")
        raise OptionError(
            f"{path} does not hold the weights of {NETWORK} ({reason}): give the published file with --weights."
        ) from None
    layers: list[Any] = [module for module in network.modules() if hasattr(module, "bn")]
    for layer in layers:
        layer.conv, layer.bn = fuse_conv_bn_eval(layer.conv, layer.bn), nn.Identity()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster by a third on a CPU
    return network.to(device), sha256, official


def checked_weights(given: Path | None) -> tuple[Path, str, bool]:
    """The path and SHA-256 of a readable file of weights that matches its name, and whether it is the official one."""
    path = given or official_weights()
    if given is None and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        url = network_code().URL_INCEPTION_V3
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=OFFICIAL, progress=True)
        except (OSError, RuntimeError) as error:
            raise OptionError(
                f"Inception's weights cannot be downloaded from {url} ({error}): download them elsewhere and give "
                "the file with --weights, or use --extractor imagenet."
            ) from None
    if not path.is_file():
        raise OptionError(f"The file of weights {path} does not exist: check --weights.")
    status = path.stat()
    sha256 = _checked(path, given is None, status.st_size, status.st_mtime_ns)
    return path, sha256, sha256.startswith(OFFICIAL)


@cache
def _checked(path: Path, official: bool, *_: int) -> str:
    """The SHA-256 of a file of weights, which is read once as long as its size and time stay the same."""
    sha256 = sha256_file(path)
    named = re.search(r"-([0-9a-f]{8,64})\.", path.name)  # torch.hub's convention
    promised = OFFICIAL if official else named[1] if named and not named[1].isdigit() else ""  # digits: a date
    if not sha256.startswith(promised):
        raise OptionError(
            f"{path} does not match the hash in its name: its SHA-256 begins with {sha256[:8]}, not {promised[:8]}. "
            "It may be truncated: download it again."
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items()):
            raise TypeError
    except Exception:  # torch raises many kinds for a file without named tensors
        raise OptionError(
            f"{path} cannot be read as weights; it may be truncated: download it again (the SHA-256 of Inception's "
            f"begins with {OFFICIAL})."
        ) from None
    return sha256
