"""What the made-up hospital did is what the stage `flag` makes of its messages: two programs that share no rule."""

from collections import Counter
from datetime import timedelta

import pytest
from tests.demo.hospital.conftest import BEGIN, client, feed_of
from tests.stream.flagging import Flagging, source, ways

from wardround.adapters.queue.message import Put
from wardround.adapters.queue.queue import Queue
from wardround.demo.hospital.places import PEOPLE, PEOPLE_AUTHORITY, VISITS, VISITS_AUTHORITY, WATCHED
from wardround.spec.loading import load_condition
from wardround.spec.stream import Authority
from wardround.stream.bodies import admission_in
from wardround.stream.raw import raw

__all__ = ["client", "feed_of"]
HOSPITAL = source(
    patients=[Authority(system=PEOPLE, namespace=PEOPLE_AUTHORITY)],
    visits=Authority(system=VISITS, namespace=VISITS_AUTHORITY),
    units=WATCHED,
)


@pytest.mark.parametrize(
    ("seed", "messages"), [(1, 250), *(pytest.param(seed, 1_500, marks=pytest.mark.long) for seed in range(2, 7))]
)
def test_whoever_came_to_the_unit_is_flagged_once_and_whoever_is_there_is_the_census(
    queue: Queue, schemas, feed_of, seed: int, messages: int
) -> None:
    flagging = Flagging(queue, ways(load_condition("sepsis", schemas)), {"main": HOSPITAL})
    feed, _ = feed_of(seed, 3600.0, 12)
    arrived = list[Put]()
    for number in range(messages):
        flagging.now = BEGIN + timedelta(milliseconds=500 * number)
        sent = feed.next(flagging.now).announced
        arrived.append(raw(sent.body, "main", flagging.now))
    queue.put(arrived)
    outcomes = Counter(outcome for outcome, _ in flagging.take())
    happened = feed.happened
    withdrawn = happened.withdrawn
    asked = flagging.rows("query")
    assert (len(happened.to_the_unit), len(happened.left) > 0) == (len(asked), True)
    assert outcomes["done"] > outcomes["ignored"] > outcomes["dead"] == 0
    ended = Counter(one.outcome for one in asked)
    assert ended["cancelled"] == len(withdrawn)
    assert ended["discharged"] == len(happened.left - withdrawn)
    flagging.now += timedelta(hours=1)
    waiting = {
        admission_in(one.body).visit.value for one in queue.take("query", 999, timedelta(minutes=1), flagging.now)
    }
    there = set(happened.to_the_unit) - happened.left - withdrawn
    assert waiting == there == {visit for _, visit, _ in flagging.census()}
