"""Stimulus sets: neither a file's length nor the order of the manifest depends on what the images show."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glimpse.stimuli import Source, StimulusError, encode_png, write_stimulus_set


def sources(*sizes: int) -> list[Source]:
    """Black images, the first half of them real."""
    truths = ["real" if i < len(sizes) / 2 else "generated" for i in range(len(sizes))]
    return [Source(np.zeros((size, size, 3), np.uint8), truth, {}) for size, truth in zip(sizes, truths, strict=True)]


def test_a_png_has_the_same_length_for_all_contents_and_shows_its_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    for pixels in (noise, np.zeros_like(noise)):
        png = encode_png(pixels)
        # Signature; three chunks of 12 bytes around their content; header; zlib's 6 and a stored block's 5; rows.
        assert len(png) == 8 + 3 * 12 + 13 + 6 + 5 + 5 * (1 + 7 * 3)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), pixels)


def test_the_manifest_is_ordered_by_random_id(tmp_path: Path) -> None:
    made = write_stimulus_set(tmp_path / "df", label="DF", sources=sources(*[2] * 12), made_from={})
    stimuli = json.loads((tmp_path / "df" / "manifest.json").read_text())["stimuli"]
    assert [one["id"] for one in stimuli] == sorted(one["id"] for one in stimuli)
    assert len(made.of("real")) == len(made.of("generated")) == 6


@pytest.mark.parametrize(("sizes", "sentence"), [((2, 3), "differ in size"), ((), "would be empty")])
def test_a_set_that_cannot_be_shown_is_not_written(tmp_path: Path, sizes: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(StimulusError, match=sentence):
        write_stimulus_set(tmp_path / "df", label="DF", sources=sources(*sizes), made_from={})
    assert list(tmp_path.iterdir()) == []
