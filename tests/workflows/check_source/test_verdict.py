"""A check ends well only where a screening could run, and says what it would find."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from wardround.cli.check_source import command
from wardround.demo.fhir_server.running import running_server
from wardround.errors import FhirError
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.cohorts import Encounters
from wardround.spec.loading import load_server_profiles
from wardround.workflows.check_source import check_source

NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-supported"}]}
STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
EMPTY = {"resourceType": "Bundle", "type": "searchset", "total": 0}


def told(body: dict[str, Any], status: int = 200) -> tuple[int, str, bytes]:
    return status, "application/fhir+json", json.dumps(body).encode()


def on(path: str, *names: str, method: str = "GET"):
    return lambda m, p, form: 400 if (m, p) == (method, path) and set(names) <= set(form) else None


def searches_of(resource_type: str):
    return lambda _m, path, _form: 400 if path.split("/")[0] == resource_type else None


def test_a_server_that_can_all_has_no_problem(check) -> None:
    assert check(write=True, now=NOW).problems == ()


def test_a_base_url_where_everything_is_404_ends_the_check_though_the_404_is_fhir(check, wire) -> None:
    wire.instead = lambda _path: told({**OUTCOME, "issue": [{"severity": "error", "code": "not-found"}]}, 404)
    with pytest.raises(FhirError, match="answered 404 to /metadata and to a search of Encounters"):
        check()


@pytest.mark.parametrize("version", ["3.0.2", "1.0.2", "4.3.0", "5.0.0", "4.01"])
def test_another_version_of_fhir_is_a_problem(check, wire, version: str) -> None:
    wire.instead = lambda path: told({**STATEMENT, "fhirVersion": version} if path.endswith("metadata") else EMPTY)
    assert f"it uses FHIR {version}" in check().problems[0]


@pytest.mark.parametrize("version", ["4.0.1", "4.0.0", "4.0", None])
def test_r4_and_a_statement_without_a_version_are_no_problem(check, wire, version: str | None) -> None:
    wire.instead = lambda path: told({**STATEMENT, "fhirVersion": version} if path.endswith("metadata") else EMPTY)
    assert check().problems == ()


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (told(OUTCOME), "answered with OperationOutcome instead of results"),
        (told({**EMPTY, "entry": [{"resource": OUTCOME}]}), "answered with an error (not-supported)"),
        (told({"resourceType": "Patient"}), "answered with Patient instead of results"),
        (told(OUTCOME, 400), "HTTP 400"),
    ],
)
def test_a_server_with_a_statement_and_no_search_is_a_problem(check, wire, answer: Any, detail: str) -> None:
    wire.instead = lambda path: told(STATEMENT) if path.endswith("metadata") else answer
    (problem,) = check().problems
    assert problem.startswith(f"Encounters cannot be searched without a patient ({detail})")


@pytest.mark.parametrize("resource_type", ["Encounter", "Observation"])
def test_what_cannot_be_read_is_a_problem_also_with_patients_to_ask_with(check, wire, resource_type: str) -> None:
    wire.refuse = searches_of(resource_type)
    problems = " ".join(check(patients=["p-a", "p-b"]).problems)
    assert f"{resource_type}s cannot be" in problems


def test_patients_that_are_neither_included_nor_found_are_a_problem(check, wire) -> None:
    wire.refuse, wire.drop = searches_of("Patient"), ("_include",)
    assert "Patients cannot be read (HTTP 400)" in check().problems[0]


@pytest.mark.parametrize(
    ("refuse", "name"),
    [
        (on("Encounter/_search", method="POST"), "has_post_search"),
        (lambda _m, _p, form: 404 if "patient" in form and form["patient"][:8] != "Patient/" else None, "references"),
        (lambda _m, _p, form: 400 if "," in form.get("patient", "") else None, "patients_per_search"),
    ],
)
def test_a_profile_that_asks_what_the_server_refuses_is_a_problem(check, wire, refuse, name: str) -> None:
    wire.refuse = refuse
    assert any(f"profile wardround does not fit this server ({name}" in each for each in check().problems)


def test_a_server_that_takes_no_risk_assessment_is_a_problem_of_a_check_that_writes(check, wire) -> None:
    wire.refuse = lambda method, path, _form: 400 if method != "GET" and "_search" not in path else None
    assert any("it accepts no RiskAssessment" in each for each in check(write=True).problems)
    assert check().problems == ()


def test_encounters_are_counted_by_class_and_location_with_what_a_screening_finds(icu, schemas) -> None:
    here = {"location": [{"location": {"reference": "Location/micu"}}]}
    left = {"location": [{"location": {"reference": "Location/micu"}, "period": {"end": "2026-01-01T02:00:00Z"}}]}
    icu.resources.append({"resourceType": "Location", "id": "micu", "name": "MICU"})
    icu.stay("a", **here)
    icu.stay("b", **{**here, "class": {"code": "IMP"}})
    icu.stay("c", **{**left, "class": {"code": "IMP"}})
    icu.stay("d", status="finished", period={"start": "2025-01-01T01:00:00Z", "end": "2025-01-03T01:00:00Z"})
    with running_server() as server:
        icu.upload(server.base_url)

        def counts(classes: tuple[str, ...], *locations: str):
            source = FhirEndpoint(server.base_url, icu_classes=classes, icu_locations=locations)
            conditions = {"other": Encounters(classes=("IMP",))}
            return check_source(source, load_server_profiles(schemas), conditions=conditions, now=NOW)

        found = counts(("ACUTE",)).counts
        wrong = counts(("ICU",), "MICU").counts
        (unknown,) = counts(("ACUTE",), "MCIU").problems
    assert (found.encounters, found.whole, found.unmatched) == (3, True, ())
    assert (found.classes, found.locations) == ({"IMP": 2, "ACUTE": 1}, {"MICU": 2})
    assert found.stays == {"the source": 1, "other": 2}
    assert (wrong.unmatched, wrong.stays) == (("class ICU",), {"the source": 2, "other": 2})
    assert "no Location 'MCIU', expected its full name, an alias or its id" in unknown


def test_a_ward_of_many_is_sampled_and_says_so(icu, schemas, monkeypatch) -> None:
    monkeypatch.setattr("wardround.workflows.check_source.counting.SAMPLE", 3)
    for number in range(5):
        icu.stay(f"s{number}", vitals=False, lactate=None)
    with running_server() as server:
        icu.upload(server.base_url)
        found = check_source(FhirEndpoint(server.base_url), load_server_profiles(schemas), now=NOW).counts
    assert (found.encounters, found.whole, found.stays) == (3, False, {"the source": 5})


def checked(url: str, *options: str, **environment: str):
    return CliRunner(env=environment).invoke(command, [url, *options])


def test_the_command_says_what_it_counted_and_warns_of_a_class_that_nobody_has(ward) -> None:
    result = checked(ward, WARDROUND_ICU_CLASSES="ACUT")
    assert result.exit_code == 0
    for line in (
        "Encounters (all of the last day): 2.",
        "  by class: ACUTE 2",
        "With the settings of the source, a screening finds 0 stays now.",
        "Warning: no Encounter has class ACUT",
        "Warning: nobody would be screened",
    ):
        assert line in result.output


def test_the_command_does_not_compare_classes_where_there_is_no_encounter() -> None:
    with running_server() as server:
        said = checked(server.base_url).output
    assert "Warning: no Encounter in the last day; each stay is an Encounter" in said
    assert "compare with the classes" not in said


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"WARDROUND_ICU_LOCATIONS": "MCIU"}, "no Location 'MCIU'"),
        ({"WARDROUND_ICU_CLASSES": ""}, "neither a class nor a Location defines which Encounters are stays"),
    ],
)
def test_a_setting_with_which_nothing_can_be_found_ends_the_check_with_5(ward, environment, problem: str) -> None:
    result = checked(ward, "--json", **environment)
    assert isinstance(result.exception, FhirError)
    assert problem in str(result.exception)
    assert problem in json.loads(result.stdout)["problems"][0]
