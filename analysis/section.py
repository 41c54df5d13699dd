"""Sections of the report and their context. A section computes; `figures` draws; `report` writes.

The module of a section (overfitting, memorisation, ...) has a function `compute(context) -> Section | None`, which
returns None if the workspace holds nothing for it. Title, captions and methods are in NAME.md below
report/templates/sections.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import jinja2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.cache import cached
from analysis.numbers import listed
from glimpse.files import GlimpseError
from glimpse.progress import progress
from glimpse.workspace import Workspace

T = TypeVar("T")

PAPER_FIGURE = {
    "hands": "3", "healthy": "4", "eczema": "5", "df": "8", "mel": "9", "remove-eczema": "11", "add-eczema": "12",
    "cycle-eczema": "13",
}  # fmt: skip


class AnalysisError(GlimpseError):
    """The data cannot be analysed; the message is a sentence that names the data and the remedy."""


class OptionError(AnalysisError):
    """An option cannot be used. This ends the report, whereas damaged data are only left out of it."""


@dataclass(frozen=True)
class Context:
    """The workspace, the answers and the options, shared by all sections."""

    workspace: Workspace
    seed: int = 0
    responses: pd.DataFrame | None = None  # one row per scored trial, see analysis.answers.read; None without any
    unsure: pd.DataFrame | None = None  # trials rated in the middle of the scale, in no score but those of ratings
    people: pd.DataFrame | None = None  # properties of each participant, see analysis.answers.people ...
    asked: Sequence[str] = ()  # ... and its columns that are questions to them
    group: str = ""  # the column of `people` whose groups are compared
    covariates: Sequence[str] = ()  # those that the comparison adjusts for
    preregistration: Path | None = None  # the file that analysis.power wrote
    filters: Sequence[str] = ()  # of --where
    rating: str = ""  # of --rating: the column whose ratings count as answers
    extractor: str = "auto"  # see analysis.images.extractors.chosen
    weights: Path | None = None
    device: str = "auto"
    positive: Literal["generated", "real"] = "generated"  # the class that F1 is of
    bound: float = 0.05  # 'cannot tell' means an accuracy within 0.5 plus or minus this
    unanswered: Mapping[str, int] = field(default_factory=dict)  # trials without an answer, by set
    excluded: Mapping[str, int] = field(default_factory=dict)  # participants, by the study's own rule, by set
    excluded_for: Mapping[str, int] = field(default_factory=dict)  # the same by reason; "" if unknown
    counts: Mapping[str, int] = field(default_factory=dict)  # rows left out of the answers, by reason
    cache: Path | None = None  # where results are kept (default: report/cache of the workspace)
    said: list[str] = field(default_factory=list)  # see `notices`
    left_out: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # (subject, reason): titles of sections
    _found: dict[str, Any] = field(default_factory=dict, repr=False)

    def notice(self, sentence: str) -> None:
        if sentence not in self.said:
            self.said.append(sentence)

    @property
    def notices(self) -> list[str]:
        """Sentences, for the top of the page, on data that were left out or are odd."""
        lacking = [f"'{name}' is left out of {listed(at)}: {why}" for (name, why), at in self.left_out.items()]
        return [*self.said, *lacking]

    def once(self, name: str, find: Callable[[], T]) -> T:
        """The result of `find()`, called once per name and report."""
        if name not in self._found:
            self._found[name] = find()
        found: T = self._found[name]
        return found

    def cached(self, name: str, inputs: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The result of `compute()`, from the cache if inputs (JSON values) and code are unchanged (analysis.cache)."""
        return cached(self.cache or self.workspace.report / "cache", name, inputs, compute)


# ------------------------------------------------------------------------------------------------ a section


