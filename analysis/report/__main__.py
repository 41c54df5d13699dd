"""`python -m analysis.report`: the report on a workspace, or on answers from any survey.

This is the command line; `compose` does the work and is imported only when it starts.

PYTHON_ARGCOMPLETE_OK
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from analysis import EXTRACTORS
from analysis.answers.form import add_form_options
from analysis.sections import SECTIONS
from glimpse.command_line import Parser, program, run_command


def build_parser() -> Parser:
    parser = program(
        "python -m analysis.report",
        "Write the report: what people could tell, how good the images are, and what both say together.",
    )
    add = parser.add_argument
    add("--responses", metavar="FILE", type=Path, nargs="+",
        help="answers from any survey, as files, folders or patterns: columns participant,image,truth,answer and "
        "optionally set,response_time_s; without --workspace or $GLIMPSE_WORKSPACE the report covers only these "
        "answers")  # fmt: skip
    add_form_options(parser)
    add("--where", metavar="COLUMN=VALUE", action="append", default=[],
        help="keep rows with this value; repeatable: any value given for a column, in every column given")  # fmt: skip
    add("--group", metavar="COLUMN",
        help="compare the groups of participants that this column names, such as a question of the study")  # fmt: skip
    add("--covariate", metavar="COLUMN", action="append", default=[],
        help="compare the groups at equal values of this column, such as age; repeatable")  # fmt: skip
    add("--preregistration", metavar="FILE.md", type=Path,
        help="report which parts of this file, written by `analysis.power --preregister`, are unchanged")  # fmt: skip
    add("--out", metavar="DIR", type=Path, help="output folder (default: report/ in the workspace)")
    add("--positive", choices=("generated", "real"), default="generated", help="the positive class of F1")
    add("--bound", metavar="D", type=float, default=0.05,
        help="'cannot tell' means an accuracy within 0.5 ± D; fix it before looking at the data")  # fmt: skip
    add("--include-simulated", action="store_true", help="include simulated participants; the report says so")
    add("--skip", metavar="SECTION", action="append", default=[], names=list(SECTIONS),
        help=f"leave out a section: {', '.join(SECTIONS)}; repeatable")  # fmt: skip
    parser.add_seed("all resampling")
    add("--extractor", default="auto", metavar="NAME", names=("auto", *EXTRACTORS),
        help=f"features for distances: {', '.join(EXTRACTORS)}, or your own function as module:function, from images "
        "(N, H, W, 3) uint8 to features (N, d); auto takes the first of the three with weights")  # fmt: skip
    add("--weights", metavar="FILE", type=Path, help="Inception's weights, if they cannot be downloaded")
    parser.add_device()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    return run_command(lambda: run(args), "Stopped; the report is as it was before.")


def run(args: argparse.Namespace) -> int:
    # before torch is loaded: threads that wait for each other sleep, or on a busy machine each occupies a core
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _keep_freed_memory()
    first = "analysis.report.compose" not in sys.modules
    gc.disable()  # while a million objects are imported that stay, which each full collection would visit
    from analysis.report.compose import write_report

    if first:
        gc.freeze()
    gc.enable()
    return write_report(args)


def _keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks below 32 MiB; other C libraries lack the call.

    Otherwise the kernel maps and clears them again for every batch of images: a third of the time of drawing images.
    """
    with suppress(OSError, TypeError, AttributeError):
        for option, size in ((-3, 32 << 20), (-1, 1 << 30)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of malloc.h
            ctypes.CDLL(None).mallopt(option, size)


if __name__ == "__main__":
    sys.exit(main())
