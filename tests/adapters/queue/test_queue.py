"""Tests that messages are stored once, taken in order by one at a time, and finished with all that follows."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update
from tests.adapters.queue.conftest import NOW, raw

from wardround.adapters.database.backup import back_up, restore
from wardround.adapters.database.database import Database, opened
from wardround.adapters.database.kept import Place, Row
from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE, STREAM_PAUSE, STREAM_VISIT
from wardround.adapters.queue.message import DEAD, LATER, Done, Message
from wardround.adapters.queue.queue import CORRUPT, Queue

LEASE = timedelta(seconds=10)
LATER_ON = NOW + timedelta(minutes=1)
OVER = NOW + LEASE


def take(queue: Queue, most: int = 100, now=NOW, stage: str = "flag", together: bool = False) -> list[Message]:
    return queue.take(stage, most, LEASE, now, together)


def bodies(messages: list[Message]) -> list[str]:
    return [one.body.decode().removeprefix("body ") for one in messages]


def done(message: Message, outcome: str = "done", **rest) -> Done:
    return Done(message, outcome, **rest)


def of(queue: Queue, message: Message) -> dict:
    """Returns the account of a message."""
    with queue.database.reading() as connection:
        asked = select(STREAM_MESSAGE).where(STREAM_MESSAGE.c.seq == message.seq)
        return dict(connection.execute(asked).mappings().one())


def keep_mark(mark: str):
    """Returns further writes of a transaction, which are easily found again."""

    def write(connection) -> None:
        row = {"kind": "source", "name": mark, "since": NOW, "who": "", "why": ""}
        connection.execute(insert(STREAM_PAUSE), row)

    return write


def marks(queue: Queue) -> set[str]:
    with queue.database.reading() as connection:
        return set(connection.execute(select(STREAM_PAUSE.c.name)).scalars())


def visit(queue: Queue, key: str) -> Place:
    return Place(STREAM_VISIT, (queue.run, key))


def lies(where: str) -> Row:
    return {"source": "main", "is_open": True, "changed": NOW, "body": where.encode()}


def visits(queue: Queue) -> dict[str, str]:
    asked = select(STREAM_VISIT.c.key, STREAM_VISIT.c.body).where(STREAM_VISIT.c.run == queue.run)
    with queue.database.reading() as connection:
        return {key: body.decode() for key, body in connection.execute(asked)}


def test_a_message_is_stored_once_however_often_it_is_put(queue):
    assert queue.put([raw(1), raw(2), raw(1)]) == [True, True, False]
    assert queue.put([raw(2), raw(3)]) == [False, True]

    assert bodies(take(queue, together=True)) == ["1", "2", "3"]


def test_a_message_is_still_known_when_it_was_finished_and_its_body_is_gone(queue):
    queue.put([raw(1)])
    queue.finish([done(one) for one in take(queue)], NOW)
    with queue.database.writing() as connection:
        connection.execute(STREAM_BODY.delete())

    assert queue.put([raw(1)]) == [False]
    assert take(queue) == []


def test_runs_and_stages_do_not_meet(queue):
    other = Queue(queue.database, f"{queue.run}, played back")
    assert queue.put([raw(1)]) == [True]
    assert other.put([raw(1)]) == [True]
    assert queue.put([raw(1, stage="query")]) == [True]

    assert len(take(queue)) == len(take(other)) == len(take(queue, stage="query")) == 1


def test_a_message_is_what_was_put(queue):
    put = raw(1)._replace(branch="sepsis/early", origin=7, as_of=NOW + timedelta(hours=1))
    queue.put([put])
    [taken] = take(queue)

    for name in set(put._fields) - {"dedup"}:
        assert getattr(taken, name) == getattr(put, name), name
    assert (taken.attempts, taken.began, taken.taken_until) == (1, NOW, OVER)


def test_nothing_shows_a_body(queue):
    queue.put([raw(1)])
    [taken] = take(queue)

    assert "body 1" not in repr(raw(1)) + repr(taken) + repr(Done(taken, "done", outputs=(raw(2),)))


def test_what_is_taken_is_not_taken_again_until_the_lease_is_over(queue):
    queue.put([raw(1)])
    assert bodies(take(queue)) == ["1"]
    assert take(queue, now=OVER - timedelta(seconds=1)) == []

    [again] = take(queue, now=OVER)
    assert (again.attempts, again.lost) == (1, 1)  # the process was to blame, and not the message


def test_what_is_lost_for_the_second_time_is_taken_alone_so_that_no_other_is_blamed(queue):
    now = NOW
    queue.put([raw(number, key) for number, key in enumerate("abc", start=1)])
    assert bodies(take(queue)) == ["1", "2", "3"]
    queue.put([raw(4, "d")])
    now += LEASE
    assert bodies(take(queue, now=now)) == ["1", "2", "3", "4"]
    now += LEASE
    for _ in range(5):  # the first one ends the process each time
        [first] = take(queue, now=now, most=1)
        now += LEASE
    assert (bodies([first]), first.lost) == (["1"], 6)

    [first] = take(queue, now=now)
    queue.finish([done(first, "dead")], now)
    [second], [third] = take(queue, now=now), take(queue, now=now)
    [fourth] = take(queue, now=now)

    assert [one.lost for one in (second, third, fourth)] == [2, 2, 1]


def test_a_lease_is_extended(queue):
    queue.put([raw(1)])
    taken = take(queue)
    queue.extend(taken, LEASE, OVER - timedelta(seconds=1))

    assert take(queue, now=OVER) == []
    assert queue.finish([done(taken[0])], OVER) == [True]


def test_who_has_lost_a_message_writes_nothing_of_it(queue):
    queue.put([raw(1), raw(2, "other")])
    first, second = take(queue)
    queue.extend([second], LEASE, OVER - timedelta(seconds=1))
    [taken_by_another] = take(queue, now=OVER)
    mark = f"lost {queue.run}"
    lost = done(first, outputs=(raw(3),), state=keep_mark(mark))
    mine = done(second, outputs=(raw(4),), state=keep_mark(f"mine {queue.run}"))

    assert queue.finish([lost, mine], OVER) == [False, True]

    assert mark not in marks(queue)
    assert f"mine {queue.run}" in marks(queue)
    queue.finish([done(taken_by_another)], OVER)
    assert bodies(take(queue, now=OVER)) == ["4"]


def test_of_messages_finished_together_the_last_one_says_where_a_visit_lies(queue):
    a, b, c = (visit(queue, key) for key in "abc")
    queue.put([raw(number) for number in range(4)])
    first, second, third, lost = take(queue, together=True)
    queue.finish([done(lost)], NOW)
    queue.finish(
        [
            done(first, kept={a: lies("MICU"), b: lies("MICU"), c: lies("MICU")}),
            done(second, kept={a: None, b: lies("SICU")}),
            done(third, kept={a: lies("CCU")}),
            done(lost, kept={c: lies("nowhere")}),
        ],
        NOW,
    )
    assert visits(queue) == {"a": "CCU", "b": "SICU", "c": "MICU"}

    queue.put([raw(number) for number in range(4, 6)])
    first, second = take(queue, together=True)
    queue.finish([done(first, kept={a: lies("MICU"), b: None}), done(second, kept={a: None})], NOW)
    assert visits(queue) == {"c": "MICU"}


def test_a_message_may_end_what_an_earlier_one_of_the_same_transaction_has_put(queue):
    queue.put([raw(1), raw(2), raw(3)])
    first, second, third = take(queue, together=True)

    def end(connection) -> None:
        mine = (STREAM_MESSAGE.c.run == queue.run, STREAM_MESSAGE.c.stage == "query")
        connection.execute(update(STREAM_MESSAGE).where(*mine).values(outcome="cancelled"))

    after = [raw(number, stage="query") for number in (1, 2, 3)]
    queue.finish(
        [
            done(first, outputs=(after[0],)),
            done(second, outputs=(after[1],), state=end),
            done(third, outputs=(after[2],)),
        ],
        NOW,
    )

    assert bodies(take(queue, stage="query", together=True)) == ["2", "3"]


def test_a_message_is_finished_once(queue):
    queue.put([raw(1)])
    [taken] = take(queue)
    assert queue.finish([done(taken)], NOW) == [True]
    assert queue.finish([done(taken)], NOW) == [False]


def test_all_of_what_follows_is_written_or_nothing(queue):
    def fail(_connection) -> None:
        raise ZeroDivisionError

    queue.put([raw(1), raw(2, "other")])
    first, second = take(queue)
    mark = f"undone {queue.run}"
    both = [done(first, outputs=(raw(3),), state=keep_mark(mark)), done(second, state=fail)]

    with pytest.raises(ZeroDivisionError):
        queue.finish(both, NOW)

    assert mark not in marks(queue)
    assert of(queue, first)["outcome"] is None
    assert bodies(take(queue, now=OVER)) == ["1", "2"]


def test_a_later_message_of_a_key_waits_for_the_earlier_one_and_others_go_on(queue):
    queue.put([raw(1, "a"), raw(2, "a"), raw(3, "b")])
    first, other = take(queue)
    assert bodies([first, other]) == ["1", "3"]
    assert take(queue) == []

    queue.finish([done(first, LATER, due=LATER_ON), done(other)], NOW)
    queue.put([raw(4, "b")])
    [other] = take(queue)
    assert bodies([other]) == ["4"]
    queue.finish([done(other)], NOW)

    assert bodies(take(queue, now=LATER_ON)) == ["1"]


def test_order_is_kept_through_retries(queue):
    queue.put([raw(number, "ab"[number % 2]) for number in range(20)])
    handled: list[str] = []
    failed: set[int] = set()
    now = NOW
    while len(handled) < 20:
        for one in take(queue, 3, now):
            if one.seq % 3 and one.seq not in failed:
                failed.add(one.seq)
                queue.finish([done(one, LATER, due=now + timedelta(seconds=5))], now)
            else:
                handled += bodies([one])
                queue.finish([done(one)], now)
        now += timedelta(seconds=1)

    assert failed
    for rest in (0, 1):
        assert [int(one) for one in handled if int(one) % 2 == rest] == list(range(rest, 20, 2))


def test_what_is_taken_together_begins_with_the_first_that_is_open(queue):
    queue.put([raw(number) for number in range(6)])
    assert bodies(take(queue, 2, together=True)) == ["0", "1"]
    assert take(queue, 2, together=True) == []  # another copy of the stage

    assert bodies(take(queue, 4, OVER, together=True)) == ["0", "1", "2", "3"]


def test_what_waits_for_another_attempt_holds_back_those_taken_together(queue):
    queue.put([raw(number) for number in range(3)] + [raw(9, "other")])
    first, *_ = taken = take(queue, 3, together=True)
    queue.finish([done(first, LATER, due=LATER_ON)], NOW)
    queue.put_back(taken[1:], NOW)

    assert bodies(take(queue, together=True)) == ["9"]
    assert bodies(take(queue, now=LATER_ON, together=True)) == ["0", "1", "2", "9"]


def test_what_is_not_due_yet_is_not_taken_and_holds_nobody_back(queue):
    queue.put([raw(1, due=LATER_ON), raw(2)])
    [now] = take(queue)
    assert bodies([now]) == ["2"]
    queue.finish([done(now)], NOW)

    assert take(queue) == []
    assert bodies(take(queue, now=LATER_ON)) == ["1"]


def test_a_clock_that_is_set_back_changes_no_order_and_stops_nothing(queue):
    earlier = NOW - timedelta(hours=1)
    queue.put([raw(1), raw(2)._replace(due=earlier, received=earlier)])
    [first] = take(queue, 1, now=earlier, together=True)
    assert bodies([first]) == ["1"]

    # Taken by a process that was killed, before the clock was set back again.
    assert bodies(take(queue, 1, now=earlier - timedelta(hours=1), together=True)) == ["1"]


def test_what_is_put_back_was_no_attempt(queue):
    queue.put([raw(1)])
    for _ in range(20):
        [taken] = take(queue)
        assert taken.attempts == 1
        queue.put_back([taken], NOW)


def test_an_outcome_is_accounted_for(queue):
    queue.put([raw(1)])
    [taken] = take(queue)
    queue.finish([done(taken, "unlinked", reason="no Patient after 2 h")], LATER_ON)

    account = of(queue, taken)
    found = {name: account[name] for name in ("outcome", "reason", "began", "ended", "attempts", "taken_until")}
    assert found == {
        "outcome": "unlinked",
        "reason": "no Patient after 2 h",
        "began": NOW,
        "ended": LATER_ON,
        "attempts": 1,
        "taken_until": None,
    }


def test_a_flipped_bit_is_a_dead_letter_and_the_others_go_on(queue):
    queue.put([raw(1), raw(2)])
    with queue.database.reading() as connection:
        mine = select(STREAM_MESSAGE.c.seq).where(STREAM_MESSAGE.c.run == queue.run)
        first = connection.execute(mine.order_by(STREAM_MESSAGE.c.seq)).scalars().first()
    with queue.database.writing() as connection:
        flipped = update(STREAM_BODY).where(STREAM_BODY.c.seq == first)
        connection.execute(flipped.values(body=b"Body 1"))

    assert bodies(take(queue, together=True)) == ["2"]
    with queue.database.reading() as connection:
        asked = select(STREAM_MESSAGE.c.outcome, STREAM_MESSAGE.c.reason).where(STREAM_MESSAGE.c.seq == first)
        assert connection.execute(asked).one() == (DEAD, CORRUPT)


def plan(database: Database, stage: str, together: bool) -> str:
    """Returns how the engine looks for what a stage may take."""
    ready = Queue(database)._ready(stage, LEASE, NOW, together)
    asked = select(STREAM_MESSAGE.c.seq).where(ready).order_by(STREAM_MESSAGE.c.seq).limit(32)
    with database.reading() as connection:
        sql = str(asked.compile(connection, compile_kwargs={"literal_binds": True}))
        explained = "explain" if connection.dialect.name == "postgresql" else "explain query plan"
        rows = connection.execute(text(f"{explained} {sql}")).all()
    return "\n".join(str(part) for row in rows for part in row)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("analysed", [False, True])
def test_a_claim_walks_the_open_messages_in_order_and_no_others(urls, url, together, analysed):
    with opened(urls("sqlite" if url.startswith("sqlite") else "postgresql")) as database:
        queue = Queue(database)
        queue.put([raw(number, f"key {number % 40}") for number in range(3_000)])
        for _ in range(5):
            queue.finish([done(one) for one in take(queue, 32)], NOW)
        if analysed:
            with database.writing() as connection:
                connection.execute(text("analyze"))

        found = plan(database, "flag", together)

    assert "stream_message_open " in f"{found} ".replace("\n", " ").replace("(", " ")
    assert "stream_message_open_by_key" in found
    assert not [one for one in ("SCAN stream", "TEMP B-TREE", "Seq Scan", "Sort", "Join") if one in found], found


def test_a_restored_queue_goes_on_where_it_was(urls, url, tmp_path):
    engine = "sqlite" if url.startswith("sqlite") else "postgresql"
    with opened(urls(engine)) as before, opened(urls(engine)) as after:
        Queue(before).put([raw(number) for number in range(3)])
        first, *_ = take(Queue(before), together=True)
        Queue(before).finish([done(first)], NOW)
        back_up(before, tmp_path / "backup.sqlite")
        restore(after, tmp_path / "backup.sqlite")

        queue = Queue(after)
        assert queue.put([raw(0), raw(9)]) == [False, True]
        assert bodies(take(queue, now=OVER, together=True)) == ["1", "2", "9"]
