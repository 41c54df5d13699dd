"""Judgements: turn words and 'unsure' into the answers 'real' and 'generated'."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from analysis.answers.numbers import MISSING, coded
from analysis.answers.tables.table import Table
from analysis.section import AnalysisError

KINDS = ("real", "generated", "unsure")
NO_ANSWER = "missing"
RIGHT = (  # Excel translates TRUE
    *("1", "true", "yes", "t", "y", "correct", "right", "wahr", "ja", "vrai", "oui"),
    *("vero", "sì", "corretto", "verdadero", "sí", "si", "correcto"),
)
WRONG = (
    *("0", "false", "no", "f", "n", "incorrect", "wrong", "falsch", "nein", "faux", "non"),
    *("falso", "sbagliato", "errato", "incorrecto"),
)
VERDICT = re.compile(  # a column that says who was right
    r"(?:.*\.|(?:answer|response|resp|trial)_)?(?:(?:is|was)_?)?(?:correct|corr|accuracy|acc)"
)
PRESSED = ("response", "button_pressed", "key_press", "*.keys", "*.clicked_name", "*.response")  # what people did


def meanings(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """The meaning of each word, for `truth` and for `answer`. `given`: the values of --words, NAME=WORD,WORD.

    `missing` names codes of answers that were not given, such as -9. A word with a comma stands in quotes.

    >>> meanings(['real="Yes, it is real",photo'])["truth"]
    {'real': 'real', 'generated': 'generated', 'yes, it is real': 'real', 'photo': 'real'}
    """
    found = {column: {kind: kind for kind in KINDS} for column in ("truth", "answer")}
    del found["truth"]["unsure"]
    for option in given:
        name, equals, words = option.partition("=")
        column, dot, kind = name.strip().lower().rpartition(".")
        both = kind in KINDS[:2]  # of truth and answer
        if (
            not equals
            or not (both or kind in ("unsure", NO_ANSWER))
            or (dot and column not in found)
            or (column == "truth" and not both)
        ):
            raise AnalysisError(
                f"--words {option}: write real=WORD,..., generated=WORD,..., unsure=WORD,... or {NO_ANSWER}=WORD,... "
                "(with truth. or answer. in front for one column), as in --words generated=fake,1."
            )
        for word in next(csv.reader([words], skipinitialspace=True), []):
            for one in [column] if dot else ["truth", "answer"] if both else ["answer"]:
                before = found[one].setdefault(plain(word), kind)
                if before != kind:
                    raise AnalysisError(f"--words {option}: '{word.strip()}' already means {before}.")
    return found


def plain(value: Any) -> str:
    """A word without case, spaces or brackets: ' F', "['f']", '{"Q0":"F"}' and 'f' are the same word; 1.0 is 1."""
    text = str(value)
    if text.isascii() and text.isalnum():  # as most names are
        return text.lower()
    text = unicodedata.normalize("NFC", text).strip().replace("’", "'")
    if text[:1] in ("[", "{"):
        try:
            parsed = json.loads(text.replace("'", '"'))
            parsed = list(parsed.values()) if isinstance(parsed, dict) else parsed
            text = str(parsed[0]).strip() if len(parsed) == 1 else text
        except (ValueError, TypeError):
            pass
    text = text.casefold()
    return text[:-2] if text.endswith(".0") and re.fullmatch(r"-?\d+\.0", text) else text


def by_value(values: Any, change: Callable[[Any], Any]) -> Any:
    """`change(value)` for each value, called once for each distinct one (10^6 rows hold few); missing stays missing."""
    codes, distinct = coded(values)
    changed = np.array([*(change(v) for v in distinct), None], dtype=object)
    return pd.Series(changed[codes], index=values.index, dtype=object)


def read_words(table: Table, column: str, words: dict[str, str]) -> Any:
    """The column as 'real', 'generated' or 'unsure', missing if empty. Raises AnalysisError for an unknown word."""

    def meaning(value: Any) -> str | None:
        word = plain(value)
        said = words.get(word, NO_ANSWER if word in MISSING else "?")
        return None if said == NO_ANSWER else said

    found = by_value(table.frame[column], meaning)
    wrong = (found == "?").to_numpy(bool)
    if wrong.any():
        there = table.frame.loc[wrong, column].astype(str).str.strip()
        others = ", ".join([*list(dict.fromkeys(there))[:4], *(["..."] if there.nunique() > 4 else [])])
        near = get_close_matches(plain(there.iloc[0]), words, n=1, cutoff=0.7)
        known = f"did you mean {near[0]}?" if near else f"only {' and '.join(KINDS[:2])} are known."
        more = ", a word with a comma in quotes" if there.str.contains(",").any() else ""
        if column == "answer" and are_ratings(there):
            more += ", or, if these are ratings, write --rating COLUMN"
        kinds = ("real", "generated") if column == "truth" else (*KINDS, NO_ANSWER)
        raise AnalysisError(
            f"{table.place(there.index[0])}: {column} says '{there.iloc[0]}'; {known} Say what other words mean "
            f"with {' '.join(f'--words {kind}=WORD' for kind in kinds)}{more} (here: {others})."
        )
    return found


def are_ratings(values: pd.Series) -> bool:
    """Whether answers are numbers of more than two values."""
    texts = values.astype(str).str.strip()
    return texts.nunique() > 2 and bool(texts.str.fullmatch(r"[+-]?\d+(?:[.,]\d+)?").all())


def read_correctness(table: Table, truth: Any, words: dict[str, str]) -> Any:
    """The answers that follow from the truth and a column `correct` (1 and 0, or words).

    `words` may call a code missing. A 0 is no answer where the columns of keys and clicks are empty: many programs
    write it when time is up. Raises AnalysisError for any other value.
    """
    right = by_value(table.frame["correct"], plain)
    missing = MISSING.union(word for word, kind in words.items() if kind == NO_ANSWER)
    right = right.mask(right.isin(missing), None)
    known = right.isna() | right.isin([*RIGHT, *WRONG])
    if not known.all():
        label = table.frame.index[(~known).to_numpy(bool)][0]
        raise AnalysisError(
            f"{table.place(label)}: correct says '{table.frame.loc[label, 'correct']}'; write 1 for a right answer and "
            "0 for a wrong one, and give codes for no answer with --words missing=WORD."
        )
    pressed = [c for c in table.frame if any(fnmatchcase(str(c), pattern) for pattern in PRESSED)]
    said = np.logical_or.reduce([~by_value(table.frame[c], plain).isin([None, *MISSING, "[]"]) for c in pressed])
    if np.any(said):
        right = right.where(said | ~right.isin(WRONG), None)
    other = truth.map({"real": "generated", "generated": "real"})
    return truth.where(right.isin(RIGHT), other.where(right.isin(WRONG), None))


def split_doubts(answer: pd.Series, truth: pd.Series, participant: pd.Series) -> pd.Series:
    """'unsure' as half right and half wrong: alternately 'real' and 'generated' within each class and participant."""
    rows = answer == "unsure"
    order = pd.DataFrame({"truth": truth[rows], "participant": participant[rows]}).reset_index(names="label")
    order["at"] = np.flatnonzero(rows.to_numpy(bool))
    order = order.sort_values(["truth", "participant", "at"], kind="stable")
    turn = order.groupby("truth").cumcount().to_numpy() % 2
    changed = answer.to_numpy(object).copy()
    changed[order["at"]] = np.array(["real", "generated"], dtype=object)[turn]
    return pd.Series(changed, index=answer.index)
