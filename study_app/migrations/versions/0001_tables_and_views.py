"""The tables of the survey, and the views `responses` and `participants` that the analysis reads."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.String(24)

# One row per answered trial; the attention trials (kind 'catch') are in `attention_trials`. Booleans are 0 and 1
# in every database. A trial whose deadline was missed has no `answer`, but the flag `missed`. `replaced`: a spare trial
# was answered instead of this one, whose exposure went wrong. In a within design `set` is `all`: generated images are
# of the condition that `source` names, a stimulus set or one of its generators, and real ones of every condition.
# In the task `pair`, `stimulus`, `truth` and `answer` are of the left or first image; `second_stimulus` is the other.
# `implausible`: the trial contradicts what the server saw itself.
RESPONSES = Path(__file__).with_name("0001_responses.sql").read_text("utf-8")

# One row per participant in any state; `questionnaire` and `device` are JSON texts. `excluded_for` is the reason why
# the answers are not scored ('' if they are):
#   rejected     by the experimenter, on the dashboard or by the platform's export
#   returned     given back on the platform after finishing
#   attention    more attention trials were wrong than `trials.catch_wrong` of the study version they agreed to
#   implausible  more trials are implausible than its `trials.implausible` allows (no such rule where it says nothing),
#                or more than half of the images that were answered had never been fetched
#   pilot        none of these, but the participant entered while the study was a pilot
PARTICIPANTS = Path(__file__).with_name("0001_participants.sql").read_text("utf-8")
IMPLAUSIBLE = "t.flags LIKE '%not-fetched%' OR t.flags LIKE '%not-begun%' OR t.flags LIKE '%too-fast%'"
ALLOWED = {
    "sqlite": "json_extract(v.definition, '$.trials.{key}')",
    "postgresql": "CAST(v.definition -> 'trials' ->> '{key}' AS INTEGER)",
}
# The values of `trial.details` that the view shows, with their types in PostgreSQL.
NUMBERS = ("frame_ms", "uncertain_ms", "image_width", "image_height", "pixel_ratio", "image_mm", "image_degrees")
DETAILS = {"by": "TEXT", "early_presses": "INTEGER", **dict.fromkeys(NUMBERS, "DOUBLE PRECISION")}
DETAIL = {"sqlite": "json_extract(t.details, '$.{key}')", "postgresql": "CAST(t.details ->> '{key}' AS {type})"}
DEFINED = {"sqlite": "json_extract(v.definition, '$.{key}')", "postgresql": "v.definition ->> '{key}'"}
IMAGE_SET = {"sqlite": "json_extract(i.origin, '$.image_set')", "postgresql": "i.origin ->> 'image_set'"}


def upgrade() -> None:
    op.create_table(
        "stimulus_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("loaded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stimulus_set"),
        sa.UniqueConstraint("sha256", name="uq_stimulus_set_sha256"),
    )
    op.create_table(
        "stimulus",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("set_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(64), nullable=False),
        sa.Column("truth", sa.String(9), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("origin", sa.JSON(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False, server_default=""),
        sa.Column("shown", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("shown_simulated", sa.Integer(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["set_id"], ["stimulus_set.id"], name="fk_stimulus_set_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stimulus"),
        sa.UniqueConstraint("set_id", "public_id", name="uq_stimulus_set_id_public_id"),
    )
    op.create_index("ix_stimulus_set_id", "stimulus", ["set_id"])
    op.create_table(
        "stimulus_image",
        sa.Column("stimulus_id", sa.Integer(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["stimulus_id"], ["stimulus.id"], name="fk_stimulus_image_stimulus_id"),
        sa.PrimaryKeyConstraint("stimulus_id", name="pk_stimulus_image"),
    )
    op.create_table(
        "study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_study"),
        sa.UniqueConstraint("slug", name="uq_study_slug"),
        sa.CheckConstraint("state IN ('pilot', 'open', 'paused', 'closed')", name="ck_study_state"),
    )
    op.create_table(
        "study_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=True),
        sa.Column("mode", sa.String(9), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("loaded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_study_version_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_study_version"),
        sa.CheckConstraint("mode IN ('fixed', 'staircase', 'unlimited')", name="ck_study_version_mode"),
    )
    op.create_index("ix_study_version_study_id", "study_version", ["study_id"])
    op.create_table(
        "study_set",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("set_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("quota", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["version_id"], ["study_version.id"], name="fk_study_set_version_id"),
        sa.ForeignKeyConstraint(["set_id"], ["stimulus_set.id"], name="fk_study_set_set_id"),
        sa.PrimaryKeyConstraint("version_id", "set_id", name="pk_study_set"),
    )
    op.create_table(
        "participant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("withdrawal_token", sa.String(32), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("set_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("pilot", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("away", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("counted", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("mirrored", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("consent_version", sa.String(64), nullable=True),
        sa.Column("entered_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("practised_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("questionnaire", sa.JSON(), nullable=True),
        sa.Column("device", sa.JSON(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_participant_study_id"),
        sa.ForeignKeyConstraint(["version_id"], ["study_version.id"], name="fk_participant_version_id"),
        sa.ForeignKeyConstraint(["set_id"], ["stimulus_set.id"], name="fk_participant_set_id"),
        sa.PrimaryKeyConstraint("id", name="pk_participant"),
        sa.CheckConstraint(
            "state IN ('working', 'finished', 'returned', 'timed-out', 'rejected', 'screened-out', 'over-quota', "
            "'no-consent', 'withdrawn')",
            name="ck_participant_state",
        ),
        sa.UniqueConstraint("public_id", name="uq_participant_public_id"),
        sa.UniqueConstraint("token", name="uq_participant_token"),
        sa.UniqueConstraint("withdrawal_token", name="uq_participant_withdrawal_token"),
    )
    op.create_index(
        "ix_participant_allocation", "participant", ["study_id", "simulated", "state", "last_seen_at", "set_id"]
    )
    op.create_table(
        "consent",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("text", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_consent_study_id"),
        sa.PrimaryKeyConstraint("study_id", "sha256", name="pk_consent"),
    )
    op.create_table(
        "external_identity",
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(16), nullable=False),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name="fk_external_identity_participant_id"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_external_identity_study_id"),
        sa.PrimaryKeyConstraint("participant_id", name="pk_external_identity"),
        sa.UniqueConstraint("study_id", "platform", "person", name="uq_external_identity_study_id_platform_person"),
    )
    op.create_table(
        "trial",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("replaces", sa.Integer(), nullable=True),
        sa.Column("stimulus_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(24), nullable=False),
        sa.Column("second_id", sa.Integer(), nullable=True),
        sa.Column("second_nonce", sa.String(24), nullable=True),
        sa.Column("second_fetched_at", MOMENT, nullable=True),
        sa.Column("second_exposure_ms", sa.Float(), nullable=True),
        sa.Column("exposure_ms_planned", sa.Float(), nullable=True),
        sa.Column("fetched_at", MOMENT, nullable=True),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(9), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("confidence", sa.Integer(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("why_x", sa.Float(), nullable=True),
        sa.Column("why_y", sa.Float(), nullable=True),
        sa.Column("exposure_ms_actual", sa.Float(), nullable=True),
        sa.Column("response_time_ms", sa.Float(), nullable=True),
        sa.Column("dropped_frames", sa.Integer(), nullable=True),
        sa.Column("focus_lost", sa.Boolean(), nullable=True),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.Column("events", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name="fk_trial_participant_id"),
        sa.ForeignKeyConstraint(["stimulus_id"], ["stimulus.id"], name="fk_trial_stimulus_id"),
        sa.ForeignKeyConstraint(["second_id"], ["stimulus.id"], name="fk_trial_second_id"),
        sa.PrimaryKeyConstraint("id", name="pk_trial"),
        sa.CheckConstraint("kind IN ('scored', 'spare', 'catch')", name="ck_trial_kind"),
        sa.UniqueConstraint("nonce", name="uq_trial_nonce"),
        sa.UniqueConstraint("second_nonce", name="uq_trial_second_nonce"),
        sa.UniqueConstraint("participant_id", "position", name="uq_trial_participant_id_position"),
    )
    op.create_index("ix_trial_stimulus_id", "trial", ["stimulus_id"])
    op.create_table(
        "admin_session",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_admin_session"),
    )
    op.create_table(
        "experimenter",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_experimenter"),
    )
    op.create_table(
        "log_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=True),
        sa.Column("did", sa.String(32), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_log_entry_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_log_entry"),
    )
    op.create_index("ix_log_entry_study_id", "log_entry", ["study_id"])
    op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retention"),
    )
    dialect = op.get_bind().dialect.name
    allowed = ALLOWED[dialect]
    rules = {key: allowed.format(key=key) for key in ("catch_wrong", "implausible")}
    detail = DETAIL[dialect]
    details = {key: detail.format(key=key, type=sql) for key, sql in DETAILS.items()}
    details |= {key: DEFINED[dialect].format(key=key) for key in ("task", "design")}
    for view, which in (("responses", "<>"), ("attention_trials", "=")):
        columns = {"implausible": IMPLAUSIBLE, "image_set": IMAGE_SET[dialect], **details}
        op.execute(RESPONSES.format(view=view, which=which, **columns))
    op.execute(PARTICIPANTS.format(**rules, is_implausible=IMPLAUSIBLE, design=details["design"]))


def downgrade() -> None:
    op.execute("DROP VIEW participants")
    op.execute("DROP VIEW attention_trials")
    op.execute("DROP VIEW responses")
    for table in (
        "retention", "log_entry", "experimenter", "admin_session", "trial", "external_identity", "consent",
        "participant", "study_set", "study_version", "study", "stimulus_image", "stimulus", "stimulus_set",
    ):  # fmt: skip
        op.drop_table(table)
