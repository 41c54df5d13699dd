"""The section `participants`: groups of people compared (`--group`), and accuracy by answers to questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.answers import people as known
from analysis.figures import participants as draw
from analysis.figures.style import MANY, labels
from analysis.numbers import LEVEL, corrected_over, decimal, ends, p_value, percent, signed
from analysis.people import significance
from analysis.people.between import groups as between
from analysis.people.between import questions
from analysis.people.between.groups import MEASURES
from analysis.people.estimation.estimate import METHOD, Estimate
from analysis.people.population import mixed
from analysis.people.trials import Trials
from analysis.section import Context, OptionError, Section, noted, places_by_set
from analysis.sections.survey import judgements
from glimpse.command_line import counted
from glimpse.observers import Floats

MOST_NAMED = 6  # pairs or answers in a sentence; the tables have all
GROUP_METHOD = (
    f"participants within groups, images across them: {METHOD}; d' by a {mixed.METHOD}, group as a fixed effect; "
    "p_holm over all pairs and sets of the measure"
)


def compute(context: Context) -> Section | None:
    """The section; None without --group and without a question that participants answered."""
    check(context)
    if context.people is None or not (context.group or context.asked):
        return None
    if (frame := judgements(context)) is None:
        if context.group:
            context.notice("No groups are compared: no image was shown alone, for a fixed time or without a limit.")
        return None
    coded = Trials.from_table(frame)
    people = context.people.reindex(sorted(frame["participant"].unique()))
    sets = {name: coded.where(places) for name, places in places_by_set(frame).items()}
    section = Section("participants", {name: {} for name in sets})
    if context.group:
        _add_groups(section, context, sets, people)
    asked = [column for column in context.asked if column != context.group.strip().lower()]
    if asked:
        _add_questions(section, sets, people, asked)
    section.scores = {name: found for name, found in section.scores.items() if found}
    if not section.scores:
        return None
    columns = {name: set(table) for name, table in section.tables.items()}  # empty columns are left out
    compared = columns.get("group-pairs", set())
    section.explain(
        group=context.group if "groups" in columns else "",
        covariates=", ".join(context.covariates) if "adjusted" in compared else "",
        tested=any(f"{measure}_p" in compared for measure in MEASURES),
        asked="p" in columns.get("questions", set()),
    )
    return section


def check(context: Context) -> None:
    """Raises OptionError for a --group or --covariate that the answers do not have or that cannot be one."""
    if context.covariates and not context.group:
        raise OptionError("--covariate: name the groups to be compared with --group.")
    for option, name in (*(("--covariate", c) for c in context.covariates), ("--group", context.group)):
        if name and context.responses is None:
            raise OptionError(f"{option} {name}: there are no answers yet, so there are no groups to compare.")
        if name:
            values = known.chosen_column(context.people, option, name)
            if option == "--group" or known.numbers(values) is None:
                known.group_names(values, f"{option} {name}")


# ------------------------------------------------------------------------------------------------ groups


def _add_groups(section: Section, context: Context, sets: Mapping[str, Trials], people: pd.DataFrame) -> None:
    values = known.chosen_column(people, "--group", context.group)
    names = known.group_names(values, f"--group {context.group}")
    group = np.array([names.index(v) if isinstance(v, str) else -1 for v in values])
    x, left_out = _covariates(people, context.covariates)
    lacking = int((group < 0).sum())
    if lacking:
        lost = counted(lacking, "participant")
        context.notice(f"{lost} without an answer in '{context.group}' {_are(lacking)} in no group.")
    beside = int((left_out & (group >= 0)).sum())
    if beside:
        context.notice(
            f"{counted(beside, 'participant')} without a value of each covariate {_are(beside)} not in adjusted "
            "differences."
        )
    each: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for name, trials in sets.items():
        here = trials.where(group[trials.participant] >= 0)
        if len(np.unique(group[here.participant])) < 2:
            context.notice(f"Only one group of '{context.group}' answered in {name}: there is nothing to compare.")
            continue
        found = between.compare(here, group, names, x, context.seed)
        for at, of in enumerate(found.names):
            row: dict[str, Any] = {"set": name, "group": of, "participants": found.participants[at]}
            row |= _numbers("balanced_accuracy", found.balanced_accuracy[at])
            each.append(row | _numbers("d_prime", found.d_prime[at]))
        for at, (first, second) in enumerate((p.first, p.second) for p in found.pairs["balanced_accuracy"]):
            row = {"set": name, "first": first, "second": second}
            for measure, compared in found.pairs.items():
                row |= _numbers(measure, compared[at].difference) | {f"{measure}_p": compared[at].p}
            pairs.append(row)
    for measure in MEASURES:
        _correct(pairs, f"{measure}_p", f"{measure}_p_holm")
    if not pairs:
        return
    for name, found_of in section.scores.items():
        if any(row["set"] == name for row in each):
            found_of |= {
                "group": context.group, "covariates": list(context.covariates),
                "groups": _records(each, name, GROUP_METHOD), "pairs": _records(pairs, name, GROUP_METHOD),
            }  # fmt: skip
    shown = labels(sets)
    section.sentences += group_sentences(context.group, context.covariates, each, pairs)
    adjusted = any(row.get("adjusted") is not None for row in pairs)
    measure = "adjusted" if adjusted else "balanced_accuracy"
    section.figure("groups", partial(draw.groups, each, pairs, measure, shown), adjusted=adjusted,
                   several=len(sets) > 1)  # fmt: skip
    section.table("groups", _table(each))
    section.table("group-pairs", _table(pairs))


def _covariates(people: pd.DataFrame, names: Sequence[str]) -> tuple[Floats | None, Any]:
    """The covariates as columns, (P, c), NaN if missing, words as indicators; who lacks one, (P,)."""
    columns: list[Any] = []
    for name in names:
        values = known.chosen_column(people, "--covariate", name)
        number = known.numbers(values)
        if number is not None:
            columns.append(number - np.nanmean(number))
            continue
        given = values.notna().to_numpy()
        for level in known.group_names(values, f"--covariate {name}")[1:]:
            columns.append(np.where(given, (values == level).to_numpy(float), np.nan))
    if not columns:
        return None, np.zeros(len(people), bool)
    x = np.column_stack(columns)
    return x, np.isnan(x).any(axis=1)


def group_sentences(
    group: str, covariates: Sequence[str], each: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Sentences on the groups' accuracy, set by set, and on the pairs that differ."""
    said = []
    several = len({row["set"] for row in each}) > 1
    for name in dict.fromkeys(row["set"] for row in each):
        rows = [row for row in each if row["set"] == name]
        words = "; ".join(
            f"{row['group']} {percent(row['balanced_accuracy'])}{_ends(row, 'balanced_accuracy', 100, ' %')}, "
            f"{counted(row['participants'], 'participant')}" for row in rows
        )  # fmt: skip
        said.append(f"{f'{name}: b' if several else 'B'}alanced accuracy by `{group}`: {words}.")
    for measure in [m for m in MEASURES if f"{m}_p" in pairs[0]]:
        what = MEASURES[measure] + (f" (at equal {', '.join(covariates)})" if measure == "adjusted" else "")
        tested = [row for row in pairs if row[f"{measure}_p"] is not None]
        corrected = corrected_over([row[f"{measure}_p"] for row in pairs], "pair")
        clear = sorted((row for row in tested if row[f"{measure}_p_holm"] < LEVEL), key=lambda row: row[f"{measure}_p"])
        beyond = f" and {len(clear) - MOST_NAMED} more pairs" if len(clear) > MOST_NAMED else ""
        if clear:
            listed = "; ".join(_gap(row, measure, several) for row in clear[:MOST_NAMED])
            said.append(f"In {what} these groups differ ({corrected}): {listed}{beyond}.")
        elif not tested:
            said.append(f"In {what} no groups can be compared: {pairs[0][f'{measure}_note']}.")
        else:
            said.append(f"In {what} no two groups differ measurably ({corrected}).")
    return said


