"""How old rows are: by which time, and how many fall within the last days, against what PostgreSQL counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.storage import sampling
from odds_pipeline.storage.measured import Ages
from odds_pipeline_tests.storage.profiling import NOW, execute, profiled


def ages_of(database: Database, name: str) -> Ages | None:
    table = profiled(database).table(name)
    assert table is not None
    assert table.skipped is None
    return table.ages


# One row an hour for forty days, the newest half an hour before NOW.
_HOURS = """
    generate_series(0, 24 * 40 - 1) AS n,
    LATERAL (SELECT timestamptz '2026-11-21 11:30Z' - n * interval '1 hour' AS at) AS hour
"""
_OLDEST, _NEWEST = datetime(2026, 10, 12, 12, 30, tzinfo=UTC), datetime(2026, 11, 21, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("timestamptz", "at"),
        ("timestamp", "at AT TIME ZONE 'UTC'"),
        ("double precision", "extract(epoch FROM at)"),
        ("bigint", "extract(epoch FROM at)"),
        ("moment", "at"),
    ],
)
def test_times_of_any_kind_are_told_in_utc(empty: Database, kind: str, value: str) -> None:
    execute(
        empty,
        "ALTER DATABASE " + str(empty.url.database) + " SET timezone = 'Africa/Lagos'",
        "CREATE DOMAIN moment AS timestamptz",
        f"CREATE TABLE seen (id int, captured_at {kind})",
        f"INSERT INTO seen SELECT n, {value} FROM {_HOURS}",
    )
    ages = ages_of(empty, "seen")
    assert ages == Ages(
        said_by="captured_at",
        rows_from="counted",
        oldest=_OLDEST,
        newest=_NEWEST,
        rows_within={7: 7 * 24, 14: 14 * 24, 30: 30 * 24},
        rows_by_day={date(2026, 11, day): 24 for day in range(14, 21)},
    )


def test_days_are_whole_utc_days_before_the_profiles(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE seen (captured_at timestamptz)",
        """
        INSERT INTO seen VALUES ('2026-11-13 23:59:59.999999Z'), ('2026-11-14 00:00Z'), ('2026-11-20 23:59:59.999999Z'),
                                ('2026-11-21 00:00Z'), ('2026-11-14 12:00Z'), ('2026-11-21 12:00Z'), ('2026-12-01Z')
        """,
    )
    ages = ages_of(empty, "seen")
    assert ages is not None
    assert {day: count for day, count in ages.rows_by_day.items() if count} == {
        date(2026, 11, 14): 2,
        date(2026, 11, 20): 1,
    }
    assert len(ages.rows_by_day) == 7
    # From the moment seven days ago on, up to the profile's own and not beyond.
    assert (ages.rows_within[7], ages.rows_ahead) == (3, 2)
    assert ages.newest == datetime(2026, 12, 1, tzinfo=UTC)


def test_what_is_no_time_has_no_age(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE seen (captured_at timestamptz, started_at double precision)",
        "INSERT INTO seen VALUES ('infinity', 'NaN'), ('-infinity', 1e300), (NULL, NULL), ('4000-01-01 BC', 0)",
        "CREATE TABLE kinds (id int, created_at text)",
        "INSERT INTO kinds VALUES (1, 'yesterday')",
        "CREATE TABLE never (captured_at timestamptz)",
    )
    for name in ("seen", "kinds", "never"):
        assert ages_of(empty, name) is None
    execute(empty, "INSERT INTO seen VALUES ('2026-11-21 11:00Z', 1)")
    ages = ages_of(empty, "seen")
    assert ages is not None
    assert (ages.oldest, ages.newest, ages.rows_within[7]) == (NOW - timedelta(hours=1), NOW - timedelta(hours=1), 1)


def test_when_a_row_was_made_is_preferred_to_when_it_was_changed(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE both_times (updated_at timestamptz, created_at timestamptz)",
        "INSERT INTO both_times VALUES ('2026-11-21 11:00Z', '2026-10-01Z')",
        "CREATE TABLE changed (updated_at timestamptz)",
        "INSERT INTO changed VALUES ('2026-11-21 11:00Z')",
        "CREATE TABLE owner (id int PRIMARY KEY)",
        "CREATE TABLE state (owner_id int PRIMARY KEY REFERENCES owner, captured_at timestamptz)",
        "INSERT INTO owner VALUES (1)",
        "INSERT INTO state VALUES (1, '2026-11-21 11:00Z')",
    )
    found = {table.name: table.ages for table in profiled(empty).tables}
    told = {name: (ages.said_by, ages.is_birth) for name, ages in found.items() if ages is not None}
    # One row per row of another table is rewritten: its time is that of its last change, whatever its name.
    assert told == {
        "both_times": ("created_at", True),
        "changed": ("updated_at", False),
        "state": ("captured_at", False),
    }


_SNAPSHOTS = ("CREATE TABLE odds_snapshots (id int PRIMARY KEY, captured_at timestamptz)",)
_PARTITIONED_SNAPSHOTS = (
    "CREATE TABLE odds_snapshots (id int, captured_at timestamptz, PRIMARY KEY (id, captured_at))"
    " PARTITION BY RANGE (captured_at)",
    "CREATE TABLE rest PARTITION OF odds_snapshots DEFAULT",
)


@pytest.mark.parametrize("is_written", [True, False])
def test_rows_without_a_time_are_as_old_as_what_they_belong_to(empty: Database, is_written: bool) -> None:
    execute(
        empty,
        "CREATE TABLE bookmakers (id int PRIMARY KEY, created_at timestamptz)",
        "INSERT INTO bookmakers VALUES (1, '2020-01-01Z')",
        *(_SNAPSHOTS if is_written else _PARTITIONED_SNAPSHOTS),
        f"INSERT INTO odds_snapshots SELECT n, at FROM {_HOURS}",
        f"""
        CREATE TABLE market_odds (
            id bigint PRIMARY KEY, snapshot_id bigint {"REFERENCES odds_snapshots" if is_written else ""},
            bookmaker_id int REFERENCES bookmakers, name text
        )
        """,
        """
        INSERT INTO market_odds SELECT n * 10 + i, n, 1, 'x'
        FROM generate_series(0, 959) AS n, generate_series(1, 5) AS i
        """,
        "ANALYZE",
    )
    ages = ages_of(empty, "market_odds")
    assert ages == Ages(
        said_by="odds_snapshots.captured_at",
        rows_from="counted",
        oldest=_OLDEST,
        newest=_NEWEST,
        rows_within={7: 5 * 7 * 24, 14: 5 * 14 * 24, 30: 5 * 30 * 24},
        rows_by_day={date(2026, 11, day): 5 * 24 for day in range(14, 21)},
    )


def test_rows_that_belong_to_nothing_are_within_nothing(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE runs (id int PRIMARY KEY, started_at timestamptz)",
        "INSERT INTO runs VALUES (1, '2026-11-21Z')",
        "CREATE TABLE notes (run_id int)",
        "INSERT INTO notes VALUES (1), (2), (NULL), (1)",
    )
    ages = ages_of(empty, "notes")
    assert ages is not None
    assert (ages.said_by, ages.rows_within[7]) == ("runs.started_at", 2)


def test_of_a_large_table_a_sample_tells_ages(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "PAGES", 200)
    execute(
        empty,
        "CREATE TABLE snapshots (id int PRIMARY KEY, captured_at timestamptz, note text)",
        """
        INSERT INTO snapshots SELECT n, '2026-11-21 12:00Z'::timestamptz - (30_000 - n) * interval '2 minutes',
            repeat('x', n % 200) FROM generate_series(1, 30_000) AS n
        """,
        "CREATE INDEX ON snapshots (captured_at)",
        "CREATE TABLE market_odds (id int, snapshot_id int REFERENCES snapshots)",
        "INSERT INTO market_odds SELECT n, n / 4 FROM generate_series(4, 120_003) AS n",
        "VACUUM ANALYZE",
    )
    for name, each in (("snapshots", 1), ("market_odds", 4)):
        ages = ages_of(empty, name)
        assert ages is not None
        assert ages.rows_from == "sampled"
        assert ages.rows_within[7] == pytest.approx(each * 7 * 720, rel=0.05)
        assert ages.rows_within[30] == pytest.approx(each * 30 * 720, rel=0.05)
        assert ages.rows_by_day == pytest.approx(dict.fromkeys(ages.rows_by_day, each * 720), rel=0.25)
    # By an index the ends are exact.
    ages = ages_of(empty, "snapshots")
    assert ages is not None
    assert (ages.newest, ages.oldest) == (NOW, NOW - 29_999 * timedelta(minutes=2))


def test_of_days_in_partitions_of_their_own_the_rows_are_those_of_the_partitions(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "PAGES", 40)
    execute(
        empty,
        "CREATE TABLE history (captured_at timestamptz, created_at timestamptz, note text)"
        " PARTITION BY RANGE (captured_at)",
        *(
            f"CREATE TABLE history_{day} PARTITION OF history "
            f"FOR VALUES FROM ('2026-11-{day} 00:00Z') TO ('2026-11-{day + 1} 00:00Z')"
            for day in range(10, 22)
        ),
        """
        INSERT INTO history SELECT '2026-11-10Z'::timestamptz + n * interval '1 minute', now(), repeat('x', n % 300)
        FROM generate_series(0, 1440 * 12 - 1) AS n
        """,
        "VACUUM ANALYZE",
    )
    profile = profiled(empty)
    table = profile.table("history")
    assert table is not None
    assert table.ages is not None
    assert table.ages.said_by == "captured_at"
    assert table.ages.rows_by_day == {date(2026, 11, day): 1440 for day in range(14, 21)}
    assert table.rows == 1440 * 12


def test_ages_of_dagsters_tables_are_told(dagster_url: str) -> None:
    with Database(dagster_url) as dagster:
        with dagster.connect() as connection:
            connection.execute(
                """
                INSERT INTO runs (run_id, status, run_body, create_timestamp, update_timestamp)
                VALUES ('a', 'SUCCESS', '{}', '2026-11-20 11:00', '2026-11-20 12:00')
                """
            )
            connection.execute(
                "INSERT INTO event_logs (run_id, event, timestamp) VALUES ('a', '{}', '2026-11-20 11:30')"
            )
            connection.execute("INSERT INTO run_tags (run_id, key, value) VALUES ('a', 'k', 'v')")
        profile = profiled(dagster)
    told = {table.name: table.ages for table in profile.tables if table.ages is not None}
    assert {name: (ages.said_by, ages.rows_within[7]) for name, ages in told.items() if ages.rows_within[7]} == {
        "runs": ("create_timestamp", 1),
        "event_logs": ("timestamp", 1),
        "run_tags": ("runs.create_timestamp", 1),
    }
    assert told["runs"].newest == datetime(2026, 11, 20, 11, tzinfo=UTC)


def test_a_date_later_than_any_timestamp_does_not_hide_the_others(empty: Database) -> None:
    execute(
        empty,
        "CREATE TABLE seen (captured_at date)",
        "INSERT INTO seen VALUES ('5874897-12-31'), ('infinity'), ('2026-11-20')",
    )
    ages = ages_of(empty, "seen")
    assert ages is not None
    assert ages.oldest == ages.newest == datetime(2026, 11, 20, tzinfo=UTC)
