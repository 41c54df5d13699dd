"""The tables of the survey. Only `ExternalIdentity` identifies a person; it is kept apart on purpose.

A study has versions, one for each amendment of its file; a participant belongs to the version they consented to and
keeps its SHA-256. Trials are drawn when a participant enters; an answer fills its trial's row once and is never
changed. No IP address, user agent or fingerprint is stored anywhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
    true,
)  # fmt: skip
from sqlalchemy.orm import Mapped, mapped_column, relationship

from study_app.orm import Base, now, one_of

STUDY_STATES = ("pilot", "open", "paused", "closed")
ADMITTING = ("pilot", "open")
MODES = ("fixed", "staircase", "unlimited")
# `working` until the last answer is saved. `returned` and `timed-out` free their place; `rejected` keeps a person's
# answers out of the results; `over-quota`: enough people gave the same answer to a question; `withdrawn` data is
# erased.
# `Participant.simulated` and `Participant.pilot` are independent of the state: simulated participants finish, too.
PARTICIPANT_STATES = (
    "working", "finished", "returned", "timed-out", "rejected", "screened-out", "over-quota", "no-consent", "withdrawn",
)  # fmt: skip
FREED = ("returned", "timed-out")  # until they come back, unless they had finished
# Their images are not counted as shown (`LoadedStimulus.shown`).
GAVE_BACK = (*FREED, "rejected", "screened-out", "over-quota")
TRIAL_KINDS = ("scored", "spare", "catch")
GROUPS = ("people", "pilot", "simulated")  # counted and shown apart; only people are scored and use places


class LoadedSet(Base):
    """A stimulus set as loaded; a set published again has another SHA-256 and gets its own row."""

    __tablename__ = "stimulus_set"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(Text)
    height: Mapped[int]
    width: Mapped[int]
    loaded_at: Mapped[datetime] = mapped_column(default=now)
    stimuli: Mapped[list[LoadedStimulus]] = relationship(back_populates="set", order_by="LoadedStimulus.id")


class LoadedStimulus(Base):
    __tablename__ = "stimulus"
    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("stimulus_set.id"), index=True)
    public_id: Mapped[str] = mapped_column(String(64))  # the manifest's opaque ID
    truth: Mapped[str] = mapped_column(String(9))  # real | generated
    kind: Mapped[str] = mapped_column(String(8))  # scored | practice | catch
    sha256: Mapped[str] = mapped_column(String(64))
    origin: Mapped[dict[str, Any]]
    condition: Mapped[str] = mapped_column(Text, default="", server_default="")  # of a generated image in the report
    shown: Mapped[int] = mapped_column(default=0, server_default="0")  # participants who have seen it or are about to
    shown_simulated: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # the same for simulated and pilot participants
    set: Mapped[LoadedSet] = relationship(back_populates="stimuli")
    __table_args__ = (UniqueConstraint("set_id", "public_id"),)


class StimulusImage(Base):
    """The PNG itself: a running study needs only its database, whatever is published meanwhile."""

    __tablename__ = "stimulus_image"
    stimulus_id: Mapped[int] = mapped_column(ForeignKey("stimulus.id"), primary_key=True)
    png: Mapped[bytes] = mapped_column(LargeBinary)


class Study(Base):
    __tablename__ = "study"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(8), default="open")
    created_at: Mapped[datetime] = mapped_column(default=now)
    versions: Mapped[list[StudyVersion]] = relationship(back_populates="study", order_by="StudyVersion.id")
    __table_args__ = (one_of("state", STUDY_STATES),)

    @property
    def current(self) -> StudyVersion:
        return self.versions[-1]


class StudyVersion(Base):
    """A study file as loaded: `definition` is `study.StudyFile.as_dict()`, complete with all defaults."""

    __tablename__ = "study_version"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))  # of `source`
    source: Mapped[bytes | None] = mapped_column(LargeBinary)  # the file itself
    mode: Mapped[str] = mapped_column(String(9), default="fixed")
    definition: Mapped[dict[str, Any]]
    loaded_at: Mapped[datetime] = mapped_column(default=now)
    study: Mapped[Study] = relationship(back_populates="versions")
    sets: Mapped[list[StudySet]] = relationship(order_by="StudySet.place")
    __table_args__ = (one_of("mode", MODES),)


class StudySet(Base):
    """A stimulus set of a study version, and its quota of participants."""

    __tablename__ = "study_set"
    version_id: Mapped[int] = mapped_column(ForeignKey("study_version.id"), primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("stimulus_set.id"), primary_key=True)
    place: Mapped[int]
    quota: Mapped[int | None]
    set: Mapped[LoadedSet] = relationship()


class Participant(Base):
    __tablename__ = "participant"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True)  # in views and exports; not a credential
    token: Mapped[str] = mapped_column(String(32), unique=True)  # the credential in /p/TOKEN/
    withdrawal_token: Mapped[str] = mapped_column(String(32), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("study_version.id"))
    set_id: Mapped[int | None] = mapped_column(ForeignKey("stimulus_set.id"))  # none before consent
    state: Mapped[str] = mapped_column(String(12), default="working")
    simulated: Mapped[bool] = mapped_column(default=False)
    pilot: Mapped[bool] = mapped_column(default=False, server_default=false())  # entered while the study was a pilot
    away: Mapped[bool] = mapped_column(default=False, server_default=false())  # inactive (`give_back_left`)
    counted: Mapped[bool] = mapped_column(
        default=True, server_default=true()
    )  # on finishing: not `excluded` in the view
    stage: Mapped[str] = mapped_column(String(16), default="questions")  # questions, device, trials, after, end
    mirrored: Mapped[bool] = mapped_column(default=False)  # 'generated' is on the left: `sides = "counterbalanced"`
    language: Mapped[str] = mapped_column(String(8))
    consent_version: Mapped[str | None] = mapped_column(String(64))  # of the `Consent` agreed to
    entered_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    practised_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    questionnaire: Mapped[dict[str, Any] | None]
    device: Mapped[dict[str, Any] | None]  # measured on the device page: `device.MEASURES`
    comment: Mapped[str | None] = mapped_column(Text)
    study: Mapped[Study] = relationship()
    version: Mapped[StudyVersion] = relationship()
    set: Mapped[LoadedSet | None] = relationship()
    external: Mapped[ExternalIdentity | None] = relationship(back_populates="participant")
    trials: Mapped[list[Trial]] = relationship(back_populates="participant", order_by="Trial.position")

    @property
    def minutes(self) -> float | None:
        """The minutes from entering to the last answer; None if not finished, or if the clock was set back
        meanwhile."""
        took_s = (self.finished_at - self.entered_at).total_seconds() if self.finished_at else -1
        return took_s / 60 if took_s >= 0 else None

    @property
    def group(self) -> str:
        return "simulated" if self.simulated else "pilot" if self.pilot else "people"

    __table_args__ = (
        Index("ix_participant_allocation", "study_id", "simulated", "state", "last_seen_at", "set_id"),
        one_of("state", PARTICIPANT_STATES),
    )


def in_group(group: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions by which a participant belongs to this one of GROUPS."""
    return Participant.simulated.is_(group == "simulated"), Participant.pilot.is_(group == "pilot")


