"""What happens in the hospital: every kind of event, the ways to the unit, and the charts that go with them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.demo.hospital.conftest import BEGIN

from wardround.demo.hospital.charts import Charts
from wardround.demo.hospital.feed import Feed, Sent
from wardround.demo.hospital.places import PEOPLE, PEOPLE_AUTHORITY, VISITS, WATCHED
from wardround.demo.hospital.stays import Recorded
from wardround.fhir.client import FhirClient

Make = Callable[[int, float, int], tuple[Feed, Charts]]


def played(feed: Feed, count: int, step: timedelta = timedelta(seconds=1)) -> list[Sent]:
    return [feed.next(BEGIN + number * step) for number in range(count)]


def field(sent: Sent, name: str, number: int) -> str:
    """Returns a field of the first segment of that name, as it was written."""
    for line in sent.announced.body.decode("utf-8", "replace").split("\r"):
        fields = line.split("|")
        if fields[0] == name:
            return fields[number] if number < len(fields) else ""
    return ""


def test_a_seed_gives_the_same_messages_and_another_seed_others(feed_of: Make) -> None:
    same, again, other = (played(feed_of(seed, 1, 9)[0], 60) for seed in (1, 1, 2))
    assert [one.announced for one in same] == [one.announced for one in again]
    assert {one.announced.body for one in same}.isdisjoint(one.announced.body for one in other)


def test_every_stay_comes_to_the_unit_and_every_kind_of_event_happens(feed_of: Make, recorded: Recorded) -> None:
    feed, _ = feed_of(3, 1, 40)
    sent = played(feed, 1500)
    happened = feed.happened
    assert (len(happened.to_the_unit), feed.stays_left) == (len(recorded.stays), 0)
    missing = {
        *("A01", "A02", "A03", "A04", "A05", "A06", "A08", "A11", "A13", "A17", "A28", "A31", "A40", "A10", "A60")
    } - set(happened.events)
    assert missing == set()
    assert happened.kinds.total() == len(sent)
    assert all(happened.kinds[kind] > 0 for kind in ("new", "repeated", "delayed"))
    assert 1500 / 40 > len(happened.to_the_unit) == len(set(happened.to_the_unit))


def test_only_visits_with_a_chart_are_ever_in_a_watched_unit(feed_of: Make) -> None:
    feed, _ = feed_of(4, 1, 10)
    watched = {
        field(one, "PV1", 19).split("^")[0]
        for one in played(feed, 300)
        if field(one, "PV1", 3).split("^")[0] in WATCHED
    }
    assert watched == set(feed.happened.to_the_unit)


def test_a_message_of_a_later_event_comes_before_a_delayed_one(feed_of: Make) -> None:
    sent = played(feed_of(5, 1, 50)[0], 400)
    times = [field(one, "EVN", 6) for one in sent]
    late = [later.kind for (earlier, one), later in zip(pairwise(times), sent[1:], strict=True) if one < earlier]
    assert set(late) == {"delayed"}


def test_a_repeat_is_the_message_before_it_byte_for_byte(feed_of: Make) -> None:
    sent = played(feed_of(6, 1, 50)[0], 300)
    news = [one for one in sent if one.kind != "delayed"]
    assert all(one.announced == before.announced for before, one in pairwise(news) if one.kind == "repeated")


def test_the_record_knows_each_visit_by_the_numbers_of_its_message(feed_of: Make, client: FhirClient) -> None:
    feed, _ = feed_of(7, 1, 6)
    sent = played(feed, 120)
    arrived = [one for one in sent if field(one, "PV1", 3).split("^")[0] in WATCHED]
    assert arrived
    for one in arrived:
        visit, person = field(one, "PV1", 19).split("^")[0], _number(field(one, "PID", 3))
        (admission,) = client.search("Encounter", {"identifier": f"{VISITS}|{visit}"})
        (patient,) = client.search("Patient", {"identifier": f"{PEOPLE}|{person}"})
        assert admission["subject"] == {"reference": f"Patient/{patient['id']}"}
        (stay,) = client.search("Encounter", {"part-of": f"Encounter/{admission['id']}"})
        assert (stay["status"] == "entered-in-error") == (visit in feed.happened.withdrawn)


def test_a_stay_leaves_the_unit_when_its_record_ends(feed_of: Make, client: FhirClient, recorded: Recorded) -> None:
    feed, _ = feed_of(8, 3600.0, 4)
    ended = sum(stay.end is not None for stay in recorded.stays)
    played(feed, 400)
    assert ended
    assert len(feed.happened.left | feed.happened.withdrawn) >= ended - len(feed.happened.withdrawn)
    visit = sorted(feed.happened.left)[0]
    (admission,) = client.search("Encounter", {"identifier": f"{VISITS}|{visit}"})
    (stay,) = client.search("Encounter", {"part-of": f"Encounter/{admission['id']}"})
    assert stay["status"] == "finished"
    assert stay["period"]["end"] > stay["period"]["start"]


def test_readings_are_in_the_record_when_they_are_known_and_not_before(feed_of: Make, client: FhirClient) -> None:
    feed, charts = feed_of(9, 3600.0, 2)
    played(feed, 30, timedelta(milliseconds=100))
    visits = [one for one in feed.happened.to_the_unit if one not in feed.happened.withdrawn]
    for seconds in (3, 9):
        now = BEGIN + timedelta(seconds=seconds)
        charts.write_known(now)
        known = [one for visit in visits for one in _observations(client, visit)]
        assert known
        assert max(_time(one["issued"]) for one in known) <= now
        assert all(_time(one["effectiveDateTime"]) <= _time(one["issued"]) for one in known)


def _observations(client: FhirClient, visit: str) -> list[dict[str, Any]]:
    (admission,) = client.search("Encounter", {"identifier": f"{VISITS}|{visit}"})
    return list(client.search("Observation", {"patient": admission["subject"]["reference"].removeprefix("Patient/")}))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _number(field: str) -> str:
    return next(one.split("^")[0] for one in field.split("~") if one.split("^")[3] == PEOPLE_AUTHORITY)
