"""The writer by example: what one cycle after another leaves in current and history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from odds_pipeline.database.engine import Database
from odds_pipeline.database.record import WriteRecord
from odds_pipeline.database.write import write_cycle
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import SETTINGS, answer, commit, prepared, running
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey
from odds_pipeline_tests.database.reading import current, errors, history, history_count, last_run, query

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
SLUGS = ("betpawa", "sportybet", "bet9ja")

RESULT: MarketKey = ("3743", None)
OVER_2_5: MarketKey = ("5000", Decimal("2.5"))
OVER_3_5: MarketKey = ("5000", Decimal("3.5"))
HOME = {"1": "2.5", "X": "3.2", "2": "2.9"}
GOALS = {"over": "1.9", "under": "1.95"}


def moment(number: int) -> datetime:
    return T0 + number * FIVE_MINUTES


def cycle(number: int, *answers: Answer, discovered: tuple[str, ...] = (), failed: tuple[str, ...] = ()) -> Cycle:
    """The cycle of that number; ``discovered`` bookmakers were asked for their whole offer, ``failed`` in vain."""
    discoveries = {slug: (moment(number), slug not in failed) for slug in (*discovered, *failed)}
    return Cycle(moment(number), discoveries, list(answers))


def event(
    number: int, markets: Mapping[MarketKey, Mapping[str, str | None]], slug: str = "betpawa", id: str = "e"
) -> Answer:
    """A complete answer that arrived with the cycle of that number."""
    return answer(slug, id, moment(number), markets)


def test_the_first_cycle_fills_an_empty_database(database: Database) -> None:
    """B-27, B-49, B-57: every bookmaker's markets, also of an event that betPawa does not list."""
    answers = [event(0, {RESULT: HOME, OVER_2_5: GOALS}, slug) for slug in SLUGS[1:]]
    record = commit(database, cycle(0, *answers))
    rows = current(database)
    assert rows.keys() == {(slug, "e", *market) for slug in SLUGS[1:] for market in (RESULT, OVER_2_5)}
    assert rows["sportybet", "e", *RESULT].outcomes == HOME
    assert rows["bet9ja", "e", *OVER_2_5].outcomes == GOALS
    assert (record.new, record.inserted_history, record.upserted_current) == (4, 4, 4)
    assert history_count(database) == 4


@pytest.mark.parametrize("slug", SLUGS)
def test_one_changed_price_writes_one_market_of_one_bookmaker(database: Database, slug: str) -> None:
    """B-02, B-03, B-05: compared with what was stored before this cycle; no other row is even rewritten."""
    markets = {RESULT: HOME, OVER_2_5: GOALS, OVER_3_5: GOALS}
    commit(database, cycle(0, *(event(0, markets, other) for other in SLUGS)))
    versions = dict(query(database, "SELECT market_id, xmin::text FROM current_odds"))
    record = commit(
        database,
        cycle(
            1, *(event(1, markets | ({RESULT: HOME | {"1": "2.4"}} if other == slug else {}), other) for other in SLUGS)
        ),
    )
    assert (record.changed, record.confirmed, record.inserted_history) == (1, 8, 1)
    assert [row.outcomes["1"] for row in history(database, (slug, "e", *RESULT))] == ["2.5", "2.4"]
    versions_now = dict(query(database, "SELECT market_id, xmin::text FROM current_odds"))
    assert len(versions_now.items() - versions.items()) == 1
    assert current(database)[slug, "e", *RESULT].last_updated_at == moment(1)


def test_equal_event_ids_of_two_bookmakers_are_two_states(database: Database) -> None:
    """B-04: what one bookmaker's event was last seen with says nothing about another's."""
    commit(database, cycle(0, event(0, {RESULT: HOME}, "sportybet"), event(0, {RESULT: GOALS}, "bet9ja")))
    record = commit(database, cycle(1, event(1, {RESULT: GOALS}, "sportybet"), event(1, {RESULT: GOALS}, "bet9ja")))
    assert (record.changed, record.confirmed) == (1, 1)


