"""Numbers as people write them: the format is decided for a whole column; an ambiguous column is refused.

'3,328' may be 3.328 or 3328. Values such as '1,25' or '1.234,5' in the same column decide. If there are none, the
plausible range decides (a response takes 3 s, never 3 ms; beside '729', which is too long in s, it takes 3328 ms).
Otherwise the column is refused with a line and a value. A duration may also have its own unit ('2300 ms', '2.3 s') or
be clock text ('0:02.3').
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.section import AnalysisError

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "undefined", "."})  # as values, never as names
PLAUSIBLE = {  # medians that a column can have, in its unit; any other column can have any median
    "response_time_s": (0.05, 100.0),
    "response_time_ms": (20.0, 100_000.0),
    "response_time_us": (2e5, 1e8),
    "response_time_ns": (2e8, 1e11),
    "exposure_ms_planned": (5.0, 100_000.0),
    "exposure_ms_actual": (5.0, 100_000.0),
}
TIMES = ("response_time_ms", "response_time_s", "response_time_us", "response_time_ns")
APART = 200  # the least ratio between neighbouring medians of s and of ms
FEWEST = 3  # times of a group that has a median
WHOLE = ("position", "dropped_frames")  # columns of whole numbers, where a separator groups thousands
NANOSECONDS = {"min": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
WITH_UNIT = re.compile(  # the name of each group is the unit
    r"(?i)([+-]?[\d.,'’\s]*\d)\s*(?:(?P<ms>ms|msec|millise[ck](?:ond|unde)?[esn]*)|(?P<s>s|se[ck](?:ond|unde)?[esn]*)"
    r"|(?P<us>[uµμ]s|mi[ck]rose[ck](?:ond|unde)?[esn]*)|(?P<ns>ns|nanose[ck](?:ond|unde)?[esn]*)|(?P<min>min(?:ute)?[sn]?))\.?"
)
CLOCK = re.compile(  # a duration, also as a time on the first day of a spreadsheet's or a computer's calendar
    r"(?i)(?:[\d./-]*(?:1899|1900|1904|1970)[\d./-]*[ T]|(\d+) days?,? \+?)?"
    r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)(?:\s*([ap])\.?m\.?)?Z?"
)
ISO = re.compile(r"P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(\d+(?:[.,]\d+)?)S()")  # PT2.3S; the same groups as CLOCK
DATED = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})[T ,]+\d{1,2}:\d\d.*")
DAYTIME = 1000.0  # s; clock text with a larger median is the time of day
STAMPS = (946_684_800.0, 4_102_444_800.0)  # seconds since 1970 of the years 2000 and 2100
SERIALS = (36_526.0, 73_050.0)  # the same in days, as spreadsheets count them
MINUS = "\N{MINUS SIGN}"  # of typesetters and web pages
SPACES = re.compile(r"[\s'’_]+")  # group thousands in French and Swiss numbers
GROUPED = {",": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+"), ".": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")}
DECIMAL_POINT = re.compile(r"^[+-]?(\d*\.(\d{1,2}|\d{4,})|0+\.\d+|\d{4,}\.\d+|\.\d+)$", re.MULTILINE)


def coded(values: Any) -> tuple[Any, Any]:
    """The code of each value, -1 where it is missing, and the distinct values in the order of their codes.

    >>> [found.tolist() for found in coded(pd.Series(["b", None, "a", "b"], dtype="str"))]
    [[0, -1, 1, 0], ['b', 'a']]
    """
    # texts as objects, in half the time
    return pd.factorize(values.to_numpy() if isinstance(values.dtype, pd.StringDtype) else values)


def read_numbers(
    values: pd.Series, column: str, place: Callable[[Any], str], groups: Sequence[Any] = (), files: Any = None
) -> tuple[pd.Series, str]:
    """The column as floats (NaN for anything else), and a sentence on values that could not be read ("" if none).

    The sentence also names single times that may be in another unit. `place` gives the file and line of an index label,
    `groups` the names of each value's file, participant, ... that has one unit, `files` those of its file, which has
    one number format if all together have several. Raises AnalysisError if the number format is ambiguous, if the
    numbers cannot be in the column's unit, or if groups have two units.
    """
    codes, distinct = coded(values)
    durations: dict[int, float] = {}  # of values that have their own unit
    if pd.api.types.is_numeric_dtype(values.dtype) or all(isinstance(v, int | float) for v in distinct[:1000]):
        found = pd.to_numeric(pd.Series(distinct), errors="coerce").to_numpy(float)
        texts = [str(v) for v in distinct]
    else:
        texts = [str(v).strip().replace(MINUS, "-") for v in distinct]

        def first(text: str) -> str:
            at = next((i for i, one in enumerate(texts) if one == text), None)
            at = next(i for i, one in enumerate(texts) if one.startswith(text)) if at is None else at
            return place(values.index[int(np.argmax(codes == at))])

        try:
            found, durations = _in_blocks(texts, [np.arange(len(texts))], column, first)
        except AnalysisError:
            if files is None:
                raise
            codes, distinct, blocks = _by_file(codes, distinct, files)
            texts = [str(v).strip().replace(MINUS, "-") for v in distinct]
            found, durations = _in_blocks(texts, blocks, column, first)
    if column in TIMES and (
        example := _point_in_time(found, texts, durations, 1e-9 * NANOSECONDS[column.rpartition("_")[2]])
    ):
        left_out = f"{column} holds points in time, such as '{example}', not response times, and is left out."
        return pd.Series(np.nan, index=values.index), left_out
    found = np.where(np.isfinite(found), found, np.nan)
    numbers = pd.Series(np.append(found, np.nan)[codes], index=values.index)
    for names in groups if column in TIMES else ():
        _refuse_two_units(numbers, column, names)
    with_unit = np.zeros(len(found) + 1, bool)
    with_unit[list(durations)] = True
    bare = numbers.mask(with_unit[codes])
    _check_unit(bare, column, place)
    said = [*_implausible(bare, column), *_few_in_another_unit(bare, column, place)]
    bad = np.array([np.isnan(n) and t.lower() not in MISSING for n, t in zip(found, texts, strict=True)] + [False])
    unread = bad[codes]
    if unread.any():
        n, at = int(unread.sum()), int(np.argmax(unread))
        said.append(
            f"{n} value{'s' if n > 1 else ''} of {column} {'are' if n > 1 else 'is'} not a number and treated as "
            f"missing, the first on {place(values.index[at])}: '{texts[codes[at]]}'."
        )
    return numbers, " ".join(said)


def _by_file(codes: Any, distinct: Any, files: Any) -> tuple[Any, Any, list[Any]]:
    """The codes and distinct values, told apart by file, and the indices of each file's values."""
    file, names = pd.factorize(np.asarray(files))
    given = codes >= 0
    pairs, kinds = pd.factorize(codes[given] * len(names) + file[given])
    codes = codes.copy()
    codes[given] = pairs
    blocks = pd.Series(np.arange(len(kinds))).groupby(kinds % len(names)).indices
    return codes, distinct[kinds // len(names)], [*blocks.values()]


def _in_blocks(
    texts: list[str], blocks: list[Any], column: str, first: Callable[[str], str]
) -> tuple[Any, dict[int, float]]:
    """The numbers of the texts, each block of which has one format, and those of texts with a unit by their index."""
    found = np.full(len(texts), np.nan)
    durations: dict[int, float] = {}
    for block in blocks:
        own = [texts[i] for i in block]
        measured = _durations(own, column, first)
        found[block] = _parsed(["" if i in measured else text for i, text in enumerate(own)], column, first)
        durations |= {int(block[i]): value for i, value in measured.items()}
    found[list(durations)] = list(durations.values())
    return found, durations


def _durations(texts: list[str], column: str, first: Callable[[str], str]) -> dict[int, float]:
    """The durations, in the column's unit, of the texts that are clock text or have a unit, by their index."""
    unit = next((word for word in column.split("_") if word in NANOSECONDS), "")
    if not unit or not re.search(r"[^\W\d_]|:", "\n".join(texts)):
        return {}
    found: dict[int, float] = {}
    measured: dict[str, dict[int, str]] = {}
    for i, text in enumerate(texts):
        if clock := CLOCK.fullmatch(text) if ":" in text else ISO.fullmatch(text):
            days, hours, minutes, half = (clock[k] or "0" for k in (1, 2, 3, 5))
            at = int(hours) % 12 + 12 * (half in "pP") if half != "0" else int(hours)
            seconds = float(clock[4].replace(",", "."))
            found[i] = (86_400 * int(days) + 3600 * at + 60 * int(minutes) + seconds) * (1e9 / NANOSECONDS[unit])
        elif not text[-1:].isdigit() and (with_unit := WITH_UNIT.fullmatch(text)) and with_unit.lastgroup:
            measured.setdefault(with_unit.lastgroup, {})[i] = with_unit[1]
    for own, numbers in measured.items():
        name = "_".join(own if word == unit else word for word in column.split("_"))
        parsed = _parsed([*numbers.values()], name, first)
        found |= dict(zip(numbers, parsed * (NANOSECONDS[own] / NANOSECONDS[unit]), strict=True))
    return found


def _point_in_time(numbers: Any, texts: list[str], durations: Mapping[int, float], unit: float) -> str:
    """The first value, if they are dates, times of day or counted from 1970; "" if not. `unit`: of durations, in s."""
    given = [i for i, text in enumerate(texts) if text.lower() not in MISSING]
    positive = numbers[numbers > 0]
    low, high = np.quantile(positive, (0.05, 0.95)) if len(positive) else (0.0, 0.0)
    stamps = high < 1.2 * low and any(STAMPS[0] * f <= low and high <= STAMPS[1] * f for f in (1, 1e3, 1e6, 1e9))
    stamps |= high < 1.02 * low and SERIALS[0] <= low and high <= SERIALS[1] and bool((positive % 1 != 0).any())
    dated = [i for i in given if i not in durations and DATED.fullmatch(texts[i])]
    clock = {i: value for i, value in durations.items() if ":" in texts[i]}
    late = bool(clock) and float(np.median([*clock.values()])) * unit > DAYTIME
    found = given if stamps else dated if 2 * len(dated) > len(given) else [*clock] if late else []
    return texts[found[0]] if found else ""


def _parsed(texts: list[str], column: str, first: Callable[[str], str]) -> Any:
    everything = "\n".join(texts)
    plain = "," not in everything and not SPACES.search(everything.replace("\n", ""))
    if plain and ("." not in everything or DECIMAL_POINT.search(everything)):
        return pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(float)
    bare = [SPACES.sub("", text) for text in texts]
    decimal = _decimal_marks(bare, texts, column, first)
    return np.array([_number(text, decimal) for text in bare])


def _number(text: str, decimal: set[str]) -> float:
    for mark in ",.":
        if mark not in decimal:
            if mark in text and not GROUPED[mark].match(text):
                return float("nan")
            text = text.replace(mark, "")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return float("nan")


def _decimal_marks(bare: list[str], texts: list[str], column: str, first: Callable[[str], str]) -> set[str]:
    """The decimal marks of this column: comma, point or both; any other mark groups thousands."""
    role: dict[str, tuple[bool, str]] = {}  # for each mark: whether it is decimal, and the value that shows it
    unclear: dict[str, list[str]] = {",": [], ".": []}

    def say(mark: str, is_decimal: bool, text: str) -> None:
        if mark in role and role[mark][0] != is_decimal:
            raise AnalysisError(
                f"{first(text)}: '{text}' and '{role[mark][1]}' in the column {column} are in different number "
                "formats; write all of its numbers in one format."
            )
        role.setdefault(mark, (is_decimal, text))

    for one, text in zip(bare, texts, strict=True):
        if not re.fullmatch(r"[+-]?[\d.,]*\d[\d.,]*", one):
            continue
        marks = [mark for mark in ",." if mark in one]
        if len(marks) == 2:
            last = max(marks, key=one.rindex)
            say(last, True, text)
            say("," if last == "." else ".", False, text)
        elif marks:
            (mark,) = marks
            if one.count(mark) > 1:
                say(mark, False, text)
            elif GROUPED[mark].fullmatch(one):
                unclear[mark].append(text)
            else:
                say(mark, True, text)
    for mark, values in unclear.items():
        if values and mark not in role:
            other = role.get("." if mark == "," else ",", (False, ""))
            whole = [float(one) for one in bare if re.fullmatch(r"[+-]?\d{1,3}", one)]
            role[mark] = (_is_decimal(mark, values, whole, column, first, other_is_decimal=other[0]), values[0])
    return {mark for mark in ",." if role.get(mark, (True, ""))[0]}


def _is_decimal(
    mark: str,
    values: list[str],
    whole: list[float],
    column: str,
    first: Callable[[str], str],
    *,
    other_is_decimal: bool,
) -> bool:
    """Whether numbers such as 3,328 have decimals, given the column's plausible range and `whole` numbers < 1000."""
    low, high = PLAUSIBLE.get(column, (-np.inf, np.inf))
    groups = float(np.median([abs(float(SPACES.sub("", v).replace(mark, ""))) for v in values]))
    as_decimal = low <= groups / 1000 <= high and column not in WHOLE and not other_is_decimal
    as_decimal = as_decimal and max(whole, default=low) <= high  # else 729 is 729 ms, beside 1,729 of 1729 ms
    as_groups = low <= groups <= high
    if as_decimal == as_groups:
        text = values[0]
        raise AnalysisError(
            f"{first(text)}: '{text}' in the column {column} may be {text.replace(mark, '.')} or "
            f"{text.replace(mark, '')}; write its numbers without groups of thousands and with a decimal point."
        )
    return as_decimal


def _refuse_two_units(numbers: pd.Series, column: str, names: Any) -> None:
    """Raise AnalysisError if the medians of groups, such as files, are of two kinds, as if in s and in ms."""
    times = numbers.where(numbers > 0).groupby(names, observed=True).agg(["median", "count"])
    medians = times.loc[times["count"] >= FEWEST, "median"].sort_values()
    ratios = medians.to_numpy()[1:] / medians.to_numpy()[:-1]
    if len(ratios) == 0 or ratios.max() < APART:
        return
    at = int(ratios.argmax())
    low, high = medians.index[at], medians.index[at + 1]
    raise AnalysisError(
        f"The median of {column} is {medians[low]:.6g} in {low} but {medians[high]:.6g} in {high}: if one is in s and "
        "the other in ms, write both in one unit, or name the column of each file by its unit "
        f"({TIMES[1]} or {TIMES[0]})."
    )


def _check_unit(numbers: pd.Series, column: str, place: Callable[[Any], str]) -> None:
    """Raise AnalysisError for milliseconds in a column of seconds, or the reverse."""
    if column not in PLAUSIBLE:
        return
    positive = numbers[numbers > 0]
    if positive.empty:
        return
    (low, high), middle = PLAUSIBLE[column], float(positive.median())
    unit, other = ("s", "ms") if column.endswith("_s") else ("ms", "s")
    if unit == "s":  # the first unit in which it is a response time
        names = {one: f"response_time_{one}" for one in ("ms", "us", "ns")}
        other = next((one for one, name in names.items() if middle <= PLAUSIBLE[name][1]), other)
    if (unit == "s" and middle > high) or (unit == "ms" and middle < low and column == "response_time_ms"):
        name = column.removesuffix(f"_{unit}") + f"_{other}"
        source = place(positive.index[0]).rpartition(", line")[0] or place(positive.index[0])
        raise AnalysisError(
            f"{source}: the median of {column} is {middle:.6g} {unit}, which looks like {other}: name the column "
            f"{name}, or give --map {name}=COLUMN."
        )


def _implausible(numbers: pd.Series, column: str) -> list[str]:
    """A sentence on a column whose median is hardly in its unit, as of times in microseconds or of exposures in s."""
    low, high = PLAUSIBLE.get(column, (0.0, np.inf))
    middle = float(numbers[numbers > 0].median())
    if np.isnan(middle) or low <= middle <= high:
        return []
    unit = column.rpartition("_")[2] if column in TIMES else "ms"
    return [f"The median of {column} is {middle:,.10g} {unit}: if it has another unit, convert it to {unit}."]


def _few_in_another_unit(numbers: pd.Series, column: str, place: Callable[[Any], str]) -> list[str]:
    """A sentence on single times that are too long for s, or too short for ms, and may be in the other unit."""
    if column not in TIMES[:2]:
        return []
    low, high = PLAUSIBLE[column]
    in_s = column.endswith("_s")
    odd = numbers[numbers > high] if in_s else numbers[(numbers > 0) & (numbers < low)]
    if odd.empty:
        return []
    n, unit = len(odd), "s" if in_s else "ms"
    return [
        f"{n} value{'s' if n > 1 else ''} of {column} {'are' if n > 1 else 'is'} {'above' if in_s else 'below'} "
        f"{high if in_s else low:.0f} {unit}, the first on {place(odd.index[0])}: {odd.iloc[0]:.6g}; if "
        f"{'they were' if n > 1 else 'it was'} measured in {'ms' if in_s else 's'}, "
        f"convert {'them' if n > 1 else 'it'}."
    ]
