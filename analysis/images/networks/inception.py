"""torch-fidelity's Inception: check its weights and load the network.

This is the only module that imports torch-fidelity, and it works around two problems: with a CPU-only torch its import
of torchvision fails (`import_torch_fidelity`), and it unpickles any file that it is given (`checked_weights` first
reads the file as plain tensors).
"""

from __future__ import annotations

import re
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from analysis.section import OptionError
from glimpse.files import sha256_file

NETWORK, LAYERS, CLASSES = "inception-v3-compat", ("2048", "logits_unbiased"), 1008
PUBLISHED = "weights-inception-2015-12-05-6726825d.pth"  # looked for without importing torch-fidelity: 4 s faster
OFFICIAL = "6726825d"  # the beginning of their SHA-256

_declared: list[Any] = []  # keeps the operator declarations below alive


def import_torch_fidelity() -> ModuleType:
    """Import torch-fidelity, even with a CPU-only torch.

    torch-fidelity imports torchvision, which then fails with "operator torchvision::nms does not exist", because its
    compiled part belongs to the CUDA build (pytorch/vision#9085). Declaring the missing operators is enough, as nothing
    here calls them; that is done only after the import has failed.
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


def official_weights() -> Path:
    """The file in which torch's hub stores the published weights after downloading them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED


def _url() -> str:
    import_torch_fidelity()
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return str(URL_INCEPTION_V3)


def load(weights: Path | None, device: str) -> tuple[nn.Module, str, bool]:
    """torch-fidelity's network for uint8 (B, 3, H, W), the SHA-256 of its weights, and whether they are official.

    Without `weights` the published file is used, and downloaded if necessary. Raises OptionError for weights that are
    missing, damaged, or not Inception's.
    """
    import_torch_fidelity()
    from torch_fidelity.utils import create_feature_extractor

    path, sha256, official = checked_weights(weights)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: nn.Module = create_feature_extractor(
                NETWORK, list(LAYERS), cuda=False, verbose=False, feature_extractor_weights_path=str(path)
            )
    except (RuntimeError, KeyError, ValueError, AttributeError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":.")
        raise OptionError(
            f"{path} does not hold the weights of {NETWORK} ({reason}): give the published file with --weights."
        ) from None
    return network.to(device), sha256, official


def checked_weights(given: Path | None) -> tuple[Path, str, bool]:
    """The path and SHA-256 of a readable file of weights that matches its name, and whether it is the official one."""
    path = given or official_weights()
    if given is None and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(_url(), str(path), hash_prefix=OFFICIAL, progress=True)
        except (OSError, RuntimeError) as error:
            raise OptionError(
                f"Inception's weights cannot be downloaded from {_url()} ({error}): download them elsewhere and give "
                "the file with --weights, or use --extractor imagenet."
            ) from None
    if not path.is_file():
        raise OptionError(f"The file of weights {path} does not exist: check --weights.")
    sha256 = sha256_file(path)
    named = re.search(r"-([0-9a-f]{8,64})\.", path.name)  # torch.hub's convention
    promised = OFFICIAL if given is None else named[1] if named and not named[1].isdigit() else ""  # digits: a date
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
    return path, sha256, sha256.startswith(OFFICIAL)
