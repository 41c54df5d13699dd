"""Claims about the report's words on memorisation."""

from __future__ import annotations

import numpy as np

from analysis.images.copying.verdict import judge
from analysis.section import Context
from analysis.sections.images import memorisation
from analysis.sections.images.memorisation import _sentence
from gan_core.cli import main as gan_core
from glimpse.workspace import Workspace
from tests.analysis.sections.images.test_quality import write_set


def test_two_generators_beside_one_set_of_real_images_are_both_tested(workspace: Workspace) -> None:
    for seed, name in enumerate(("df", "one", "two")):
        write_set(workspace, name, seed, 0.8)
    for name in ("one", "two"):
        assert gan_core(["publish", "--real", "df", "--generated", name, "--name", name, "--count", "20"]) == 0
    found = memorisation.compute(Context(workspace, extractor="random", progress=False, device="cpu"))
    assert found is not None
    assert set(found.scores) == {"one", "two"}


def test_the_sentence_names_the_copies_that_the_test_would_miss() -> None:
    held_out = np.linspace(0.5, 1, 60)
    recognised = {"exact": 1.0, "mirrored": 0.98, "blended with another image": 0.4}
    said = _sentence(
        "df", judge(held_out, held_out, 60), {"recognised": recognised, "hub_image": "x", "hub_share": 0.4}
    )
    assert "no sign of copying" not in said
    known, missed = said.split(", but misses those that are ")
    assert "exact (100\u202f%)" in known
    assert "blended with another image" in missed
    assert "The training image x is the nearest of 40\u202f% of all generated images" in said
