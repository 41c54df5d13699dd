"""`study_app forget`: erase one person's data on request, or anonymise data past its retention period."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from glimpse.command_line import Commands, counted
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from study_app.database import Database
    from study_app.models import Participant


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "forget", help="erase a participant's data, a pilot, or all data past its retention period",
        description="Erase a participant's data on request. With --expired, erase the personal data of every study "
        "whose retention period is over; a running server does this by itself.",
    )  # fmt: skip
    parser.add_argument(
        "participant", nargs="?", metavar="PARTICIPANT", help="the participant's code in exports, such as p1a2b3c4d5e6f"
    )
    parser.add_argument("--external-id", metavar="ID", help="the ID given by a crowd platform or a personal link")
    parser.add_argument("--expired", action="store_true", help="every participant past the retention period")
    parser.add_argument(
        "--clock-is-right", action="store_true",
        help="with --expired: erase even if more than a week has passed since retention periods were last checked",
    )  # fmt: skip
    parser.add_argument("--pilot", metavar="STUDY", help="delete all participants who entered while STUDY was a pilot")
    parser.add_argument("--yes", action="store_true", help="with --pilot: really delete them")
    parser.add_argument("--show", action="store_true", help="print the stored data as JSON and erase nothing")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    import json

    from study_app import models
    from study_app.database import SurveyError, open_database
    from study_app.experimenter.accounts import record
    from study_app.participant import withdrawal

    if sum((args.participant is not None, args.external_id is not None, args.expired, args.pilot is not None)) != 1:
        raise SurveyError("Name what to erase: PARTICIPANT, --external-id ID, --expired, or --pilot STUDY.")
    database = open_database(workspace)
    if args.pilot is not None:
        print(_forget_pilot(database, args.pilot, really=args.yes))
        return
    if args.expired:
        count = withdrawal.forget_expired(database, models.now(), clock_is_right=args.clock_is_right)
        with database.write() as session:
            record(session, "anonymise", about=counted(count, "participant"))
        print(f"The links and IDs of {counted(count, 'participant')} past the retention period are erased.")
        return
    with database.write() as session:
        found = _found(session, args)
        if args.show:
            print(
                json.dumps([withdrawal.stored_data(session, person) for person in found], indent=1, ensure_ascii=False)
            )
            return
        for person in found:
            withdrawal.erase(session, person)
            record(session, "erase", person.study, person.public_id)
        print(f"{counted(len(found), 'participant')} erased, and counted as withdrawn.")


def _forget_pilot(database: Database, slug: str, *, really: bool) -> str:
    from sqlalchemy import func, select

    from study_app import models
    from study_app.database import SurveyError
    from study_app.experimenter.accounts import record
    from study_app.participant import withdrawal
    from study_app.studies import study_named

    with database.write() as session:
        study = study_named(session, slug)
        mine = (models.Participant.study_id == study.id, *models.in_group("pilot"))
        count = session.scalar(select(func.count()).where(*mine)) or 0
        people = f"{counted(count, 'pilot participant')} of '{slug}'"
        if count and not really:
            raise SurveyError(f"This would delete {people} for good: add --yes to do so.")
        if withdrawal.delete_pilot(session, study):
            record(session, "delete pilot", study, counted(count, "participant"))
    return f"{people} deleted."


def _found(session: Session, args: argparse.Namespace) -> list[Participant]:
    """The participants with the given code or ID. Raises SurveyError if there are none."""
    from sqlalchemy import select

    from study_app.database import SurveyError
    from study_app.models import ExternalIdentity, Participant

    query = select(Participant)
    if args.participant is not None:
        query = query.where(Participant.public_id == args.participant)
        missing = (
            f"There is no participant '{args.participant}': codes such as p1a2b3c4d5e6f are in exports and on the "
            "dashboard."
        )
    else:
        query = query.join(ExternalIdentity).where(ExternalIdentity.person == args.external_id.strip())
        missing = f"No stored participant has the ID '{args.external_id}': check it, or their IDs are already erased."
    found = list(session.scalars(query))
    if not found:
        raise SurveyError(missing)
    return found
