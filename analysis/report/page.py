"""The report as files: one self-contained page, figures (SVG, PNG, PDF), tables (CSV) and scores.json.

Nothing is computed here: finished sections are written. The page makes no requests, and its content security policy
forbids them.
"""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.cache import drawing_key, drawn_by, helped
from analysis.figures.style import INK, styled
from analysis.numbers import NOISE, is_number, number, p_value, settled
from analysis.report.manuscript import Texts
from analysis.section import Section

Keep = Callable[[str, Mapping[str, Any], Callable[[], Mapping[str, Any]]], dict[str, Any]]
SHOWN_ROWS = 200  # of a table in the page; the CSV file has all
P_VALUE = re.compile(r"(^|_)p(_(holm|equivalence|chance|permutation|over_sets))?$")  # names of columns of p-values
SHARE = re.compile(r"(^|_)(rate|accuracy|share)(_|$)")  # names of columns of shares
OPEN_CARDS = 6  # verdicts; the others are folded, and the summary figure below shows all
OPEN_ROWS = 12  # a longer table is folded
OPEN_TABLES = 2  # of a section; the others are folded
OPEN_SENTENCES = 8  # of a section; the others are folded
OPEN_FIGURES = 4  # of a series with one for each run or set; the others are folded
WHITE: dict[str, Any] = {"transparent": False, "facecolor": "white"}
FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": "Glimpse"}},
    "png": {"dpi": 200, "metadata": {"Software": None}, **WHITE},
    "pdf": {"metadata": {"CreationDate": None}, **WHITE},
}
IN_THE_DARK = {"#0072b2": "#3f93e2", "#56b4e9": "#9ad8ff", "#000000": "#ffffff"}  # too dark for a dark page
# Verdana has the widths of DejaVu Sans, so figures look the same if that is not installed.
FONTS = "'DejaVu Sans', 'Bitstream Vera Sans', Verdana, sans-serif"


@dataclass(frozen=True)
class Page:
    """The content of the page, without its sections."""

    title: str
    subtitle: str
    verdicts: Sequence[dict[str, Any]]  # one per set: name, verdict, sentence, facts (label, value)
    asked: bool  # whether people answered; otherwise the cards describe generators
    warnings: Sequence[str]  # shown in a box at the top of the page, and on every printed page
    notices: Sequence[str]  # sentences on data that were left out or are odd
    methods: Sequence[str]
    rules: Sequence[str]  # for scoring, and for missing or odd answers
    limits: Sequence[str]
    citation: Sequence[str]
    bibtex: str
    texts: Texts | None  # to paste into a paper; None without answers
    provenance: dict[str, Any]
    left_out: Sequence[str]  # sentences on absent sections


def drawn_ahead(sections: Sequence[Section], keep: Keep) -> AbstractContextManager[None]:
    """A context in which other processes draw the figures that `write` will need, from the last to the first."""
    tasks = [partial(_kept, draw, keep) for section in sections for draw in section.figures.values()]
    return helped(tasks, worthwhile=len(tasks) >= 4)


