"""Claims about the report's words on memorisation."""

from __future__ import annotations

import numpy as np

from analysis.images.copying.verdict import judge
from analysis.sections.images.memorisation import _sentence


def test_the_sentence_names_the_copies_that_the_test_would_miss() -> None:
    held_out = np.linspace(0.5, 1, 60)
    recognised = {"exact": 1.0, "mirrored": 0.98, "blended with another image": 0.4}
    said = _sentence(
        "df", judge(held_out, held_out, 60), {"recognised": recognised, "hub_image": "x", "hub_share": 0.4}
    )
    assert "no sign of copying" not in said
    known, missed = said.split(", but misses those that are ")
    assert "exact (100%)" in known
    assert "blended with another image" in missed
    assert "The training image x is the nearest of 40% of all generated images" in said