def test_order_and_spelling_of_prices_are_no_change(database: Database) -> None:
    """B-07."""
    commit(database, cycle(0, event(0, {RESULT: {"1": "2.5", "X": "3.2"}, OVER_2_5: GOALS})))
    record = commit(database, cycle(1, event(1, {OVER_2_5: GOALS, RESULT: {"X": "3.200", "1": "2.50"}})))
    assert (record.confirmed, record.inserted_history) == (2, 0)


@pytest.mark.parametrize(
    "after",
    [
        {"1": "2.5", "X": "3.2"},  # an outcome is gone
        HOME | {"1X": "1.3"},  # another is offered
        HOME | {"X": None},  # one is suspended
    ],
)
def test_a_change_of_the_outcomes_is_a_change_though_no_price_moved(
    database: Database, after: Mapping[str, str | None]
) -> None:
    """B-08."""
    commit(database, cycle(0, event(0, {RESULT: HOME})))
    assert commit(database, cycle(1, event(1, {RESULT: after}))).changed == 1
    assert commit(database, cycle(2, event(2, {RESULT: dict(HOME)}))).changed == 1
    first, second, third = history(database, ("betpawa", "e", *RESULT))
    assert first.outcomes == third.outcomes == HOME
    assert second.outcomes == {key: odds or "(3.2)" for key, odds in after.items()}


def test_each_line_has_a_history_of_its_own(database: Database) -> None:
    """B-09, B-26: over 2.5 and over 3.5 never share a series, and no line is not line 0."""
    none, zero = ("5000", None), ("5000", Decimal(0))
    lines: list[MarketKey] = [none, zero, OVER_2_5, OVER_3_5]
    commit(database, cycle(0, event(0, {line: {"over": f"1.{place}"} for place, line in enumerate(lines, 1)})))
    commit(database, cycle(1, event(1, {line: {"over": f"2.{place}"} for place, line in enumerate(lines, 1)})))
    for place, line in enumerate(lines, 1):
        prices = [row.outcomes["over"] for row in history(database, ("betpawa", "e", *line))]
        assert prices == [f"1.{place}", f"2.{place}"]


def test_a_market_that_vanishes_and_returns_says_so_in_both_relations(database: Database) -> None:
    """B-08, B-10, B-11, B-14: the first time of absence is kept while it lasts, and cleared on return."""
    market = ("betpawa", "e", *RESULT)
    commit(database, cycle(0, event(0, {RESULT: HOME, OVER_2_5: GOALS})))
    for number in (1, 2):
        record = commit(database, cycle(number, event(number, {OVER_2_5: GOALS})))
        assert record.unavailable == (1 if number == 1 else 0)
        row = current(database)[market]
        assert (row.unavailable_at, row.outcomes) == (moment(1), HOME)
    assert commit(database, cycle(3, event(3, {RESULT: HOME, OVER_2_5: GOALS}))).returned == 1
    row = current(database)[market]
    assert (row.unavailable_at, row.last_updated_at) == (None, moment(3))
    assert [(row.captured_at, row.unavailable_at) for row in history(database, market)] == [
        (moment(0), None),
        (moment(1), moment(1)),
        (moment(3), None),
    ]


def test_an_event_that_its_bookmaker_no_longer_lists_is_unavailable(database: Database) -> None:
    """B-12: although nobody asks for it any more; the same event at another bookmaker goes on."""
    answers = [event(0, {RESULT: HOME}, slug) for slug in SLUGS]
    commit(database, cycle(0, *answers, discovered=SLUGS))
    record = commit(database, cycle(1, *(event(1, {RESULT: HOME}, slug) for slug in SLUGS[1:]), discovered=SLUGS))
    assert record.unavailable == 1
    gone = {slug: current(database)[slug, "e", *RESULT].unavailable_at for slug in SLUGS}
    assert gone == {"betpawa": moment(1), "sportybet": None, "bet9ja": None}
    assert commit(database, cycle(2, event(2, {RESULT: HOME}), discovered=("betpawa",))).returned == 1


