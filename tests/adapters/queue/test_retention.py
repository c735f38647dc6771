"""Tests that bodies are removed in time, stage by stage, and that their messages are known still."""

from datetime import timedelta

from sqlalchemy import select
from tests.adapters.queue.conftest import NOW, raw

from wardround.adapters.database.tables import STREAM_BODY, STREAM_MESSAGE
from wardround.adapters.queue.message import DEAD, Done
from wardround.adapters.queue.queue import Queue
from wardround.adapters.queue.retention import prune

LEASE = timedelta(seconds=10)
KEPT = timedelta(days=90)


def bodies(queue: Queue) -> list[bytes]:
    asked = select(STREAM_BODY.c.body).join(STREAM_MESSAGE, STREAM_MESSAGE.c.seq == STREAM_BODY.c.seq)
    with queue.database.reading() as connection:
        mine = asked.where(STREAM_MESSAGE.c.run == queue.run).order_by(STREAM_BODY.c.seq)
        return list(connection.execute(mine).scalars())


def ended(queue: Queue, *numbers: int, at=NOW, stage: str = "flag", outcome: str = "done") -> None:
    queue.put([raw(number, stage=stage) for number in numbers])
    taken = queue.take(stage, 2_000, LEASE, at, together=True)
    queue.finish([Done(one, outcome) for one in taken], at)


def test_what_ended_long_ago_loses_its_body_and_is_known_still(queue):
    ended(queue, 1)
    ended(queue, 2, outcome=DEAD)
    ended(queue, 3, at=NOW + timedelta(days=1))
    queue.put([raw(4)])  # open

    assert prune(queue, {"flag": KEPT}, NOW + KEPT) == {"flag": 0}
    assert prune(queue, {"flag": KEPT}, NOW + KEPT + timedelta(seconds=1)) == {"flag": 2}

    assert bodies(queue) == [b"body 3", b"body 4"]
    assert queue.put([raw(1)]) == [False]


def test_each_stage_has_its_own_time(queue):
    ended(queue, 1)
    ended(queue, 1, stage="predict")

    kept = {"flag": KEPT, "predict": timedelta(days=365)}
    assert prune(queue, kept, NOW + 2 * KEPT) == {"flag": 1, "predict": 0}
    assert len(bodies(queue)) == 1


def test_many_are_removed_some_at_a_time(queue):
    ended(queue, *range(1_200))
    assert prune(queue, {"flag": KEPT}, NOW + 2 * KEPT) == {"flag": 1_200}
    assert bodies(queue) == []
