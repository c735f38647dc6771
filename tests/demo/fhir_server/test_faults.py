"""Tests that the server misbehaves exactly as it is told to."""

from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from wardround.demo.fhir_server.faults import Fault, FaultPlan, Faults


def _plan(**fault: Any) -> FaultPlan:
    return FaultPlan(faults=(Fault(**fault),))


def _patient(resource_id: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": resource_id}


def test_a_status_comes_with_retry_after_and_does_nothing(fhir: Any) -> None:
    fhir.server.misbehave(_plan(kind="status", status=429, retry_after=7, methods=("PUT",), times=1))
    refused = fhir.send("PUT", "Patient/refused", _patient("refused"))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert fhir.send("GET", "Patient/refused").status_code == 404
    assert fhir.send("PUT", "Patient/refused", _patient("refused")).status_code == 201


def test_retry_after_may_be_a_date(fhir: Any) -> None:
    fhir.server.misbehave(_plan(kind="status", status=503, retry_after=60, retry_after_date=True))
    answer = fhir.send("GET", "metadata")
    late = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(answer.headers["Date"])
    assert (answer.status_code, 58 <= late.total_seconds() <= 62) == (503, True)


def test_drop_does_nothing_and_drop_after_performs_the_request(fhir: Any) -> None:
    for kind, status in (("drop", 404), ("drop_after", 200)):
        fhir.server.misbehave(_plan(kind=kind, methods=("PUT",)))
        with pytest.raises(requests.ConnectionError):
            fhir.send("PUT", f"Patient/{kind.replace('_', '-')}", _patient(kind.replace("_", "-")))
        assert fhir.send("GET", f"Patient/{kind.replace('_', '-')}").status_code == status


def test_a_truncated_body_ends_in_the_middle(fhir: Any) -> None:
    fhir.server.misbehave(_plan(kind="truncate", path="/metadata"))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        fhir.send("GET", "metadata")


def test_a_delay_comes_before_another_fault() -> None:
    plan = FaultPlan(faults=(Fault(kind="delay", seconds=0.5), Fault(kind="drop"), Fault(kind="truncate")))
    assert [fault.kind for fault in Faults(plan).meeting("GET", "/fhir/Patient")] == ["delay", "drop"]


def test_a_delayed_request_is_answered(fhir: Any) -> None:
    fhir.server.misbehave(_plan(kind="delay", seconds=0.001))
    assert fhir.send("GET", "metadata").status_code == 200


def test_faults_affect_matching_requests_after_the_skipped_ones_and_up_to_the_limit() -> None:
    faults = Faults(_plan(kind="drop", methods=("POST",), path="/_search", skip=1, times=2))
    met = [bool(faults.meeting("POST", "/fhir/Observation/_search")) for _ in range(5)]
    assert met == [False, True, True, False, False]
    assert not faults.meeting("GET", "/fhir/Observation/_search")
    assert faults.met == [2]


def test_the_seed_decides_which_requests_a_rate_affects() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults(FaultPlan(seed=seed, faults=(Fault(kind="drop", rate=0.2),)))
        return [bool(faults.meeting("GET", "/fhir/Patient")) for _ in range(1000)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 150 < sum(drawn(1)) < 250


def test_requests_are_counted_by_kind_of_path(fhir: Any) -> None:
    fhir.server.forget_requests()
    fhir.send("GET", "Patient/a")
    fhir.send("GET", "Patient/b")
    fhir.send("GET", "Patient/b/_history/1")
    fhir.session.post(f"{fhir.server.base_url}/Observation/_search", data={"code": "x"}, timeout=30)
    fhir.batch()
    assert fhir.server.requests() == {
        "GET Patient/{id}": 2,
        "GET Patient/{id}/_history/{id}": 1,
        "POST Observation/_search": 1,
        "POST /": 1,
    }


def test_an_invalid_plan_is_refused(fhir: Any) -> None:
    url = f"{fhir.server.control_url}/_faults"
    assert fhir.session.post(url, json={"faults": [{"kind": "explode"}]}, timeout=30).status_code == 400
    assert fhir.session.post(url, json={"fault": []}, timeout=30).status_code == 400
    assert fhir.session.get(url, timeout=30).json() == {"seed": 0, "faults": [], "met": []}
