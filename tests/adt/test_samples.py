"""The 26 public samples give the states that were written down from reading them."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.adt import feeds
from tests.adt.samples import OTHERWISE, SAMPLES, Identity, Lies, Sample

from wardround.adt.admissions import Watch
from wardround.adt.feed import Feed
from wardround.adt.known import Known
from wardround.adt.numbers import groups, patient_of, visit_of
from wardround.adt.transitions import changes
from wardround.hl7.reader import read
from wardround.spec.branches import Branch
from wardround.spec.stream import Authority

WATCHES = {"sepsis/every": Watch(Branch(id="every"), timedelta(hours=12))}


def feed_of(written: feeds.Feed) -> Feed:
    issuers = (*written.patients, written.visits)
    *patients, visits = (Authority(system=one.system, namespace=one.namespace, universal_id=one.oid) for one in issuers)
    fields = ("PID-18",) if written.by_account else ("PV1-19", "PV1-50")
    zone = ZoneInfo("Europe/London")
    return Feed("samples", zone, tuple(patients), visits, fields, written.watched, written.classes)


def test_every_sample_was_read() -> None:
    assert len({sample.name for sample in SAMPLES}) == 26


@pytest.mark.parametrize("sample", [*SAMPLES, *OTHERWISE], ids=lambda one: f"{one.name}: {one.why}")
def test_a_sample_gives_what_was_written_down(sample: Sample, adt_samples) -> None:
    message, feed = read(adt_samples[f"ADT-{sample.name}-01"]), feed_of(sample.feed)
    change = changes(message, Known.nothing(), feed, WATCHES, sample.received, 1)
    (group,) = groups(message)
    assert message.event == sample.name
    assert patient_of(group, feed) == sample.patient
    assert visit_of(group, feed) == sample.visit
    assert change.event_time == sample.event_time
    assert {one: Lies(*at.location, at.visit_class, at.is_open) for one, at in change.visits.items()} == (
        {sample.visit: sample.lies} if sample.lies else {}
    )
    assert bool(change.admissions) == sample.flagged
    assert tuple((Identity(*name.identifier), new) for name, new in change.aliases.items()) == sample.renames
