"""How fresh the odds were at a past moment, example by example: a lower bound from what the cycles covered."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odds_pipeline.analysis.moments import Scope, at
from odds_pipeline.analysis.source import OddsSource
from odds_pipeline.database.engine import Database
from odds_pipeline_tests.archives import archive_of
from odds_pipeline_tests.database.cycles import answer, commit
from odds_pipeline_tests.database.plain_model import Answer, Cycle, MarketKey
from odds_pipeline_tests.database.reading import query
from odds_pipeline_tests.days.questions import delete_event, retire
from odds_pipeline_tests.legacy.hand_made import at as in_february
from odds_pipeline_tests.legacy.hand_made import change, imported

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESULT: MarketKey = ("3743", None)
GOALS: MarketKey = ("5000", None)
OFFER = {RESULT: {"1": "2.5", "2": "1.6"}, GOALS: {"over": "1.9", "under": "1.9"}}

#: Seconds after a cycle's beginning at which the answers arrive: of the event asked about, and of others before it.
OWN, FIRST = 10, 4


def moment(cycle: int, seconds: float = 60) -> datetime:
    return T0 + timedelta(minutes=5 * cycle, seconds=seconds)


def own(cycle: int, status: str = "complete", *, refused: tuple[MarketKey, ...] = ()) -> Answer:
    """The answer about the event asked about."""
    offer = {market: odds for market, odds in OFFER.items() if market not in refused} if status == "complete" else {}
    return answer("betpawa", "own", moment(cycle, OWN), offer, status=status, refused=set(refused))


def other(cycle: int, status: str = "complete") -> Answer:
    return answer("betpawa", "other", moment(cycle, FIRST), OFFER if status == "complete" else {}, status=status)


def run(database: Database, cycle: int, *answers: Answer, discovery: bool | None = True) -> None:
    """A cycle with these answers, by default both complete; ``discovery``: whether it was complete, None for none."""
    discoveries = {} if discovery is None else {"betpawa": (moment(cycle, 1), discovery)}
    commit(database, Cycle(moment(cycle, 0), discoveries, list(answers) or [other(cycle), own(cycle)]))


def confirmed_at(database: Database, when: datetime, market: MarketKey = RESULT) -> datetime:
    return told(database, when, market)[0]


def told(database: Database, when: datetime, market: MarketKey = RESULT) -> tuple[datetime, bool]:
    """(last_confirmed_at, is_stale) of the market of the event asked about."""
    source = OddsSource(database, archive_of(database), lambda first, last: [])
    rows = at(source, Scope(betpawa_market_ids=[market[0]]), when).rows
    ((confirmed, is_stale),) = [
        (row["last_confirmed_at"], row["is_stale"])
        for row in rows.iter_rows(named=True)
        if row["external_event_id"] == "own"
    ]
    return confirmed, is_stale


def test_the_newest_confirmation_is_known_exactly_and_earlier_ones_as_the_first_answer_of_a_cycle(
    database: Database,
) -> None:
    for cycle in range(4):
        run(database, cycle)
    assert confirmed_at(database, moment(3)) == moment(3, OWN)
    assert confirmed_at(database, moment(3, OWN)) == moment(3, OWN)
    assert confirmed_at(database, moment(2)) == moment(2, FIRST), "in truth at its own answer, 6 seconds later"
    assert confirmed_at(database, moment(2, OWN)) == moment(2, FIRST)
    assert confirmed_at(database, moment(2, OWN - 1)) == moment(1, FIRST), "in the middle of a cycle that one is unsure"
    assert confirmed_at(database, moment(0)) == moment(0, OWN), "the state began then: no cycle says less"


@pytest.mark.parametrize(
    ("answers", "discovery"),
    [
        pytest.param((other(2), own(2, "failed")), True, id="its answer failed"),
        pytest.param((other(2), own(2, refused=(RESULT,))), True, id="the market was refused"),
        pytest.param((other(2, "not_asked"), own(2)), True, id="not everything was asked"),
        pytest.param((other(2), own(2)), False, id="the discovery failed"),
        pytest.param((other(2),), None, id="only another event was refreshed"),
    ],
)
def test_a_cycle_that_may_not_have_seen_the_market_does_not_count(
    database: Database, answers: tuple[Answer, ...], discovery: bool | None
) -> None:
    run(database, 0)
    run(database, 1)
    run(database, 2, *answers, discovery=discovery)
    run(database, 3)
    assert confirmed_at(database, moment(2)) == moment(1, FIRST)


def test_a_failure_of_another_event_changes_nothing(database: Database) -> None:
    run(database, 0)
    run(database, 1)
    run(database, 2, other(2, "failed"), own(2))
    run(database, 3)
    assert confirmed_at(database, moment(2)) == moment(2, OWN), "the only answer that was read"
    # Without the errors nobody knows whose failure it was.
    with database.connect() as connection:
        connection.execute("DELETE FROM scrape_errors")
    assert confirmed_at(database, moment(2)) == moment(1, FIRST)


def test_a_refused_market_was_seen_last_before_the_refusal_even_now(database: Database) -> None:
    run(database, 0)
    run(database, 1)
    run(database, 2, other(2), own(2, refused=(RESULT,)))
    assert confirmed_at(database, moment(2), RESULT) == moment(1, OWN)
    assert confirmed_at(database, moment(2), GOALS) == moment(2, OWN)
    run(database, 3, other(3), own(3, "failed"))
    assert confirmed_at(database, moment(3), RESULT) == moment(1, OWN)
    assert confirmed_at(database, moment(3), GOALS) == moment(2, OWN)


def test_a_discovery_that_the_guard_does_not_believe_confirms_nothing(database: Database) -> None:
    many = [str(number) for number in range(30)]
    for cycle in range(4):
        listed = [other(cycle), *([] if cycle == 2 else [own(cycle)])]
        listed += [answer("betpawa", event, moment(cycle, OWN), OFFER) for event in many[: 5 if cycle == 2 else None]]
        run(database, cycle, *listed)
    assert confirmed_at(database, moment(2)) == moment(1, FIRST)


def test_a_cycle_whose_answer_came_too_late_does_not_count(database: Database) -> None:
    run(database, 0)
    run(database, 1)
    refresh = answer("betpawa", "own", moment(2, 200), OFFER)
    commit(database, Cycle(moment(2, 200), {}, [refresh]))
    run(database, 2)
    assert confirmed_at(database, moment(2, 210)) == moment(2, 200)
    run(database, 3)
    assert confirmed_at(database, moment(2, 100)) == moment(1, FIRST)


def test_a_cycle_does_not_count_that_lacked_an_event_which_was_refreshed_meanwhile(
    database: Database,
) -> None:
    """The refresh is newer than the discovery, so the event is not gone; nor did the cycle see it."""
    run(database, 0)
    run(database, 1)
    commit(database, Cycle(moment(2, 3), {}, [answer("betpawa", "own", moment(2, 3), OFFER)]))
    run(database, 2, other(2), answer("betpawa", "third", moment(2, 120), OFFER))
    run(database, 3)
    assert confirmed_at(database, moment(2, 150)) == moment(1, FIRST)


def test_odds_on_offer_are_stale_when_nothing_confirmed_them_for_longer_than_the_settings_allow(
    database: Database,
) -> None:
    """R12: three intervals of five minutes."""
    run(database, 0)
    for cycle in range(1, 5):
        run(database, cycle, other(cycle), own(cycle, "not_asked"))
    confirmed = moment(0, OWN)
    quarter = timedelta(minutes=15)
    for later in (False, True):
        assert told(database, confirmed + quarter) == (confirmed, False)
        assert told(database, confirmed + quarter + timedelta(microseconds=1)) == (confirmed, True)
        if not later:
            run(database, 5)
    gone = answer("betpawa", "own", moment(6, OWN), {GOALS: OFFER[GOALS]})
    run(database, 6, other(6), gone)
    assert told(database, moment(60)) == (moment(6, OWN), False), "what is gone cannot go stale"
    assert told(database, moment(60), GOALS) == (moment(6, OWN), True)


def test_odds_are_stale_when_the_last_answers_of_their_listing_failed_however_recent_the_one_before(
    database: Database,
) -> None:
    """R12, now and when later answers are known: three failures in a row."""
    run(database, 0)
    for cycle in range(1, 3):
        run(database, cycle, other(cycle), own(cycle, "failed"))
    hurried = [answer("betpawa", "own", moment(2, OWN + 20 * more), status="failed") for more in (1, 2)]
    third, fourth = (failed.at for failed in hurried)
    instant = timedelta(microseconds=1)
    for failed in hurried:
        commit(database, Cycle(failed.at, {}, [failed]))
        assert told(database, failed.at) == (moment(0, OWN), True)
    for later in (None, 3, 4):
        if later is not None:
            run(database, later)
            assert not told(database, moment(later))[1], "an answer that was read ends it"
        assert told(database, third - instant) == (moment(0, OWN), False)
        assert told(database, third) == told(database, fourth) == (moment(0, OWN), True)


def test_failures_with_an_answer_between_them_are_not_in_a_row(database: Database) -> None:
    for cycle in range(6):
        run(database, cycle, other(cycle), own(cycle, "failed" if cycle % 2 else "complete"))
    assert [told(database, moment(cycle))[1] for cycle in range(6)] == [False] * 6


def test_a_market_that_is_refused_is_not_stale_while_its_listing_answers(database: Database) -> None:
    run(database, 0)
    for cycle in range(1, 6):
        run(database, cycle, other(cycle), own(cycle, refused=(RESULT,)))
    assert told(database, moment(5)) == (moment(0, OWN), False)
    assert told(database, moment(5), GOALS) == (moment(5, OWN), False)
    assert told(database, moment(8), RESULT)[1]


_days = itertools.count(1)


@settings(
    max_examples=8,
    # Not shrunk, which would take minutes on a database.
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    kinds=st.lists(
        st.sampled_from(
            ["complete", "changed", "failed", "failed", "failed", "failed in part", "refused", "not_asked"]
        ),
        min_size=3,
        max_size=9,
    ),
    gaps=st.lists(st.sampled_from([60, 120, 400, 900]), min_size=9, max_size=9),
)
def test_what_is_stale_now_is_what_the_view_says_and_nothing_that_was_stale_is_told_fresh(
    database: Database, kinds: list[str], gaps: list[int]
) -> None:
    """R12, of every market on offer; of the past a lower bound."""
    when = T0 + timedelta(days=next(_days))
    event = f"own {when:%d}"
    kickoff = when + timedelta(days=1)
    source = OddsSource(database, archive_of(database), lambda first, last: [])
    heard: list[tuple[datetime, bool, bool]] = []
    for number, (kind, gap) in enumerate(zip(["complete", *kinds], gaps, strict=False)):
        offer = OFFER | ({RESULT: {"1": f"3.{number}", "2": "1.4"}} if kind in ("changed", "failed in part") else {})
        refused = {GOALS} if kind == "refused" else set[MarketKey]()
        if kind in ("failed", "not_asked"):
            offer = {}
        status = {"failed in part": "failed"}.get(kind, kind if kind in ("failed", "not_asked") else "complete")
        given = {market: odds for market, odds in offer.items() if market not in refused}
        said = answer("betpawa", event, when, given, status=status, kickoff=kickoff, refused=refused)
        commit(database, Cycle(when, {"betpawa": (when, True)}, [said]))
        if kind != "not_asked":
            heard.append((when, kind != "failed", status == "failed"))
        now = when + timedelta(seconds=gap)
        markets = {row["market_id"]: row for row in at(source, Scope(), now).rows.to_dicts()}
        assert {market: row["is_stale"] for market, row in markets.items() if row["state"] == "available"} == {
            market: is_stale for market, is_stale, is_available in in_view(database, now) if is_available
        }
        when = now
    for moment_of, _, _ in heard:
        for later in (0, 60, 899, 901):
            asked = moment_of + timedelta(seconds=later)
            if asked < when and was_stale(heard, asked):
                rows = at(source, Scope(), asked).rows.filter(external_event_id=event, state="available")
                assert rows["is_stale"].all(), asked


def in_view(database: Database, now: datetime) -> list[tuple[int, bool, bool]]:
    """(market, is_stale, whether on offer) of market_odds_current, on a clock that says ``now``."""
    with database.connect() as connection:
        connection.execute("UPDATE pipeline_settings SET clock_offset = %s - now()", [now])
        rows = connection.execute(
            "SELECT market_id, is_stale, unavailable_at IS NULL FROM market_odds_current"
        ).fetchall()
        connection.rollback()
    return rows


def was_stale(heard: list[tuple[datetime, bool, bool]], moment: datetime) -> bool:
    """Of answers as (arrival, whether it was read, whether it failed)."""
    told = [each for each in heard if each[0] <= moment]
    newest = max(at for at, is_read, _ in told if is_read)
    failed = list(itertools.takewhile(lambda each: each[2], reversed(told)))
    return len(failed) >= 3 or moment - newest > timedelta(minutes=15)


def test_of_an_event_that_was_cleaned_up_the_cycles_still_tell(database: Database) -> None:
    for cycle in range(3):
        run(database, cycle)
    run(database, 3, other(3), own(3, "failed"))
    tomorrow = 24 * 12
    run(database, tomorrow)
    retire(database, moment(tomorrow).date())
    ((event_id,),) = query(database, "SELECT event_id FROM event_bookmakers WHERE external_event_id = 'own'")
    before = [confirmed_at(database, moment(cycle)) for cycle in range(4)]
    delete_event(database, event_id)
    assert before == [moment(0, OWN), moment(1, FIRST), moment(2, FIRST), moment(2, FIRST)]
    assert [confirmed_at(database, moment(cycle)) for cycle in range(4)] == before


def test_a_cycle_of_ours_says_nothing_of_odds_imported_behind_it(database: Database) -> None:
    """Nobody asked for an event that we did not know yet."""
    first = in_february(3, 10)
    cycle = Cycle(
        in_february(3, 12),
        {"betpawa": (in_february(3, 12), True)},
        [answer("betpawa", "other", in_february(3, 12, 1), OFFER)],
    )
    commit(database, cycle)
    offer = {"1": "2.5", "2": "1.6"}
    later = change(in_february(3, 14), offer, event="own", market=GOALS)
    imported(database, 3, change(first, offer, event="own"), later)
    assert confirmed_at(database, in_february(3, 13)) == first
    assert confirmed_at(database, in_february(3, 15)) == in_february(3, 14), "the earlier system's last answer"
