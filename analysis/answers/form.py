"""The format of answers: options that state the meaning of columns, words and files.

Parsers load this module, so it imports nothing heavy; `read` applies the options.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from glimpse.command_line import Parser

LAYOUTS = ("jspsych", "psychopy", "qualtrics", "gorilla", "opensesame", "labjs", "formr", "otree", "testable", "wide")


@dataclass(frozen=True)
class Form:
    """The format of a file of answers; the default is our own columns and words."""

    map: list[str] = field(default_factory=list)  # NAME=COLUMN
    words: list[str] = field(default_factory=list)  # NAME=WORD,WORD
    truth: Path | None = None  # a table image,truth
    layout: str | None = None  # one of LAYOUTS
    rating: str | None = None  # COLUMN[:LOW..HIGH]
    unsure: str = "out"  # or "half"
    confidence: str | None = None  # COLUMN[:LOW..HIGH]
    people: Path | None = None  # a table of participants' IDs, age, ...

    @staticmethod
    def of(args: argparse.Namespace) -> Form:
        return Form(
            args.map, args.words, args.truth, args.layout, args.rating, args.unsure, args.confidence, args.people
        )


def add_form_options(parser: Parser) -> None:
    """The options that `Form.of` reads."""
    add = parser.add_argument
    add("--map", metavar="NAME=COLUMN", action="append", default=[],
        help="take participant, image, truth, answer, set, source, ... from this column; repeatable")  # fmt: skip
    add("--words", metavar="NAME=WORD,...", action="append", default=[],
        help="words that mean real, generated, unsure or missing: --words generated=fake,1; truth.real=1 is for the "
        "truth alone, answer.real=j to the answer; repeatable")  # fmt: skip
    add("--truth", metavar="FILE.csv", type=Path, help="table of the images with their truth (and set or source)")
    add("--people", metavar="FILE.csv", type=Path,
        help="table of the participants (age, sex, ...) by their IDs, such as Prolific's demographic export, which is "
        "recognised among the answers too")  # fmt: skip
    add("--layout", choices=LAYOUTS, help="the program whose export this is; wide: one row per participant, one column "
        "per image, named by --truth")  # fmt: skip
    add("--rating", metavar="COLUMN[:LOW..HIGH]",
        help="a rating from LOW (definitely real) to HIGH (definitely generated; default: the range in the data) gives "
        "the answer by its middle, which counts as unsure")  # fmt: skip
    add("--confidence", metavar="COLUMN[:LOW..HIGH]",
        help="how sure people were of the answer beside it, from LOW (guessed) to HIGH (sure); answer and confidence "
        "together are a rating")  # fmt: skip
    add("--unsure", choices=("out", "half"), default="out",
        help="leave 'unsure' out, or count it as half right, half wrong")  # fmt: skip
