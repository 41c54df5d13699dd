"""Turn a table into scored trials: find columns, check words, and count by rule what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answers.checks.contradictions import (
    answer_key,
    answers_beside,
    codes_of_truth,
    generators_beside,
    generators_in_truth,
    refuse_right_answers,
    refuse_shifted_codes,
    reversed_answers,
    times_out,
    times_since_start,
    verdicts,
)
from analysis.answers.checks.identities import (
    MOMENTS,
    held_by_others,
    repeats,
    rounded,
    sources_of_people,
    spellings,
)
from analysis.answers.columns.cells import count, flag_words, text, yes
from analysis.answers.columns.lacking import NEEDED, program_of, why_lacking
from analysis.answers.columns.names import with_correct_alone
from analysis.answers.columns.practice import practice
from analysis.answers.form import Form
from analysis.answers.judgements import by_value, meanings, read_correctness, read_words, split_doubts
from analysis.answers.numbers import MISSING, TIMES, read_numbers
from analysis.answers.people import asked, attributes, in_state
from analysis.answers.responses import NobodyScoredError, Responses
from analysis.answers.scales import has_own_ratings, read_confidence, read_own_ratings, read_rating
from analysis.answers.shared import share_real_images, tell_apart
from analysis.answers.tables.table import Table
from analysis.answers.tables.text_file import column_name
from analysis.section import AnalysisError
from glimpse.command_line import counted, did_you_mean

MODES = ("fixed", "staircase", "unlimited", "pair")  # how exposures are chosen; `pair`: which of two images is real
NUMBERS = ("position", "exposure_ms_planned", "exposure_ms_actual", "dropped_frames", "response_time_ms")
SURELY = 50  # answers that are all right are more likely the key than people's


def tidy(
    table: Table, where: Sequence[str] = (), form: Form | None = None, *, include_simulated: bool = False,
    include_pilot: bool = False,
) -> Responses:  # fmt: skip
    """The scored trials of a table whose columns have our names, filtered by `where` (COLUMN=VALUE).

    `include_pilot` scores participants whom our survey excludes only because its study was a pilot.
    Raises AnalysisError, naming column and line, if the table cannot be scored.
    """
    form, name = form or Form(), table.name
    raw = _with_needed(table, form)
    counts = {"rows": table.rows, "blank_rows": table.blank}
    raw, filters = _filtered(raw, where, name)
    counts["filtered_out"] = len(table.frame) - len(raw)
    doubled = _doubled(raw)
    counts["doubled_rows"] = int(doubled.sum())
    raw = raw[~doubled]

    notes = list(table.notes)
    trials = _columns(table.with_frame(raw), form, notes)
    notes += filter(None, [times_since_start(trials)])
    if "answer" not in raw and form.rating is None:
        notes += filter(None, [times_out(table.with_frame(raw), trials)])
    (again, held), (key, not_people) = held_by_others(table.with_frame(raw), trials), answer_key(trials)
    raw, trials = raw[~(again | key)], trials[~(again | key)]
    notes += filter(None, (held, not_people))
    people = trials["participant"]
    notes += filter(None, (practice(raw, people), repeats(table.with_frame(raw), trials)))
    trials["failed_catch"] = _failed_catch(raw, trials)
    left_out = _left_out(raw, trials, form, include_simulated=include_simulated, include_pilot=include_pilot)
    keep = pd.Series(True, index=trials.index)
    unanswered: dict[str, int] = {}
    excluded: dict[str, int] = {}
    excluded_for: dict[str, int] = {}
    for reason, rows in left_out.items():
        gone = keep & rows
        counts[reason] = int(people[gone].nunique() if "participants" in reason else gone.sum())
        if reason == "missing_answers":
            unanswered = {str(k): int(n) for k, n in trials.loc[gone, "set"].value_counts().items()}
        if reason == "excluded_participants":
            excluded = {str(k): int(n) for k, n in trials[gone].groupby("set")["participant"].nunique().items()}
            why = text(raw, "excluded_for", "")[gone]
            excluded_for = {str(k): int(n) for k, n in people[gone].groupby(why).nunique().items()}
        keep &= ~rows
    if not keep.any():
        raise _nobody_scored(table, counts, excluded_for)
    others = [rows for reason, rows in left_out.items() if reason != "unsure_answers"]
    rated = left_out["unsure_answers"] & trials["rating"].notna() & ~np.logical_or.reduce(others)
    taken = (keep | rated).to_numpy(bool)
    labels = trials.index[taken]
    trials = trials[taken].assign(scored=keep.to_numpy(bool)[taken]).reset_index(drop=True)
    if len(trials) >= SURELY and (trials["answer"] == trials["truth"]).all():
        notes.append(f"All {len(trials)} answers are right: check that answer is what people said, not the key.")
    notes += filter(None, [reversed_answers(trials)] if len(trials) >= SURELY else [])
    doubts = counts["halved_answers"] = int((trials["answer"] == "unsure").sum()) if form.unsure == "half" else 0
    if doubts:
        trials["answer"] = split_doubts(trials["answer"], trials["truth"], trials["participant"])
        notes.append(f"{counted(doubts, 'answer')} 'unsure' counted as half right: every second one as 'real'.")
    notes += filter(None, (rounded(trials), sources_of_people(trials)))
    trials, shared = share_real_images(trials)
    notes += [shared] if shared else []

    counts["names_of_two_images"], of_two = tell_apart(trials, lambda trial: table.place(labels[trial]))
    notes += [*([of_two] if of_two else []), *spellings(trials)]
    trials["is_generated"] = (trials["truth"] == "generated").to_numpy(bool)
    trials["said_generated"] = (trials["answer"] == "generated").to_numpy(bool)
    scored = trials.pop("scored").to_numpy(bool)
    unsure, trials = trials[~scored].reset_index(drop=True), trials[scored].reset_index(drop=True)
    backwards = trials["response_time_ms"] < 0
    trials.loc[backwards, "response_time_ms"] = np.nan
    counts["negative_response_times"] = int(backwards.sum())
    counts["flagged_trials"] = int((trials["flags"] != "").sum())
    if "state" in raw:
        counts["unfinished_participants_scored"] = int(trials.loc[~trials["finished"], "participant"].nunique())
    counts["repeated_judgements"] = int(trials.duplicated(["set", "participant", "image"]).sum())
    counts["trials"] = int(trials["trial"].nunique())
    known_of = attributes(raw[taken], people[taken])
    return Responses(
        trials, name, table.sha256, counts, filters, unanswered, _versions(raw[keep.to_numpy()]), tuple(notes),
        known_of, asked(raw, known_of), unsure, excluded, excluded_for,
    )  # fmt: skip


def _with_needed(table: Table, form: Form) -> pd.DataFrame:
    """The rows, with images in the column `image`. Raises AnalysisError if a needed column is missing, or every row."""
    raw = table.frame
    if "image" not in raw and "stimulus" in raw:
        raw = raw.rename(columns={"stimulus": "image"})
    missing = [c for c in NEEDED if c not in raw and not (c == "answer" and (form.rating or "correct" in raw))]
    if missing:
        raise AnalysisError(why_lacking(table, missing, meanings(form.words)["answer"], form.layout))
    if raw.empty:
        raise AnalysisError(f"{table.says('holds')} no answers, only column names: add a row for each judgement.")
    return raw


def _filtered(raw: pd.DataFrame, where: Sequence[str], name: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that fulfil the conditions, any of those on one column, and the conditions in words."""
    wanted: dict[str, list[str]] = {}
    for condition in where:
        wanted.setdefault(column_name(condition.partition("=")[0]), []).append(condition)
    for conditions in wanted.values():
        raw = raw[np.logical_or.reduce([_matches(raw, condition, name) for condition in conditions])]
    return raw, tuple(map(" or ".join, wanted.values()))


