"""`study_app load`: store stimulus sets in the database and open a study with them.

A study that has participants is never changed silently: `--amend` adds a version for new participants; earlier ones
keep theirs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glimpse.command_line import Commands, counted, next_step, pasteable
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from glimpse.stimuli import StimulusSet
    from study_app.definition.study import StudyFile
    from study_app.models import LoadedSet, Study


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "load", help="load stimulus sets into the survey and open a study",
        description="Load stimulus sets into the survey and open a study of them: the study that STUDY.toml describes, "
        "else 20 trials of 2-3 s, 10 real and 10 generated, as in the paper.",
    )  # fmt: skip
    parser.add_argument(
        "stimuli", nargs="*", metavar="STIMULI", names="stimuli", help="names of stimulus sets, or a study file (.toml)"
    )
    parser.add_argument("--all", action="store_true", help="load every stimulus set, as the study 'glimpse'")
    parser.add_argument(
        "--amend", action="store_true", help="change a study that has participants, for those who enter from now on"
    )
    parser.set_defaults(run=load)


def load(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app import database

    study, source = _requested(args, workspace)
    published = published_sets(workspace, study)
    database.upgrade(workspace.database_url)
    with database.Database(workspace.database_url).write() as session:
        said = store_with_sets(session, study, source, published, amend=args.amend)
    for row in published:
        print(f"{row.name}: {len(row.of('real'))} real and {len(row.of('generated'))} generated images.")
        if study.pairs and not study.within and (generators := len(row.conditions())) > 1:
            print(
                f"{row.name}: in pairs, the report joins its {generators} generators into one condition. To compare "
                "them, publish one set for each, with the same real images, --count and --seed, and set design = "
                '"within".'
            )
    print(f"{said} Next: {pasteable(workspace, 'study_app', 'serve')}")


def _requested(args: argparse.Namespace, workspace: Workspace) -> tuple[StudyFile, bytes]:
    """The study, and the file that describes it."""
    from study_app.database import SurveyError
    from study_app.definition.study import default_study, source_of
    from study_app.definition.study_toml import read_study

    files = [name for name in args.stimuli if name.endswith(".toml")]
    names = list(dict.fromkeys(name for name in args.stimuli if not name.endswith(".toml")))
    if args.all and not args.stimuli:
        names = workspace.names("stimuli")
        if not names:
            raise SurveyError(
                f"There is no stimulus set in {workspace.root / 'stimuli'}; next: {next_step(workspace, '`')}."
            )
        study = default_study(names, slug="glimpse")
        return study, source_of(study)
    if len(files) == 1 and not args.all:
        study = read_study(Path(files[0]))
        missing = [name for name in names if name not in [entry.name for entry in study.sets]]
        if missing:
            raise SurveyError(
                f"{files[0]} has no set '{missing[0]}': name it there under [[sets]], or leave it out here."
            )
        return study, Path(files[0]).read_bytes()
    if names and not files and not args.all:
        study = default_study(names)
        return study, source_of(study)
    raise SurveyError("Say what to load: names of stimulus sets, one study file (STUDY.toml), or --all.")


def published_sets(workspace: Workspace, study: StudyFile) -> list[StimulusSet]:
    """The study's stimulus sets. Raises SurveyError for one with too few images for a participant."""
    from glimpse.stimuli import StimulusSet

    published = [StimulusSet.load(workspace.existing("stimuli", entry.name)) for entry in study.sets]
    conditions = [part for one in published for part in one.conditions().values()] if study.within else published
    needed = _needed(study, len(conditions))
    for one in conditions:
        _check_enough(one, needed)
    for one in published:
        _check_practice(one, study)
    if study.within:
        _check_shared(published, needed["real"])
    return published


def _check_shared(published: list[StimulusSet], needed: int) -> None:
    """Raise SurveyError unless the sets of a within design share enough real images, in one size."""
    from study_app.database import SurveyError

    names = ", ".join(f"'{one.name}'" for one in published)
    if len({(one.height, one.width) for one in published}) > 1:
        raise SurveyError(f"The images of the stimulus sets {names} differ in size: a within design needs one size.")
    shared = set.intersection(*({image.sha256 for image in one.of("real")} for one in published))
    if len(shared) < needed:
        raise SurveyError(
            f"The stimulus sets {names} share {len(shared)} real images, but a participant of this within design needs "
            f"{needed}: publish the sets with the same real images, `--count` and `--seed`."
        )