def write(folder: Path, page: Page, sections: Sequence[Section], tick: Callable[[str], None], keep: Keep) -> None:
    """Write index.html, figures/ and tables/ of the report into an empty folder; `tick` is called after each figure.

    `keep` is `Context.cached`, so that unchanged figures are not drawn again.
    """
    (folder / "figures").mkdir()
    (folder / "tables").mkdir()
    written = []
    count = 0
    for section in sections:
        figures: list[dict[str, Any]] = []
        of_series: Counter[str] = Counter()
        for name, draw in section.figures.items():
            count += 1
            svg = write_figure(draw, folder / "figures", name, section.captions.get(name, section.title), keep)
            series = section.series.get(name, name)
            of_series[series] += 1
            figures.append(
                {"name": name, "number": count, "svg": Markup(svg), "caption": section.captions.get(name, ""),
                 "folded": of_series[series] > OPEN_FIGURES}
            )  # fmt: skip
            tick(name)
        numbers = {figure["name"]: figure["number"] for figure in figures}
        tables = [  # a table with the name of a figure holds its numbers
            _table(
                folder / "tables",
                name,
                frame,
                f"Figure {numbers[name]} in numbers" if name in numbers else section.captions.get(name, ""),
            )
            for name, frame in section.tables.items()
        ]
        for table in tables[OPEN_TABLES:]:
            table["open"] = False
        written.append({"section": section, "figures": figures, "tables": tables})
    if page.texts is not None:
        (folder / "texts").mkdir()
        for name, text in page.texts.files().items():
            (folder / "texts" / name).write_text(text, "utf-8")
    environment = Environment(
        loader=PackageLoader("analysis.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"css_string": css_string, "with_code": with_code}
    html = environment.get_template("report.html").render(
        page=page, sections=written, open_sentences=OPEN_SENTENCES, open_verdicts=OPEN_CARDS
    )  # fmt: skip
    style, _, body = html.partition("</style>")
    body = re.sub(r"(\d) ?%", "\\1\u202f%", body)  # a number and its per cent sign stay on one line
    html = f"{style}</style>{body}"
    (folder / "index.html").write_text(html, "utf-8")


def with_code(text: str) -> Markup:
    """`text` as HTML, with text between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def css_string(text: str) -> Markup:
    """`text` as a string for a style sheet, with all unusual characters escaped."""
    return Markup('"' + "".join(c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in text) + '"')


# ------------------------------------------------------------------------------------------------ figures


def write_figure(draw: Callable[[], Figure], folder: Path, name: str, label: str, keep: Keep) -> str:
    """Save a figure as SVG, PNG and PDF, from the cache if it is unchanged, and return the SVG for the page."""
    for kind, content in _kept(draw, keep).items():
        (folder / f"{name}.{kind}").write_bytes(content.tobytes())
    return inline((folder / f"{name}.svg").read_text("utf-8"), name, label)


def _kept(draw: Callable[[], Figure], keep: Keep) -> dict[str, NDArray[np.uint8]]:
    try:
        return keep("figure", {"draw": drawing_key(draw), **drawn_by()}, partial(_drawn, draw))
    except TypeError:  # without a key it is drawn every time
        return _drawn(draw)


def _drawn(draw: Callable[[], Figure]) -> dict[str, NDArray[np.uint8]]:
    """The content of the files, by their ending."""
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")  # the report says so, once
        figure = draw()
        layout = figure.get_layout_engine()
        if layout is not None:
            layout.execute(figure)
        files = {}
        with mpl.rc_context({"figure.constrained_layout.use": False}):
            figure.set_layout_engine(None)  # laid out once; with "none" each format would be drawn twice
            for kind, how in FORMATS.items():
                buffer = io.BytesIO()
                figure.savefig(buffer, format=kind, **how)
                files[kind] = np.frombuffer(buffer.getvalue(), np.uint8)
    return files


def inline(svg: str, name: str, label: str) -> str:
    """An SVG file as an element of the page: no prolog, unique IDs, text in the page's colour, scaled to its column."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<image\b[^>]*?) id="[^"]*"', r"\1", svg)  # one picture drawn twice has one ID; nothing refers to it
    svg = re.sub(r'\bid="', f'id="figure-{name}--', svg)
    svg = svg.replace("url(#", f"url(#figure-{name}--").replace('href="#', f'href="#figure-{name}--')
    svg = svg.replace(INK, "currentColor").replace("'DejaVu Sans'", FONTS)
    for colour, brighter in IN_THE_DARK.items():
        svg = svg.replace(colour, f"light-dark({colour}, {brighter})")
    width = re.search(r'width="([\d.]+)pt"', svg)
    inches = float(width.group(1)) / 72 if width else 6.0
    return re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        lambda m: (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {m.group(1)} '
            f'role="img" aria-label="{Markup.escape(label)}" '
            f'style="width:{inches * 1.25:.2f}in;--least:{inches * 0.75:.2f}in">'
        ),
        svg, count=1,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ tables and numbers


def _table(folder: Path, name: str, frame: pd.DataFrame, caption: str) -> dict[str, Any]:
    frame = frame.reset_index(drop=True)
    settled(frame).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    shown = frame.head(SHOWN_ROWS)
    measures = pd.Series([None if c in ("low", "high") else str(c) for c in shown], dtype=object).ffill()
    cells = [
        [
            {
                "text": _text(v, str(c), str(of)),
                "sort": v if is_number(v) else None, "short": len(str(v)) < 48,
            }
            for c, of, v in zip(shown.columns, measures, row, strict=True)
        ]
        for row in shown.itertuples(index=False, name=None)
    ]  # fmt: skip
    heads = [{"text": head(str(c)), "numeric": pd.api.types.is_numeric_dtype(frame[c])} for c in frame.columns]
    return {
        "name": name, "caption": caption, "heads": heads, "rows": cells, "total": len(frame),
        "open": len(frame) <= OPEN_ROWS,
    }  # fmt: skip


def _text(value: Any, column: str, measure: str) -> str:
    """A cell of a column, which may be an end of the interval of `measure`.

    >>> [_text(2e-7, "low", measure) for measure in ("rate", "kid")], _text(0.0496, "p_holm", "p_holm")
    (['< 0.001', '2e−07'], '0.0496')
    """
    if is_number(value) and P_VALUE.search(column):
        return p_value(value, "")
    return "< 0.001" if is_number(value) and SHARE.search(measure) and NOISE < value < 0.001 else number(value)


def head(column: str) -> str:
    """The heading of a column, as readers write it."""
    return column.replace("_", " ").replace("d prime", "d′").replace("f1", "F1")
