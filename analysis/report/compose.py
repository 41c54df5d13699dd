"""Write a report: read the answers, compute each section, and put report/ in place in one step.

A section that needs torch is left out, with a sentence, where torch is not installed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from analysis import EXTRACTORS, inventory
from analysis.answers import read as answers_of
from analysis.answers.database import UnreadableError
from analysis.answers.form import Form
from analysis.answers.responses import NobodyScoredError, Responses
from analysis.cache import helped
from analysis.figures.style import lacking
from analysis.numbers import LEAST_BOUND, all_renamed, renamed, strict_json
from analysis.report import front_matter
from analysis.report import page as pages
from analysis.section import AnalysisError, Context, OptionError, Section
from analysis.sections import LAST, SECTIONS, participants
from analysis.sections.preregistration import name_exploratory
from analysis.sections.survey import MANY_ANSWERS
from gan_core.device import pick_device
from glimpse import how_to_install
from glimpse.command_line import pasteable, train_command
from glimpse.files import GlimpseError, atomic_folder, read_json, write_json
from glimpse.progress import duration, progress
from glimpse.workspace import Workspace

NOTHING, SKIPPED = "no data", "skipped as requested"  # why a section may be absent
UNREADABLE = "the answers cannot be read"  # ... one of answers
DISTANCES = ("quality", "truncation", "memorisation", *LAST)  # sections with numbers on an extractor's features
ANSWERS = (
    "summary",
    "preregistration",
    "survey",
    "conditions",
    "participants",
    "reliability",
    "ratings",
    "pairs",
    "reasons",
    "thresholds",
)  # of no workspace
OURS = {"index.html", "scores.json", "figures", "tables", "texts"}  # what a report folder holds


def write_report(args: argparse.Namespace) -> int:
    """Read, compute, write. Raises GlimpseError for invalid input."""
    named = bool(args.workspace or os.environ.get("GLIMPSE_WORKSPACE"))
    alone = args.responses is not None and not named  # the report covers these answers and no workspace
    _check_options(args, alone)
    workspace = Workspace.at(args.workspace)
    if args.workspace and not workspace.root.is_dir() and args.responses is None:
        raise AnalysisError(f"There is no workspace at {workspace.root}: check --workspace.")
    out = args.out or workspace.report
    _refuse_to_replace(out, asked=args.out is not None)
    answers, no_answers, unread = _answers(args, workspace)
    context = Context(
        workspace=Workspace(out) if alone else workspace, seed=args.seed,
        responses=None if answers is None else answers.trials,
        extractor=args.extractor, weights=args.weights, device=args.device, positive=args.positive, bound=args.bound,
        people=None if answers is None else answers.people, asked=() if answers is None else answers.asked,
        group=args.group or "", covariates=tuple(args.covariate),
        preregistration=args.preregistration, filters=() if answers is None else answers.filters,
        rating=args.rating or "",
        unanswered={} if answers is None else answers.unanswered, unsure=None if answers is None else answers.unsure,
        excluded={} if answers is None else answers.excluded,
        excluded_for={} if answers is None else answers.excluded_for, counts={} if answers is None else answers.counts,
        cache=out / "cache" if alone else None, said=unread,
    )  # fmt: skip
    wanted = [name for name in SECTIONS if name not in args.skip]
    if "participants" in wanted:
        participants.check(context)  # before anything is computed
    sections, absent = compute(context, [name for name in wanted if name in ANSWERS or not alone], no_answers)
    if args.preregistration:
        name_exploratory(sections, context.group)
    if not sections:
        raise AnalysisError(_nothing(context))
    made = {section.name for section in sections}
    absent = {n: SKIPPED if n in args.skip else absent.get(n, NOTHING) for n in SECTIONS if n not in made}
    left_out = [f"{name}: {why.rstrip('.')}." for name, why in absent.items() if why not in (NOTHING, no_answers)]
    boxed = [] if answers is None else [name for name in sorted(set(answers.trials["set"])) if lacking(name)]
    if boxed:
        context.notice(f"No installed font has every letter of {', '.join(boxed)}: PNG and PDF figures show boxes.")
    front = partial(front_matter.page, context, answers, sections, left_out, vars(args))
    page = _write(out, front, sections, absent, context)
    read = front_matter.on_screen(answers) if args.responses is not None and answers else []
    for note in [*page.warnings, *read, *context.notices]:
        print(note)
    for verdict in page.verdicts:
        print(f"{verdict['set']}: {verdict['sentence']}")
    print(f"The report is written: {out / 'index.html'} (open it in a browser); every number: {out / 'scores.json'}.")
    return 0


def _check_options(args: argparse.Namespace, alone: bool) -> None:
    """Raises GlimpseError for options that cannot be used; without torch, those of sections that need it are not. What
    a known extractor needs is not checked where it is not used (`alone`).
    """
    unknown = [name for name in args.skip if name not in SECTIONS]
    if unknown:
        raise AnalysisError(f"--skip {unknown[0]}: unknown section; choose from: {', '.join(SECTIONS)}.")
    if args.preregistration and "survey" in args.skip:
        raise AnalysisError("--skip survey: it tests the hypothesis of --preregistration; leave out one of the two.")
    with suppress(ImportError):
        known, asked = args.extractor in ("auto", *EXTRACTORS), (args.extractor, args.weights)
        if not known or (not alone and asked not in (("auto", None), ("random", None))):
            from analysis.images.extractors import check_extractor

            check_extractor(args.extractor, args.weights)
        if args.device == "cuda":
            pick_device(args.device)
    if not LEAST_BOUND <= args.bound < 0.5:
        raise AnalysisError(f"--bound {args.bound:g}: must be at least {LEAST_BOUND} and below 0.5, e.g. 0.05.")


def _answers(args: argparse.Namespace, workspace: Workspace) -> tuple[Responses | None, str, list[str]]:
    """The answers; without any the reason why not, and a sentence on those that cannot be used."""
    simulated = args.include_simulated
    if args.responses is not None:
        return answers_of.read_csv(args.responses, args.where, Form.of(args), include_simulated=simulated), NOTHING, []
    try:
        answers = answers_of.read_database(workspace, args.where, include_simulated=simulated)
    except (NobodyScoredError, UnreadableError) as error:  # the other sections are still written
        if args.where or (isinstance(error, UnreadableError) and os.environ.get("DATABASE_URL")):
            raise
        return None, error.reason if isinstance(error, NobodyScoredError) else UNREADABLE, [str(error)]
    if answers is None and args.where:
        raise AnalysisError("--where: the survey's database holds no answers yet, so there is nothing to filter.")
    return answers, NOTHING, []


def _write(
    out: Path,
    front: Callable[[], front_matter.Page],
    sections: Sequence[Section],
    absent: dict[str, str],
    context: Context,
) -> front_matter.Page:
    """Put the report folder in place, with what else the old one holds."""
    with atomic_folder(out) as building:
        total = sum(len(section.figures) for section in sections)
        with (
            pages.drawn_ahead(sections, context.cached),
            progress(title="drawing", unit="figures", total=total) as bar,
        ):
            page = front()
            name_distances(context, sections)
            pages.write(building, page, sections, lambda name: bar.update(), context.cached)
        scores: dict[str, Any] = dict.fromkeys(SECTIONS) | {section.name: section.scores for section in sections}
        reasons = {why: ", ".join(n for n in absent if absent[n] == why) for why in absent.values()}
        why_not = {"note": "; ".join(f"{names}: {why}" for why, names in reasons.items())} if absent else {}
        write_json(building / "scores.json", strict_json({**scores, "provenance": page.provenance, **why_not}))
        for kept in out.iterdir() if out.is_dir() else ():
            if kept.name not in OURS:  # the cache, and any other file beside the report
                os.rename(kept, building / kept.name)
    return page


def compute(context: Context, wanted: Sequence[str], no_answers: str = NOTHING) -> tuple[list[Section], dict[str, str]]:
    """The sections in the page's order, and the reason for each absent one: `no_answers` if answers are missing."""
    sections: list[Section] = []
    absent: dict[str, str] = {}
    later = [name for name in wanted if name in ANSWERS and name not in ("survey", *LAST)]  # than the survey
    many = context.responses is not None and len(context.responses) >= MANY_ANSWERS
    with (
        helped([partial(_section, name, context) for name in later], worthwhile=many),
        progress(sorted(wanted, key=LAST.__contains__), title="computing", unit="sections") as bar,
    ):
        for name in bar:
            bar.set_postfix_str(name)
            started = time.monotonic()
            try:
                section = _section(name, context, *([{p.name: p for p in sections}] if name in LAST else []))
            except ImportError as error:
                absent[name] = f"needs {error.name}, which is not installed ({how_to_install('train')})"
                continue
            except OptionError:
                raise
            except GlimpseError as error:
                if name == "survey":
                    raise
                context.notice(f"The section '{name}' is left out: {error}")
                absent[name] = f"left out: {error}"
                continue
            if section is None:
                absent[name] = no_answers if name in ANSWERS else NOTHING
            else:
                sections.append(section)
            if section is not None or not sys.stderr.isatty():
                took = time.monotonic() - started
                bar.write(f"{name}: {duration(took) if section else absent[name]}", file=sys.stderr)
    return sorted(sections, key=lambda section: list(SECTIONS).index(section.name)), absent


