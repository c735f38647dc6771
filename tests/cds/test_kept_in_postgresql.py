"""Tests on PostgreSQL, where transactions run beside each other, what the door keeps there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from threading import Barrier

import pytest
from tests.adapters.database.throwaway_postgresql import Server
from tests.cds.store import Store, call, feedback
from tests.fixtures.icu import AS_OF

from wardround.adapters.database.tables import BEDSIDE_CARD, BEDSIDE_COMMENT, BEDSIDE_FEEDBACK, NOTIFICATION
from wardround.cds.exchange import Answer, Heard
from wardround.cds.keeping import Shown, StayKey, Told
from wardround.results.alert_policy import Notification

pytestmark = pytest.mark.long

STAY = StayKey("key", "sepsis", "bedside")


@pytest.fixture
def store(postgresql: Server) -> Iterator[Store]:
    with ExitStack() as stack:
        yield Store(postgresql.url(postgresql.new_database()), stack)


def first_only(card: str):
    """Returns what alerts if nobody has been told yet."""

    def answer(last: Shown | None) -> Told:
        return Told(Answer(200, b"", call(card)), None if last else Notification(AS_OF, AS_OF, "high"))

    return answer


def test_of_calls_at_once_at_several_workers_one_alerts(store: Store) -> None:
    workers, seen = [store.worker() for _ in range(6)], list[Shown | None]()

    for round_ in range(5):
        together, stay = Barrier(6), STAY._replace(key=f"stay-{round_}")

        def ask(number: int, together: Barrier = together, stay: StayKey = stay, round_: int = round_) -> None:
            answer = first_only(f"{round_}-{number}")

            def noting(last: Shown | None) -> Told:
                seen.append(last)
                return answer(last)

            together.wait()
            workers[number].told(stay, noting)

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(ask, range(6)))

    assert seen.count(None) == 5
    cards, last = store.rows(BEDSIDE_CARD, NOTIFICATION)
    assert (len(cards), len(last)) == (30, 5)
    alerted = {one["stay"]: one["card"] for one in last}
    assert {one.card for one in seen if one} == set(alerted.values())


def test_a_decision_that_fails_leaves_no_row_behind(store: Store) -> None:
    keeping = store.worker()

    def broken(_last: Shown | None) -> Told:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        keeping.told(STAY, broken)

    assert store.rows(NOTIFICATION, BEDSIDE_CARD) == [[], []]


def test_feedback_comments_and_retention_are_the_same(store: Store) -> None:
    with store.working() as keeping:
        keeping.told(STAY, first_only("card"))
        given = [feedback("card", comment="a\0b"), feedback("other", reason=("s", "c\0"), comment="not kept")]
        assert keeping.heard(given, "sepsis", AS_OF) == Heard(1, 1)
        assert keeping.heard([*given, feedback("card", comment="again")], "sepsis", AS_OF) == Heard(2, 1)
    (last,), feedbacks, (comment,) = store.rows(NOTIFICATION, BEDSIDE_FEEDBACK, BEDSIDE_COMMENT)
    assert (last["at"], last["band"], last["card"]) == (AS_OF, "high", "card")
    assert (len(feedbacks), comment["comment"]) == (2, "again")

    with store.working() as keeping:
        keeping.kept(call("new", timedelta(days=181)))

    tables = (BEDSIDE_CARD, BEDSIDE_FEEDBACK, BEDSIDE_COMMENT, NOTIFICATION)
    assert [len(rows) for rows in store.rows(*tables)] == [1, 0, 0, 0]
