"""Each image knows how often it was drawn, so that entering stays fast however many people came before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = {"shown": "FALSE", "shown_simulated": "TRUE"}
COUNT = """
UPDATE stimulus SET {column} = (
  SELECT COUNT(*) FROM trial t JOIN participant p ON p.id = t.participant_id
  WHERE t.stimulus_id = stimulus.id AND p.simulated = {simulated} AND p.state <> 'returned'
)
"""


def upgrade() -> None:
    for column, simulated in COLUMNS.items():
        op.add_column("stimulus", sa.Column(column, sa.Integer(), nullable=False, server_default="0"))
        op.execute(COUNT.format(column=column, simulated=simulated))


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_column("stimulus", column)
