"""`study_app link`: signed personal links to a study, or the link with which one participant continues."""

from __future__ import annotations

import argparse

from glimpse.command_line import Commands, in_range
from glimpse.workspace import Workspace

MOST_LINKS = 100_000


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "link", help="make personal links to a study, or show a participant's link",
        description="Make signed personal links to a study: each admits one person, who may return with it in any "
        "browser, and a study with `invited_only = true` admits nobody else. With --external-id, show the link with "
        "which the participant who has this platform ID continues.",
    )  # fmt: skip
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the study's slug (default: the only study)")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="number of links")
    parser.add_argument(
        "--url", default="http://127.0.0.1:5000", metavar="URL",
        help="the survey's address, such as https://survey.example.org",
    )  # fmt: skip
    parser.add_argument("--external-id", metavar="ID", help="the ID given by a crowd platform")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    from sqlalchemy import select

    from study_app import models, security
    from study_app.database import SurveyError, open_database
    from study_app.definition import crowd
    from study_app.studies import study_named

    in_range("--count", args.count, 1, MOST_LINKS)
    with open_database(workspace).read() as session:
        study = study_named(session, args.study)
        if args.external_id is None:
            key = security.secret_key(workspace.root / "secret.key")
            for code in crowd.new_codes(args.count):
                print(
                    crowd.personal_link(args.url, study.slug, crowd.signed_code(code, crowd.link_key(study.slug, key)))
                )
            return
        external, person = models.ExternalIdentity, models.Participant
        mine = (external.study_id == study.id, external.person == args.external_id.strip())
        tokens = session.scalars(select(person.token).join(external).where(*mine)).all()
    if not tokens:
        raise SurveyError(f"No participant of '{study.slug}' has the ID '{args.external_id}': check it.")
    for token in tokens:
        print(f"{args.url.rstrip('/')}/p/{token}/")
