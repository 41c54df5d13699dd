"""`study_app export`: a study as a Psych-DS data set; the same answers give the same bytes."""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glimpse.command_line import Commands, analysis_command, counted, pasteable
from glimpse.workspace import Workspace
from study_app.experimenter.export.dictionary import EVENTS, EXTERNAL_IDS, PARTICIPANTS, RESPONSES, Column
from study_app.experimenter.export.psych_ds import DESCRIPTION, descriptions

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from study_app.models import Study

# A quote is put before free text that a spreadsheet would take for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\n")


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "export", help="write a study's answers as a Psych-DS data set",
        description="Write a study's answers as a Psych-DS data set: two CSV tables and a description of every column.",
    )  # fmt: skip
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the study's slug (default: the only study)")
    parser.add_argument("--out", metavar="DIR", help="output folder (default: export/STUDY in the workspace)")
    parser.add_argument("--include-simulated", action="store_true", help="include simulated participants")
    parser.add_argument("--include-pilot", action="store_true", help="include pilot participants, who are not scored")
    parser.add_argument(
        "--with-external-ids", dest="extras", action="append_const", const="platform IDs", default=[],
        help="include the IDs of crowd platforms, which are personal data",
    )  # fmt: skip
    parser.add_argument(
        "--with-log", dest="extras", action="append_const", const="log",
        help="include the log of what experimenters did",
    )  # fmt: skip
    parser.add_argument(
        "--events", dest="extras", action="append_const", const="events",
        help="include the raw events of the page during each trial: keys, presses, focus, window",
    )  # fmt: skip
    parser.add_argument(
        "--with-stimuli", dest="extras", action="append_const", const="stimuli",
        help="include the images that participants saw; check first that their licence allows it",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.files import atomic_folder
    from study_app.database import open_database
    from study_app.experimenter.accounts import record
    from study_app.studies import study_named

    asked = {"people": True, "pilot": args.include_pilot, "simulated": args.include_simulated}
    include = [group for group, wanted in asked.items() if wanted]
    database = open_database(workspace)
    with database.read() as session:
        study = study_named(session, args.study)
        out = Path(args.out) if args.out else workspace.root / "export" / study.slug
        _refuse_foreign(out)
        files = export(session, study, include, extras=args.extras)
        answers_of = {group: _answers(session, study, group) for group in asked}
    with database.write() as session:
        record(session, "export", study, ", ".join([*include, *args.extras]))
    with atomic_folder(out) as folder:
        if private := bool({*args.extras} & {"platform IDs", "log"}):  # they name people: for the owner alone
            folder.chmod(0o700)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            if private:
                (folder / name).chmod(0o600)
    rows = {name: content.count(b"\n") - 1 for name, content in files.items() if name.endswith("_data.csv")}
    answers = next((path for path in rows if "_description-responses_" in path), "")
    found = f"{out}: {counted(len(rows), 'table')}, {counted(rows[answers], 'answer')}"
    for group, kept in answers_of.items():
        if kept and group not in include:
            found += f"; left out: {counted(kept, 'answer')} of {group} participants (--include-{group} exports them)"
    if not rows[answers]:
        print(f"{found}.")
        return
    following: list[str | Path] = [*analysis_command("report"), "--responses", out / answers]
    following += ["--include-simulated"] if args.include_simulated else []
    if rows[answers] == answers_of["pilot"]:  # which no report scores
        following = [*analysis_command("power"), "--pilot", out / answers]
    print(f"{found}. Next: {pasteable(workspace, *following)}")


def _refuse_foreign(out: Path) -> None:
    """Raise SurveyError for a path that is not an earlier export, since it would be replaced."""
    from study_app.database import SurveyError

    if out.exists() and not (out / DESCRIPTION).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise SurveyError(f"{out} exists and is not an earlier export: name another folder with --out.")


def slug_value(slug: str) -> str:
    """A slug as a value in a Psych-DS file name: its letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", slug) or "study"


def export(
    session: Session, study: Study, include: Collection[str] = ("people",), *, extras: Collection[str] = ()
) -> dict[str, bytes]:
    """The data set's files by their paths, with the participants of these groups (`models.GROUPS`).

    `extras`: "platform IDs", "events", "log", "stimuli". Sorted and without times: the same answers give the same
    bytes.
    """
    from study_app.definition.study import StudyFile, say

    prefix = f"data/study-{slug_value(study.slug)}_description-"
    tables: dict[str, tuple[Sequence[Column], Iterable[Any]]] = {
        "responses": (
            RESPONSES,
            _view(session, "responses", RESPONSES, study.slug, include, "participant, position"),
        ),
        "participants": (
            PARTICIPANTS,
            _view(session, "participants", PARTICIPANTS, study.slug, include, "participant"),
        ),
    }
    if attention := list(_view(session, "attention_trials", RESPONSES, study.slug, include, "participant, position")):
        tables["attention"] = (RESPONSES, attention)
    if "events" in extras:
        tables["events"] = (EVENTS, _events(session, study, include))
    if "platform IDs" in extras:
        tables["externalids"] = (EXTERNAL_IDS, _external_ids(session, study, include))
    files = {f"{prefix}{name}_data.csv": _csv(columns, rows) for name, (columns, rows) in tables.items()}
    columns = {f"{prefix}{name}_data.csv": given for name, (given, _) in tables.items()}
    file = StudyFile.from_dict(study.current.definition)
    sources = [
        {"@type": "CreativeWork", "name": f"study file of {study.slug}", "identifier": f"sha256:{one.sha256}",
         **({"url": _source_path(one.sha256)} if one.source is not None else {})}
        for one in study.versions
    ]  # fmt: skip
    description = descriptions(study, say(file.title, file.languages[0]), columns, sources, file.contact)
    log = {"materials/log.csv": _log(session, study)} if "log" in extras else {}
    images = _images(session, study) if "stimuli" in extras else {}
    return {**description, **files, **_materials(session, study), **log, **images}


def _log(session: Session, study: Study) -> bytes:
    """The log of the study, without log-ins and exports, which change nothing."""
    from study_app.experimenter.accounts import log_of

    rows = [entry for entry in log_of(session, study) if entry["did"] not in ("log in", "export")]
    columns = [Column(name, "string", "", "participant", "") for name in ("at", "who", "did", "about")]
    return _csv(columns, [entry.values() for entry in reversed(rows)])


def _materials(session: Session, study: Study) -> dict[str, bytes]:
    """The study's files and translations as loaded, and the texts that participants agreed to, by their hashes."""
    from sqlalchemy import select

    from study_app.models import Consent

    files = {_source_path(one.sha256): one.source for one in study.versions if one.source is not None}
    for one in study.versions:
        for code, po in one.definition.get("catalogs", {}).items():
            files[f"{_source_path(one.sha256).removesuffix('.toml')}-{code}.po"] = po.encode()
    consents = session.scalars(select(Consent).where(Consent.study_id == study.id).order_by(Consent.sha256))
    texts = json.dumps({one.sha256: one.text for one in consents}, indent=1, ensure_ascii=False, sort_keys=True)
    return {**files, "materials/consents.json": (texts + "\n").encode()}


def _source_path(sha256: str) -> str:
    return f"materials/study-{sha256[:12]}.toml"


def _view(
    session: Session, view: str, columns: Sequence[Column], slug: str, include: Collection[str], order: str
) -> Iterable[Any]:  # fmt: skip
    from sqlalchemy import text

    names = ", ".join(f'"{column.name}"' for column in columns)
    groups = {"people": "simulated = 0 AND pilot = 0", "pilot": "pilot = 1", "simulated": "simulated = 1"}
    condition = f"study = :slug AND ({' OR '.join(groups[group] for group in sorted(include))})"
    return session.execute(text(f"SELECT {names} FROM {view} WHERE {condition} ORDER BY {order}"), {"slug": slug})


def _answers(session: Session, study: Study, group: str) -> int:
    return sum(1 for _ in _view(session, "responses", RESPONSES[:1], study.slug, [group], "participant"))


def _external_ids(session: Session, study: Study, include: Collection[str]) -> list[tuple[str, ...]]:
    from sqlalchemy import select

    from study_app.models import ExternalIdentity, Participant

    query = select(Participant, ExternalIdentity).join(ExternalIdentity).where(Participant.study_id == study.id)
    return [
        (person.public_id, external.platform, external.person, json.dumps(external.details, sort_keys=True))
        for person, external in session.execute(query.order_by(Participant.public_id))
        if person.group in include
    ]


def _events(session: Session, study: Study, include: Collection[str]) -> Iterable[Any]:
    from sqlalchemy import select

    from study_app.models import Participant, Trial

    query = (
        select(Participant, Trial.position, Trial.events)
        .join(Trial)
        .where(Participant.study_id == study.id, Trial.events.is_not(None))
        .order_by(Participant.public_id, Trial.position)
    )
    for person, position, events in session.execute(query):
        if person.group in include:
            yield from ((person.public_id, position, *event) for event in events)


def _csv(columns: Sequence[Column], rows: Iterable[Any]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_cell(value, column) for value, column in zip(row, columns, strict=True)])
    return out.getvalue().encode()


