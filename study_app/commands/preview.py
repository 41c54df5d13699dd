"""`study_app preview`: a study with all its pages, in a database that is removed when the preview ends."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glimpse.command_line import Commands
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy.orm import Session

    from study_app.definition.study import StudyFile
    from study_app.models import Participant

STAGES = ("questions", "device", "trials", "debrief", "failed-attention")
ENDS = (
    "no-consent", "screened-out", "over-quota", "full", "paused", "closed", "begun", "invited-only", "unproven",
    "rejected", "withdrawn",
)  # fmt: skip


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "preview", help="show every page of a study without storing anything",
        description="Serve every page of a study, including those for people who cannot take part, without storing "
        "anything: the database of the preview is removed when it ends.",
    )  # fmt: skip
    parser.add_argument("study", metavar="STUDY", help="a study file (.toml), or the slug of a study that is loaded")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on")
    parser.add_argument("--port", type=int, default=5001, metavar="N", help="port to listen on")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    import tempfile

    from study_app.commands.serve import check_port, serve_threads

    study, source = _study(args.study, workspace)
    check_port(args.host, args.port)
    with tempfile.TemporaryDirectory(prefix="glimpse-preview-") as folder:
        app = preview_app(workspace, study, source, Path(folder))
        address = f"http://{args.host}:{args.port}/preview/"
        print(f"The preview is at {address} - Ctrl-C ends it; nothing is kept.", flush=True)
        serve_threads(app, args.host, args.port)


def _study(name: str, workspace: Workspace) -> tuple[StudyFile, bytes]:
    from study_app.database import open_database
    from study_app.definition.study import StudyFile
    from study_app.definition.study_toml import read_study
    from study_app.studies import study_named

    if name.endswith(".toml"):
        return read_study(Path(name)), Path(name).read_bytes()
    with open_database(workspace).read() as session:
        version = study_named(session, name).current
        return StudyFile.from_dict(version.definition), version.source or b""


def preview_app(workspace: Workspace, study: StudyFile, source: bytes, folder: Path) -> Flask:
    """The survey with this study alone, and /preview/, which links each of its pages."""
    from flask import abort, redirect, render_template, request, url_for

    from study_app import create_app, i18n, models
    from study_app.commands.load import published_sets, store_with_sets
    from study_app.database import app_database
    from study_app.participant.pages import back

    published = published_sets(workspace, study)
    study = replace(study, sets=tuple(replace(entry, quota=None) for entry in study.sets))  # no visitor finds it full
    url = f"sqlite:///{folder / 'preview.db'}"
    app = create_app({"WORKSPACE": Workspace(folder), "DATABASE_URL": url, "ERASE_EXPIRED": False})
    with app.extensions["glimpse"].write() as session:
        store_with_sets(session, study, source, published, amend=False)

    @app.get("/preview/")
    def preview() -> Any:
        i18n.offer(study)
        return render_template("admin/preview.html", study=study, stages=STAGES, ends=ENDS)

    @app.get("/preview/<page>")
    def preview_page(page: str) -> Any:
        i18n.offer(study)
        if page in ENDS:
            code_and_url = back(page, study, request.args.to_dict())
            return render_template("closed.html", study=study, why=page, person=models.Participant(), **code_and_url)
        if page not in STAGES:
            abort(404)
        with app_database().write() as session:
            if page == "device" and study.needs_device:
                return redirect(url_for("entry.study", slug=study.slug), 303)
            return redirect(url_for("pages.participant", token=_visitor(session, study, page).token), 303)

    return app


def _visitor(session: Session, study: StudyFile, page: str) -> Participant:
    """A participant for whom this page comes next."""
    from sqlalchemy import select

    from study_app import i18n, models
    from study_app.participant import allocation

    row = session.scalars(select(models.Study)).one()
    person = allocation.enter(
        session, row, language=i18n.language(), consent={}, who=None, token=allocation.new_token(), simulated=True
    )
    assert person is not None  # simulated participants are not limited
    person.simulated, person.device = False, {} if study.needs_device else None
    ends = page in ("debrief", "failed-attention")
    person.stage = "end" if ends else page
    if ends:
        person.state, person.finished_at, person.counted = "finished", models.now(), page == "debrief"
        for trial in session.scalars(select(models.Trial).where(models.Trial.participant_id == person.id)):
            trial.answer, trial.exposure_ms_actual, trial.response_time_ms = "real", trial.exposure_ms_planned, 3000.0
    return person