def _gap(row: Mapping[str, Any], measure: str, several: bool) -> str:
    first, second, value = row["first"], row["second"], row[measure]
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    if value < 0:
        first, second, value, low, high = second, first, -value, -high, -low
    if measure == "d_prime":
        size = f"{decimal(value)} ({ends(low, high, digits=2)}"
    else:
        size = f"{100 * value:.1f} percentage points ({ends(100 * low, 100 * high, digits=1)}"
    where = f" in {row['set']}" if several else ""
    return f"{first} above {second}{where} by {size}; p {p_value(row[f'{measure}_p_holm'])})"


# ------------------------------------------------------------------------------------------------ questions


def _add_questions(section: Section, sets: Mapping[str, Trials], people: pd.DataFrame, asked: Sequence[str]) -> None:
    given: dict[str, Any] = {}
    for column in asked:
        number = known.numbers(people[column])
        words = people[column].astype(object).where(people[column].notna(), None)
        given[column] = words.to_numpy(object) if number is None else number
    rows: list[dict[str, Any]] = []
    for name, trials in sets.items():
        for effect in questions.effects(trials, given):
            row: dict[str, Any] = {
                "set": name, "question": effect.question, "answer": effect.answer or "per SD",
                "participants": effect.participants, **_numbers("difference", effect.difference), "p": effect.p,
            }  # fmt: skip
            pooled = effect.pooled or (None, None, None)
            rows.append(row | dict(zip(("pooled", "pooled_low", "pooled_high"), pooled, strict=True)))
    _correct(rows, "p", "p_holm")
    if not rows:
        return
    for name, found in section.scores.items():
        mine = _records(rows, name, questions.METHODS)
        found |= {"questions": mine} if mine else {}
    section.sentences += question_sentences(rows)
    for number, name in enumerate(list(dict.fromkeys(row["set"] for row in rows))[:MANY], 1):
        mine = [row for row in rows if row["set"] == name and row["difference_low"] is not None]
        if mine:
            section.figure(
                f"question-effects-{number}", partial(draw.effects, mine), "question-effects", set=name,
                several=len(sets) > 1, most=draw.MOST_EFFECTS if len(mine) > draw.MOST_EFFECTS else 0,
            )  # fmt: skip
    section.table("questions", _table(rows))


