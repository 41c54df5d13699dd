"""`study_app status`: how the studies stand, in the terminal; the same numbers as the dashboard's."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from gan_core.workspace import Workspace

if TYPE_CHECKING:
    from study_app.status import SetStatus, StudyStatus


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("status", parents=[common], help="who came, how far they got, F1, accuracy, timing")
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the study's slug (default: all studies)")
    parser.add_argument("--simulated", action="store_true", help="the simulated participants in the place of people")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    import json
    from dataclasses import asdict

    from sqlalchemy import select

    from study_app import models
    from study_app.find import open_database, the_study
    from study_app.status import Tally, study_status

    with open_database(workspace).read() as session:
        if args.study:
            studies = [the_study(session, args.study)]
        else:
            studies = list(session.scalars(select(models.Study).order_by(models.Study.id)))
        found = [
            study_status(session, study, Tally(study.id, args.simulated), models.now()) for study in studies
        ]  # fmt: skip
    if args.json:
        print(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))
    elif not found:
        print("There is no study yet. Next: study_app load STIMULI")
    else:
        print("\n\n".join(describe(one) for one in found))


def describe(study: StudyStatus) -> str:
    """A study as a table for the terminal."""
    who = "simulated participants" if study.simulated else "participants"
    lines = [f"{study.slug}: {study.title} ({study.state}, {study.mode}; {who})"]
    header = ("set", "started", "finished", "active", "dropped out", "F1 (chance)", "accuracy", "exposure error")
    rows = [header, *(_row(one) for one in study.sets)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    for row in rows:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    extra = {
        "said no": study.no_consent,
        "screened out": sum(one.screened_out for one in study.sets),
        "withdrawn": sum(one.withdrawn for one in study.sets),
        "excluded by attention trials": sum(one.excluded for one in study.sets),
    }
    said = ", ".join(f"{count} {words}" for words, count in extra.items() if count)
    return "\n".join([*lines, f"  {said}"] if said else lines)


def _row(one: SetStatus) -> tuple[str, ...]:
    from statistics import median

    finished = f"{one.finished}/{one.quota}" if one.quota else str(one.finished)
    f1 = f"{median(one.f1):.2f} ({median(one.chance):.2f})" if one.f1 else "-"
    accuracy = "-" if one.accuracy.mean is None else f"{one.accuracy.mean:.2f}"
    if one.accuracy.low is not None:
        accuracy += f" [{one.accuracy.low:.2f}, {one.accuracy.high:.2f}]"
    error = "-"
    if one.timing.mean_error_ms is not None:
        error = f"{one.timing.mean_error_ms:+.1f} ± {one.timing.sd_error_ms:.1f} ms"
    return one.name, str(one.started), finished, str(one.active), str(one.dropped_out), f1, accuracy, error