def test_an_event_that_came_back_in_a_partly_read_answer_can_be_gone_again(database: Database) -> None:
    other = [event(number, {RESULT: HOME}, id="other") for number in range(4)]
    commit(database, cycle(0, event(0, {RESULT: HOME}), other[0], discovered=("betpawa",)))
    assert commit(database, cycle(1, other[1], discovered=("betpawa",))).unavailable == 1
    partly = answer("betpawa", "e", moment(2), {RESULT: HOME}, status="failed")
    assert commit(database, cycle(2, partly, other[2], discovered=("betpawa",))).returned == 1
    assert commit(database, cycle(3, other[3], discovered=("betpawa",))).unavailable == 1
    assert current(database)["betpawa", "e", *RESULT].unavailable_at == moment(3)


@pytest.mark.parametrize("status", ["failed", "not_asked"])
def test_no_answer_is_no_empty_answer(database: Database, status: str) -> None:
    """B-13: not for the event, and not for the offer whose discovery failed."""
    commit(database, cycle(0, event(0, {RESULT: HOME}), event(0, {RESULT: HOME}, id="other"), discovered=("betpawa",)))
    record = commit(database, cycle(1, answer("betpawa", "e", moment(1), status=status), failed=("betpawa",)))
    assert record.inserted_history == 0
    assert {row.unavailable_at for row in current(database).values()} == {None}


def test_an_event_in_play_ends_at_its_kick_off(database: Database) -> None:
    """B-12, B-13: `started` is neither an empty answer nor an error."""
    kickoff = moment(0) + timedelta(minutes=3)
    commit(database, cycle(0, answer("betpawa", "e", moment(0), {RESULT: HOME}, kickoff=kickoff)))
    commit(
        database,
        cycle(1, answer("betpawa", "e", moment(1), status="started", kickoff=kickoff), discovered=("betpawa",)),
    )
    assert current(database)["betpawa", "e", *RESULT].unavailable_at == kickoff
    assert errors(database) == []


def test_a_suspended_outcome_keeps_the_last_price_it_had(database: Database) -> None:
    """B-15, B-17: in current and in history, whatever the suspended price does; the market stays available."""
    market = ("betpawa", "e", *RESULT)
    commit(database, cycle(0, event(0, {RESULT: {"1": "2.5", "X": None}})))
    assert current(database)[market].outcomes == {"1": "2.5", "X": "(-)"}
    commit(database, cycle(1, event(1, {RESULT: {"1": None, "X": None}})))
    jumped = answer("betpawa", "e", moment(2))
    jumped.markets[RESULT] = {"1": (Decimal(100), False), "X": (Decimal("0"), False)}
    assert commit(database, cycle(2, jumped)).confirmed == 1
    row = current(database)[market]
    assert (row.outcomes, row.unavailable_at) == ({"1": "(2.5)", "X": "(-)"}, None)
    commit(database, cycle(3, event(3, {RESULT: {"1": "2.6", "X": "3.1"}})))
    assert [row.outcomes for row in history(database, market)] == [
        {"1": "2.5", "X": "(-)"},
        {"1": "(2.5)", "X": "(-)"},
        {"1": "2.6", "X": "3.1"},
    ]


@pytest.mark.parametrize("price", ["1.001", "1.01", "163.83", "163.84", "250", "999999.999", "1000000"])
def test_prices_survive_the_round_trip_exactly(database: Database, price: str) -> None:
    """I9: up to 3 decimals and 1,000,000."""
    commit(database, cycle(0, event(0, {RESULT: {"1": price, "2": "2.5"}})))
    commit(database, cycle(1, event(1, {RESULT: {"1": None, "2": "2.5"}})))
    first, second = history(database, ("betpawa", "e", *RESULT))
    assert Decimal(first.outcomes["1"]) == Decimal(price)
    assert Decimal(second.outcomes["1"].strip("()")) == Decimal(price)