def _section(name: str, context: Context, *given: Any) -> Section | None:
    section: Section | None = importlib.import_module(SECTIONS[name]).compute(context, *given)
    return section


def name_distances(context: Context, sections: Sequence[Section]) -> None:
    """Name every distance after its features; only those on the published Inception's are called KID and FID."""
    measured = [section for section in sections if section.name in DISTANCES]
    if not {section.name for section in measured} - set(LAST):
        return
    from analysis.images import extractors

    names = extractors.names(context.extractor, context.weights)
    for section in measured:  # the outermost keys are names of sets and runs
        section.scores = {name: all_renamed(found, names) for name, found in section.scores.items()}
        section.tables = {
            name: frame.rename(columns=lambda column: renamed(str(column), names))
            for name, frame in section.tables.items()
        }


def _nothing(context: Context) -> str:
    """The sentence for a workspace without anything to report."""
    workspace = context.workspace
    sets = [name for name in workspace.names("images") if inventory.image_set(context, name)]
    said = " ".join(context.notices)
    if not sets:
        start = pasteable(workspace, "gan_core", "prepare", "phantom")
        there = f"holds no answers, runs or image sets that can be used. Start with `{start}`"
    else:
        there = (
            f"holds the image sets {', '.join(sets)}, but no trained run, stimulus set or answers that can be used. "
            f"Train a generator with `{train_command(workspace, sets)}`"
        )
    return f"There is nothing to report yet: {workspace.root} {there}, or give answers with --responses FILE.csv." + (
        f" {said}" if said else ""
    )


def _refuse_to_replace(out: Path, *, asked: bool) -> None:
    """Raises AnalysisError instead of replacing a folder that holds something other than a report."""
    if out.is_file():
        raise AnalysisError(f"{out} is a file: name a folder with --out.")
    if not asked or not out.is_dir():
        return
    theirs = [p.name for p in out.iterdir() if p.name not in (*OURS, "cache") and not p.name.startswith(".")]
    with suppress(GlimpseError):
        read_json(out / "scores.json")
        return
    if theirs:
        raise AnalysisError(f"{out} is not empty ({theirs[0]}, ...) and is not a report folder: choose another --out.")