def _cell(value: Any, column: Column) -> Any:
    if value is None:
        return ""
    if column.kind == "json" and value not in ("", "null"):
        return json.dumps(json.loads(value), sort_keys=True, ensure_ascii=False)
    if isinstance(value, str):  # some readers end a row at a lone carriage return, even in quotes
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if column.origin in ("participant", "platform") and isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "" if value == "null" and column.kind == "json" else value


def _images(session: Session, study: Study) -> dict[str, bytes]:
    """The images of the study's sets by set and ID, as the participants saw them."""
    from sqlalchemy import or_, select

    from study_app.models import LoadedSet, LoadedStimulus, Participant, StimulusImage, Trial

    seen = or_(Trial.stimulus_id == LoadedStimulus.id, Trial.second_id == LoadedStimulus.id)
    shown = select(LoadedStimulus.id).join(Trial, seen).join(Participant).where(Participant.study_id == study.id)
    query = select(LoadedSet.name, LoadedStimulus.public_id, StimulusImage.png).join(LoadedStimulus.set)
    query = query.join(StimulusImage, StimulusImage.stimulus_id == LoadedStimulus.id).where(
        LoadedStimulus.id.in_(shown)
    )
    return {f"materials/stimuli/{name}/{identity}.png": png for name, identity, png in session.execute(query)}
