"""The style of all figures: colour-blind-safe, distinguishable in grey, transparent so that dark pages work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import seaborn as sns
from fontTools import subset
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font

# Okabe & Ito 2008, ordered so that neighbours differ in lightness as well as in hue.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
REAL, GENERATED = PALETTE[0], PALETTE[1]
INK = "#333333"  # text and lines; in the page it becomes the page's own ink, light or dark
GREY = "#8c8c8c"  # shapes behind the data; reads on white and on the dark page

LONGEST = 24  # letters of a set's name
FALLBACKS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Noto Sans Arabic", "Noto Sans Devanagari")

COLOURED = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
RC: dict[str, Any] = {
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", *(font for font in FALLBACKS if font in fontManager.get_font_names())],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "legend.frameon": False,
    "axes.linewidth": 0.8,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "xtick.major.size": 4,
    "ytick.major.size": 4,
    "lines.linewidth": 1.6,
    **dict.fromkeys(COLOURED, INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "glimpse",  # the same figure gives the same bytes
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a name with two dollar signs is not a formula
}

# Fonts in a PDF keep their outlines alone: to subset their layout tables, which no PDF reads, took a third of a figure.
subset.Options._drop_tables_default.extend(("GDEF", "GPOS", "GSUB"))

MANY = 8  # the number of colours; with more sets or runs each gets a small panel


def columns_for(count: int, few: int, many: int = 6) -> int:
    """The number of panels side by side: `few`, or `many` smaller ones where there are more than `MANY` panels."""
    return min(few if count <= MANY else many, count)


def labels(names: Iterable[str]) -> dict[str, str]:
    """Each name as a figure shows it: shortened to fit, and all different."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        text = name if len(name) <= LONGEST else f"{name[: LONGEST - 10]}…{name[-9:]}"
        found[name] = f"{text} ({len(found) + 1})" if text in found.values() else text
    return found


def lacking(text: str) -> bool:
    """Whether some letter of `text` is in none of the figures' fonts, so that PNG and PDF show a box instead."""
    found = [get_font(fontManager.findfont(name)).get_charmap() for name in RC["font.sans-serif"]]
    return any(not any(ord(letter) in letters for letters in found) for letter in text if letter.isprintable())


@contextmanager
def styled() -> Iterator[None]:
    """A context in which figures are drawn in the project's style."""
    with mpl.rc_context():
        sns.set_theme(context="paper", style="ticks", palette=list(PALETTE), rc=RC)
        yield


def new_figure(width: float = 6.0, height: float = 3.6, **subplots: Any) -> tuple[Figure, Any]:
    """A figure of `width` x `height` inches without pyplot's global state, and its axes."""
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(**subplots)
