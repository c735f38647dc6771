"""Tests what the door reads for a call, over real HTTP: each state of each prefetch key, with each kind of access."""

import json
import math
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.cds.calls import AUTHORIZATION, EMPTY, REFUSAL, bundle, call, whole
from tests.cds.kept import Kept
from tests.fixtures.icu import AS_OF, Icu, loinc
from tests.loopback import Line, serving

from wardround.cds.door import Door
from wardround.cds.exchange import Answer, Request
from wardround.cds.hook_request import HookRequest
from wardround.cds.problems import Problem
from wardround.cds.reading import Gap, Lack, Reader, Reading
from wardround.cds.screened import Screened
from wardround.cds.servers import Servers, WhyNot
from wardround.cds.templates import templates
from wardround.core.events import admit
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.demo.fhir_server.sign_in import Clients
from wardround.features.index import Index
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.sign_in import BearerToken, ClientSecret
from wardround.results.risk_assessment import Assessment, Screening, risk_assessment
from wardround.sources.fhir.current_stay import CurrentStay, How, NoStay
from wardround.spec.bedside import Bedside, OnlyIf
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition
from wardround.spec.servers import GENERIC
from wardround.spec.source_maps import Translation

KEYS = ("patient", "encounters", "observations")
ACCESS = ("token", "no token", "expired", "not listed")
SECRET = "s3cret"
EVENTS = 13  # of each patient
UNLISTED = FhirEndpoint("https://unlisted.invalid")


class Ward(NamedTuple):
    """Patients a and b on a server that wants a token, and what a prefetch of theirs holds."""

    server: RunningServer
    token: str
    resources: list[dict[str, Any]]
    condition: Condition
    schemas: Path
    readers: dict[bool, Reader]
    """Prepared once: with the server listed, and without."""

    def reader(self, *listed: FhirEndpoint, seconds: float = 30.0, condition: Condition | None = None) -> Reader:
        spec = condition or self.condition
        return Reader(spec, templates(spec, GENERIC), Servers(listed, UNLISTED, self.schemas, seconds))

    @property
    def source(self) -> FhirEndpoint:
        return FhirEndpoint(self.server.base_url)

    def prefetch(self, patient: str = "p-a") -> dict[str, Any]:
        return whole(deepcopy(self.resources), patient)

    def read(self, prefetch: dict[str, Any], access: str = "token", patient: str = "p-a", **about: Any) -> Reading:
        listed = access != "not listed"
        if listed not in self.readers:
            self.readers[listed] = self.reader(*((self.source,) if listed else ()))
        given = {"token": self.token, "not listed": self.token, "expired": "long-gone"}.get(access)
        made = call(prefetch, patient, server=self.server.base_url, token=given, **about)
        return self.readers[listed].read(made, AS_OF)

    def events(self, reading: Reading) -> list[tuple[Any, ...]]:
        found = admit(reading.readings, self.condition.variables, AS_OF).events
        rows = zip(found.source_ref, found.variable, found.time, found.value, found.patient_id, strict=True)
        return sorted(rows)


