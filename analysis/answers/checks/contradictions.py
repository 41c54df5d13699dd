"""Check the columns of truth, answer and generator against each other: a contradiction is refused, or named."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answers.columns.layouts import KEY
from analysis.answers.columns.names import USUAL, fits
from analysis.answers.judgements import KINDS, PRESSED, RIGHT, VERDICT, WRONG, by_value, plain
from analysis.answers.numbers import MISSING
from analysis.answers.tables.table import Table
from analysis.numbers import listed
from analysis.section import AnalysisError
from glimpse.command_line import counted

GENERATOR = re.compile(r"(?:image[ _]?)?(?:generator|model|method|gan|algorithm|architecture)(?:[ _]?name)?")
INCREASING = 8  # times in a row that hardly increase by chance
REVERSED, FEWEST = 0.9, 4  # share of rows, of at least so many, that agree if the answers are reversed


def reversed_answers(trials: pd.DataFrame) -> str:
    """A sentence if nearly all answers to both classes, and of nearly every participant, are wrong; else "".

    >>> said = pd.DataFrame({"participant": list("aabb"), "truth": ["real", "generated"] * 2})
    >>> reversed_answers(said.assign(answer=["generated", "real"] * 2))
    '4 of 4 answers are wrong: check that the words for real and generated are not reversed (--words).'
    >>> reversed_answers(said.assign(answer=["generated", "generated"] * 2))  # real images can fool
    ''
    """
    wrong = trials["answer"].isin(KINDS[:2]) & (trials["answer"] != trials["truth"])
    classes, people = (wrong.groupby(trials[by]).mean() for by in ("truth", "participant"))
    if len(classes) < 2 or classes.min() < REVERSED or (people >= REVERSED).mean() < REVERSED:
        return ""
    return (
        f"{wrong.sum():,} of {len(wrong):,} answers are wrong: check that the words for real and generated are not "
        "reversed (--words)."
    )


def verdicts(table: Table, truth: Any, answer: Any) -> str:
    """A sentence on a column that says who was right and contradicts truth and answer in some rows; "" if none does.

    Rows without an answer do not count. Of several such columns the one that agrees best is taken. Raises AnalysisError
    if it contradicts nearly all answers.
    """
    judged = answer.isin(KINDS[:2]).to_numpy(bool)
    found: list[tuple[float, str, pd.Series, int]] = []
    for column in filter(VERDICT.fullmatch, map(str, table.frame.columns)):
        said = by_value(table.frame[column], plain)
        given = judged & (said.notna() & ~said.isin(MISSING)).to_numpy(bool)  # labels of rows may occur twice
        said = said[given]
        if not said.isin(RIGHT).any():  # PsychoPy writes 0 in all rows if no right answer was set
            continue
        if not said.isin([*RIGHT, *WRONG]).all() or _names_the_truth(said, truth[given]):
            continue
        against = said.isin(RIGHT) != (answer == truth)[given]
        found.append((float(against.mean()), column, against.index[against].to_series(), len(said)))
    share, column, rows, n = min(found, key=lambda one: one[0], default=(0.0, "", pd.Series(), 0))
    if not share:
        return ""
    first = table.place(rows.iloc[0])
    if share >= REVERSED and n >= FEWEST:
        raise AnalysisError(
            f"{first}: the column {column} contradicts truth and answer here and in {len(rows)} of {n} rows, so the "
            "answers are probably reversed: say what their words mean with --words (a rating: --rating "
            f"COLUMN:HIGH..LOW), or rename {column} if it does not say whether people were right."
        )
    return (
        f"In {len(rows)} of {n} rows the column {column} contradicts truth and answer, first on {first}: check "
        f"--words, and which column is the answer; {column} may also be about something else."
    )


def refuse_right_answers(table: Table, truth: Any, words: dict[str, str]) -> None:
    """Raises AnalysisError if the column `correct` holds the right answer of each image, beside a column of answers.

    Its values are then words for real and generated, or the codes of the answers, and others for real than for
    generated images. `words`: the known words for the truth.
    """
    right, given = _given(table.frame["correct"])
    truth = truth[given]
    if right.empty:
        return
    verdict = right.isin([*RIGHT, *WRONG]).all()
    columns = [str(c) for c in table.frame if c not in ("correct", "participant", "image", "truth")]
    pressed = [c for c in columns if any(fnmatchcase(c, pattern) for pattern in PRESSED)]
    for column in sorted(columns, key=lambda c: c not in pressed):
        values = by_value(table.frame[column], plain)[given]
        said = set(values.dropna()) - MISSING
        same = not verdict and set(right) <= said and not _names_the_truth(values, truth)
        coded = len(said) > 1 and said <= set(right) and _names_the_truth(right, truth)
        if same or (column in pressed and (coded or right.isin([*words]).all())):
            raise AnalysisError(
                f"{table.place(right.index[0])}: correct says '{right.iloc[0]}', the right answer rather than whether "
                f"people gave it: write --map answer={column}, with --words for its codes"
                f"{'' if 'truth' in table.frame else ', and --map truth=correct'}."
            )


def _given(values: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """The words in a column, without missing ones, and the rows that have one."""
    words = by_value(values, plain)
    given = (words.notna() & ~words.isin(MISSING)).to_numpy(bool)
    return words[given], given


def _names_the_truth(values: pd.Series, truth: pd.Series) -> bool:
    """Whether all real images have one of the values, and all generated ones another."""
    pairs = pd.DataFrame({"value": values.to_numpy(), "truth": truth.to_numpy()}).drop_duplicates()
    return len(pairs) == 2 and pairs["value"].nunique() == pairs["truth"].nunique() == 2


def generators_in_truth(table: Table, words: dict[str, str]) -> str:
    """A sentence on a column `truth` that names several generators, which then count as one; "" if it does not."""
    if "source" in table.frame:
        return ""
    named = [str(v).strip() for v in table.frame["truth"].dropna().unique() if words.get(plain(v)) == "generated"]
    named = list({plain(name): name for name in reversed(named)}.values())[::-1]
    if len(named) < 2:
        return ""
    return (
        f"truth names generated images in {len(named)} ways ({listed(named[:4])}), which count as one: if they are "
        "generators, --map source=truth compares them."
    )


def generators_beside(table: Table, trials: pd.DataFrame) -> str:
    """A sentence on a column that names the generator of each generated image, and is not `source`; "" without one."""
    generated = (trials["truth"] == "generated").to_numpy(bool)
    for column in filter(GENERATOR.fullmatch, map(str, table.frame.columns if "source" not in table.frame else [])):
        columns = {"set": trials["set"], "image": table.frame["image"], "name": table.frame[column]}
        made = pd.DataFrame({name: values.to_numpy()[generated] for name, values in columns.items()})
        made = made.dropna().drop_duplicates()
        if not made["image"].duplicated().any() and made.groupby("set")["name"].nunique().max() > 1:
            names = list(map(str, made["name"].unique()))
            return (
                f"The column {column} has {len(names)} values for generated images ({listed(names[:4])}), which count "
                f"as one generator: if they are several, --map source={column} compares them."
            )
    return ""


def answers_beside(table: Table, truth: pd.Series, answer: pd.Series, words: Mapping[str, str]) -> str:
    """A sentence on a column beside `answer` that may be the answers: "" without any.

    It has a usual name and a word where `answer` has none, or says several things of images of which all answers are
    right. Raises AnalysisError if it then says known words.
    """
    judged = answer.isin(KINDS[:2]).to_numpy(bool)
    all_right = judged.sum() >= FEWEST and bool((answer == truth)[judged].all())
    names = (*USUAL["answer"], *PRESSED, "key", "keypress")
    for column in (c for c in map(str, table.frame) if c != "answer" and any(fits(c, name) for name in names)):
        said, given = _given(table.frame[column])
        meant = said.map(words)
        known = bool(meant.notna().all())
        if all_right and said.nunique() in (2, 3) and _both_of_one(said[judged[given]], answer[judged & given]):
            first = table.place(table.frame.index[judged & given][0])
            sentence = f"All {judged.sum()} answers are right, and the column {column} says something else"
            if known:
                raise AnalysisError(
                    f"{sentence} (first row: {first}): answer is probably the key, so write --map answer={column}."
                )
            return f"{sentence}: if it is what people said, and answer the key, write --map answer={column}."
        alone = given & answer.isna().to_numpy(bool)
        alone[given] &= meant.isin(KINDS).to_numpy(bool)
        if known and alone.any():
            return (
                f"{counted(int(alone.sum()), 'row')} without an answer have one in the column {column}, the first on "
                f"{table.place(table.frame.index[alone][0])}: if it is the answer there, write both into one column."
            )
    return ""


def _both_of_one(said: pd.Series, answer: pd.Series) -> bool:
    """Whether one of the words stands beside both answers."""
    pairs = pd.DataFrame({"said": said.to_numpy(), "answer": answer.to_numpy()}).drop_duplicates()
    return bool(pairs["said"].duplicated().any())


def times_out(table: Table, trials: pd.DataFrame) -> str:
    """A sentence on wrong answers without a time beside others with one, as where time was up; "" if none are."""
    time, right = trials["response_time_ms"].isna(), trials["answer"] == trials["truth"]
    gone = ~right & trials["answer"].notna() & time
    if not gone.any() or (right & time).any() or gone.sum() == (~right & trials["answer"].notna()).sum():
        return ""
    n, first = counted(int(gone.sum()), "wrong answer"), table.place(trials.index[gone][0])
    return (
        f"{n} (the first on {first}), and no right one, without a response time: if time was up, empty their cells in "
        "the column correct."
    )


def times_since_start(trials: pd.DataFrame) -> str:
    """A sentence on response times of which each of a participant is longer than the one before; "" if they are not."""
    timed = trials.loc[trials["response_time_ms"].notna(), ["participant", "response_time_ms"]]
    one = timed.loc[timed["participant"] == timed["participant"].iloc[0], "response_time_ms"] if len(timed) else []
    if len(one) < INCREASING or not (np.diff(one) > 0).all():  # one tells where there are many
        return ""
    longer = timed.groupby("participant")["response_time_ms"].diff().dropna() > 0
    if timed["participant"].value_counts().min() < INCREASING or not longer.all():
        return ""
    return (
        "The response times of each participant increase from row to row: if they count from the start of the survey, "
        "take the differences, or leave them out; if the rows are sorted by them, they are right."
    )


def codes_of_truth(table: Table, truth: pd.Series) -> str:
    """A sentence on a column `correct` that has one value for all real images and another for all generated ones; "".

    It may then say what an image is, and not whether people were right.
    """
    right, given = _given(table.frame["correct"])
    if len(right) < FEWEST or not _names_the_truth(right, truth[given]):
        return ""
    of = dict(zip(truth[given], right, strict=True))
    return (
        f"The column correct says {of['real']} for every real and {of['generated']} for every generated image: if it "
        "says what the image is, not whether people were right, name the column of answers with --map answer=COLUMN."
    )


def answer_key(trials: pd.DataFrame) -> tuple[NDArray[np.bool_], str]:
    """The rows of a 'participant' who is the key of the answers, and a sentence on them; "" if there are none.

    It has such a name and is right about every image, as the first row of many tables with a column for each image.
    """
    named = by_value(trials["participant"], lambda name: KEY.fullmatch(plain(name)) is not None)
    if not named.any():
        return np.zeros(len(trials), bool), ""
    right = (trials["answer"] == trials["truth"]).groupby(trials["participant"]).transform("all")
    gone = (named & right).to_numpy(bool)
    if not gone.any() or gone.all():
        return np.zeros(len(trials), bool), ""
    name, n = trials["participant"][gone].iloc[0], counted(int(gone.sum()), "answer")
    return gone, f"Left out: {n} of '{name}', all of them right: that is the key, not a person."


def refuse_shifted_codes(table: Table, words: Mapping[str, dict[str, str]]) -> None:
    """Raises AnalysisError if some files use the codes 0 and 1 where others use 1 and 2, or the like.

    The code that both use has two meanings then, whatever `words` say of each column; so it has if the codes of the
    truth and of the answer are shifted, and `words` give it one meaning in both.
    """
    whole: dict[str, Any] = {}
    for column in (column for column in ("truth", "answer") if column in table.frame):
        codes = by_value(table.frame[column], plain)
        known = [word for word, kind in words[column].items() if kind in KINDS[:2] and word.isdecimal()]
        codes = codes[codes.isin(known)].astype(object)
        by_file = codes.groupby(table.file_of(codes.index)).agg(lambda own: frozenset(map(int, own)))
        files = {own: table.files[k] for k, own in reversed([*by_file.items()])} if table.files else {}
        whole[column] = frozenset(map(int, codes.unique()))
        if first := _shifted(files):
            low, *_, high = sorted(files, key=sorted)
            raise AnalysisError(
                f"The {column} is coded {first[0]} and {first[1]} in {files[low]} but {first[1]} and {first[2]} in "
                f"{files[high]}, so {first[1]} has two meanings: report on files of one code at a time, with their own "
                "--words, or write the same codes into all."
            )
    first = _shifted(whole.values())
    if first and len({words[column][str(first[1])] for column in whole}) == 1:
        low, high = sorted(whole, key=lambda column: min(whole[column]))
        raise AnalysisError(
            f"{table.name}: the {low} is coded {first[0]} and {first[1]} but the {high} {first[1]} and {first[2]}, so "
            f"{first[1]} has two meanings: give the words of each column, as in --words {low}.real={first[0]} --words "
            f"{high}.real={first[1]}."
        )


def _shifted(sets: Collection[frozenset[int]]) -> tuple[int, int, int] | None:
    """The three codes of sets that hold the first two or the last two of them; None for other sets."""
    low, *_, high = sorted(set(sets), key=sorted) if len(set(sets)) > 1 else (frozenset(), frozenset())
    first = min(low, default=0)
    if low != {first, first + 1} or high != {first + 1, first + 2} or max(map(len, sets)) > 2:
        return None
    return first, first + 1, first + 2
