"""Real images that several sets share: one condition for each generator, with the same real images.

Copies of an answer have the same number in `trial`, so that it is counted once however many conditions it belongs to.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.numbers import counted

SAME = ["participant", "image", "answer", "position", "response_time_ms", "exposure_ms_actual", "answered_at"]


def share_real_images(trials: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The trials with a number, answers to real images repeated in each condition they belong to; and a sentence.

    If a column `source` names several generators of a set, each becomes a condition with all real images of the set,
    whose name is kept in `stimulus_set`. Without that column, real images without a set belong to all sets, and so do
    those of sets without generated images if the other sets have no real ones.
    """
    trials = trials.assign(trial=np.arange(len(trials)), stimulus_set=trials["set"])
    real = (trials["truth"] == "real").to_numpy(bool)
    if "source" in trials:
        trials, blocks = trials.drop(columns="source"), trials.pop("source")
        found = [_by_source(trials[rows], blocks[rows], real[rows]) for rows in _groups(trials["set"])]
        conditions = sum(n for _, n in found)
        joined = pd.concat([frame for frame, _ in found], ignore_index=True)
        return joined, _sentence(joined, conditions) if conditions > 1 else ""
    classes = trials.groupby("set")["truth"].nunique()
    only_real = set(trials["set"]) - set(trials.loc[~real, "set"])
    only_generated = set(trials["set"]) - set(trials.loc[real, "set"])
    pools = only_real if (classes == 1).all() and only_generated else only_real & {"all"}
    others = sorted(set(trials["set"]) - pools)
    if pools and len(others) and (len(others) > 1 or only_generated):
        pool = trials[trials["set"].isin(pools)]
        joined = _with_pool(trials[~trials["set"].isin(pools)], pool, others)
        return joined, _sentence(joined, len(others))
    return _copies(trials, real)


def _groups(values: pd.Series) -> list[np.ndarray]:
    return [(values == name).to_numpy(bool) for name in values.drop_duplicates()]


def _by_source(trials: pd.DataFrame, source: pd.Series, real: np.ndarray) -> tuple[pd.DataFrame, int]:
    """The trials of one set, split into a condition for each source of its generated images; and their number."""
    name = trials["set"].iloc[0]
    generators = sorted(set(source[~real]))
    if not generators:
        return trials, 1
    if len(generators) == 1 and name != "all":
        return trials, 1
    label = {g: g if name == "all" and g else f"{name} {g}".strip() for g in generators}
    generated = trials[~real].assign(set=source[~real].map(label))
    return _with_pool(generated, trials[real], [label[g] for g in generators]), len(generators)


def _with_pool(own: pd.DataFrame, pool: pd.DataFrame, conditions: list[str]) -> pd.DataFrame:
    """The trials, with answers to the pool repeated in each condition that their participant judged, or in all."""
    seen = own.groupby("set")["participant"].unique()
    anywhere = set(own["participant"])
    frames = [own]
    for name in conditions:
        here = pool["participant"].isin(list(seen.get(name, []))) | ~pool["participant"].isin(anywhere)
        frames.append(pool[here].assign(set=name))
    return pd.concat(frames, ignore_index=True)


def _sentence(trials: pd.DataFrame, conditions: int) -> str:
    real = trials[trials["truth"] == "real"]
    return (
        f"{conditions} conditions share {counted(real['image'].nunique(), 'real image')}: answers to real images "
        f"({real['trial'].nunique():,}) belong to every condition that their participant judged, and are counted once."
    )


def _copies(trials: pd.DataFrame, real: np.ndarray) -> tuple[pd.DataFrame, str]:
    """The trials with one number for each answer to a real image that a file repeats, unchanged, in several sets."""
    rows = trials[real]
    pairs = rows.drop_duplicates(["set", "participant", "image"]).groupby(["participant", "image"], sort=False).ngroup()
    if len(pairs) == pairs.nunique():  # no participant judged a real image in two sets
        return trials, ""
    first = rows.groupby(SAME, sort=False, dropna=False)["trial"].transform("min")
    within = rows.groupby([*SAME, "set"], sort=False, dropna=False).cumcount()
    several = rows.groupby(["participant", "image"], sort=False)["set"].transform("nunique") > 1
    alike = rows.groupby(SAME, sort=False, dropna=False)["set"].transform("nunique") > 1
    if not (alike | ~several).all() or within.any():
        return trials, ""
    changed = trials["trial"].to_numpy().copy()
    changed[real] = first
    trials = trials.assign(trial=changed)
    return trials, _sentence(trials, rows.loc[several, "set"].nunique())
