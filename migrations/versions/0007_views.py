"""The relations that people select from: market_odds_current and market_odds_history."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# The words of a market are joined from outside: a query that does not ask for them does not read them.
CURRENT = """
CREATE VIEW market_odds_current AS
SELECT
    listing.event_id,
    bookmaker.slug AS bookmaker_slug,
    market_type.betpawa_market_id,
    label.name AS betpawa_market_name,
    market.line,
    label.handicap_type,
    market.handicap_home,
    market.handicap_away,
    odds_outcomes(current_odds.state, outcome_set.keys, outcome_set.names) AS outcomes,
    label.market_groups,
    current_odds.unavailable_at,
    current_odds.captured_at AS last_updated_at,
    CASE
        WHEN current_odds.unavailable_at IS NULL AND current_odds.last_seen_at IS NULL
            THEN greatest(listing_state.last_confirmed_at, current_odds.captured_at)
        ELSE coalesce(current_odds.last_seen_at, current_odds.captured_at)
    END AS last_confirmed_at,
    coalesce(listing_state.failed_answers, 0) >= (SELECT stale_failures FROM pipeline_settings)
        OR coalesce(listing_state.last_answer_at, current_odds.captured_at)
            < (SELECT now() + clock_offset - stale_after FROM pipeline_settings) AS is_stale,
    listing.external_event_id,
    source.source_market_id,
    source.source_specifier,
    market.id AS market_id,
    listing.id AS event_bookmaker_id
FROM event_bookmakers AS listing
JOIN bookmakers AS bookmaker ON bookmaker.id = listing.bookmaker_id
JOIN markets AS market ON market.event_bookmaker_id = listing.id
JOIN market_types AS market_type ON market_type.id = market.market_type_id
JOIN current_odds ON current_odds.market_id = market.id
LEFT JOIN listing_state ON listing_state.event_bookmaker_id = listing.id
LEFT JOIN outcome_sets AS outcome_set ON outcome_set.id = market.outcome_set_id
LEFT JOIN market_labels AS label ON label.id = market.label_id
LEFT JOIN market_sources AS source ON source.id = market.source_id
WHERE listing.is_primary
"""

HISTORY = """
CREATE VIEW market_odds_history AS
SELECT
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

    op.execute(CURRENT)
    op.execute(HISTORY)


def downgrade() -> None:
    op.execute("DROP VIEW market_odds_history")
    op.execute("DROP VIEW market_odds_current")
