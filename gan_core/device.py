"""The device to compute on. Importing this does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_core.experiments import TrainingError

if TYPE_CHECKING:
    import torch


def pick_device(name: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`; `auto` is the GPU if there is one.

    Raises TrainingError for `cuda` without a usable GPU.
    """
    if name == "cpu":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise TrainingError("This PyTorch finds no CUDA device: leave out --device, or use --device cpu.")
    return "cpu"


def computes_bf16(device: torch.device) -> bool:
    """Whether a device computes convolutions in bf16: GPUs from compute capability 8.0 (Ampere), processors with AMX.

    `torch.cuda.is_bf16_supported` also says yes for older GPUs, which convert each number and lack such convolutions.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return hasattr(torch.cpu, "get_capabilities") and bool(torch.cpu.get_capabilities().get("amx_bf16"))


def fast_device(name: str) -> str:
    """`pick_device`, with TF32 and cuDNN's autotuning switched on for a GPU: for networks, not for metrics."""
    device = pick_device(name)
    if device == "cuda":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    return device
