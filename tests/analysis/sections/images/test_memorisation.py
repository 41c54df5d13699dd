"""Claims about the report's words on memorisation."""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.images.copying.verdict import judge
from analysis.section import Context
from analysis.sections.images import memorisation
from analysis.sections.images.memorisation import _recognised, _sentence
from gan_core.cli import main as gan_core
from glimpse.workspace import Workspace
from tests.analysis.sections.images.test_quality import write_set


def test_two_generators_beside_one_set_of_real_images_are_both_tested(workspace: Workspace) -> None:
    for seed, name in enumerate(("df", "one", "two")):
        write_set(workspace, name, seed, 0.8)
    for name in ("one", "two"):
        assert gan_core(["publish", "--real", "df", "--generated", name, "--name", name, "--count", "20"]) == 0
    found = memorisation.compute(Context(workspace, extractor="random", device="cpu"))
    assert found is not None
    assert set(found.scores) == {"one", "two"}


def test_the_sentence_names_the_copies_that_the_test_would_miss() -> None:
    recognised = {"exact": 1.0, "mirrored": 0.98, "blended with another image": 0.4}
    said = _recognised([recognised, {**recognised, "blended with another image": 0.5}], 16)
    known, missed = said.split("; only ")
    assert "at least 80\u202f% in every run of those that are exact and mirrored" in known
    assert missed.startswith("40\u202f% to 50\u202f% of those blended with another image")
    assert _recognised([{"exact": 0.0}], 16).endswith(
        "recognises 0\u202f% of those exact, so that such copies may go unseen."
    )


def test_the_sentence_gives_the_counts_that_the_test_compares() -> None:
    """43 of 60 images are near to one training image: without these counts '72 %' beside 'no more than chance'."""
    held_out, near = np.linspace(0.5, 1, 60), np.concatenate([np.full(43, 0.1), np.full(17, 0.9)])
    verdict = judge(held_out, near, 60, np.zeros(60, np.intp))
    said = _sentence("df", verdict, {"hub_image": "x", "hub_share": 0.4})
    assert "1 of 18 against 1 of 60 groups of held-out images, no more than expected by chance" in said
    assert "x is the nearest of 40\u202f% of all generated images: it was copied or it resembles everything" in said
    assert verdict.p == stats.fisher_exact([[1, 17], [1, 59]], "greater").pvalue
