"""Tests, over real HTTP and a real database, how the stage `query` finds and reads the stays of admissions."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from tests.fixtures.icu import AS_OF
from tests.stream.feeding import settings as feed
from tests.stream.feeding import settings_file
from tests.stream.flagging import PSEUDONYMS
from tests.stream.hospital import FEED, MRN, VISIT, Hospital

from wardround.adapters.database.kept import write_kept
from wardround.adapters.database.visits import kept
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import LATER, Done
from wardround.adt.known import Kind
from wardround.adt.visit import Location, Visit
from wardround.core.identifier import Identifier
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer
from wardround.errors import SettingsError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import PROJECT
from wardround.spec.loading import load_conditions
from wardround.spec.servers import GENERIC
from wardround.stream import query
from wardround.stream.bodies import Number, stay_in
from wardround.stream.branches import ways_of
from wardround.stream.each import DELAYS
from wardround.stream.metrics import Metrics
from wardround.stream.query import WAITS, Query
from wardround.stream.runner import Runner
from wardround.stream.servers import Servers
from wardround.stream.stage import StageStopped
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.stored_readings import as_parquet, of_parquet
from wardround.stream.visit_keys import NumbersNow, keys_of, visit_in

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_an_admission_becomes_the_stay_and_its_readings(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")

    assert hospital.run(hospital.query) == [("done", "")]

    ((_, body),) = hospital.open("predict")
    read = stay_in(body)
    assert (read.of.stay_id, read.of.patient_id) == ("e-a", "p-a")
    assert len(of_parquet(read.readings)) == 13
    assert as_parquet(of_parquet(read.readings)) == read.readings


def test_a_visit_that_comes_to_be_known_after_a_lag_is_read_then_at_the_time_of_its_message(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.admit("a")
    assert hospital.run(hospital.query) == [("later", "patient_not_there")]
    assert hospital.run(hospital.query, after=timedelta(seconds=9)) == []
    at = timedelta()
    for wait in WAITS[:4]:
        assert hospital.run(hospital.query, after=at + wait - timedelta(seconds=1)) == []
        at += wait
        if wait is WAITS[3]:
            # What is measured after the prediction time is none of its readings.
            hospital.ward.lactate("p-a", "later", 9.0, hours=-0.05)
            hospital.upload()
        became = hospital.run(hospital.query, after=at)
    assert became == [("done", "")]

    ((_, body),) = hospital.open("predict")
    assert len(of_parquet(stay_in(body).readings)) == 13


def test_a_visit_that_is_never_known_is_given_up_after_two_hours_and_holds_up_no_other(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("nobody")
    hospital.admit("a", after=MINUTE)
    became, at = hospital.run(hospital.query), timedelta()
    for wait in WAITS:
        at += wait
        became += hospital.run(hospital.query, after=at)

    assert became.count(("done", "")) == 1
    assert became.count(("later", "patient_not_there")) == len(WAITS)
    assert became[-1] == ("unlinked", "patient_not_there")
    assert at == 2 * HOUR


def test_waiting_for_a_visit_uses_up_no_attempt_that_is_meant_for_faults(
    hospital: Hospital, server: RunningServer
) -> None:
    hospital.ward.stay("a")
    hospital.admit("a")
    at = timedelta()
    for wait in WAITS[: len(DELAYS) + 1]:
        assert hospital.run(hospital.query, after=at) == [("later", "patient_not_there")]
        at += wait
    hospital.upload()
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=422, path="Observation", times=1),)))
    runner = Runner(hospital.query, hospital.queue, StageMetrics("query", Metrics()), lambda: AS_OF + at)
    try:
        assert runner.step() == 1
    finally:
        server.misbehave(FaultPlan())

    assert [due for due, _ in hospital.open("query")] == [AS_OF + at + DELAYS[0]]
    assert hospital.run(hospital.query, after=at + DELAYS[0]) == [("done", "")]


def test_faults_leave_a_visit_that_is_not_known_all_of_its_time(hospital: Hospital) -> None:
    hospital.admit("nobody")
    for _ in DELAYS:
        (taken,) = hospital.queue.take("query", 1, MINUTE, AS_OF)
        hospital.queue.finish([Done(taken, LATER, "a fault", due=AS_OF)], AS_OF)
    became, at = hospital.run(hospital.query), timedelta()
    for wait in WAITS:
        at += wait
        became += hospital.run(hospital.query, after=at)

    assert became == [("later", "patient_not_there")] * len(WAITS) + [("unlinked", "patient_not_there")]


def test_two_patients_with_one_number_are_for_people_to_sort_out(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.ward.stay("b")
    hospital.ward.resources[-1]["subject"] = {"reference": "Patient/p-b"}
    for one in hospital.ward.resources:
        if one["id"] == "p-b":
            one["identifier"] = [{"system": MRN, "value": "P-a"}]
    hospital.upload()
    hospital.admit("a")

    assert hospital.run(hospital.query) == [("dead", "ambiguous_patient")]


def test_a_patient_who_was_merged_is_read_as_the_one_who_stays(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.ward.resources.append(
        {
            "resourceType": "Patient",
            "id": "p-old",
            "identifier": [{"system": MRN, "value": "P-old"}],
            "link": [{"type": "replaced-by", "other": {"reference": "Patient/p-a"}}],
        }
    )
    hospital.upload()
    hospital.admit("a", patients=(Number(MRN, "P-old"),))

    assert hospital.run(hospital.query) == [("done", "")]
    ((_, body),) = hospital.open("predict")
    assert stay_in(body).of.patient_id == "p-a"


def test_the_stay_in_the_unit_is_found_as_a_part_of_the_visit(hospital: Hospital) -> None:
    hospital.ward.stay("hospital", patient="a", visit="V-a", **{"class": {"code": "IMP"}})
    hospital.ward.stay("a", visit=None, partOf={"reference": "Encounter/e-hospital"})
    hospital.upload()
    hospital.admit("a")

    assert hospital.run(hospital.query) == [("done", "")]
    ((_, body),) = hospital.open("predict")
    assert stay_in(body).of.stay_id == "e-a"


def test_a_visit_that_is_over_is_not_read_and_one_that_has_no_stay_yet_is_waited_for(hospital: Hospital) -> None:
    ended = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    hospital.ward.stay("over", period=ended, status="finished")
    hospital.ward.stay("ward", **{"class": {"code": "IMP"}})
    # An earlier stay that is over tells nothing of a visit that the server does not know.
    hospital.ward.stay("before", period=ended, status="finished", visit="V-earlier")
    hospital.upload()
    for name in ("over", "ward", "before"):
        hospital.admit(name)

    became = hospital.run(hospital.query)

    assert became == [("discharged", ""), ("later", "no_icu_stay"), ("later", "no_icu_stay")]


def test_a_visit_whose_stay_in_the_unit_comes_later_waits_while_the_patient_lies_in_another(hospital: Hospital) -> None:
    """The stay of an earlier visit was never closed; the hospital's Encounter is there before the unit's."""
    hospital.ward.stay("before", patient="a", visit="V-before")
    hospital.ward.stay("hospital", patient="a", visit="V-a", **{"class": {"code": "IMP"}})
    hospital.upload()
    hospital.admit("a")
    assert hospital.run(hospital.query) == [("later", "no_icu_stay")]

    hospital.ward.stay("a", patient="a", visit=None, partOf={"reference": "Encounter/e-hospital"})
    hospital.upload()

    assert hospital.run(hospital.query, after=MINUTE) == [("done", "")]
    ((_, body),) = hospital.open("predict")
    assert stay_in(body).of.stay_id == "e-a"


@pytest.mark.parametrize("by_patient", [False, True], ids=["found by number", "found by patient only"])
def test_a_visit_that_is_not_there_yet_is_not_the_one_that_carries_another_number(
    hospital: Hospital, by_patient: bool
) -> None:
    if by_patient:
        hospital.endpoint["profile"] = GENERIC.model_copy(update={"encounter_needs_patient": True})
    hospital.ward.stay("other", patient="a", visit="V-other", **{"class": {"code": "IMP"}})
    hospital.ward.stay("part", patient="a", visit=None, partOf={"reference": "Encounter/e-other"})
    hospital.upload()
    hospital.admit("a")
    assert hospital.run(hospital.query) == [("later", "no_icu_stay")]

    # It began before the other one, whose stay would otherwise be the patient's current one.
    hospital.ward.stay("a", patient="a", period={"start": "2026-01-01T00:00:00Z"})
    hospital.upload()

    assert hospital.run(hospital.query, after=MINUTE) == [("done", "")]
    ((_, body),) = hospital.open("predict")
    assert stay_in(body).of.stay_id == "e-a"


def test_on_a_server_without_numbers_of_visits_the_patients_current_stay_is_read(hospital: Hospital) -> None:
    for name in ("a", "b", "c"):
        hospital.ward.stay(name, visit=None)
        hospital.admit(name)
    hospital.upload()

    assert hospital.run(hospital.query) == [("done", "")] * 3
    assert [stay_in(body).of.stay_id for _, body in hospital.open("predict")] == ["e-a", "e-b", "e-c"]


def test_who_comes_back_to_the_unit_is_not_taken_for_discharged_from_it(hospital: Hospital) -> None:
    hospital.ward.stay("hospital", patient="a", visit="V-a", **{"class": {"code": "IMP"}})
    whole = {"visit": None, "partOf": {"reference": "Encounter/e-hospital"}}
    first = {"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T20:00:00Z"}
    hospital.ward.stay("first", patient="a", period=first, status="finished", **whole)
    hospital.upload()
    hospital.admit("a")
    hospital.admit("back", visit=Number(VISIT, "V-a"), patients=(Number(MRN, "P-a"),), event_time=AS_OF - 12 * HOUR)

    # The second message is about the first time in the unit, which was over when it came.
    assert hospital.run(hospital.query) == [("later", "no_icu_stay"), ("discharged", "")]

    hospital.ward.stay("second", patient="a", period={"start": "2026-01-02T04:55:00Z"}, **whole)
    hospital.upload()
    assert hospital.run(hospital.query, after=MINUTE) == [("done", "")]
    ((_, body),) = hospital.open("predict")
    assert stay_in(body).of.stay_id == "e-second"


def test_a_stay_that_begins_after_the_prediction_time_is_asked_for_again_at_the_next(
    hospital_with: Callable[..., Hospital],
) -> None:
    hospital = hospital_with([{"id": "now", "at": ["0h", "1h"]}])
    hospital.ward.stay("a", period={"start": "2026-01-02T05:10:00Z"})
    hospital.ward.stay("child")
    for one in hospital.ward.resources:
        if one["id"] == "p-child":
            one["birthDate"] = "2020-01-01"
    hospital.upload()
    hospital.admit("a")
    hospital.admit("child")

    assert hospital.run(hospital.query) == [("asked_again", "not_yet_admitted"), ("excluded", "under_age")]
    assert [due for due, _ in hospital.open("query")] == [AS_OF + HOUR]
    assert hospital.run(hospital.query, after=HOUR) == [("done", "")]


def test_visits_that_wait_together_are_read_together_each_at_its_own_time(hospital: Hospital) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        hospital.ward.stay(name)
        hospital.ward.lactate(f"p-{name}", "late", 7.0, hours=-1.5)
    hospital.upload()
    for number, name in enumerate(names):
        hospital.admit(name, after=number * HOUR)
    with hospital.servers.client("main") as client:
        before = client.requests_made

    done = hospital.work(hospital.query, after=3 * HOUR)

    assert [one.outcome for one in done] == ["done"] * 4
    reads = [stay_in(body) for _, body in hospital.open("predict")]
    assert [one.of.stay_id for one in reads] == [f"e-{name}" for name in names]
    assert [len(of_parquet(one.readings)) for one in reads] == [13, 13, 14, 14]
    assert before == 0


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_server_that_is_down_stops_the_stage_and_uses_up_no_attempt(
    hospital: Hospital, server: RunningServer, status: int
) -> None:
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")
    server.misbehave(FaultPlan(faults=(Fault(kind="status", status=status, retry_after=0),)))
    taken = hospital.queue.take("query", 32, MINUTE, AS_OF)
    try:
        with pytest.raises(StageStopped, match="Fhir"):
            list(hospital.query.handle(taken, AS_OF))
    finally:
        server.misbehave(FaultPlan())
    hospital.queue.put_back(taken, AS_OF)

    assert hospital.run(hospital.query) == [("done", "")]


def test_with_another_key_of_pseudonyms_the_stage_waits_instead_of_overlooking_merges(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a", patients=(Number(MRN, "P-old"),))
    hospital.merge(Kind.PATIENT, Identifier(MRN, "P-old"), Identifier(MRN, "P-a"))
    there = Visit(Identifier(VISIT, "V-a"), Identifier(MRN, "P-old"), Location("MICU", ""), "I", True, AS_OF)
    with hospital.queue.database.writing() as connection:
        keys = keys_of(hospital.queue.run, FEED, PSEUDONYMS)
        write_kept(connection, kept(keys, {there.number: there}, {}, AS_OF))
    other = Query(hospital.servers, hospital.ways, NumbersNow(hospital.queue, Pseudonyms(b"another key")))

    taken = hospital.queue.take("query", 9, HOUR, AS_OF)
    with pytest.raises(StageStopped, match=r"pseudonyms\.key"):
        list(other.handle(taken, AS_OF))
    hospital.queue.put_back(taken, AS_OF)

    assert hospital.run(hospital.query) == [("done", "")]


def test_with_another_key_of_pseudonyms_it_does_not_even_start(hospital: Hospital, tmp_path: Path) -> None:
    file = settings_file(tmp_path, feed(FEED, fhir=hospital.url))
    settings = replace(hospital.settings, stream=file, var=tmp_path)
    with query.opened(settings, hospital.queue):
        pass
    number = Identifier(VISIT, "V-a")
    there = Visit(number, Identifier(MRN, "P-a"), Location("MICU", ""), "I", True, AS_OF)
    with hospital.queue.database.writing() as connection:
        write_kept(connection, kept(keys_of(hospital.queue.run, FEED, PSEUDONYMS), {number: there}, {}, AS_OF))

    with pytest.raises(SettingsError, match=r"pseudonyms\.key"), query.opened(settings, hospital.queue):
        pass


def test_with_a_new_key_of_pseudonyms_the_stream_begins_anew(hospital: Hospital, tmp_path: Path) -> None:
    """As docs/operations/secrets.md has it: the statements there leave nothing that the old key had named."""
    settings = replace(
        hospital.settings, stream=settings_file(tmp_path, feed(FEED, fhir=hospital.url)), var=tmp_path / "var"
    )
    number = Identifier(VISIT, "V-a")
    there = Visit(number, Identifier(MRN, "P-a"), Location("MICU", ""), "I", True, AS_OF)
    old = Pseudonyms.in_folder(settings.var)
    with hospital.queue.database.writing() as connection:
        write_kept(connection, kept(keys_of(hospital.queue.run, FEED, old), {number: there}, {}, AS_OF))
    (settings.var / "cds" / "pseudonyms.key").unlink()
    with pytest.raises(SettingsError, match=r"pseudonyms\.key"), query.opened(settings, hospital.queue):
        pass
    page = (PROJECT / "docs" / "operations" / "secrets.md").read_text()
    statements = re.findall(r"delete from \w+", page)
    assert len(statements) == 6
    with hospital.queue.database.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    with query.opened(settings, hospital.queue):
        pass


def test_a_server_that_is_down_does_not_stop_the_patients_of_another(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")
    hospital.admit("b", source="other")
    nowhere = FhirEndpoint("http://127.0.0.1:9/fhir", retries=0)
    servers = Servers({**hospital.servers.by_source, "other": nowhere}, hospital.settings.schemas)
    stage = Query(servers, hospital.ways, NumbersNow(hospital.queue, PSEUDONYMS))

    assert hospital.run(stage) == [("done", ""), ("later", "http://127.0.0.1:9/fhir: FhirUnreachable")]
    assert hospital.run(stage, after=timedelta(seconds=14)) == []


@pytest.mark.parametrize("refused", [False, True], ids=["no such Location", "404 for one"])
def test_a_location_that_cannot_be_used_holds_back_its_condition_alone_and_says_what_to_do(
    hospital_with: Callable[..., Hospital], server: RunningServer, refused: bool
) -> None:
    cohort = {"min_age": 18, "look_back": "24h"}
    hospital = hospital_with(cohort={**cohort, "encounters": {"classes": ["ACUTE"], "locations": ["ICU 7"]}})
    conditions = hospital.settings.schemas / "conditions"
    said = {**yaml.safe_load((conditions / "sepsis.yaml").read_text()), "id": "other", "cohort": cohort}
    (conditions / "other.yaml").write_text(yaml.safe_dump(said, sort_keys=False))
    hospital.ways = ways_of(load_conditions(hospital.settings.schemas))
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")
    hospital.admit("a", branch="other/now")
    if refused:
        server.misbehave(FaultPlan(faults=(Fault(kind="status", status=404, path="Location"),)))
    try:
        (held, other) = hospital.run(hospital.query)
    finally:
        server.misbehave(FaultPlan())

    assert other == ("done", "")
    assert held[0] == "later"
    assert held[1].startswith("the Locations of sepsis cannot be used, so that its admissions from main wait: ")
    assert ("answered 404" if refused else "no Location 'ICU 7'") in held[1]
    assert "cohort.encounters.locations" in held[1]

    hospital.ward.resources.append({"resourceType": "Location", "id": "icu-7", "name": "ICU 7"})
    hospital.upload()
    (taken,) = hospital.queue.take("query", 1, MINUTE, AS_OF + MINUTE)
    assert taken.attempts == 1
    hospital.queue.put_back([taken], AS_OF + MINUTE)
    assert hospital.run(hospital.query, after=MINUTE) == [("done", "")]


def test_one_patients_data_that_cannot_be_used_hold_up_no_other(hospital: Hospital) -> None:
    for name in ("a", "b", "c"):
        hospital.ward.stay(name)
        hospital.admit(name)
    hospital.upload()
    taken = hospital.queue.take("query", 32, MINUTE, AS_OF)
    broken = [one._replace(body=b"{") if visit_in(one.key) == "key-b" else one for one in taken]
    handling = hospital.query.handle(broken, AS_OF)

    assert [visit_in(next(handling).message.key) for _ in range(2)] == ["key-a", "key-c"]
    with pytest.raises(Exception, match="truncated"):
        next(handling)


def test_readings_beyond_the_limit_are_a_dead_letter(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "LARGEST", 1000)
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a")

    assert hospital.run(hospital.query) == [("dead", query.TOO_LARGE)]


def test_a_branch_or_a_source_that_is_no_longer_there_is_a_dead_letter(
    hospital_with: Callable[..., Hospital],
) -> None:
    hospital = hospital_with()
    hospital.admit("a")
    hospital.ways = {}

    assert hospital.run(hospital.query) == [("dead", "there is no branch sepsis/now")]


@pytest.mark.parametrize("merges", [(("P-temporary", "P-a"),), (("P-temporary", "P-x"), ("P-x", "P-a"))])
def test_a_number_that_was_merged_meanwhile_is_the_one_that_remains(hospital: Hospital, merges) -> None:
    """The emergency department admits somebody under a temporary number, which the server no longer knows."""
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a", patients=(Number(MRN, "P-temporary"),))
    assert hospital.run(hospital.query) == [("later", "patient_not_there")]
    for old, new in merges:
        hospital.merge(Kind.PATIENT, Identifier(MRN, old), Identifier(MRN, new))
    assert hospital.run(hospital.query, after=MINUTE) == [("done", "")]
    ((_, body),) = hospital.open("predict")
    assert stay_in(body).admission.patients == (Number(MRN, "P-a"),)


def test_a_visit_that_has_another_number_meanwhile_is_found_by_it(hospital: Hospital) -> None:
    hospital.ward.stay("a")
    hospital.upload()
    hospital.admit("a", visit=Number(VISIT, "V-before"))
    hospital.merge(Kind.VISIT, Identifier(VISIT, "V-before"), Identifier(VISIT, "V-a"))
    assert hospital.run(hospital.query) == [("done", "")]
    ((_, body),) = hospital.open("predict")
    assert (stay_in(body).of.stay_id, stay_in(body).admission.visit) == ("e-a", Number(VISIT, "V-a"))
