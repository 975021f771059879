"""What each column of an answer means: one sentence for each name, wherever the column appears.

Fields of nested columns stand under their own names. The command line, the HTTP API's document and Dagster's column
metadata all read them here; docs/data-dictionary.md tells the same at greater length.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Column or field to its meaning, sorted by name. Units are named; times are aware UTC.
MEANINGS: Mapping[str, str] = {
    "betpawa_market_id": "canonical market id: betPawa's, or an own id for what betPawa lacks",
    "betpawa_market_name": "name of the market, as it is today",
    "bookmaker_slug": "short name of the bookmaker",
    "captured_at": "arrival of the answer that the change was seen in",
    "event_id": "our id of the event",
    "external_event_id": "the bookmaker's own id of the event",
    "is_active": "whether the outcome could be bet on; false: suspended",
    "is_trusted": "false where the row was imported and carries a known fault of the earlier system",
    "is_unavailable": "whether the change took the market away",
    "key": "key of the outcome: the bookmaker's or betPawa's id of it, never a position",
    "line": "total, handicap (home side's) or goal number; null: the market has none",
    "market_id": "our id of the market of this bookmaker's listing; null: it was never offered",
    "name": "name, of the outcome or of the event",
    "odds": "decimal price, exact; of a suspended outcome the last one while it was active, null if it never had one",
    "outcomes": "the outcomes with their prices; empty: the market was never offered",
    "run_id": "the cycle that wrote the row",
}
