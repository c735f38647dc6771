"""Tests that dead letters are listed without any value, handled again, and replaced by corrected ones."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from tests.adapters.queue.conftest import NOW, raw

from wardround.adapters.database.tables import STREAM_BODY, STREAM_CORRECTION, STREAM_MESSAGE
from wardround.adapters.queue.dead_letters import DeadLetter, Responsible, body_of, dead_letters, replace, retry
from wardround.adapters.queue.figures import dead_letters as number_of_dead_letters
from wardround.adapters.queue.message import DEAD, Done, Message
from wardround.adapters.queue.queue import CORRUPT, Queue

LEASE = timedelta(seconds=10)
LATER = NOW + timedelta(hours=3)
WARD = Responsible("the ward's engineer", "a fault of the engine's")


@pytest.fixture
def dead(queue: Queue) -> list[DeadLetter]:
    queue.put([raw(1), raw(2), raw(3)])
    first, second, third = queue.take("flag", 10, LEASE, NOW, together=True)
    queue.finish([Done(first, DEAD, "no_pid, segment 3"), Done(second, DEAD, "ValueError"), Done(third, "done")], NOW)
    return dead_letters(queue)


def taken(queue: Queue) -> list[Message]:
    return queue.take("flag", 10, LEASE, LATER, together=True)


def test_a_list_says_rule_and_place_and_nothing_of_the_body(queue, dead):
    assert [(one.stage, one.source, one.reason) for one in dead] == [
        ("flag", "main", "no_pid, segment 3"),
        ("flag", "main", "ValueError"),
    ]
    assert "body" not in repr(dead).replace("has_body", "")
    assert number_of_dead_letters(queue) == {"flag": 2}
    assert dead_letters(queue, "query") == []
    assert body_of(queue, dead[0].seq) == b"body 1"


def test_what_is_retried_is_handled_again_before_what_was_put_later(queue, dead):
    queue.put([raw(4)])
    assert retry(queue, [dead[0].seq], WARD, LATER) == [dead[0].seq]

    assert [(one.body, one.attempts) for one in taken(queue)] == [(b"body 1", 1), (b"body 4", 1)]
    assert [one.seq for one in dead_letters(queue)] == [dead[1].seq]


def test_what_is_no_dead_letter_or_has_lost_its_body_is_not_retried(queue, dead):
    first, second = (one.seq for one in dead)
    with queue.database.writing() as connection:
        connection.execute(STREAM_BODY.delete().where(STREAM_BODY.c.seq == first))
        connection.execute(update(STREAM_MESSAGE).where(STREAM_MESSAGE.c.seq == second).values(reason=CORRUPT))

    assert retry(queue, [first, second, second + 1, 10**9], WARD, LATER) == []
    assert [one.can_be_retried for one in dead_letters(queue)] == [False, False]


def test_a_corrected_message_is_received_anew_and_the_first_is_known_still(queue, dead):
    new = replace(queue, dead[0].seq, b"corrected", WARD, LATER)

    [message] = taken(queue)
    assert (message.seq, message.body, message.received) == (new, b"corrected", LATER)
    assert [one.seq for one in dead_letters(queue)] == [dead[1].seq]
    assert queue.put([raw(1)]) == [False]
    assert replace(queue, dead[0].seq, b"again", WARD, LATER) is None


def test_what_follows_from_a_message_keeps_its_times_when_it_is_corrected(queue):
    as_of = NOW + timedelta(hours=1)
    queue.put([raw(1)._replace(origin=5, branch="sepsis/early", as_of=as_of)])
    [message] = queue.take("flag", 1, LEASE, NOW)
    queue.finish([Done(message, DEAD)], NOW)
    replace(queue, message.seq, b"corrected", WARD, LATER)

    [corrected] = taken(queue)
    assert (corrected.received, corrected.as_of, corrected.origin, corrected.branch) == (NOW, as_of, 5, "sepsis/early")


def test_who_did_what_and_why_is_kept(queue, dead):
    first, second = (one.seq for one in dead)
    retry(queue, [first], WARD, LATER)
    new = replace(queue, second, b"corrected", WARD, LATER)

    with queue.database.reading() as connection:
        asked = select(STREAM_CORRECTION).where(STREAM_CORRECTION.c.seq.in_([first, second]))
        rows = [tuple(row) for row in connection.execute(asked.order_by(STREAM_CORRECTION.c.seq))]
    assert rows == [(first, LATER, "retry", None, *WARD), (second, LATER, "replace", new, *WARD)]
