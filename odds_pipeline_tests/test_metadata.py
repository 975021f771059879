"""Column schemas and samples, from the one definition of each relation."""

from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg

from odds_pipeline.database.models import MarketOddsCurrent, MarketOddsHistory
from odds_pipeline.metadata import COLUMN_MEANINGS, frame_columns, relation_columns, sample
from odds_pipeline.odds.observation import OBSERVATION_SCHEMA


def test_the_columns_of_observations_are_those_of_the_public_contract():
    columns = {column.name: column for column in frame_columns(OBSERVATION_SCHEMA).columns}
    assert list(columns) == list(OBSERVATION_SCHEMA)
    assert columns["captured_at"].type == "datetime[us, UTC]"
    assert columns["line"].type == "decimal(10,3)"
    assert columns["outcomes"].type == "list[struct{key, name, odds, is_active}]"


def test_the_columns_of_relations_are_those_of_their_models():
    current = {column.name: column for column in relation_columns(MarketOddsCurrent).columns}
    assert list(current) == [column.name for column in MarketOddsCurrent.__table__.columns]
    assert current["outcomes"].type == "jsonb"
    assert current["last_updated_at"].type == "timestamp with time zone"
    assert current["unavailable_at"].constraints.nullable
    assert not current["bookmaker_slug"].constraints.nullable


def test_every_column_shown_has_a_meaning_and_no_meaning_is_left_over():
    shown = {
        *OBSERVATION_SCHEMA,
        *(column.name for model in (MarketOddsCurrent, MarketOddsHistory) for column in model.__table__.columns),
    }
    assert shown == set(COLUMN_MEANINGS)


def test_a_sample_is_readable():
    table = sample(
        [
            {
                "line": Decimal("2.500"),
                "captured_at": datetime(2026, 3, 14, 12, 30, 5, 123456, tzinfo=UTC),
                "outcomes": [
                    {"key": "1", "name": "Over", "odds": Decimal("1.850"), "is_active": True},
                    {"key": "2", "name": "Under", "odds": None, "is_active": False},
                ],
                "market_groups": ["Main", "Goals", "Halves", "Corners", "Players"],
                "unavailable_at": None,
            }
        ]
    )
    assert isinstance(table, dg.TableMetadataValue)
    assert table.records[0].data == {
        "line": "2.5",
        "captured_at": "2026-03-14 12:30:05+00:00",
        "outcomes": "Over 1.85, Under - (suspended)",
        "market_groups": "Main, Goals, Halves, 2 more",
        "unavailable_at": None,
    }


def test_an_empty_sample_is_an_empty_table():
    table = sample([])
    assert isinstance(table, dg.TableMetadataValue)
    assert table.records == []
