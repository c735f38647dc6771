"""What the hourly upkeep finds between the census of the messages and the FHIR server, and what it does about it."""

from datetime import timedelta

import pytest
from tests.adt.ward import adt
from tests.fixtures.icu import AS_OF
from tests.stream.feeding import settings
from tests.stream.flagging import PSEUDONYMS
from tests.stream.hospital import FEED, Hospital

from wardround.adapters.files.run_folder import RunFolder
from wardround.fhir.endpoint import FhirEndpoint
from wardround.stream.flag import Flag
from wardround.stream.raw import raw
from wardround.stream.upkeep import Feeding, Reconciled, reconcile
from wardround.stream.upkeep.reconcile import SUSPENDED
from wardround.workflows.suspension import suspend


class Upkeep:
    """A hospital with a feed, and its upkeep."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.source = settings(FEED, fhir=hospital.url).sources[FEED]

    def announce(self, *bodies: bytes) -> None:
        self.hospital.queue.put([raw(body, FEED, AS_OF) for body in bodies])
        self.hospital.work(Flag(self.hospital.queue, {FEED: self.source}, self.hospital.ways, PSEUDONYMS))

    def reconcile(self) -> Reconciled:
        feeding = Feeding(FEED, self.source, FhirEndpoint(self.hospital.url, retries=1))
        (found,) = reconcile(feeding, self.hospital.queue, AS_OF, "hourly", self.hospital.settings)
        return found


@pytest.fixture
def upkeep(hospital: Hospital) -> Upkeep:
    """Two stays at the server; nobody has announced any."""
    hospital.ward.stay("a")
    hospital.ward.stay("b", lactate=6.0)
    hospital.upload()
    return Upkeep(hospital)


def admitted(name: str, event: str = "A01", unit: str = "MICU") -> bytes:
    return adt(event, f"V-{name}", unit, of=f"P-{name}", when=AS_OF - timedelta(hours=1))


def test_a_stay_that_no_message_announced_is_counted_and_screened(upkeep: Upkeep) -> None:
    upkeep.announce(admitted("a"))
    found = upkeep.reconcile()
    assert found.compared.counts == {
        "by_messages": 1,
        "not_linked": 0,
        "left_unannounced": 0,
        "by_server": 2,
        "unannounced": 1,
    }
    assert (found.compared.unannounced, "p-b" in repr(found)) == (("p-b",), False)
    (written,) = upkeep.hospital.held("RiskAssessment")
    assert written["encounter"]["reference"] == "Encounter/e-b"
    assert RunFolder.existing(upkeep.hospital.settings.runs, found.run).read_json("summary.json")["scored"] == 1


def test_the_same_hour_again_is_the_same_run_and_changes_nothing(upkeep: Upkeep) -> None:
    first = upkeep.reconcile()
    before = upkeep.hospital.held("RiskAssessment")
    assert upkeep.reconcile() == first
    assert upkeep.hospital.held("RiskAssessment") == before
    assert len(before) == 2


def test_who_was_announced_is_left_to_the_stream(upkeep: Upkeep) -> None:
    upkeep.announce(admitted("a"), admitted("b"))
    found = upkeep.reconcile()
    assert (found.run, found.compared.unannounced, found.compared.by_messages) == ("", (), 2)
    assert upkeep.hospital.held("RiskAssessment") == []


def test_who_was_there_before_the_feed_began_is_screened(upkeep: Upkeep) -> None:
    upkeep.announce(admitted("a", "A08"), admitted("b"))
    found = upkeep.reconcile()
    assert (found.compared.unannounced, found.compared.by_messages) == (("p-a",), 2)
    assert [one["encounter"]["reference"] for one in upkeep.hospital.held("RiskAssessment")] == ["Encounter/e-a"]


def test_who_has_left_unannounced_and_whom_the_server_does_not_know_are_counted(upkeep: Upkeep) -> None:
    upkeep.hospital.ward.stay(
        "gone", status="finished", period={"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T09:00:00Z"}
    )
    upkeep.hospital.upload()
    upkeep.announce(admitted("a"), admitted("b"), admitted("gone"), admitted("nobody"))
    counts = upkeep.reconcile().compared.counts
    assert (counts["by_messages"], counts["not_linked"], counts["left_unannounced"]) == (4, 1, 1)


def test_a_visit_that_lies_elsewhere_by_the_messages_and_in_the_unit_by_the_server_is_screened(upkeep: Upkeep) -> None:
    upkeep.announce(admitted("a", unit="3WEST"), admitted("b"))
    assert len(upkeep.reconcile().compared.unannounced) == 1


def test_a_suspended_condition_screens_nobody(upkeep: Upkeep) -> None:
    suspend("sepsis", "tests", "tests", upkeep.hospital.settings)
    assert upkeep.reconcile().run == SUSPENDED
    assert upkeep.hospital.held("RiskAssessment") == []