def _doubled(raw: pd.DataFrame) -> NDArray[np.bool_]:
    """The rows that repeat an earlier one, where a column tells the moments of a participant's answers apart."""
    moments = [c for c in MOMENTS if c in raw and raw[c].notna().all()]
    found = np.zeros(len(raw), bool)
    if moments:
        again = raw.duplicated(["participant", "image", *moments], keep=False).to_numpy(bool)  # far fewer columns
        found[again] = raw[again].duplicated()
    return found


def _failed_catch(raw: pd.DataFrame, trials: pd.DataFrame) -> Any:
    """Whether the participant of each row failed an attention trial, by the counts of an export or by the answers."""
    if "catch_trials" in raw and "catch_correct" in raw:
        return count(raw, "catch_correct") < count(raw, "catch_trials")
    wrong = yes(raw, "catch") & trials["answer"].notna() & (trials["truth"] != trials["answer"])
    return trials["participant"].isin(trials["participant"][wrong].unique())


def _left_out(
    raw: pd.DataFrame, trials: pd.DataFrame, form: Form, *, include_simulated: bool, include_pilot: bool
) -> dict[str, Any]:
    """The rows that are not scored, by reason; a row counts for the first reason that holds."""
    return {
        "simulated_participants_left_out": trials["simulated"] & (not include_simulated),
        "excluded_participants": yes(raw, "excluded") & ~((text(raw, "excluded_for", "") == "pilot") & include_pilot),
        "screened_out_participants": in_state(raw, "screened-out"),
        "catch_trials": yes(raw, "catch"),
        "replaced_trials": yes(raw, "replaced"),
        "unsure_answers": (trials["answer"] == "unsure") & (form.unsure == "out"),
        "missing_answers": trials["answer"].isna(),
    }


