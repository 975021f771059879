"""A statement that packs outcomes is given where it fits what outcomes are, by a look at some."""

from __future__ import annotations

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage.opportunities.normalize import outcomes_as_arrays
from odds_pipeline_tests.storage.profiling import execute, profiled


@pytest.mark.parametrize(
    ("item", "is_sql"),
    [
        ('{"name": "Over", "odds": 1.85, "is_active": true}', True),
        ('{"name": "Over", "price": 1.85, "is_active": true}', False),
        ('{"name": "Over", "odds": 1.85}', False),
        ('{"name": "Over", "odds": 1.85, "is_active": true, "key": "o"}', False),
    ],
)
@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_the_statement_is_withheld_where_outcomes_have_other_keys(
    empty: Database, item: str, is_sql: bool, kind: str
) -> None:
    execute(
        empty,
        f"CREATE TABLE market_odds (id int, outcomes {kind})",
        f"INSERT INTO market_odds SELECT n, '[{item}, {item}]' FROM generate_series(1, 500) AS n",
    )
    (advice,) = outcomes_as_arrays(profiled(empty))
    assert advice.opportunity.is_sql is is_sql
    assert ("ALTER TABLE" in advice.opportunity.statement) is is_sql
    assert ("outcomes here have (" in advice.opportunity.statement) is not is_sql