@dataclass
class Section:
    """One section of the report."""

    name: str  # its key in scores.json, its anchor in the page, and its template
    scores: dict[str, Any] = field(default_factory=dict)  # JSON values; a missing number is None, with a `note` beside
    sentences: list[str] = field(default_factory=list)  # findings, for the top of the section
    methods: list[str] = field(default_factory=list)  # paragraphs
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Callable[[], Figure]] = field(default_factory=dict)  # drawn by `analysis.figures`, by file name
    captions: dict[str, str] = field(default_factory=dict)  # of tables and figures, by the same names
    series: dict[str, str] = field(default_factory=dict)  # the template's text of each figure, shared by a series

    @property
    def title(self) -> str:
        return template(self.name).title

    def figure(self, name: str, draw: Callable[[], Figure], text: str = "", **facts: Any) -> None:
        """Add a figure; its caption is the template's text `text` (default: `name`), filled in with `facts`.

        Characters of a set's or generator's name that do not suit a file or an anchor become '-'.
        """
        text, name = text or name, re.sub(r"[^\w.-]+", "-", name)
        while name in self.figures:
            name += "-"
        self.figures[name] = draw
        self.series[name] = text
        self.captions[name] = self._rendered(text, facts)[0]

    def table(self, name: str, frame: pd.DataFrame, **facts: Any) -> None:
        """Add a table unless it is empty; its caption is the template's text `name`, or that of the figure `name`."""
        if len(frame):
            self.tables[name] = frame
            if name not in self.captions:
                self.captions[name] = self._rendered(name, facts)[0]

    def explain(self, **facts: Any) -> None:
        """Add the template's methods, filled in with `facts`."""
        self.methods += self._rendered("methods", facts)

    def _rendered(self, text: str, facts: Mapping[str, Any]) -> list[str]:
        return paragraphs(template(self.name).texts[text].render(facts))


@dataclass(frozen=True)
class Template:
    """The texts of a section, which a writer may edit."""

    title: str
    texts: dict[str, jinja2.Template]  # by the headings below the title


@functools.cache
def template(section: str) -> Template:
    """The texts of SECTION.md below report/templates/sections: `# Title`, then texts (Jinja) under `## name`."""
    (path,) = (Path(__file__).parent / "report" / "templates" / "sections").rglob(f"{section}.md")
    title, *texts = re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    named = (text.partition("\n")[::2] for text in texts)
    return Template(title.strip("# \n"), {name.strip(): environment.from_string(text) for name, text in named})


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text: empty lines separate them, and their lines are joined."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


# ------------------------------------------------------------------------------------------------ the driver


class Subject(Protocol):
    """The subject of a section: a run, a direction of translation, two runs, a stimulus set."""

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> Mapping[str, Any]:
        """JSON values that determine all of its results."""


S = TypeVar("S", bound=Subject)


def results(
    section: Section,
    context: Context,
    subjects: Sequence[S],
    compute: Callable[[S], Mapping[str, Any]],
    extractor: str | None,
) -> Iterator[tuple[S, dict[str, Any]]]:
    """Each subject with the result of `compute`, from the cache if nothing it depends on has changed.

    A subject that cannot be computed is left out, with a notice that names it.
    `extractor`: key of the extractor used (analysis.images.features.extractor_key); None if none is.
    """
    for one in progress(subjects, title=section.name.replace("_", " "), unit="sets"):
        inputs = {**one.inputs, "seed": context.seed, "extractor": extractor}
        try:
            found = context.cached(section.name, inputs, functools.partial(compute, one))
        except OptionError:
            raise
        except GlimpseError as error:
            context.left_out.setdefault((one.name, str(error)), []).append(f"'{section.title}'")
            continue
        yield one, found


def in_paper_order(names: Iterable[str]) -> list[str]:
    """Each name once: those of the paper in the order of its figures, then all others alphabetically.

    >>> in_paper_order(["mel", "df", "ours", "healthy", "df"])
    ['healthy', 'df', 'mel', 'ours']
    """
    paper = list(PAPER_FIGURE)
    return sorted(set(names), key=lambda name: (paper.index(name) if name in paper else len(paper), name))


def places_by_set(frame: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """The positions of each set's rows, found in one pass; sets are sorted by `in_paper_order`.

    >>> places_by_set(pd.DataFrame({"set": ["mel", "df", "mel"]}))
    {'df': array([1]), 'mel': array([0, 2])}
    """
    places = frame.groupby("set", sort=False).indices
    return {name: np.asarray(places[name]) for name in in_paper_order(map(str, places))}


def noted(found: dict[Any, Any], reason: str) -> dict[Any, Any]:
    """`found`, with the reason in `note` if a value is missing (None or NaN)."""
    missing = any(value is None or (isinstance(value, float) and np.isnan(value)) for value in found.values())
    return {**found, "note": reason} if missing else found


def records(table: pd.DataFrame, method: str) -> list[dict[Any, Any]]:
    """One dict per row, with its method; a missing number is None, with the reason from the column `note`."""
    rows = []
    for row in table.to_dict("records"):
        found = {key: None if pd.isna(value) else value for key, value in row.items()} | {"method": method}
        rows.append(noted(found, found.pop("note", None) or "no interval for these answers"))
    return rows
