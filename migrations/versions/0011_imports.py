"""Which days of earlier systems were imported, what of them is not to be trusted, and since when we know a listing."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = """
    listing.event_id,
    bookmaker.slug AS bookmaker_slug,
    market_type.betpawa_market_id,
    market.line,
    odds_outcomes(history.state, outcome_set.keys, outcome_set.names) AS outcomes,
    CASE WHEN odds_is_unavailable(history.state) THEN history.captured_at END AS unavailable_at,
    history.captured_at,
    history.run_id,
    label.name AS betpawa_market_name,
    market.id AS market_id,
    listing.external_event_id
"""

# A subquery, not a join: a query that does not ask for it does not pay for it, and no row can be doubled.
IS_TRUSTED = """
    NOT EXISTS (
        SELECT FROM untrusted_spans AS span
        WHERE span.market_id = history.market_id
          AND history.captured_at >= span.since AND history.captured_at < span.until
    ) AS is_trusted
"""

RELATIONS = """
FROM event_bookmakers AS listing
JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
JOIN markets AS market ON market.event_bookmaker_id = listing.id
JOIN market_types AS market_type ON market_type.id = market.market_type_id
JOIN odds_history AS history ON history.market_id = market.id
LEFT JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
LEFT JOIN market_labels AS label ON label.id = market.label_id
WHERE listing.is_primary
"""


def upgrade() -> None:
    op.create_table(
        "imported_days",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("untrusted", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("superseded", sa.BigInteger(), nullable=False),
        sa.Column("left_out", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "day", name=op.f("pk_imported_days")),
    )
    op.create_index(op.f("ix_imported_days_run_id"), "imported_days", ["run_id"], unique=False)
    op.create_table(
        "untrusted_spans",
        sa.Column("market_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("since < until", name=op.f("ck_untrusted_spans_is_a_span")),
        sa.ForeignKeyConstraint(
            ["market_id"], ["markets.id"], name=op.f("fk_untrusted_spans_market_id_markets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("market_id", "since", name=op.f("pk_untrusted_spans")),
    )
    op.execute(f"CREATE OR REPLACE VIEW market_odds_history AS SELECT {COLUMNS}, {IS_TRUSTED} {RELATIONS}")
    op.add_column("listing_state", sa.Column("first_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    # A listing was made by the cycle that first had an answer of it, give or take the time of that cycle.
    op.execute(
        """
        UPDATE listing_state AS state SET first_confirmed_at = least(listing.created_at, state.last_confirmed_at)
        FROM event_bookmakers AS listing
        WHERE listing.id = state.event_bookmaker_id AND state.last_confirmed_at IS NOT NULL
        """
    )


def downgrade() -> None:
    op.drop_column("listing_state", "first_confirmed_at")
    op.execute("DROP VIEW market_odds_history")
    op.execute(f"CREATE VIEW market_odds_history AS SELECT {COLUMNS} {RELATIONS}")
    op.drop_table("untrusted_spans")
    op.drop_table("imported_days")