class Consent(Base):
    """A text that participants of a study agreed to, as they read it."""

    __tablename__ = "consent"
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)  # of `text` (`files.sha256_json`)
    text: Mapped[dict[str, Any]]  # about, facts, agreed, language


class ExternalIdentity(Base):
    """The platform that sent a participant: the only table with an external identifier, never joined by the views."""

    __tablename__ = "external_identity"
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"), primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    platform: Mapped[str] = mapped_column(String(16))  # prolific | mturk | link
    person: Mapped[str] = mapped_column(String(128))
    details: Mapped[dict[str, Any]]  # the platform's other IDs: study, session, assignment, hit
    participant: Mapped[Participant] = relationship(back_populates="external")
    __table_args__ = (UniqueConstraint("study_id", "platform", "person"),)


class Trial(Base):
    """One image for one participant; unanswered while `answer` is null. Practice is not stored."""

    __tablename__ = "trial"
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id"))
    position: Mapped[int]  # 1, 2, ...
    kind: Mapped[str] = mapped_column(String(8), default="scored")
    replaces: Mapped[int | None]  # of a spare trial: the position of the trial with the wrong exposure
    stimulus_id: Mapped[int] = mapped_column(ForeignKey("stimulus.id"), index=True)
    nonce: Mapped[str] = mapped_column(String(24), unique=True)  # the image's name in its URL
    # In the task "pair" the trial's image is the left or first one, `answer` is about it, and this is the other one:
    second_id: Mapped[int | None] = mapped_column(ForeignKey("stimulus.id"))
    second_nonce: Mapped[str | None] = mapped_column(String(24), unique=True)
    second_fetched_at: Mapped[datetime | None]
    second_exposure_ms: Mapped[float | None]  # as observed, if it was shown after the first
    exposure_ms_planned: Mapped[float | None]  # none: until answered (unlimited), or not yet decided (staircase)
    fetched_at: Mapped[datetime | None]  # when the image was first sent
    begun: Mapped[int] = mapped_column(default=0)  # how often a page announced the start of this trial
    answer: Mapped[str | None] = mapped_column(String(9))  # real | generated | missed (the deadline)
    rating: Mapped[int | None]  # task "rating": 1 (definitely real) to 6 (definitely generated)
    confidence: Mapped[int | None]  # in the answer: 1 (guessed) to 4 (sure)
    why: Mapped[str | None] = mapped_column(Text)  # what decided the answer, in words,
    why_x: Mapped[float | None]  # or where it is, in pixels of the image (of a pair, the one taken for generated)
    why_y: Mapped[float | None]
    exposure_ms_actual: Mapped[float | None]
    response_time_ms: Mapped[float | None]
    dropped_frames: Mapped[int | None]
    focus_lost: Mapped[bool | None]
    flags: Mapped[str] = mapped_column(Text, default="")  # sorted words, separated by spaces
    details: Mapped[dict[str, Any] | None]  # how answered (key, mouse, touch), early presses, frame period
    answered_at: Mapped[datetime | None]
    events: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)  # of the page, raw
    participant: Mapped[Participant] = relationship(back_populates="trials")
    stimulus: Mapped[LoadedStimulus] = relationship(foreign_keys=stimulus_id)
    second: Mapped[LoadedStimulus | None] = relationship(foreign_keys=second_id)
    __table_args__ = (UniqueConstraint("participant_id", "position"), one_of("kind", TRIAL_KINDS))


class AdminSession(Base):
    """A login to the dashboard that has not ended; `key` is the SHA-256 of the secret in its cookie."""

    __tablename__ = "admin_session"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))  # of the experimenter
    since: Mapped[datetime]


class Experimenter(Base):
    """An account for the dashboard, besides the one with the password of the environment."""

    __tablename__ = "experimenter"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password: Mapped[str] = mapped_column(Text)  # its scrypt hash
    since: Mapped[datetime] = mapped_column(default=now)


class LogEntry(Base):
    """An action of an experimenter, or of the server by itself: see `accounts.record`."""

    __tablename__ = "log_entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    who: Mapped[str] = mapped_column(String(80))
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"), index=True)  # none: it concerns no study alone
    did: Mapped[str] = mapped_column(String(32))
    about: Mapped[str] = mapped_column(Text)


class Retention(Base):
    """One row: the time of the last check of retention periods, which shows whether the clock has jumped."""

    __tablename__ = "retention"
    id: Mapped[int] = mapped_column(primary_key=True)
    checked_at: Mapped[datetime]