@pytest.fixture(scope="module")
def ward(small_home: Path) -> Iterator[Ward]:
    icu = Icu()
    icu.stay("a")
    icu.stay("b", lactate=4.0)
    schemas = small_home / "include" / "schemas"
    with running_server(clients=Clients(secrets={"us": SECRET})) as server:
        icu.upload(server.base_url, sign_in=ClientSecret("us", SECRET, f"{server.control_url}/auth/token"))
        form = {"grant_type": "client_credentials", "client_id": "us", "client_secret": SECRET}
        asked = urllib.request.Request(f"{server.control_url}/auth/token", urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(asked) as answer:
            token = json.load(answer)["access_token"]
        yield Ward(server, token, icu.resources, load_condition("sepsis", schemas), schemas, {})


@pytest.fixture(autouse=True)
def _sound(ward: Ward) -> None:
    ward.server.misbehave(FaultPlan())
    ward.server.forget_requests()


def refused(read: Callable[[], Reading]) -> Problem:
    with pytest.raises(Problem) as raised:
        read()
    return raised.value


def test_a_whole_prefetch_is_read_without_a_request(ward):
    for access in ACCESS:
        reading = ward.read(ward.prefetch(), access)
        assert isinstance(reading.found, CurrentStay)
        assert (reading.found.stay.stay_id, reading.found.how, reading.gaps) == ("e-a", How.CURRENT, ())
        assert len(ward.events(reading)) == EVENTS
    assert ward.server.requests() == {}


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ["absent", "<html>Bad gateway</html>", {"resourceType": "Slot"}])
def test_what_was_not_sent_is_read_or_asked_for_by_its_key(ward, key, value, access):
    """The page of an error stood in the prefetch of the report cds-hooks/docs 37."""
    sent = {**ward.prefetch(), key: value}
    if value == "absent":
        del sent[key]
    if access == "token":
        reading, known = ward.read(sent), ward.read(ward.prefetch())
        assert (reading.found, ward.events(reading), reading.gaps) == (known.found, ward.events(known), ())
    else:
        problem = refused(lambda: ward.read(sent, access))
        assert problem.status == 412
        assert f"prefetch.{key}:" in problem.said
        assert not any(f"prefetch.{other}" in problem.said for other in set(KEYS) - {key})


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("value", [None, {}, EMPTY])
def test_what_the_client_looked_for_and_did_not_find_is_not_looked_for_again(ward, value, access):
    found = {key: ward.read({**ward.prefetch(), key: value}, access) for key in KEYS}
    assert found["patient"].found == NoStay("unknown_patient")
    assert found["encounters"].found == NoStay("no_icu_stay")
    assert isinstance(found["observations"].found, CurrentStay)
    assert len(found["observations"].readings) == 0
    assert {one.gaps for one in found.values()} == {()}
    assert ward.server.requests() == {}


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize("value", [REFUSAL, bundle([REFUSAL])])
def test_what_the_client_was_refused_is_said_and_not_asked_for_again(ward, value, access):
    for key in KEYS:
        reading = ward.read({**ward.prefetch(), key: value}, access)
        assert reading.gaps == (Gap(key, Lack.REFUSED),)
    assert ward.server.requests() == {}


@pytest.mark.parametrize("access", ACCESS)
def test_a_bundle_with_a_next_page_is_completed_or_its_lack_is_said(ward, access):
    sent = ward.prefetch()
    first, *_ = sent["observations"]["entry"]
    page = {**sent["observations"], "entry": [first]}
    link = [{"relation": "next", "url": f"{ward.server.base_url}?page=2"}]
    for partial in ({**page, "link": link}, {**page, "total": 10}, bundle([first["resource"], REFUSAL])):
        reading = ward.read({**sent, "observations": partial}, access)
        if access == "token":
            assert (ward.events(reading), reading.gaps) == (ward.events(ward.read(sent)), ())
        else:
            why = {"no token": WhyNot.NO_TOKEN, "expired": WhyNot.REFUSED, "not listed": WhyNot.NOT_LISTED}[access]
            assert len(ward.events(reading)) == 1
            assert reading.gaps == (Gap("observations", Lack.INCOMPLETE, why),)


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server, and what it was asked."""
    asked: list[str] = []

    def answer(line: Line) -> None:
        asked.append(line.path)
        line.say(EMPTY)

    with serving(answer) as url:
        yield url, asked


@pytest.mark.parametrize(
    ("url", "plain", "sent"),
    [
        ("http://fhir:8080/fhir", (), False),
        ("http://fhir:8080/fhir", ("fhir",), True),
        ("http://FHIR:8080/fhir", ("fhir",), True),
        ("http://fhir.evil.example:8080/fhir", ("fhir",), False),
        ("http://10.0.0.7/fhir", ("fhir", "10.0.0.7"), True),
    ],
)
def test_a_token_goes_over_plain_http_only_to_a_host_that_is_named_for_it(ward, url, plain, sent):
    seen = []

    def answer(line: Line) -> None:
        seen.append((line.path.partition("/fhir/")[0], line.headers["Authorization"]))
        line.say(EMPTY)

    with serving(answer) as proxy:  # stands between, as any host on the way could
        servers = Servers((FhirEndpoint(url, proxy=proxy.removesuffix("/fhir")),), UNLISTED, ward.schemas, 30.0, plain)
        reader = Reader(ward.condition, templates(ward.condition, GENERIC), servers)
        prefetch = {key: part for key, part in ward.prefetch().items() if key != "observations"}
        made = call(prefetch, "p-a", server=url, token="t")
        if sent:
            assert reader.read(made, AS_OF).gaps == ()
            assert set(seen) == {(url.removesuffix("/fhir").lower(), "Bearer t")}
        else:
            with pytest.raises(Problem, match="not https"):
                reader.read(made, AS_OF)
            assert seen == []


def test_the_address_of_a_next_page_is_never_asked(ward):
    sent = ward.prefetch()
    with listening() as (url, asked):
        link = [{"relation": "next", "url": f"{url}?page=2"}]
        reading = ward.read({**sent, "observations": {**sent["observations"], "link": link}})
    assert (len(ward.events(reading)), reading.gaps, asked) == (EVENTS, (), [])


@pytest.mark.parametrize("access", ACCESS)
def test_a_patient_other_than_the_calls_is_refused_wherever_it_stands(ward, access):
    other = ward.prefetch("p-b")["patient"]
    nameless = {"resourceType": "Patient", "gender": "male"}
    for sent in (
        {**ward.prefetch(), "patient": other},
        {**ward.prefetch(), "more": other},
        {**ward.prefetch(), "patient": bundle([ward.prefetch()["patient"], other])},
        {**ward.prefetch(), "patient": nameless},
        {"all": bundle([*ward.resources])},
    ):
        problem = refused(lambda sent=sent: ward.read(sent, access))
        assert problem.status == 400
        assert "p-b" not in problem.said


@pytest.mark.parametrize("access", ACCESS)
def test_encounters_and_observations_of_somebody_else_are_set_aside_and_counted(ward, access):
    mine, theirs = ward.prefetch(), ward.prefetch("p-b")
    both = {key: bundle(e["resource"] for e in (*mine[key]["entry"], *theirs[key]["entry"])) for key in KEYS[1:]}
    reading = ward.read({**mine, **both}, access)
    assert reading.other_patient == {"Encounter": 1}
    assert ward.events(reading) == ward.events(ward.read(mine, access))
    aside = admit(reading.readings, ward.condition.variables, AS_OF).set_aside
    assert set(aside.reason) == {"other_patient"}
    alone = ward.read({**mine, "encounters": theirs["encounters"]}, access)
    assert alone.found == NoStay("no_icu_stay")


def test_an_encounter_of_somebody_else_is_not_the_calls_even_if_it_is_named(ward):
    sent = {
        **ward.prefetch(),
        "encounters": bundle(one for one in ward.resources if one["resourceType"] == "Encounter"),
    }
    reading = ward.read(sent, encounter="e-b")
    assert (reading.found.stay.stay_id, reading.found.how) == ("e-a", How.INSTEAD_OF_NAMED)


VARIABLES = {
    "heart_rate": "8867-4",
    "respiratory_rate": "9279-1",
    "systolic_pressure": "85354-9",
    "lactate": "2524-7",
}


def keyed(sent: dict[str, Any]) -> dict[str, Any]:
    """The same with each variable under a key of its own, as the tutorial's clients send it; no creatinine."""
    observed = [entry["resource"] for entry in sent.pop("observations")["entry"]]
    for name, code in VARIABLES.items():
        sent[name] = bundle(one for one in observed if one["code"]["coding"][0]["code"] == code)
    return sent


