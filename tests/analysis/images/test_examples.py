"""The examples in the docstrings of the image metrics give what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from analysis.images import distances, features, kid, ssim


@pytest.mark.parametrize("module", [distances, features, kid, ssim], ids=lambda module: module.__name__)
def test_examples_run(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
