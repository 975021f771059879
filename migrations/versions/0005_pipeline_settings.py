"""The settings that the views need, in one row."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pipeline_settings",
        sa.Column("id", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("stale_failures", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("stale_after", sa.Interval(), server_default=sa.text("'15 minutes'"), nullable=False),
        sa.Column("clock_offset", sa.Interval(), server_default=sa.text("'0'"), nullable=False),
        sa.Column("catalogue_version", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id", name=op.f("ck_pipeline_settings_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_settings")),
    )

    op.execute("INSERT INTO pipeline_settings DEFAULT VALUES")


def downgrade() -> None:
    op.drop_table("pipeline_settings")