@pytest.mark.parametrize("access", ACCESS)
def test_variables_under_keys_of_their_own_are_read_and_those_without_are_read_or_named(ward, access):
    reading = ward.read(keyed(ward.prefetch()), access)
    assert ward.events(reading) == ward.events(ward.read(ward.prefetch()))
    unsent = {gap.key for gap in reading.gaps if gap.lack is Lack.UNSENT}
    assert unsent == (set() if access == "token" else {"creatinine", "mean_pressure"})


def test_of_keyed_variables_null_is_an_answer_and_a_broken_one_is_none(ward):
    sent = {**keyed(ward.prefetch()), "creatinine": None, "mean_pressure": None}
    assert ward.read(sent, "no token").gaps == ()
    broken = ward.read({**sent, "lactate": "<html>"}, "no token")
    assert broken.gaps == (Gap("lactate", Lack.UNSENT, WhyNot.NO_TOKEN),)
    refusing = ward.read({**sent, "lactate": REFUSAL}, "no token")
    assert refusing.gaps == (Gap("lactate", Lack.REFUSED),)
    only_nulls = {**{key: sent[key] for key in KEYS[:2]}, **dict.fromkeys(VARIABLES)}
    assert len(ward.read(only_nulls, "no token").readings) == 0


@pytest.mark.parametrize("access", ACCESS)
def test_one_bundle_with_everything_is_a_whole_prefetch(ward, access):
    mine = [one for one in ward.resources if "p-a" in json.dumps(one)]
    known = ward.events(ward.read(ward.prefetch()))
    ward.server.forget_requests()
    everything = bundle(mine, type="collection")
    for sent in ({"bundle": everything}, {"patient": everything}, everything, {"b": {**everything, "type": "batch"}}):
        reading = ward.read(sent, access)
        assert (ward.events(reading), reading.gaps) == (known, ())
        assert reading.found.stay.stay_id == "e-a"
    assert ward.server.requests() == {}