def test_a_price_that_cannot_be_one_is_refused_before_the_write(database: Database) -> None:
    """B-16, B-17: the market keeps its odds; the rest of the answer counts, its absences too."""
    commit(database, cycle(0, event(0, {RESULT: HOME, OVER_2_5: GOALS, OVER_3_5: GOALS})))
    record = commit(database, cycle(1, event(1, {RESULT: HOME | {"1": "1"}, OVER_2_5: GOALS | {"over": "1.8"}})))
    assert (record.refused, record.changed, record.unavailable) == (1, 1, 1)
    rows = current(database)
    assert rows["betpawa", "e", *RESULT].outcomes == HOME
    assert rows["betpawa", "e", *OVER_3_5].unavailable_at == moment(1)
    assert errors(database) == [("betpawa", "e", "price_too_low", 1)]


def test_the_same_answers_again_change_nothing(database: Database) -> None:
    """B-48 (I6): as a retry of the same run, and as another run."""
    answers = cycle(0, event(0, {RESULT: HOME, OVER_2_5: GOALS}), discovered=("betpawa",))
    run_id = running(database, T0)
    record = write(database, answers, run_id)
    rows = current(database)
    assert write(database, answers, run_id) == record
    again = commit(database, answers)
    assert (again.inserted_history, again.confirmed) == (0, 2)
    assert current(database) == rows
    assert history_count(database) == 2


def test_the_record_is_what_the_run_says_of_itself(database: Database) -> None:
    """R8, R10: counts, status, events; every history row leads to its run."""
    commit(database, cycle(0, event(0, {RESULT: HOME, OVER_2_5: GOALS}), event(0, {RESULT: HOME}, id="f")))
    record = commit(
        database,
        cycle(
            1,
            event(1, {RESULT: HOME | {"1": "2.4"}, OVER_3_5: GOALS}),
            answer("betpawa", "f", moment(1), status="failed"),
            answer("bet9ja", "g", moment(1), {RESULT: HOME, OVER_2_5: {"over": "0.5"}}),
        ),
    )
    run_id, status, scraped, failed, counts = last_run(database)
    assert WriteRecord.from_json(counts) == record
    assert counts["seconds"].keys() >= {"read", "diff", "write"}
    assert (status, scraped, failed) == ("partial", 2, 1)
    assert (record.new, record.changed, record.unavailable, record.refused) == (2, 1, 1, 1)
    assert record.changed_answers == 2
    written = query(database, "SELECT count(*) FROM odds_history_changes WHERE run_id = %s", [run_id])
    assert written == [(record.inserted_history,)]
    assert record.days == (T0.date(),)


def test_raw_answers_are_kept_nowhere_in_the_database(database: Database) -> None:
    """B-53: only tables of an earlier system have room for them, and a cycle leaves those empty."""
    commit(database, Cycle(T0, {}, [answer("betpawa", "e", T0, {RESULT: HOME})]))
    rooms = query(
        database,
        "SELECT table_name::text FROM information_schema.columns WHERE column_name ~ 'raw_response|body' "
        "AND table_schema = 'public' AND table_name !~ '_[0-9]{6}$' ORDER BY 1",
    )
    assert rooms == [("competitor_odds_snapshots",), ("odds_snapshots",)]
    for (table,) in rooms:
        assert query(database, f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_cycle_around_midnight_is_kept_by_day(database: Database) -> None:
    """B-36, B-52: each change lies in the partition of its own UTC day, made on demand."""
    before, after = datetime(2027, 6, 30, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
    record = commit(
        database,
        Cycle(
            before, {}, [answer("betpawa", "e", before, {RESULT: HOME}), answer("betpawa", "f", after, {RESULT: HOME})]
        ),
    )
    assert record.days == (before.date(), after.date())
    rows = query(database, "SELECT tableoid::regclass::text, captured_at FROM odds_history ORDER BY captured_at")
    assert [captured_at for _, captured_at in rows] == [before, after]
    assert len({partition for partition, _ in rows}) == 2


def write(database: Database, answers: Cycle, run_id: int) -> WriteRecord:
    return write_cycle(
        database,
        archive_of(database),
        prepared(answers, run_id),
        run_id=run_id,
        settings=SETTINGS,
        now=answers.as_of,
        guarded=True,
    )