def _needed(study: StudyFile, conditions: int) -> dict[str, int]:
    """The number of images of each class that a set needs for a participant of this study; in a within design, that
    each of the `conditions` needs."""
    plan = study.trials
    real = round(plan.count * plan.real_share)
    generated = plan.count - real
    if study.pairs:
        real, generated = plan.total, plan.count
    if study.within:
        generated = -(-generated // conditions)
    return {"real": real + plan.spare, "generated": generated + plan.spare}


def _check_enough(one: StimulusSet, needed: dict[str, int]) -> None:
    """Raise SurveyError unless the set, or its part that is a condition, has the `needed` images of each class."""
    from study_app.database import SurveyError

    for truth, count in needed.items():
        if len(one.of(truth)) < count:
            raise SurveyError(
                f"The stimulus set '{one.name}' has {len(one.of(truth))} {truth} images, but a participant of this "
                f"study needs {count}: publish more (`gan_core publish --count`), or lower `trials.count` in the "
                "study file."
            )


def _check_practice(one: StimulusSet, study: StudyFile) -> None:
    """Raise SurveyError unless the set has enough images for practice."""
    from study_app.database import SurveyError

    practised = [len(one.of(truth, practice=True)) for truth in ("real", "generated")]
    practice = min(practised) if study.pairs else sum(practised)
    if practice < study.practice:
        raise SurveyError(
            f"The stimulus set '{one.name}' has {practice} {'pairs' if study.pairs else 'images'} for practice, but "
            f"this study asks for {study.practice}: "
            "lower `practice` in the study file."
        )


def store_with_sets(
    session: Session, study: StudyFile, source: bytes, published: list[StimulusSet], *, amend: bool
) -> str:  # fmt: skip
    """Store the study with its sets and their images (`store_study`)."""
    rows = [store_set(session, one) for one in published]
    for stored in rows:
        store_attention_images(session, stored, study.trials.catch)
    sets = tuple(replace(entry, sha256=row.sha256) for entry, row in zip(study.sets, rows, strict=True))
    return store_study(session, replace(study, sets=sets), source, rows, amend=amend)


def store_set(session: Session, one: StimulusSet) -> LoadedSet:
    """The row of a published set, stored with its images unless a set with this hash exists already."""
    from sqlalchemy import select

    from study_app import models

    row = session.scalar(select(models.LoadedSet).where(models.LoadedSet.sha256 == one.sha256))
    if row is not None:
        return row
    row = models.LoadedSet(
        name=one.name, sha256=one.sha256, label=one.label, height=one.height, width=one.width
    )  # fmt: skip
    session.add(row)
    conditions = {s.id: name for name, part in one.conditions().items() for s in part.stimuli if s.truth == "generated"}
    for stimulus in one.stimuli:  # the manifest is sorted by random IDs: row order reveals nothing
        image = models.LoadedStimulus(
            set=row, public_id=stimulus.id, truth=stimulus.truth, kind="practice" if stimulus.practice else "scored",
            sha256=stimulus.sha256, origin=stimulus.origin, condition=conditions.get(stimulus.id, ""),
        )  # fmt: skip
        session.add(image)
        session.flush()
        png = (one.folder / stimulus.file).read_bytes()
        session.add(models.StimulusImage(stimulus_id=image.id, png=png))
    session.flush()
    return row


def store_attention_images(session: Session, row: LoadedSet, count: int) -> None:
    """Add images for attention trials to the set until it has `count`."""
    import secrets

    import numpy as np
    from sqlalchemy import func, select

    from glimpse.files import sha256_bytes
    from glimpse.stimuli import encode_png
    from study_app import models
    from study_app.participant.attention import attention_image

    there = session.scalar(select(func.count(models.LoadedStimulus.id)).filter_by(set_id=row.id, kind="catch")) or 0
    for number in range(there, count):
        png = encode_png(
            attention_image(row.height, row.width, np.random.default_rng([int(row.sha256[:15], 16), number]))
        )
        image = models.LoadedStimulus(
            set=row, public_id=secrets.token_hex(12), truth="generated", kind="catch", sha256=sha256_bytes(png),
            origin={"catch": number},
        )  # fmt: skip
        session.add(image)
        session.flush()
        session.add(models.StimulusImage(stimulus_id=image.id, png=png))
    session.flush()


def store_study(
    session: Session, study: StudyFile, source: bytes, sets: list[LoadedSet], *, amend: bool
) -> str:  # fmt: skip
    """Open the study, or a new version of it; returns a sentence that says which. `source`: its file's bytes.

    Raises SurveyError when the study has participants and would change, unless `amend`.
    """
    from sqlalchemy import func, select

    from glimpse.files import sha256_bytes
    from study_app import models
    from study_app.database import SurveyError
    from study_app.definition.study import StudyFile
    from study_app.experimenter.accounts import record

    row: Study | None = session.scalar(select(models.Study).where(models.Study.slug == study.slug))
    address = f"/study/{study.slug}/"
    if row is not None and row.versions and StudyFile.from_dict(row.current.definition) == study:
        return f"The study '{study.slug}' is already loaded, unchanged ({row.state}, {address})."
    people = 0
    if row is not None:
        people = session.scalar(select(func.count(models.Participant.id)).filter_by(study_id=row.id, pilot=False)) or 0
        if people and not amend:
            raise SurveyError(
                f"The study '{study.slug}' has {counted(people, 'participant')} and would change: give the changed "
                "study another `slug`, or add --amend to change it for new participants."
            )
    new = row is None
    if row is None:
        row = models.Study(slug=study.slug)
        session.add(row)
    version = models.StudyVersion(
        study=row, sha256=sha256_bytes(source), source=source, mode=study.mode, definition=study.as_dict()
    )
    session.add(version)
    session.flush()
    for place, (entry, one) in enumerate(zip(study.sets, sets, strict=True)):
        session.add(models.StudySet(version_id=version.id, set_id=one.id, place=place, quota=entry.quota))
    session.flush()
    record(session, "load study", row, f"version {len(row.versions)}, sha256 {version.sha256[:12]}")
    if new:
        return f"The study '{study.slug}' is open at {address}."
    kept = f"; {counted(people, 'earlier participant')} will keep the version they agreed to" if people else ""
    return f"The study '{study.slug}' has a new version{kept} ({row.state}, {address})."