def test_one_observation_under_several_keys_counts_once_and_its_latest_version_counts(ward):
    sent = ward.prefetch()
    known = ward.read(sent)
    again = ward.read({**sent, "vitals": sent["observations"], "heart_rate": sent["observations"]})
    assert len(again.readings) == len(known.readings)
    one = next(e["resource"] for e in sent["observations"]["entry"] if e["resource"]["id"].endswith("lactate"))
    amended = {**one, **loinc("2524-7", 9.0, "mmol/L"), "status": "amended"}
    stamped = [{**one, "meta": {"lastUpdated": f"2026-01-02T0{n}:00:00Z"}} for n in (4, 3)]
    for new in ({"a": amended}, {"a": {**amended, "meta": stamped[0]["meta"]}, "b": stamped[1]}):
        events = ward.events(ward.read({**sent, **new}))
        assert [value for ref, *_, value, _ in events if ref.endswith("lactate")] == [9.0]


@pytest.mark.parametrize("base", ["", "{server}/", "https://alias.example.org/fhir/"])
def test_references_are_relative_or_under_the_servers_own_addresses(ward, base):
    base = base.format(server=ward.server.base_url)
    text = json.dumps(ward.prefetch()).replace('"Patient/p-a"', f'"{base}Patient/p-a"')
    source = replace(ward.source, aliases=("https://alias.example.org/fhir",))
    made = call(json.loads(text), "p-a", server=source.base_url)
    reading = ward.reader(source).read(made, AS_OF)
    assert (reading.found.stay.patient_id, len(ward.events(reading))) == ("p-a", EVENTS)


def test_references_to_another_server_are_foreign(ward):
    text = json.dumps(ward.prefetch()).replace('"Patient/p-a"', '"https://else.example.org/fhir/Patient/p-a"')
    reading = ward.read(json.loads(text))
    assert (reading.found, ward.events(reading)) == (NoStay("foreign_reference"), [])


def test_the_address_of_an_unlisted_server_still_makes_its_references_relative(ward):
    text = json.dumps(ward.prefetch()).replace('"Patient/p-a"', '"https://ehr.example.org/r4/Patient/p-a"')
    reading = ward.reader().read(call(json.loads(text), "p-a", server="https://ehr.example.org/r4/"), AS_OF)
    assert (reading.source.base_url, len(ward.events(reading))) == ("https://ehr.example.org/r4", EVENTS)


def test_a_transaction_is_read_by_the_references_within_it(ward):
    names = {
        "p-a": "urn:uuid:5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d4",
        "e-a": "urn:uuid:5d2c9c39-6f6c-4f0b-9a55-0c3c86a1b7d5",
    }
    entries = []
    for one in ward.resources:
        if "p-a" in json.dumps(one):
            text = json.dumps(one).replace("Patient/p-a", names["p-a"])
            entries.append({"fullUrl": names.get(one["id"], ""), "resource": json.loads(text)})
    sent = {"bundle": {"resourceType": "Bundle", "type": "transaction", "entry": entries}}
    reading = ward.read(sent, "no token")
    assert (reading.found.stay.patient_id, len(ward.events(reading))) == ("p-a", EVENTS)


def test_a_date_without_a_time_or_a_retracted_value_is_judged_as_in_a_screening(ward):
    sent = ward.prefetch()
    entries = sent["observations"]["entry"]
    entries[0]["resource"]["status"] = "entered-in-error"
    entries[1]["resource"]["effectiveDateTime"] = "2026-01-02"
    entries[2]["resource"] |= {"effectiveDateTime": (AS_OF + timedelta(minutes=5)).isoformat()}
    reading = ward.read(sent)
    aside = admit(reading.readings, ward.condition.variables, AS_OF).set_aside
    assert sorted(set(aside.reason)) == ["no_time", "status"]


def test_contained_resources_are_read_as_in_a_screening(ward):
    sent = ward.prefetch()
    lactate = next(e["resource"] for e in sent["observations"]["entry"] if e["resource"]["id"].endswith("lactate"))
    lactate |= {
        "contained": [{"resourceType": "Specimen", "id": "s", "type": {"text": "cerebrospinal fluid"}}],
        "specimen": {"reference": "#s"},
    }
    reading = ward.read(sent)
    aside = admit(reading.readings, ward.condition.variables, AS_OF).set_aside
    assert dict(zip(aside.variable, aside.reason, strict=True)) == {"lactate": "specimen"}


