"""Under which other ids a market's archived rows may stand."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_markets",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("former_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["market_id"], ["markets.id"], name=op.f("fk_former_markets_market_id_markets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("market_id", "former_id", name=op.f("pk_former_markets")),
    )


def downgrade() -> None:
    op.drop_table("former_markets")
