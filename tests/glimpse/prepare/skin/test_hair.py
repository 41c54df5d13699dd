"""A hair is a dark line that is thin and long."""

from __future__ import annotations

import numpy as np
import pytest

from glimpse.prepare.skin.hair import line_depth


@pytest.mark.parametrize(("length", "depth"), [(27, 40.0), (9, 0.0)], ids=["three segments", "one segment"])
def test_a_line_counts_where_three_segments_of_it_are_dark(length: int, depth: float) -> None:
    grey = np.full((60, 60), 100, np.float32)
    grey[30, 30 - length // 2 : 30 + length // 2 + 1] = 60
    found = line_depth(grey)
    assert found[30, 30] == depth
    assert found.max() == depth