def test_a_token_that_cannot_be_one_or_has_expired_is_never_sent(ward):
    sent = {key: value for key, value in ward.prefetch().items() if key != "observations"}
    for token, about in (("a\nb", {}), (ward.token, {"expires_in": 0})):
        made = call(sent, "p-a", server=ward.server.base_url, token=token, **about)
        assert "no fhirAuthorization" in refused(lambda made=made: ward.reader(ward.source).read(made, AS_OF)).said
    assert ward.server.requests() == {}


def test_a_token_for_another_patient_is_never_sent(ward):
    """A server that gives it nothing about this one would look like one that has nothing."""
    sent = {key: value for key, value in ward.prefetch().items() if key != "observations"}
    made = call(sent, "p-a", server=ward.server.base_url, token=ward.token)

    def of(patient: str) -> HookRequest:
        assert made.fhir_authorization is not None
        return msgspec.structs.replace(
            made, fhir_authorization=msgspec.structs.replace(made.fhir_authorization, patient=patient)
        )

    problem = refused(lambda: ward.reader(ward.source).read(of("p-b"), AS_OF))
    assert (problem.status, "its token is for another patient" in problem.said) == (412, True)
    assert "p-b" not in problem.said
    assert ward.server.requests() == {}
    assert len(ward.events(ward.reader(ward.source).read(of("p-a"), AS_OF))) == EVENTS


def test_no_token_goes_unencrypted_to_another_machine(ward):
    source = FhirEndpoint("http://fhir.example.org/r4")
    sent = {key: value for key, value in ward.prefetch().items() if key != "observations"}
    problem = refused(lambda: ward.reader(source).read(call(sent, "p-a", server=source.base_url, token="t"), AS_OF))
    assert (problem.status, "not https" in problem.said) == (412, True)


def test_the_sources_own_sign_in_is_never_used_for_a_call(ward):
    own = ClientSecret("us", SECRET, f"{ward.server.control_url}/auth/token")
    sent = {key: value for key, value in ward.prefetch().items() if key != "observations"}
    for token in (None, "long-gone"):
        made = call(sent, "p-a", server=ward.server.base_url, token=token)
        assert refused(lambda made=made: ward.reader(replace(ward.source, sign_in=own)).read(made, AS_OF)).status == 412
    assert "POST /auth/token" not in ward.server.requests()


def test_a_server_that_is_not_listed_is_never_asked(ward):
    with listening() as (url, asked):
        made = call({}, "p-a", server=url, token="t")
        problem = refused(lambda: ward.reader(ward.source).read(made, AS_OF))
    assert (problem.status, asked) == (412, [])
    assert all(f"prefetch.{key}" in problem.said for key in KEYS)


def test_nothing_sent_at_all_is_read_from_the_server(ward):
    reading, known = ward.read({}), ward.read(ward.prefetch())
    assert (reading.found, ward.events(reading), reading.gaps) == (known.found, ward.events(known), ())


def test_what_one_request_was_refused_does_not_stop_the_others(ward):
    ward.server.misbehave(FaultPlan(faults=(Fault(kind="status", status=403, path="/Observation"),)))
    assert "prefetch.observations:" in refused(lambda: ward.read({})).said
    sent = ward.prefetch()
    link = [{"relation": "next", "url": "?page=2"}]
    reading = ward.read({"observations": {**sent["observations"], "link": link}})
    assert reading.found.stay.stay_id == "e-a"
    assert reading.gaps == (Gap("observations", Lack.INCOMPLETE, WhyNot.REFUSED),)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503, "retry_after": 60},
        {"kind": "drop"},
        {"kind": "truncate"},
        {"kind": "delay", "seconds": 1},
    ],
)
def test_a_server_that_fails_or_takes_too_long_leads_to_412_in_time(ward, fault):
    ward.server.misbehave(FaultPlan(faults=(Fault(path="/Observation", **fault),)))
    sent = {key: value for key, value in ward.prefetch().items() if key != "observations"}
    made = call(sent, "p-a", server=ward.server.base_url, token=ward.token)
    problem = refused(lambda: ward.reader(ward.source, seconds=0.4).read(made, AS_OF))
    assert (problem.status, "prefetch.observations:" in problem.said) == (412, True)


def test_one_lost_connection_is_made_up_for(ward):
    ward.server.misbehave(FaultPlan(faults=(Fault(kind="drop", path="/Observation", times=1),)))
    assert len(ward.events(ward.read({}))) == EVENTS


