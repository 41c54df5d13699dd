"""The section `reasons`: participants' reasons for their answers, as words and as points on the images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import inventory
from analysis.figures import pictures
from analysis.numbers import listed, percent
from analysis.section import Context, Section, places_by_set
from glimpse.images import read

MOST_WORDS = 30  # of a set, in the table
FEWEST_PEOPLE = 2  # who used a word; words of a single person are only in the export
MOST_IMAGES = 8  # of a set, drawn with their points
FEWEST_POINTS = 2  # on an image that is drawn
WORD = re.compile(r"[^\W\d_]{3,}")
# Function words and words about any picture, in the languages of the survey's pages.
EMPTY = frozenset(
    WORD.findall("""the and for are was were with that this these those too very not but its has had have like just more
    than from seems seem looks look looked image images photo picture because there
    der die das den dem des ein eine einen und ist war sind nicht mit auf von aus wie sehr auch als bei zum zur sieht
    wirkt bild bilder weil aber
    les des une est sont était pas avec dans pour que qui par sur trop très plus mais comme cette semble
    """)
)


def compute(context: Context) -> Section | None:
    """The section; None if no answer has a reason."""
    frame = context.responses
    if frame is None or not ((frame["why"] != "").any() or frame["why_x"].notna().any()):
        return None
    section = Section("reasons")
    tables: dict[str, list[pd.DataFrame]] = {"reasons-words": [], "reasons-points": []}
    files = {one.id: found.folder / one.file for found in inventory.stimulus_sets(context).values()
             for one in found.stimuli}  # fmt: skip
    for name, places in places_by_set(frame).items():
        rows = frame.iloc[places]
        words, points = used_words(rows), pointed(rows)
        for key, found in (("reasons-words", words.head(MOST_WORDS)), ("reasons-points", points)):
            tables[key].append(found.assign(set=name)[["set", *found.columns]])
        section.scores[str(name)] = {
            "answers": len(rows), "with_words": int((rows["why"] != "").sum()),
            "with_a_point": int(points["points"].sum()), "words": words.head(MOST_WORDS).to_dict("records"),
        }  # fmt: skip
        section.sentences += sentences(str(name), len(rows), section.scores[str(name)], words)
        shown = [row for row in points.to_dict("records") if row["points"] >= FEWEST_POINTS and row["image"] in files]
        if shown:
            drawn = partial(_draw, rows, shown[:MOST_IMAGES], files)
            section.figure(f"reasons-{name}", drawn, "points", set=name, images=len(shown[:MOST_IMAGES]))
    for key, of_sets in tables.items():
        section.table(key, pd.concat(of_sets, ignore_index=True), people=FEWEST_PEOPLE, most=MOST_WORDS)
    section.explain(people=FEWEST_PEOPLE)
    return section


def words_of(text: str) -> set[str]:
    """The words of a reason, each once, without function words.

    >>> sorted(words_of("The hair looks blurry, and the HAIR ends"))
    ['blurry', 'ends', 'hair']
    """
    return set(WORD.findall(text.casefold())) - EMPTY


def used_words(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per word that several people used, most frequent first; shares are of the answers with the word."""
    right = (rows["said_generated"] == rows["is_generated"]).to_numpy(bool)
    found = [
        (word, person, generated, correct)
        for text, person, generated, correct in zip(
            rows["why"], rows["participant"], rows["said_generated"], right, strict=True
        )
        for word in words_of(text)
    ]
    grouped = pd.DataFrame(found, columns=["word", "participant", "said_generated", "right"]).groupby("word")
    table = grouped.agg(
        answers=("word", "size"), participants=("participant", "nunique"),
        said_generated=("said_generated", "mean"), right=("right", "mean"),
    ).reset_index()  # fmt: skip
    table = table[table["participants"] >= FEWEST_PEOPLE]
    return table.sort_values(["participants", "answers", "word"], ascending=[False, False, True], ignore_index=True)


def with_points(rows: pd.DataFrame) -> pd.DataFrame:
    """The answers with a point; `image` is the image under the point (of a pair, the one taken for generated)."""
    rows = rows[rows["why_x"].notna() & rows["why_y"].notna()]
    if "second" in rows:
        other = (rows["mode"] == "pair") & ~rows["said_generated"]
        rows = rows.assign(
            image=rows["image"].mask(other, rows["second"]), is_generated=rows["is_generated"] ^ other.to_numpy(bool)
        )
    return rows


def pointed(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per image, those with most points first: the points' median position and median distance from it (px)."""
    found = []
    for image, own in with_points(rows).groupby("image", sort=True):
        x, y = own["why_x"].to_numpy(float), own["why_y"].to_numpy(float)
        middle = np.median(x), np.median(y)
        found.append({
            "image": image, "truth": "generated" if own["is_generated"].iloc[0] else "real", "points": len(own),
            "participants": own["participant"].nunique(), "x": middle[0], "y": middle[1],
            "distance": float(np.median(np.hypot(x - middle[0], y - middle[1]))),
        })  # fmt: skip
    columns = ["image", "truth", "points", "participants", "x", "y", "distance"]
    return pd.DataFrame(found, columns=columns).sort_values(["points", "image"], ascending=[False, True])


def sentences(name: str, answers: int, scores: dict[str, Any], words: pd.DataFrame) -> Iterator[str]:
    """The sentences on one set."""
    if scores["with_words"]:
        often = [f"'{one.word}' ({one.participants} participants)" for one in words.head(3).itertuples()]
        most = f"; used by most people: {listed(often)}" if often else ""
        yield f"{name}: {percent(scores['with_words'] / answers)} of {answers} answers give a reason in words{most}."
    if scores["with_a_point"]:
        yield f"{name}: {percent(scores['with_a_point'] / answers)} of {answers} answers point at a place in the image."


def _draw(rows: pd.DataFrame, shown: list[dict[Any, Any]], files: dict[str, Path]) -> Any:
    rows = with_points(rows)
    tiles = []
    for one in shown:
        own, pixels = rows[rows["image"] == one["image"]], read(files[one["image"]])
        tiles.append(
            (pixels, own[["why_x", "why_y"]].to_numpy(float), own["said_generated"].to_numpy(bool), one["truth"])
        )
    return pictures.pointed(tiles)