def question_sentences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on the answers associated with accuracy, with a warning on how many were compared."""
    tested = [row for row in rows if row["p"] is not None]
    if not tested:
        return ["Too few participants gave different answers to the questions to compare their accuracy."]
    clear = sorted((row for row in tested if row["p_holm"] < LEVEL), key=lambda row: row["p"])
    several = len({row["set"] for row in rows}) > 1
    named = "; ".join(_effect(row, several) for row in clear[:MOST_NAMED])
    beyond = f" and {len(clear) - MOST_NAMED} more" if len(clear) > MOST_NAMED else ""
    found = (
        f"these are associated with accuracy: {named}{beyond}"
        if clear
        else "none is measurably associated with accuracy"
    )
    count = len(tested)
    lucky = f"about {LEVEL * count:.0f}" if LEVEL * count >= 1.5 else "one or none" if count > 1 else ""
    luck = f" Without correction {lucky} of {count} would seem associated at 5 % by chance alone." if lucky else ""
    return [
        f"Of {counted(count, 'answer')} to questions{' in all sets' if several else ''}, {found} "
        f"(Holm-corrected, 5 %).{luck} Answers were not assigned at random, so an association need not be a cause."
    ]


def _effect(row: Mapping[str, Any], several: bool) -> str:
    size = f"{signed(100 * row['difference'], '+.1f')} percentage points"
    where = f" in {row['set']}" if several else ""
    return f"`{row['question']}` {row['answer']}{where} {size} (p {p_value(row['p_holm'])})"


# ------------------------------------------------------------------------------------------------ numbers


def _numbers(name: str, found: Estimate) -> dict[str, Any]:
    low, high = found.ci95 or (None, None)
    value = None if found.value is None else round(found.value, 12) + 0.0
    return {name: value, f"{name}_low": low, f"{name}_high": high, f"{name}_note": found.note or None}


def _correct(rows: Sequence[dict[str, Any]], p: str, corrected: str) -> None:
    """Add Holm's p-values over all rows that have one."""
    holm = iter(significance.holm([row[p] for row in rows if row.get(p) is not None]))
    for row in rows:
        if p in row:
            row[corrected] = None if row[p] is None else next(holm)


def _records(rows: Sequence[Mapping[str, Any]], name: str, method: str) -> list[dict[Any, Any]]:
    """The rows of one set, each with its method, and with a note where a number is missing."""
    found = []
    for row in rows:
        if row["set"] == name:
            notes = "; ".join(dict.fromkeys(v for k, v in row.items() if k.endswith("_note") and v))
            plain = {k: v for k, v in row.items() if k != "set" and not k.endswith("_note")}
            found.append(noted({**plain, "method": method}, notes or "no interval for these answers"))
    return found


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame([{k: v for k, v in row.items() if not k.endswith("_note")} for row in rows])
    table = table.dropna(axis=1, how="all")
    return table.drop(columns="set") if table["set"].nunique() == 1 else table


def _ends(row: Mapping[str, Any], name: str, times: float, unit: str) -> str:
    if row[f"{name}_low"] is None:
        return f" ({row[f'{name}_note'] or 'no interval'})"
    return f" ({times * row[f'{name}_low']:.1f} to {times * row[f'{name}_high']:.1f}{unit})"


def _are(count: int) -> str:
    return "are" if count > 1 else "is"