@pytest.fixture
def only_if(ward: Ward) -> Callable[..., Reading]:
    wanted = OnlyIf.model_validate({"screened": ["high"], "within": "24h"})
    condition = ward.condition.model_copy(update={"bedside": Bedside(only_if=wanted)})

    def made(sent: dict[str, Any], token: str | None = None) -> Reading:
        about = call(sent, "p-a", server=ward.server.base_url, token=token)
        return ward.reader(ward.source, condition=condition).read(about, AS_OF)

    return made


@pytest.fixture
def results(ward: Ward) -> dict[str, Any]:
    screening = Screening(ward.server.base_url, ward.condition, "1", "0.2.0", AS_OF - timedelta(hours=3))
    old = replace(screening, as_of=AS_OF - timedelta(days=9))
    rows = [("e-a", "p-a", screening, "high"), ("e-a", "p-a", old, "low"), ("e-b", "p-b", screening, "low")]
    return bundle(
        {"id": f"r{number}", **risk_assessment(Assessment(stay, who, 0.7, band, (), (), ()), made, "Device/d")}
        for number, (stay, who, made, band) in enumerate(rows)
    )


def test_the_latest_screening_is_found_in_the_prefetch(ward, only_if, results):
    reading = only_if({**ward.prefetch(), "screenings": results})
    assert reading.screened == Screened(AS_OF - timedelta(hours=3), "high")
    assert (reading.other_patient, reading.gaps) == ({"RiskAssessment": 1}, ())


def test_a_screening_that_was_not_sent_is_read_or_its_lack_is_said(ward, only_if, results):
    assert only_if(ward.prefetch(), ward.token).screened is None
    without = only_if(ward.prefetch())
    assert (without.screened, without.gaps) == (None, (Gap("screenings", Lack.UNSENT, WhyNot.NO_TOKEN),))
    old = [entry["resource"] for entry in results["entry"]][1:2]
    for there, band in ((old, "low"), ([entry["resource"] for entry in results["entry"]], "high")):
        with FhirClient(replace(ward.source, sign_in=BearerToken(ward.token))) as client:
            puts = [
                {"resource": one, "request": {"method": "PUT", "url": f"RiskAssessment/{one['id']}"}} for one in there
            ]
            client.batch(puts)
        assert only_if(ward.prefetch(), ward.token).screened.band == band


def test_no_screening_is_an_answer_and_a_refusal_is_said(ward, only_if):
    assert only_if({**ward.prefetch(), "screenings": None}, ward.token).screened is None
    assert only_if({**ward.prefetch(), "screenings": REFUSAL}).gaps == (Gap("screenings", Lack.REFUSED),)
    assert ward.server.requests() == {}


CANARY = "canary4711"


def marked(ward: Ward) -> dict[str, Any]:
    """A prefetch with a marked id, name, text and value in every resource."""
    text = json.dumps(ward.prefetch()).replace("p-a", f"p-{CANARY}").replace("e-a", f"e-{CANARY}")
    sent = json.loads(text)
    sent["patient"]["name"] = [{"text": CANARY}]
    for entry in sent["observations"]["entry"]:
        entry["resource"]["note"] = [{"text": CANARY}]
        entry["resource"].get("valueQuantity", {})["value"] = 47.11
    return sent


def test_no_failure_repeats_a_value_an_id_or_a_token(ward, caplog):
    caplog.set_level("DEBUG", "wardround")
    sent = marked(ward)
    html = f"<html>{CANARY}</html>"
    wrongs = [
        *({**sent, key: value} for key in KEYS for value in (html, [CANARY], {CANARY: 1}, REFUSAL, None)),
        *({name: value for name, value in sent.items() if name != key} for key in KEYS),
        {**sent, "patient": {"resourceType": "Patient", "id": f"{CANARY}-other"}},
        {CANARY: sent["patient"]},
        {},
    ]
    faults = [{"kind": "status", "status": 403}, {"kind": "status", "status": 500}, {"kind": "truncate"}]
    said = []
    for fault in [None, *faults]:
        ward.server.misbehave(FaultPlan(faults=(Fault(path="/_search", **fault),) if fault else ()))
        for wrong in wrongs:
            for token in (ward.token, CANARY):
                made = call(wrong, f"p-{CANARY}", f"e-{CANARY}", ward.server.base_url, token)
                try:
                    reading = ward.reader(ward.source, seconds=0.3).read(made, AS_OF)
                    said.append(repr(reading.gaps))
                except Problem as problem:
                    said += [problem.said, str(problem), problem.answer().body.decode()]
            if fault:
                break
    told = "\n".join((*said, caplog.text))
    assert len(said) > 50
    assert CANARY not in told
    assert "47.11" not in told
    assert ward.token not in told


