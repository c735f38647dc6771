"""What is written to the server: identity, contents, and what must never be written."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from wardround.results.fhir_validity import check_risk_assessment, check_structure
from wardround.results.risk_assessment import (
    Assessment,
    Screening,
    device,
    identity,
    probability,
    provenance,
    references,
    risk_assessment,
    same_content,
)
from wardround.results.written_shape import is_as_we_write
from wardround.spec.loading import load_condition

AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)
STAY = Assessment(
    stay_id="e1",
    patient_id="p1",
    score=0.85,
    band="high",
    basis=("Observation/o1", "Observation/o2"),
    reasons=("Lactate, highest of the last 24 h: 4.2 mmol/L (2.3 h before); raises the risk",),
    missing=("Bilirubin, total",),
)


@pytest.fixture
def screening(schemas: Path) -> Screening:
    return Screening("http://server/fhir", load_condition("sepsis", schemas), "1.0.0-abc", "0.1.0", AS_OF)


def made(screening: Screening, **changes: Any) -> dict[str, Any]:
    return risk_assessment(replace(STAY, **changes), screening, "Device/d1")


def test_the_identity_is_the_same_for_the_same_question_however_it_is_written(screening: Screening) -> None:
    later = timezone(timedelta(hours=1))
    same = replace(screening, source_url="http://server/fhir/", as_of=datetime(2026, 1, 2, 6, tzinfo=later))
    assert identity(screening, "e1") == identity(same, "e1")
    assert len(identity(screening, "e1")) == 64


def test_the_times_that_are_written_do_not_depend_on_the_zone_of_the_machine(screening: Screening, monkeypatch) -> None:
    before = made(screening)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert made(screening) == before
        assert made(replace(screening, as_of=AS_OF.astimezone(timezone(timedelta(hours=9))))) == before
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_identity_differs_by_every_part_of_the_question(screening: Screening, schemas: Path) -> None:
    others = [
        replace(screening, source_url="http://other/fhir"),
        replace(screening, source_url="http://server/fhirX"),
        replace(screening, condition=load_condition("mortality", schemas)),
        replace(screening, model_version="1.0.0-abd"),
        replace(screening, as_of=AS_OF + timedelta(hours=1)),
        replace(screening, as_of=AS_OF + timedelta(microseconds=1)),
    ]
    identities = {identity(screening, "e1"), identity(screening, "e2"), *(identity(one, "e1") for one in others)}
    assert len(identities) == 8


def test_a_risk_assessment_says_who_when_how_and_from_what(screening: Screening) -> None:
    resource = made(screening)
    assert resource["status"] == "final"
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert resource["encounter"] == {"reference": "Encounter/e1"}
    assert resource["occurrenceDateTime"] == "2026-01-02T05:00:00Z"
    assert resource["method"]["coding"][0]["version"] == "1.0.0-abc"
    assert resource["performer"]["reference"] == "Device/d1"
    assert resource["basis"] == [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}]
    assert "Bilirubin, total" in resource["note"][0]["text"]
    assert "Adjunct only" in resource["note"][0]["text"]
    (prediction,) = resource["prediction"]
    assert prediction["probabilityDecimal"] == 0.85
    assert prediction["qualitativeRisk"]["coding"][0]["code"] == "high"
    assert [coding["code"] for coding in prediction["outcome"]["coding"]] == ["91302008", "A41.9"]
    assert prediction["rationale"].startswith("Probability = 0.85 (85 %). Lactate, highest of the last 24 h: 4.2")


def test_the_resources_are_those_of_written_json_in_every_element(screening: Screening) -> None:
    # An identity that is computed otherwise would write a second result beside each that is there.
    written = json.loads((Path(__file__).parent / "written.json").read_text())
    resource = made(screening)
    assert written == [
        resource,
        device(screening),
        provenance("RiskAssessment/r1", resource, screening, datetime(2026, 1, 2, 5, 1, tzinfo=UTC)),
    ]
    assert [reference["reference"] for reference in references(resource)] == [
        "Patient/p1", "Encounter/e1", "Device/d1", "Observation/o1", "Observation/o2",
    ]  # fmt: skip


def test_a_score_of_which_nothing_is_missing_says_so_and_one_is_rounded_for_reading_alone(screening: Screening) -> None:
    resource = made(screening, score=0.12345, missing=(), reasons=("One", "Two"))
    assert resource["note"][0]["text"].startswith("No input is missing. Adjunct only")
    (prediction,) = resource["prediction"]
    assert prediction["probabilityDecimal"] == 0.12345
    assert prediction["rationale"] == (
        "Probability = 0.1235 (12.3 %). One. Two. Raises and lowers are meant in comparison with an average patient."
    )
    (without,) = made(screening, score=0.12345, reasons=())["prediction"]
    assert without["rationale"] == "Probability = 0.1235 (12.3 %)."
    assert made(screening, missing=("A", "B"))["note"][0]["text"].startswith("Missing inputs: A, B. Adjunct")


@pytest.mark.parametrize(
    "prediction", [None, [], [{}], [{"probabilityDecimal": None}], [{"probabilityDecimal": "0.5"}]]
)
def test_what_states_no_number_states_no_probability(prediction: Any) -> None:
    assert probability({"prediction": prediction}, percent=False) is None
    assert probability({}, percent=False) is None
    assert probability({"prediction": [{"probabilityDecimal": True}]}, percent=False) is None
    assert probability({"prediction": [{"probabilityDecimal": 1}]}, percent=False) == 1.0


def test_the_period_ends_with_the_horizon_and_is_open_for_a_hospital_stay(screening: Screening) -> None:
    six_hours = replace(screening, horizon=timedelta(hours=6))
    when = {"start": "2026-01-02T05:00:00Z", "end": "2026-01-02T11:00:00Z"}
    assert made(six_hours)["prediction"][0]["whenPeriod"] == when
    assert made(screening)["prediction"][0]["whenPeriod"] == {"start": "2026-01-02T05:00:00Z"}


def test_a_percentage_is_written_on_demand_and_read_back_as_the_same_probability(screening: Screening) -> None:
    percent = replace(screening, percent=True)
    resource = made(percent, score=0.0712)
    assert resource["prediction"][0]["probabilityDecimal"] == 7.12
    assert "0.0712 (7.12 %)" in resource["prediction"][0]["rationale"]
    assert probability(resource, percent=True) == pytest.approx(0.0712, abs=1e-12)
    assert probability(made(screening, score=0.0712), percent=False) == 0.0712


def test_everything_written_is_valid_r4(screening: Screening) -> None:
    resource = made(screening)
    check_risk_assessment(resource, percent=False)
    check_structure(device(screening))
    check_structure(provenance("RiskAssessment/r1", resource, screening, datetime(2026, 1, 2, 5, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("place", "value", "rule"),
    [
        ("status", "nope", "status is not in the value set"),
        ("status", "registered", "status is not in the value set"),
        ("identifier", [{"system": "urn:other", "value": "1"}], "identifier has another system"),
        ("basis", [], "basis is empty"),
        ("basis", [{"reference": "Observation/a b"}], "a reference is malformed"),
        ("basis", [{"reference": "Observation/a"}, {"reference": "Observation/"}], "a reference is malformed"),
        ("subject", {"reference": "p1"}, "a reference is malformed"),
        ("occurrenceDateTime", "yesterday", "RiskAssessment is not valid R4 at occurrenceDateTime"),
        ("mood", "good", "RiskAssessment is not valid R4 at mood"),
    ],
)
def test_what_is_not_valid_is_refused_by_its_rule(screening: Screening, place: str, value: object, rule: str) -> None:
    with pytest.raises(ValueError, match=f"^{rule}$"):
        check_risk_assessment({**made(screening), place: value}, percent=False)


def test_a_band_that_no_value_set_has_is_refused(screening: Screening) -> None:
    resource = made(screening)
    resource["prediction"][0]["qualitativeRisk"]["coding"][0]["code"] = "enormous"
    with pytest.raises(ValueError, match=r"^qualitativeRisk is not in the value set$"):
        check_risk_assessment(resource, percent=False)


def test_every_element_that_is_not_valid_is_named(screening: Screening) -> None:
    odd = {"occurrenceDateTime": "yesterday", "mood": "good", "subject": {"reference": "Patient/p1", "mood": "bad"}}
    with pytest.raises(ValueError, match=r"at mood, occurrenceDateTime, subject\.mood$"):
        check_structure({**made(screening), **odd})


def test_what_we_write_is_judged_without_the_library(screening: Screening) -> None:
    for each in (screening, replace(screening, percent=True), replace(screening, horizon=timedelta(hours=6))):
        assert is_as_we_write(made(each))
        assert is_as_we_write(made(each, missing=(), reasons=()))
    at = AS_OF.replace(microsecond=5)
    assert is_as_we_write(made(replace(screening, as_of=at)))


def _changed(node: Any) -> Iterator[Any]:
    """The same JSON with one thing wrong in it, in every place and way that comes to mind."""
    yield from (None, [], {}, "", " ", "a\u00a0b", "\x0b", "\ud800", "2026-02-30T05:00:00Z", 7, True, float("nan"))
    match node:
        case dict():
            yield {**node, "mood": "good"}
            for key, value in node.items():
                yield {one: each for one, each in node.items() if one != key}
                yield from ({**node, key: each} for each in _changed(value))
        case list():
            yield [*node, *node]
            yield [*node, "a"]
            for place, value in enumerate(node):
                yield from ([*node[:place], each, *node[place + 1 :]] for each in _changed(value))
        case str():
            odd_times = (node.replace("T", " "), node.replace("T", "t"), node.replace("Z", "z"), node.replace("Z", ""))
            yield from (f" {node}", f"{node}\n", f"{node}\nObservation/b", f"{node}\n", *odd_times)


def test_the_shape_lets_nothing_through_that_the_library_refuses(screening: Screening) -> None:
    resource = made(replace(screening, horizon=timedelta(hours=6)))
    through = [each for each in _changed(resource) if isinstance(each, dict) and is_as_we_write(each)]
    for each in through:
        check_structure(each)
        assert all(re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]+", one["reference"]) for one in references(each))
    refused = [each for each in _changed(resource) if isinstance(each, dict) and not is_as_we_write(each)]
    assert len(refused) > len(through) > 0


@pytest.mark.parametrize("percent", [False, True])
@pytest.mark.parametrize("score", [0.0, 1.0])
def test_certainty_either_way_is_a_probability_and_one_observation_a_basis(
    screening: Screening, score: float, percent: bool
) -> None:
    resource = made(replace(screening, percent=percent), score=score, basis=("Observation/o1",))
    check_risk_assessment(resource, percent)


@pytest.mark.parametrize(("stated", "percent"), [(1.0001, False), (100.01, True), (-0.0001, True)])
def test_a_probability_a_little_outside_its_range_is_refused(
    screening: Screening, stated: float, percent: bool
) -> None:
    resource = made(screening)
    resource["prediction"][0]["probabilityDecimal"] = stated
    with pytest.raises(ValueError, match=r"^probabilityDecimal is out of range$"):
        check_risk_assessment(resource, percent)


@pytest.mark.parametrize("score", [1.5, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("percent", [False, True])
def test_a_probability_outside_its_range_is_refused(screening: Screening, score: float, percent: bool) -> None:
    resource = made(replace(screening, percent=percent), score=score)
    with pytest.raises(ValueError, match="probabilityDecimal"):
        check_risk_assessment(resource, percent)


def test_a_refusal_names_the_element_and_not_its_value(screening: Screening) -> None:
    with pytest.raises(ValueError, match="occurrenceDateTime") as refusal:
        check_risk_assessment({**made(screening), "occurrenceDateTime": "ZZTOPSECRET"}, percent=False)
    assert "ZZTOPSECRET" not in str(refusal.value)


def test_what_a_server_adds_and_how_it_writes_times_changes_no_content(screening: Screening) -> None:
    ours = made(screening)
    held = {
        **ours,
        "id": "r1",
        "meta": {"versionId": "3", "lastUpdated": "2026-01-02T05:01:00Z"},
        "text": {"status": "generated", "div": "<div/>"},
        "status": "amended",
        "occurrenceDateTime": "2026-01-02T05:00:00.000+00:00",
    }
    assert same_content(held, ours)
    period = {"start": "2026-01-02T06:00:00.000+01:00", "end": None}
    with_period = {**ours, "prediction": [{**ours["prediction"][0], "whenPeriod": period}]}
    assert not same_content(with_period, ours)
    period.pop("end")
    assert same_content(with_period, ours)


@pytest.mark.parametrize(
    "odd",
    [
        {"occurrenceDateTime": None},
        {"occurrenceDateTime": "yesterday"},
        {"occurrenceDateTime": 5},
        {"prediction": None},
        {"prediction": "high"},
        {"prediction": ["high"]},
        {"prediction": [{"whenPeriod": "today"}]},
        {"prediction": [{"whenPeriod": {"start": 5}}]},
    ],
)
def test_what_is_shaped_otherwise_is_another_content_and_no_error(screening: Screening, odd: dict[str, Any]) -> None:
    ours = made(screening)
    assert not same_content({**ours, **odd}, ours)
    assert same_content({**ours, **odd}, {**ours, **odd})


def test_another_score_basis_or_note_is_another_content(screening: Screening) -> None:
    ours = made(screening)
    others = [
        made(screening, score=0.84),
        made(screening, basis=("Observation/o1",)),
        made(screening, missing=()),
        made(screening, band="moderate"),
        risk_assessment(STAY, screening, "Device/d2"),
    ]
    assert not any(same_content(ours, other) for other in others)


def test_provenance_names_the_device_the_encounter_and_the_model(screening: Screening) -> None:
    resource = provenance("RiskAssessment/r1", made(screening), screening, datetime(2026, 1, 2, 5, 1, tzinfo=UTC))
    assert resource["target"] == [{"reference": "RiskAssessment/r1"}]
    assert resource["agent"][0]["who"]["reference"] == "Device/d1"
    assert resource["entity"][0]["what"] == {"reference": "Encounter/e1"}
    assert resource["entity"][1]["what"]["identifier"]["value"] == "sepsis/1.0.0-abc"
