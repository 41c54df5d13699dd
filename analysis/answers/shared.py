"""Images of several sets: real ones that conditions share, and names that a real and a generated image share.

Copies of an answer have the same number in `trial`, so that it is counted once however many conditions it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from analysis.numbers import listed
from glimpse.command_line import counted
from glimpse.stimuli import condition_name

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
        joined = pd.concat(found, ignore_index=True)
        return joined, _sentence(_in_several_sets(joined))
    sets, with_generated, with_real = (
        set(s.unique()) for s in (trials["set"], trials["set"][~real], trials["set"][real])
    )
    only_real, only_generated = sets - with_generated, sets - with_real
    pools = only_real if only_generated else only_real & {"all"}
    others = sorted(sets - pools)
    if pools and len(others) and (len(others) > 1 or only_generated):
        pool = trials[trials["set"].isin(pools)]
        joined = _with_pool(trials[~trials["set"].isin(pools)], pool, others)
        moved = sorted(set(joined.loc[joined["stimulus_set"] != joined["set"], "set"]))
        one = f"Real images of sets without generated ones are part of {listed(moved)}."
        return joined, _sentence(_in_several_sets(joined)) or one
    without_set = real & (trials["set"] == "all").to_numpy(bool)
    if only_generated and without_set.any():  # beside generated images without a set
        joined = _with_pool(trials, trials[without_set], sorted(only_generated))
        return joined, _sentence(_in_several_sets(joined))
    return _copies(trials, real)


def _groups(values: pd.Series) -> list[np.ndarray]:
    return [(values == name).to_numpy(bool) for name in values.drop_duplicates()]


def _by_source(trials: pd.DataFrame, source: pd.Series, real: np.ndarray) -> pd.DataFrame:
    """The trials of one set, split into a condition for each source of its generated images."""
    name = trials["set"].iloc[0]
    generators = sorted(set(source[~real]))
    if not generators or (len(generators) == 1 and name != "all"):
        return trials
    label = {g: g if name == "all" and g else condition_name(name, g) for g in generators}
    generated = trials[~real].assign(set=source[~real].map(label))
    return _with_pool(generated, trials[real], [label[g] for g in generators])


def _with_pool(own: pd.DataFrame, pool: pd.DataFrame, conditions: list[str]) -> pd.DataFrame:
    """The trials, with answers to the pool repeated in each condition that their participant judged, or in all.

    A condition with real images of its own has those of the pool that are in no set, not those of another set.
    """
    with_real = set(own.loc[own["truth"] == "real", "set"])
    seen = own.groupby("set")["participant"].unique()
    anywhere = set(own["participant"])
    frames = [own]
    for name in conditions:
        here = pool["participant"].isin(list(seen.get(name, []))) | ~pool["participant"].isin(anywhere)
        here &= (pool["set"] == "all") | (name not in with_real)
        frames.append(pool[here].assign(set=name))
    return pd.concat(frames, ignore_index=True)


def _in_several_sets(trials: pd.DataFrame) -> pd.DataFrame:
    """The answers to real images that are part of several conditions."""
    real = trials[trials["truth"] == "real"]
    return real[real.groupby(["stimulus_set", "image"])["set"].transform("nunique") > 1]


def _sentence(shared: pd.DataFrame, image: Sequence[str] = ("stimulus_set", "image")) -> str:
    """The sentence on answers that conditions share; `image`: the columns that tell images apart."""
    if shared.empty:
        return ""
    conditions, each = shared["set"].nunique(), shared.groupby([*image])["set"].nunique()
    few, most = each.min(), each.max()
    part = "" if few == conditions else f", each image in {few if few == most else f'{few} to {most}'} of them"
    return (
        f"{conditions} conditions share {counted(len(each), 'real image')}{part}: answers to real images "
        f"({shared['trial'].nunique():,}) belong to every {'such ' if part else ''}condition that their participant "
        "judged, and are counted once."
    )


def _copies(trials: pd.DataFrame, real: np.ndarray) -> tuple[pd.DataFrame, str]:
    """The trials with one number for each answer to a real image that a file repeats, unchanged, in several sets.

    An answer that is missing in one of the sets where the participant judged the image is not a copy: names such as
    1, 2, 3 may begin again in each set.
    """
    if not trials.loc[real, ["set", "participant"]].drop_duplicates()["participant"].duplicated().any():
        return trials, ""
    rows = trials[real]
    pairs = rows.drop_duplicates(["set", "participant", "image"]).groupby(["participant", "image"], sort=False).ngroup()
    if len(pairs) == pairs.nunique():  # no participant judged a real image in two sets
        return trials, ""
    again = rows.groupby([*SAME, "set"], sort=False, dropna=False).cumcount()  # the same answer, given once more
    same = rows.assign(again=again).groupby([*SAME, "again"], sort=False, dropna=False)
    judged_in = rows.groupby(["participant", "image"], sort=False)["set"].transform("nunique")
    if (same["set"].transform("nunique") < judged_in).any():
        return trials, ""
    changed = trials["trial"].to_numpy().copy()
    changed[real] = same["trial"].transform("min")
    trials = trials.assign(trial=changed)
    return trials, _sentence(trials.loc[rows.index[judged_in > 1]], ["image"])


def tell_apart(trials: pd.DataFrame, place: Callable[[int], str]) -> tuple[int, str]:
    """Rename real and generated images of one set that share a name, in place; the number of such names, a sentence.

    `place` gives the file and line of a trial. There is no sentence if that holds for most names, as in numbered files.
    """
    kinds = trials[["set", "image", "truth", "trial"]].drop_duplicates(["set", "image", "truth"])
    twice = kinds[kinds.duplicated(["set", "image"])]
    if twice.empty:
        return 0, ""
    first = twice.sort_values("trial").iloc[0]
    rows = pd.MultiIndex.from_frame(trials[["set", "image"]]).isin(pd.MultiIndex.from_frame(twice[["set", "image"]]))
    trials.loc[rows, "image"] += " (" + trials.loc[rows, "truth"] + ")"
    if 2 * len(twice) > kinds["image"].nunique():
        return len(twice), ""
    others = f", as are {counted(len(twice) - 1, 'other name')}" if len(twice) > 1 else ""
    return len(twice), (
        f"The image '{first['image']}' is {first['truth']} on {place(first['trial'])} and not elsewhere{others}: each "
        "name counts as a real and a generated image; if it is one image, correct its truth."
    )
