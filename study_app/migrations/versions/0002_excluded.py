"""The view `participants` says whom the study's own rule for attention trials excludes (`trials.catch_wrong`)."""

from __future__ import annotations

import importlib

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BEFORE = importlib.import_module("study_app.migrations.versions.0001_tables_and_views").PARTICIPANTS
ALLOWED = {
    "sqlite": "json_extract(v.definition, '$.trials.catch_wrong')",
    "postgresql": "CAST(v.definition -> 'trials' ->> 'catch_wrong' AS INTEGER)",
}
EXCLUDED = """CASE WHEN (SELECT COUNT(*) FROM trial t JOIN stimulus i ON i.id = t.stimulus_id
         WHERE t.participant_id = p.id AND t.kind = 'catch' AND t.answer <> i.truth) > COALESCE({allowed}, 0)
         THEN 1 ELSE 0 END AS excluded,
       """


def upgrade() -> None:
    allowed = ALLOWED[op.get_bind().dialect.name]
    questionnaire = "CAST(p.questionnaire AS TEXT) AS questionnaire"
    op.execute("DROP VIEW participants")
    # CREATE VIEW takes no parameters, and a colon in it is no parameter either
    op.execute(BEFORE.replace(questionnaire, EXCLUDED.format(allowed=allowed) + questionnaire))


def downgrade() -> None:
    op.execute("DROP VIEW participants")
    op.execute(BEFORE)