def test_the_hospital_stays_begin_is_read_if_it_was_not_sent(ward):
    demographics = ("age", "sex", "hours_in_unit", "hours_in_hospital")
    features = ward.condition.features.model_copy(update={"demographics": demographics})
    condition = ward.condition.model_copy(update={"features": features})
    hospital = {
        "resourceType": "Encounter",
        "id": "h-a",
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p-a"},
        "period": {"start": "2025-12-30T01:00:00Z"},
    }
    with FhirClient(replace(ward.source, sign_in=BearerToken(ward.token))) as client:
        client.batch([{"resource": hospital, "request": {"method": "PUT", "url": "Encounter/h-a"}}])
    sent = ward.prefetch()
    sent["encounters"]["entry"][0]["resource"]["partOf"] = {"reference": "Encounter/h-a"}
    known = {**sent, "encounters": bundle([sent["encounters"]["entry"][0]["resource"], hospital])}

    def hours(prefetch: dict[str, Any], token: str | None = None) -> tuple[float, float, str]:
        made = call(prefetch, "p-a", server=ward.server.base_url, token=token)
        reading = ward.reader(ward.source, condition=condition).read(made, AS_OF)
        assert reading.gaps == ()
        index = Index.of_stays([reading.found.stay], AS_OF, condition).demographics
        unknown = reading.found.stay.hospital_unknown
        return float(index["hours_in_unit"][0]), float(index["hours_in_hospital"][0]), unknown

    assert hours(known) == hours(sent, ward.token) == (28.0, 76.0, "")
    in_unit, in_hospital, unknown = hours(sent)
    assert (in_unit, math.isnan(in_hospital), unknown) == (28.0, True, "hospital_encounter_not_read")


def test_locations_that_define_the_stays_are_read_once_or_are_said_to_be_unknown(ward):
    unit = {"resourceType": "Location", "id": "unit", "name": "Unit A"}
    bed = {"resourceType": "Location", "id": "bed", "partOf": {"reference": "Location/unit"}}
    with FhirClient(replace(ward.source, sign_in=BearerToken(ward.token))) as client:
        for one in (unit, bed):
            client.batch([{"resource": one, "request": {"method": "PUT", "url": f"Location/{one['id']}"}}])
    source = replace(ward.source, icu_classes=(), icu_locations=("Unit A",))
    sent = ward.prefetch()
    sent["encounters"]["entry"][0]["resource"]["location"] = [{"location": {"reference": "Location/bed"}}]
    reader = ward.reader(source)

    def found(token: str | None, prefetch: dict[str, Any] = sent, by: Reader = reader) -> CurrentStay | NoStay:
        return by.read(call(prefetch, "p-a", server=ward.server.base_url, token=token), AS_OF).found

    assert found(None) == NoStay("unknown_locations")
    assert isinstance(found(ward.token), CurrentStay)
    ward.server.forget_requests()
    assert isinstance(found(None), CurrentStay)
    assert ward.server.requests() == {}
    along = {**sent, "encounters": bundle([sent["encounters"]["entry"][0]["resource"], unit, bed])}
    assert isinstance(found(None, along, ward.reader(source)), CurrentStay)
    assert isinstance(found(None, sent, ward.reader(replace(source, icu_locations=("Location/bed",)))), CurrentStay)


def test_the_kind_of_server_is_recognised_once(ward):
    reader = ward.reader(replace(ward.source, recognise=True))
    for _ in range(2):
        made = call({}, "p-a", server=ward.server.base_url, token=ward.token)
        assert len(ward.events(reader.read(made, AS_OF))) == EVENTS
    assert ward.server.requests()["GET metadata"] == 1


def test_codes_and_units_of_a_listed_source_are_understood_and_those_of_others_are_not(ward):
    text = json.dumps(ward.prefetch()).replace('"http://loinc.org", "code": "2524-7"', '"urn:ours", "code": "LAC"')
    lactate = next(code for code in ward.condition.variables["lactate"].all_codes())
    source = replace(ward.source, translation=Translation(codes=((("urn:ours", "LAC"), lactate),)))
    for listed, found in ((source, EVENTS), (ward.source, EVENTS - 1)):
        made = call(json.loads(text), "p-a", server=ward.server.base_url)
        assert len(ward.events(ward.reader(listed).read(made, AS_OF))) == found
    # The only server that is listed is meant if a call names none.
    assert len(ward.events(ward.reader(source).read(call(json.loads(text), "p-a"), AS_OF))) == EVENTS


