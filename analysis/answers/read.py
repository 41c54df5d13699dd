"""Read answers, from the survey's database, its export or files of any survey, into one table of scored trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.answers.columns.mapping import arranged
from analysis.answers.database import read_database, with_people
from analysis.answers.demographics import by_kind, with_demographics
from analysis.answers.form import Form
from analysis.answers.responses import Responses
from analysis.answers.tables.table import Table, found_files, passed_over, read_tables
from analysis.answers.tidy import tidy
from analysis.section import AnalysisError

__all__ = ["read_csv", "read_database"]


def read_csv(
    given: Path | Sequence[Path],
    where: Sequence[str] = (),
    form: Form | None = None,
    *,
    include_simulated: bool = False,
    include_pilot: bool = False,
) -> Responses:
    """The answers in files, folders or patterns: comma, semicolon or tab; UTF-8, UTF-16, UTF-32 or Windows-1252.

    Prolific's demographic export among them, or `form.people`, describes the participants. With a
    `...description-responses_data.csv` of our own export, its `...description-participants_data.csv` is read too.
    Raises AnalysisError, naming file, line and remedy.
    """
    form = form or Form()
    places = [given] if isinstance(given, Path) else given
    beside = {path.resolve() for path in (form.truth, form.people) if path}  # of a folder that holds these, too
    files = found_files(places)
    files, people = by_kind([path for path in files if path.resolve() not in beside] or files)
    if form.people is not None and not form.people.is_file():
        raise AnalysisError(f"--people: there is no file {form.people}: check the path.")
    people += [form.people] if form.people else []
    table = _with_people_beside(files, read_tables(files), external=bool(people))
    table = replace(table, notes=[*passed_over(places), *table.notes])
    try:
        table = with_demographics(arranged(table, form), people)
        found = tidy(table, where, form, include_simulated=include_simulated, include_pilot=include_pilot)
    except AnalysisError as error:
        if type(error) is not AnalysisError or not table.code_pages or str(error).isascii():
            raise
        raise AnalysisError(f"{_guessed(table, 'letters look wrong here')}: {error}") from None
    odd = next((name for name in _names(found) if not name.isascii()), None) if table.code_pages else None
    if odd is None:
        return found
    return replace(found, notes=(*found.notes, _guessed(table, f"'{odd}' looks wrong") + "."))


def _guessed(table: Table, sign: str) -> str:
    """A sentence on files that are not in Unicode, without its full stop."""
    n = len(table.code_pages) - 1
    where = table.code_pages[0] + (f" (and {n} more)" if n else "")
    return f"{where} is not in UTF-8 and was read as Windows-1252; if {sign}, save it as CSV in UTF-8"


def _names(found: Responses) -> Iterator[str]:
    """Names of participants, sets, images, sources, questions and their answers."""
    for column in ("participant", "set", "image", "source", "why"):
        if column in found.trials:
            yield from map(str, found.trials[column].unique())
    for question, said in found.people.items():
        yield str(question)
        yield from map(str, said.dropna().unique())


def _with_people_beside(files: Sequence[Path], table: Table, *, external: bool) -> Table:
    """The answers joined with the participants' tables of our own export; with `external`, also the platforms' IDs."""
    for other in ("description-participants", *(["description-externalids"] if external else [])):
        beside = [p.with_name(p.name.replace("description-responses", other)) for p in files]
        there = [p for p, own in zip(beside, files, strict=True) if p != own and p.is_file()]
        if there:
            table = replace(table, frame=with_people(table.frame, read_tables(there).frame))
    return table
