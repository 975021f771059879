"""Which listings of cleaned-up events were not primary: archived rows of theirs stay out of answers."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "secondary_listings",
        sa.Column("bookmaker_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("external_event_id", sa.Text(), nullable=False),
        sa.Column("last_market_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"], ["bookmakers.id"], name=op.f("fk_secondary_listings_bookmaker_id_bookmakers")
        ),
        sa.PrimaryKeyConstraint("bookmaker_id", "external_event_id", name=op.f("pk_secondary_listings")),
    )


def downgrade() -> None:
    op.drop_table("secondary_listings")
