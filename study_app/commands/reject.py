"""`study_app reject`: exclude participants whom a crowd platform's export names as returned or rejected."""

from __future__ import annotations

import argparse
from pathlib import Path

from glimpse.command_line import Commands
from glimpse.workspace import Workspace


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "reject", help="free the places of participants whom a platform's export names as returned or rejected",
        description="Free the places of participants whom a crowd platform's export (CSV) names as rejected, returned, "
        "timed out or screened out. Their answers are kept but not scored. The dashboard's page 'Recruiting' does the "
        "same.",
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE.csv", help="the platform's export, or a list of IDs, one on each line")
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the study's slug (default: the only study)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app.database import SurveyError, open_database
    from study_app.definition import crowd
    from study_app.experimenter.recruiting import free_places
    from study_app.studies import study_named

    try:
        states = crowd.freed_places(crowd.text_of(Path(args.file).read_bytes()))
    except OSError as error:
        raise SurveyError(f"The export {args.file} cannot be read ({error.strerror}): check the path.") from None
    with open_database(workspace).write() as session:
        study = study_named(session, args.study)
        freed = free_places(session, study, states)
        print(
            f"{args.file}: {len(states)} gave up their place or were turned down. Places freed in the study "
            f"'{study.slug}': {freed}."
        )