def _nobody_scored(table: Table, counts: dict[str, int], excluded_for: dict[str, int]) -> AnalysisError:
    """The error for a table of which no trial is scored."""
    kinds = {
        "excluded_participants": "excluded", "screened_out_participants": "screened-out",
        "simulated_participants_left_out": "simulated",
    }  # fmt: skip
    there = [kind for reason, kind in kinds.items() if counts[reason]]
    if not there:
        return AnalysisError(f"{table.says('has')} no scorable trial: check that the column answer is filled in.")
    rules = ", ".join(f"{rule} {people}" for rule, people in excluded_for.items() if rule)
    excluded = f" (excluded for: {rules})" if rules else ""
    remedy = ": add --include-simulated to see their report" if "simulated" in there else "; they are never scored"
    return NobodyScoredError(
        f"{table.says('holds')} answers of {' and '.join(there)} participants only{excluded}{remedy}.",
        f"all participants are {' or '.join(there)}",
    )


def _versions(raw: pd.DataFrame) -> dict[str, list[str]]:
    """The hashes of each stimulus set that was shown, where an export tells them."""
    if "set_sha256" not in raw:
        return {}
    names = text(raw, "set", "all")
    if "source" in raw:  # which names the sets of a within design
        names = names.where(names != "all", text(raw, "source", "all"))
    known = pd.DataFrame({"set": names, "sha256": raw["set_sha256"].astype(str)}).drop_duplicates()
    return {str(k): sorted(set(v)) for k, v in known.groupby("set")["sha256"]}


# ------------------------------------------------------------------------------------------------ columns


