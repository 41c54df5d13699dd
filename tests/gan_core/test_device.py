"""The device to compute on."""

from __future__ import annotations

import pytest
import torch

from gan_core.device import fast_device, pick_device
from gan_core.experiments import TrainingError


def test_a_missing_gpu_is_reported_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == "cpu"
    with pytest.raises(TrainingError, match="no CUDA device"):
        pick_device("cuda")


def test_only_networks_get_the_fast_settings_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    try:
        assert pick_device("auto") == "cuda"
        assert (cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32) == before
        assert fast_device("auto") == "cuda"
        assert (cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32) == (True, True, True)
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before