def answering(answer: Callable[[Line], None]) -> Callable[..., Reading]:
    """Reads a call from a listed server that answers so."""

    def read(ward: Ward, prefetch: dict[str, Any]) -> Reading:
        with serving(answer) as url:
            made = call(prefetch, "p-a", server=url, token="t")
            return ward.reader(FhirEndpoint(url), seconds=5.0).read(made, AS_OF)

    return read


def test_what_a_server_says_of_others_than_was_asked_for_is_set_aside(ward):
    theirs = ward.prefetch("p-b")

    def answer(line: Line) -> None:
        kind = next(kind for kind in ("Patient", "Encounter", "Observation") if f"/{kind}" in line.path)
        found = {"Patient": bundle([theirs["patient"]]), "Encounter": theirs["encounters"]}
        line.say(found.get(kind, theirs["observations"]))

    reading = answering(answer)(ward, {})
    assert (reading.found, reading.other_patient) == (NoStay("no_icu_stay"), {"Patient": 1, "Encounter": 1})
    mine = ward.prefetch()
    del mine["observations"]
    reading = answering(answer)(ward, mine)
    assert (ward.events(reading), len(reading.readings)) == ([], EVENTS)


@pytest.mark.parametrize(
    ("status", "body", "headers", "said"),
    [
        (200, b"<html>", {"Content-Type": "text/html"}, "cannot be used"),
        (200, b"{}", {}, "cannot be used"),
        (200, b'{"resourceType":"Bundle","entry":', {}, "no answer in time"),
        (200, json.dumps(bundle([REFUSAL])).encode(), {}, "cannot be used"),
        (200, json.dumps(bundle([], link=[{"relation": "next", "url": "?again"}])).encode(), {}, "cannot be used"),
        (200, json.dumps({**EMPTY, "total": 5}).encode(), {}, "cannot be used"),
        (404, b"", {}, "cannot be used"),
        (401, b"", {}, "refused the token"),
        (403, b"", {}, "refused the token"),
        (429, b"", {"Retry-After": "3600"}, "no answer in time"),
    ],
)
def test_a_server_whose_answer_cannot_be_used_leads_to_412_that_says_why(ward, status, body, headers, said):
    sent = ward.prefetch()
    del sent["observations"]
    answer = answering(lambda line: line.say(body, status, **headers))
    problem = refused(lambda: answer(ward, sent))
    assert (problem.status, said in problem.said) == (412, True)


@pytest.mark.parametrize("way", ["redirect", "next"])
def test_no_address_that_a_server_names_is_asked_on_another_server(ward, way):
    sent = ward.prefetch()
    del sent["observations"]
    with listening() as (url, asked):

        def answer(line: Line) -> None:
            if way == "redirect":
                line.say(b"", 307, Location=f"{url}/Observation")
            else:
                line.say(bundle([], link=[{"relation": "next", "url": f"{url}?page=2"}]))

        problem = refused(lambda: answering(answer)(ward, sent))
    assert (problem.status, asked) == (412, [])


def test_the_door_tells_the_same_risk_of_what_was_sent_and_of_what_it_read(ward, bedside):
    door = Door.of(bedside, Kept(), servers=(ward.source,), as_of=AS_OF)

    def answered(sent: dict[str, Any], token: str) -> Answer:
        authorization = {"access_token": token, **AUTHORIZATION}
        context = {"userId": "Practitioner/x", "patientId": "p-a"}
        server = {"fhirServer": ward.server.base_url, "fhirAuthorization": authorization}
        body = {"hook": "patient-view", "hookInstance": "i", "context": context, "prefetch": sent, **server}
        return door.answer(Request("POST", "/cds-services/sepsis-risk", AS_OF, json.dumps(body).encode()))

    def told(sent: dict[str, Any], token: str) -> dict[str, Any]:
        answer = answered(sent, token)
        assert answer.status == 200
        risk = json.loads(answer.body)["extension"]["com.wardround.risk"]
        # The first call alerts, and locks the others out.
        return {name: value for name, value in risk.items() if name not in ("outcome", "repeats")}

    sent = ward.prefetch()
    known = told(sent, ward.token)
    assert known["probability"] > 0
    for partial in ({}, {"patient": sent["patient"]}, {**sent, "observations": "<html>"}, keyed(ward.prefetch())):
        assert told(partial, ward.token) == known
        if "heart_rate" not in partial:
            refusal = answered(partial, "long-gone")
            issue = json.loads(refusal.body)
            assert (refusal.status, issue["resourceType"]) == (412, "OperationOutcome")
            assert "prefetch.observations:" in json.dumps(issue)
