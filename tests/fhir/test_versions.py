"""Tests which version of a resource is used."""

from typing import Any

import pytest

from wardround.fhir.times import micros_of
from wardround.fhir.versions import ALWAYS, Newest, Seen, last_updated

T1, T2, T3 = (f"2026-03-10T0{hour}:00:00Z" for hour in (1, 2, 3))
# As T2, as somebody east of it writes it; and a hair later.
T2_EAST, T2_LATER = "2026-03-10T04:00:00+02:00", "2026-03-10T02:00:00.000001Z"

# lastUpdated of the versions in the order in which they come, and the place of the one that counts.
ORDERS: list[tuple[list[Any], int]] = [
    ([T1, T2], 1),
    ([T2, T1], 0),
    ([T2, T3, T1], 1),
    ([T2, T2], 1),
    ([T2, T2_EAST], 1),
    ([T2_LATER, T2_EAST], 0),
    ([T1, T2_EAST], 1),
    (["2026-03-10T03:30:00+02:00", T2], 1),
    ([None, None], 1),
    ([None, T1], 1),
    ([T1, None], 1),
    ([T2, None, T1], 1),
    ([T1, None, T2], 2),
    (["2026-03-10", "yesterday"], 1),
    ([T3, 1773100000], 1),
    ([T3, "2026-03-10T02:00:00"], 1),
]


@pytest.mark.parametrize(("versions", "counts"), ORDERS)
def test_the_latest_version_is_used_or_the_one_that_arrives_later(versions: list[Any], counts: int) -> None:
    newest = Newest()
    for place, updated in enumerate(versions):
        newest.add("o1", updated, {"place": place})
    assert newest.by_id == {"o1": {"place": counts}}


@pytest.mark.parametrize(
    ("updated", "deleted", "stays"), [(T2, T1, True), (T2, T2, False), (T2, T3, False), (None, T1, False)]
)
def test_what_was_deleted_is_gone_unless_it_is_known_to_be_newer(updated, deleted: str, stays: bool) -> None:
    newest = Newest()
    newest.add("o1", updated, {})
    newest.remove("o1", micros_of(deleted))
    assert ("o1" in newest.by_id) is stays
    newest.remove("o1", ALWAYS)
    newest.remove("o2", ALWAYS)
    assert newest.by_id == {}


def test_a_search_gives_a_resource_again_only_in_a_newer_version() -> None:
    seen = Seen()
    given = [(T2, "b"), (T2, "b"), (T1, "a"), (T3, "c"), (T3, "c"), (T2, "b")]
    assert [seen.takes("Observation/o1", *one) for one in given] == [True, False, False, True, False, False]
    assert seen.again == {"Observation/o1"}
    assert len(seen) == 1


def test_without_a_time_another_content_is_a_newer_version() -> None:
    seen = Seen()
    given = ["a", "a", "b"]
    assert [seen.takes("Observation/o1", None, one) for one in given] == [True, False, True]
    assert not Seen().again


@pytest.mark.parametrize("resource", [{}, {"meta": None}, {"meta": []}, {"meta": {}}])
def test_a_resource_may_say_no_time(resource: dict) -> None:
    assert last_updated(resource) is None
