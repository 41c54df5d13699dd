"""Numbers as text and as JSON values, the same everywhere in the report and in `compare`."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

LEVEL = 0.05  # of every test, for all tests of its kind together
LEAST_BOUND = 0.001  # of accuracy; half a million answers cannot decide whether it is within less
NOISE = 1e-12  # a difference below it between numbers of size 1 is a rounding error
TINY = {"p", "bayes"}  # words in the names of numbers that may be smaller


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent; halves are rounded up, as in `number`, so that sentences and tables give the same digits.

    >>> [percent(value)[:4] for value in (0.3225, 0.6475)], [number(value) for value in (0.3225, 0.6475)]
    (['32.3', '64.8'], ['0.323', '0.648'])
    """
    return "–" if value is None else f"{100 * _halves_up(value):.{digits}f}\u202f%"


def _halves_up(value: float) -> float:
    return value + math.copysign(NOISE, value)


def telling_digits(values: Iterable[float], limits: Iterable[float], least: int) -> int:
    """The number of decimals, at least `least`, with which no value is rounded to or across a limit.

    >>> telling_digits([0.4996], [0.5], least=3), telling_digits([0.62], [0.5], least=1)
    (4, 1)
    """

    def side(value: float, limit: float) -> int:
        return int(np.sign(value - limit))

    pairs = [(value, limit) for value in values for limit in limits]
    enough = (d for d in range(least, 9) if all(side(v, limit) == side(round(v, d), limit) for v, limit in pairs))
    return next(enough, 9)


def signed(value: float | np.floating[Any], form: str) -> str:
    """A number in a format, with a minus sign instead of a hyphen.

    >>> signed(-0.25, ".1f"), signed(0.0001234, ".2g")
    ('−0.2', '0.00012')
    """
    return f"{value:{form}}".replace("-", "−")


def decimal(value: float | None) -> str:
    return "–" if value is None else signed(value + 0.0, "z.2f")


def interval(found: Mapping[str, Any], times: float = 1, unit: str = "", limit: float = 0.0) -> str:
    """The 95 % interval of a number of scores.json, or the reason why it has none.

    >>> interval({"ci95": [-0.012, 0.5]}), interval({"ci95": None, "note": "one participant"})
    ('95 % interval −0.01 to 0.50', 'one participant')
    """
    if found["ci95"] is None:
        return str(found.get("note", "no interval"))
    low, high = (times * end for end in found["ci95"])
    return f"95 % interval {ends(low, high, 1 if times > 1 else 2, times * limit)}{unit}"


def ends(low: float, high: float, digits: int, limit: float = 0.0) -> str:
    """The ends of an interval, with enough decimals to show on which side of a tested value they lie.

    >>> ends(-1.25, 0.5, digits=1), ends(0.04, 5.0, digits=1), ends(0.81, 0.996, digits=2, limit=1.0)
    ('−1.2 to 0.5', '0.04 to 5.00', '0.810 to 0.996')
    """
    shown = telling_digits([low, high], [limit], digits)
    return f"{signed(low, f'.{shown}f')} to {signed(high, f'.{shown}f')}"


def p_value(value: float | None, equals: str = "= ") -> str:
    """A p-value after the letter p, or for a table with `equals=""`, with enough decimals to compare it with 0.05.

    >>> p_value(0.0496), p_value(0.2)
    ('= 0.0496', '= 0.200')
    """
    if value is None or math.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{equals}{value:.{telling_digits([value], [0.05], 3)}f}"


def corrected_over(p_values: Iterable[float | None], noun: str) -> str:
    """The level of the tests that were made, the number that Holm's correction is over, and of those not possible.

    >>> corrected_over([0.1, None, 0.2, float("nan")], "pair")
    'Holm-corrected over 2 pairs, 5 %; 2 could not be tested'
    >>> corrected_over([0.1], "pair")
    'tested at 5 %'
    """
    all_values = list(p_values)
    made = sum(p is not None and p == p for p in all_values)
    how = f"Holm-corrected over {made} {noun}s, 5 %" if made > 1 else "tested at 5 %"
    return how + (f"; {len(all_values) - made} could not be tested" if made < len(all_values) else "")


def listed(words: Sequence[str]) -> str:
    """'a, b and c'."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def as_field(name: str) -> str:
    """The name of a number as a key of JSON or a column.

    >>> as_field("random-feature Fréchet distance")
    'random_feature_frechet_distance'
    """
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


def renamed(key: str, names: Mapping[str, str]) -> str:
    """A key or column with each name of `names` (a word between underscores or spaces) replaced by its full name.

    >>> renamed("real_kid_low", {"kid": "random-feature KID"}), renamed("KID to test", {"kid": "random-feature KID"})
    ('real_random_feature_kid_low', 'random-feature KID to test')
    """
    for short, full in names.items():
        key = re.sub(rf"(?<![^_]){short}(?![^_])", as_field(full), key)
        key = re.sub(rf"\b{short.upper()}\b", full, key)
    return key


def all_renamed(scores: Any, names: Mapping[str, str]) -> Any:
    """`scores` (JSON values) with every key `renamed`."""
    if isinstance(scores, Mapping):
        return {renamed(str(key), names): all_renamed(value, names) for key, value in scores.items()}
    return [all_renamed(one, names) for one in scores] if isinstance(scores, list) else scores


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def number(value: Any) -> str:
    """A value for readers: 3 decimals below 10, fewer above, an en dash for a missing one."""
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}".replace(",", "\u202f") if abs(int(value)) >= 10_000 else str(int(value))
    if isinstance(value, (float, np.floating)):
        size = abs(float(value))
        if size < NOISE:
            return "0"
        if size and (size < 0.001 or size >= 1e6):
            return signed(value, ".2g")
        return signed(_halves_up(float(value)), f".{3 if size < 10 else 2 if size < 100 else 1}f")
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(is_number(v) for v in value):
        return f"{number(value[0])} to {number(value[1])}"
    return str(value)


def strict_json(value: Any, key: str = "") -> Any:
    """`value` (of this `key`) as strict JSON: NumPy's numbers as Python's, NaN and infinity as None, rounding as 0."""
    if isinstance(value, dict):
        return {str(k): strict_json(v, str(k)) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict_json(v, key) for v in value]
    if isinstance(value, np.ndarray):
        return strict_json(value.tolist(), key)
    if isinstance(value, pd.DataFrame):
        return strict_json(value.to_dict("records"))
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return (0.0 if _rounding(value, key) else float(value)) if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _rounding(value: Any, name: str) -> bool:
    """Whether a number of this name is a rounding error of zero; p-values and Bayes factors may be as small."""
    small = isinstance(value, (float, np.floating)) and abs(float(value)) < NOISE
    return small and not TINY & set(name.split("_"))


def settled(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with rounding errors of zero replaced by zero."""
    done = frame.copy(deep=False)
    for name in frame:
        if str(frame[name].dtype) in ("float64", "object") and not TINY & set(str(name).split("_")):
            floats = str(frame[name].dtype) == "float64"
            small = frame[name].abs() < NOISE if floats else frame[name].map(lambda v: _rounding(v, ""))
            done[name] = frame[name].mask(small.astype(bool), 0.0)
    return done
