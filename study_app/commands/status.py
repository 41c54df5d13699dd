"""`study_app status`: the dashboard's numbers in the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glimpse.command_line import Commands, aligned, next_step
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from study_app.experimenter.status import ImageStatus, SetStatus, StudyStatus

MOST = 3  # images of each kind


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "status", help="show participants, progress, F1, accuracy and timing",
        description="Show the status of the studies: participants, progress, F1, accuracy, timing and most misjudged "
        "images; the same numbers as the dashboard.",
    )  # fmt: skip
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the study's slug (default: all studies)")
    parser.add_argument(
        "--include-pilot", dest="groups", action="append_const", const="pilot", default=["people"],
        help="show pilot participants, too, apart from people",
    )  # fmt: skip
    parser.add_argument(
        "--include-simulated", dest="groups", action="append_const", const="simulated",
        help="show simulated participants, too, apart from people",
    )  # fmt: skip
    parser.add_json()
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    import itertools
    import json
    from dataclasses import asdict

    from sqlalchemy import select

    from study_app import models
    from study_app.database import open_database
    from study_app.experimenter.accounts import log_of
    from study_app.experimenter.status import image_status, study_status
    from study_app.experimenter.tally import Tally
    from study_app.studies import study_named

    with open_database(workspace).read() as session:
        if args.study:
            studies = [study_named(session, args.study)]
        else:
            studies = list(session.scalars(select(models.Study).order_by(models.Study.id)))
        found = []
        for study, group in itertools.product(studies, args.groups):
            tally = Tally(study.id, group)
            found.append((study_status(session, study, tally, models.now()), image_status(session, tally)))
        logs = [log_of(session, study) for study in studies for _ in args.groups] if args.json else []
    if args.json:
        values = [
            {**asdict(one), "images": [asdict(image) for image in images], "log": log}
            for (one, images), log in zip(found, logs, strict=True)
        ]
        print(json.dumps(values, indent=1, ensure_ascii=False))
    elif not found:
        print(f"There is no study yet. Next: {next_step(workspace)}")
    else:
        print("\n\n".join(describe(one, images) for one, images in found))


def describe(study: StudyStatus, images: Sequence[ImageStatus] = ()) -> str:
    """A study as tables for the terminal: participants, timing, and the most misjudged images."""
    from glimpse.observers import LEAST_JUDGEMENTS

    who = "participants" if study.group == "people" else f"{study.group} participants"
    lines = [f"{study.slug}: {study.title} ({study.state}, {study.mode}; {who})"]
    scores = f"{'right' if study.pairs else 'F1'} [quartiles] (chance)"
    header = ("set", "started", "finished", "active", "dropped out", scores, "accuracy")
    lines += ["  " + line for line in aligned([header, *(_row(one) for one in study.sets)])]
    if any(one.timing.trials for one in study.sets):
        timing = ("set", "answers", "exposure error", "exposure wrong", "dropped frames", "focus lost", "implausible")
        lines += ["", *("  " + line for line in aligned([timing, *(_timing(one) for one in study.sets)]))]
    for truth, words in (("generated", "most convincing"), ("real", "most doubted")):
        worst = [image for image in images if image.truth == truth][:MOST]
        if worst:
            shown = (f"{one.public_id} ({one.set_name}) {one.wrong:.0%} of {one.answers}" for one in worst)
            lines.append(f"  {words} (of {LEAST_JUDGEMENTS} judgements or more): {', '.join(shown)}")
    extra = {
        "in the pilot": study.pilot,
        "simulated": study.simulated,
        "said no": study.no_consent,
        "screened out": sum(one.screened_out for one in study.counted),
        "withdrawn": sum(one.withdrawn for one in study.counted),
        "rejected": sum(one.rejected for one in study.counted),
        "excluded by attention trials": sum(one.excluded_for.get("attention", 0) for one in study.counted),
        "excluded for implausible trials": sum(one.excluded_for.get("implausible", 0) for one in study.counted),
    }
    said = ", ".join(f"{count} {words}" for words, count in extra.items() if count)
    if study.funnel[0].reached:
        lines.append(f"  got as far as: {', '.join(f'{step.name} {step.reached}' for step in study.funnel)}")
    return "\n".join([*lines, f"  {said}"] if said else lines)


def _row(one: SetStatus) -> tuple[str, ...]:
    from study_app.experimenter.charts import tukey_box

    finished = f"{one.finished}/{one.quota}" if one.quota else str(one.finished)
    f1 = "-"
    if one.f1:
        _, low, middle, high, _ = tukey_box(one.f1)
        f1 = f"{middle:.2f} [{low:.2f}, {high:.2f}] ({tukey_box(one.chance)[2]:.2f})"
    accuracy = "-" if one.accuracy.mean is None else f"{one.accuracy.mean:.2f}"
    if one.accuracy.low is not None:
        accuracy += f" [{one.accuracy.low:.2f}, {one.accuracy.high:.2f}]"
    return one.name, str(one.started), finished, str(one.active), str(one.dropped_out), f1, accuracy


def _timing(one: SetStatus) -> tuple[str, ...]:
    time = one.timing
    error = "-"
    if time.mean_error_ms is not None:
        error = f"{time.mean_error_ms:+.1f} ± {time.sd_error_ms:.1f} ms"
    shares = (
        f"{share:.1%}" if time.trials else "-" for share in (time.wrong, time.dropped, time.unfocused, time.implausible)
    )
    return one.name, str(time.trials), error, *shares
