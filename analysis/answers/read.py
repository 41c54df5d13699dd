"""The answers: from the survey's database, its export, or anybody's files to one table of scored trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.answers.database import read_database, with_people
from analysis.answers.form import Form
from analysis.answers.mapping import arranged
from analysis.answers.table import Table, found_files, read_tables
from analysis.answers.tidy import Responses, tidy

__all__ = ["read_csv", "read_database"]


def read_csv(
    given: Path | Sequence[Path],
    where: Sequence[str] = (),
    form: Form | None = None,
    *,
    include_simulated: bool = False,
) -> Responses:
    """Anybody's files, folders or patterns: comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252.

    Beside a `...table-responses_data.csv` of our own export its `...table-participants_data.csv` is read too. Raises
    AnalysisError, naming file, line and remedy.
    """
    form = form or Form()
    files = found_files([given] if isinstance(given, Path) else given)
    table = _with_people_beside(files, read_tables(files))
    return tidy(arranged(table, form), where, form, include_simulated=include_simulated)


def _with_people_beside(files: Sequence[Path], table: Table) -> Table:
    beside = [p.with_name(p.name.replace("table-responses", "table-participants")) for p in files]
    people = [p for p, own in zip(beside, files, strict=True) if p != own and p.is_file()]
    return replace(table, frame=with_people(table.frame, read_tables(people).frame)) if people else table
