"""The view of history joins one relation less, so that what it is joined to still leads to a few markets of it."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# PostgreSQL looks for the best order of up to eight relations (join_collapse_limit). The view joined eight by itself,
# so one more was joined to all of history instead of leading to a few markets of it.
COLUMNS = """
    listing.event_id,
    bookmaker.slug AS bookmaker_slug,
    market_type.betpawa_market_id,
    market.line,
    odds_outcomes(history.state, outcome_set.keys, outcome_set.names) AS outcomes,
    CASE WHEN odds_is_unavailable(history.state) THEN history.captured_at END AS unavailable_at,
    history.captured_at,
    history.run_id,
    {label} AS betpawa_market_name,
    market.id AS market_id,
    listing.external_event_id,
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
JOIN odds_history_changes AS history
    ON history.event_bookmaker_id = market.event_bookmaker_id AND history.market_id = market.id
LEFT JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
{label}
WHERE listing.is_primary
"""

LOOKED_UP = "(SELECT label.name FROM market_labels AS label WHERE label.id = market.label_id)"
JOINED = "LEFT JOIN market_labels AS label ON label.id = market.label_id"


def upgrade() -> None:
    columns, relations = COLUMNS.format(label=LOOKED_UP), RELATIONS.format(label="")
    op.execute(f"CREATE OR REPLACE VIEW market_odds_history AS SELECT {columns} {relations}")


def downgrade() -> None:
    columns, relations = COLUMNS.format(label="label.name"), RELATIONS.format(label=JOINED)
    op.execute(f"CREATE OR REPLACE VIEW market_odds_history AS SELECT {columns} {relations}")