def _columns(table: Table, form: Form, notes: list[str]) -> pd.DataFrame:
    raw, words = table.frame, meanings(form.words)
    refuse_shifted_codes(table, words)
    trials = pd.DataFrame({"truth": read_words(table, "truth", words["truth"])})
    trials["rating"] = trials["confidence"] = np.nan
    if form.rating and form.confidence:
        raise AnalysisError("Give --rating or --confidence, not both: a rating already says how sure people were.")
    beside = form.rating is None or column_name(form.rating.partition(":")[0]) != "answer"
    answer = read_words(table, "answer", words["answer"]) if "answer" in raw and beside else None
    if answer is None and form.rating is None:
        refuse_right_answers(table, trials["truth"], words["truth"])
        answer = read_correctness(table, trials["truth"], words["answer"])
        notes.append("The answers were derived from the truth and the column correct.")
        notes += [coded] if (coded := codes_of_truth(table, trials["truth"])) else []
    elif answer is not None and form.rating is None and (rows := with_correct_alone(table)).any():
        part = table.with_frame(raw[rows].dropna(axis=1, how="all"))
        answer[rows] = read_correctness(part, trials["truth"][rows], words["answer"]).to_numpy()
        notes.append("Where a file has no answers, they were derived from the truth and the column correct.")
    if form.rating is not None:
        trials["rating"], answer, trials["confidence"], said = read_rating(table, form.rating, answer, words["answer"])
        notes.append(said)
    elif form.confidence is not None:
        trials["rating"], trials["confidence"], said = read_confidence(table, form.confidence, answer, words["answer"])
        notes.append(said)
    elif has_own_ratings(raw):
        trials["rating"], trials["confidence"], said = read_own_ratings(raw, answer)
        notes += [said] if said else []
    trials["answer"] = answer
    if answer is not None and "answer" in raw and form.rating is None and form.layout is None:
        notes += filter(None, [answers_beside(table, trials["truth"], answer, words["answer"])])
    notes += filter(None, (verdicts(table, trials["truth"], answer), generators_in_truth(table, words["truth"])))
    pairs = raw["task"] == "pair" if {"task", "second_stimulus"} <= set(raw) else pd.Series(False, index=raw.index)
    trials["set"] = text(raw, "set", "all")
    notes += [generators] if (generators := generators_beside(table, trials)) else []
    if "source" in raw:
        trials["source"] = text(raw, "source", "")
        within = pairs & (trials["set"] == "all")  # a pair belongs to one set, even if sets share its real image
        trials["set"] = trials["set"].mask(within, trials["source"])
        trials["source"] = trials["source"].mask(pairs, "")
    for column in ("participant", "image"):
        trials[column] = text(raw, column, None)
    for column in ("truth", "participant", "image"):
        gone = trials[column].isna().to_numpy(bool)
        if gone.any():
            tables = [
                f for f, own in zip(table.files, table.columns, strict=True) if "truth" in own and "answer" not in own
            ]
            remedy = f"give {tables[0]} as --truth" if column == "truth" and tables else "fill it in"
            if form.layout is None and (program := program_of(table)):
                remedy += f", or read the file with --layout {program}"
            raise AnalysisError(f"{table.place(raw.index[gone][0])}: the column {column} is empty; {remedy}.")
    files = [table.file_names(raw.index)] if len(table.files) > 1 else []
    for column in (*NUMBERS, "why_x", "why_y", *TIMES[1:]):
        trials[column] = np.nan
        if column in raw:
            trials[column], unread = read_numbers(
                raw[column], column, table.place, [*files, trials["participant"].to_numpy()], *files
            )
            notes += [unread] if unread else []
    for column, ms in zip(TIMES[1:], (1e3, 1e-3, 1e-6), strict=True):
        trials["response_time_ms"] = trials["response_time_ms"].fillna(trials.pop(column) * ms)
    trials["focus_lost"], trials["simulated"] = yes(raw, "focus_lost"), yes(raw, "simulated")
    trials["why"] = text(raw, "why", "")
    trials["finished"] = in_state(raw, "finished")
    trials["answered_at"] = text(raw, "answered_at", "")
    if "answered_at" in raw:
        trials.loc[trials["answered_at"].str.lower().isin(MISSING), "answered_at"] = ""
    mode = text(raw, "mode", "fixed")
    if "mode" in raw:  # it may mean something else
        mode = mode.where(mode.isin(MODES), "fixed")
    trials["mode"] = mode
    if pairs.any():
        trials.loc[pairs, "mode"] = "pair"
        trials.loc[pairs, ["rating", "confidence"]] = np.nan  # ratings are of a single image
        trials["second"] = text(raw, "second_stimulus", "")
    trials["flags"] = by_value(raw["flags"], flag_words).fillna("") if "flags" in raw else ""
    return trials


def _matches(raw: pd.DataFrame, condition: str, name: str) -> Any:
    """Whether `COLUMN=VALUE` keeps each row; the case of the value does not matter."""
    column, equals, value = (word.strip() for word in condition.partition("="))
    column, value = column_name(column), value.casefold()
    if not equals:
        raise AnalysisError(f"--where {condition}: write COLUMN=VALUE, as in --where passed_attention_check=True.")
    if column == "stimulus" and column not in raw:
        column = "image"
    if column not in raw:
        raise AnalysisError(
            f"--where {condition}: no column {column} in {name}; {did_you_mean(column, list(raw.columns))}"
        )
    values = by_value(raw[column], lambda v: str(v).strip().casefold()).fillna("")
    if value in ("true", "false"):  # databases without a boolean type say 1 and 0
        values = values.replace({"1": "true", "0": "false", "1.0": "true", "0.0": "false"})
    found = values == value
    if not found.any():
        there = sorted(set(map(str, values)) - {""})
        raise AnalysisError(
            f"--where {condition}: no row of {name} has that value; {column} is one of: {', '.join(there[:8])}"
            f"{', ...' if len(there) > 8 else '.'}"
        )
    return found
