"""Why a table lacks columns that are needed: one sentence that says what the file is and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from analysis.answers.columns.layouts import CORRECT, PICTURE_FILE, SIGNS
from analysis.answers.columns.names import TIME
from analysis.answers.judgements import VERDICT, are_ratings, plain
from analysis.answers.tables.table import Table
from analysis.numbers import listed

NEEDED = ("participant", "image", "truth", "answer")
RESULT = re.compile(  # a column of a table of what people reached
    r"(?:(?:num|n|number|total|count|mean|percent|pct|share)[ _-]*(?:of[ _-]*)?)(?:correct|right|hits|errors)"
    r"|(?:correct|error|hit|err|acc)[ _-]*(?:rate|rt|count|pct|percent)|hits|misses|false[ _-]?(?:alarms|positives)"
    r"|accuracy|d[ _-]?prime"
)
LIKELY = {  # parts of names, those that say most first
    "participant": (
        "participant", "subject", "person", "worker", "respondent", "proband", "teilnehm", "rater", "reader",
        "observer", "user", "record", "session", "token", "mail", "code", "name", "id",
    ),
    "image": ("image", "img", "pic", "bild", "stim", "photo", "foto", "file", "datei", "url", "path", "item"),
    "truth": (
        "truth", "true", "actual", "cresp", "correct_", "correctr", "corrans", "wahr", "class", "categor", "kind",
        "type", "label", "origin", "condition",
        "correct", "source", "is_fake", "is_real", "is_generated", "synthetic",
    ),
    "answer": (
        "answer", "resp", "antwort", "répon", "judg", "decision", "choice", "chose", "guess", "said", "pick",
        "select", "vote", "rating", "likert", "slider", "key",
    ),
}  # fmt: skip
OF_AN_ANSWER = re.compile(r"(?<![^\W_])(?:times?|rt|duration|latency|onset|order)(?![^\W_])")  # and not the answer


def why_lacking(table: Table, missing: Sequence[str], words: Mapping[str, str], layout: str | None) -> str:
    """The sentence on a table without the columns `missing`; `words`: the known words for answers."""
    return (
        _in_one_column(table)
        or (_of_a_program(table, missing) if layout is None else "")
        or _without_names(table, words)
        or _transposed(table, words)
        or _nested(table, missing)
        or _summarised(table, missing)
        or _right_answers(table, missing)
        or _other_names(table, missing)
    )


def _in_one_column(table: Table) -> str:
    if len(table.header) > max(1, len(table.files)) or not all(re.search(r"\w\W+\w", one) for one in table.header):
        return ""  # several files without names of columns have a different one each
    return (
        f"{table.says('has')} a single column, '{table.header[0][:60]}': separate the columns with commas, semicolons "
        "or tabs, and put quotes around single values only."
    )


def _of_a_program(table: Table, missing: Sequence[str]) -> str:
    layout = program_of(table)
    if layout is None:
        return ""
    return (
        f"{table.says('lacks')} the column{'s' * (len(missing) > 1)} {listed([*missing])}; others are those of "
        f"{layout}: read it with --layout {layout}."
    )


def program_of(table: Table) -> str | None:
    """The layout of the program whose columns, or lines below their names, the table has."""
    found = next((name for name, own in SIGNS if own <= {*table.header}), None)
    return "qualtrics" if found is None and table.titles else found


def _without_names(table: Table, words: Mapping[str, str]) -> str:
    """On a file whose first line holds an answer: what it says is said below it in the same column, too."""
    if {*NEEDED} & {*table.header} or table.frame.empty:
        return ""
    names = {column: re.sub(r"\.\d+$", "", column) for column in table.header}
    first = {column: str(table.frame[column].iloc[0]).strip() for column in names if column in table.frame}
    said = any(plain(name) in words and plain(first.get(column)) in words for column, name in names.items())
    shown = [c for c in names if all(re.search(PICTURE_FILE, one, re.I) for one in (c, first.get(c, "")))]
    if not said and len(shown) != 1:
        return ""
    return (
        f"The first line of {table.name} holds an answer ({', '.join([*names.values()][:4])}), not the names of its "
        "columns: write them above it, such as participant,image,truth,answer."
    )


def _transposed(table: Table, words: Mapping[str, str]) -> str:
    """On a table with a row for each column, image or participant."""
    if table.frame.empty:
        return ""
    down = {table.header[0], *map(plain, table.frame.iloc[:, 0].dropna())} & {*NEEDED, "stimulus"}
    if len(down) > 2:
        return (
            f"{table.says('has')} the names of its columns ({listed(sorted(down))}) in the first column: transpose it, "
            "so that each answer is a row."
        )
    judged = [
        str(column)
        for column, values in table.frame.items()
        if column not in NEEDED and len(said := values.dropna().map(plain)) and said.isin([*words]).mean() > 0.5
    ]
    by_image = "image" in table.frame
    if len(judged) < 3 or "answer" in table.header or (by_image and "participant" in table.header):
        return ""
    names = f"({listed(judged[:3])}{', ...' if judged[3:] else ''})"
    if not by_image:
        return (
            f"{table.says('has')} a row for each participant and a column for each image {names}: read it with "
            "--layout wide and --truth, a table of these images with their truth."
        )
    return (
        f"{table.says('has')} a row for each image and a column for each participant {names}: write a row for each "
        "answer, or transpose it and use --layout wide."
    )


def _nested(table: Table, missing: Sequence[str]) -> str:
    keys = "|".join([*missing, "stimulus", "response"])
    for column, values in table.frame.items():
        given = values.dropna().astype(str)
        if len(given) and given.str.match(rf"\s*\[?\s*\{{.*\"(?:{keys})\"\s*:").all():
            return (
                f"{table.place(given.index[0])}: {column} holds objects within an object: write one object, or a row "
                "of a CSV, for each answer, with its participant."
            )
    return ""


def _summarised(table: Table, missing: Sequence[str]) -> str:
    found = next(filter(RESULT.fullmatch, table.header), None)
    if not {"image", "answer"} <= {*missing} or found is None:
        return ""
    return (
        f"{table.says('holds')} results ({found}), not answers: give the file that they were computed from, with a row "
        "for each answer."
    )


def _right_answers(table: Table, missing: Sequence[str]) -> str:
    if [*missing] != ["truth"] or "correct" not in table.frame or {*CORRECT} & {*table.header}:
        return ""
    return (
        f"{table.says('lacks')} the column truth: if correct is the right answer of each image, write --map "
        "truth=correct, else name the column of the truth with --map truth=COLUMN or its table with --truth."
    )


def _other_names(table: Table, missing: Sequence[str]) -> str:
    likely: dict[str, str] = {}
    for name in missing:
        if column := likely_column(name, [c for c in table.header if c not in likely.values()]):
            likely[name] = column
    if [*missing] == ["answer"] and not likely and (verdict := next(filter(VERDICT.fullmatch, table.header), None)):
        likely["correct"] = verdict
    named = [
        ("--rating", column) if name == "answer" and column in table.frame and are_ratings(table.frame[column].dropna())
        else ("--map", f"{name}={column}") for name, column in (likely or {missing[0]: "COLUMN"}).items()
    ]  # fmt: skip
    options = [f'{option} "{value}"' if " " in value else f"{option} {value}" for option, value in named]
    return (
        f"{table.says('lacks')} the column{'s' * (len(missing) > 1)} {listed([*missing])} (it has: {table.lists()}); "
        "needed are participant, image (or stimulus), truth and answer. Name another column with "
        f"{' '.join(options)}, or the program that wrote the file with --layout."
    )


def likely_column(name: str, columns: Sequence[str]) -> str | None:
    """The column that most likely holds what we call `name`; None if no name says so."""
    free = [c for c in columns if c not in NEEDED and not TIME.fullmatch(c) and not c.startswith("unnamed: ")]
    free = [c for c in free if name != "answer" or not OF_AN_ANSWER.search(c)]
    return next((c for part in LIKELY[name] for c in free if _says(c, part)), None)


def _says(column: str, part: str) -> bool:
    """Whether a column's name has a part; one of two letters is a word of its own.

    >>> [_says(column, "id") for column in ("id", "case id", "video", "x_id")]
    [True, True, False, True]
    """
    return part in column if len(part) > 2 else re.search(rf"(?<![^\W_]){part}(?![^\W_])", column) is not None
