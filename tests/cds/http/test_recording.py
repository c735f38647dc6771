"""Tests that scores are handed over for the record, and that what becomes of them is counted and audited."""

import re
import threading
from dataclasses import replace

import orjson
import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from tests.cds.ehr import keeping_in
from tests.cds.http.test_audit import details
from tests.cds.http.test_limits import until
from tests.cds.kept import Kept
from tests.fixtures.icu import AS_OF

from wardround.cds.door import Door
from wardround.cds.http.audit import Audit
from wardround.cds.http.metrics import Metrics
from wardround.cds.http.options import Options
from wardround.cds.http.serving import recording
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.servers import GENERIC

NOBODY = FhirEndpoint("http://127.0.0.1:1/fhir", retries=0)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def listing(bedside):
    return Door.of(bedside, Kept(), servers=(NOBODY,))


@pytest.fixture
def answering(listing, ehr):
    """A door that lists a server, which is down, and a call that names it."""
    return keeping_in(listing, Kept()), orjson.dumps(ehr.call(fhirServer=NOBODY.base_url))


def test_a_score_is_handed_over_once_and_the_answer_says_nothing_of_it(serve, answering):
    door, body = answering
    handed = []
    served = serve(lambda request: door.answer(replace(request, arrived=AS_OF)), record=handed.append)

    answer = served.call(data=body)

    assert (answer.status_code, len(answer.json()["cards"])) == (200, 1)
    assert [one.call.outcome for one in handed] == ["card"]
    assert handed[0].assessment.stay_id == "e-a"
    assert "0.8918" not in repr(handed[0])


def test_what_a_client_does_not_wait_for_is_not_handed_over(serve, raw, answering):
    door, body = answering
    handed, begun, done = [], threading.Event(), threading.Event()

    def answer(request):
        answered = door.answer(replace(request, arrived=AS_OF, given_up=lambda: False))
        if not begun.is_set():
            begun.set()
            until(request.given_up)
            done.set()
        return answered

    served = serve(answer, record=handed.append)
    with raw(served.url) as connection:
        head = "POST /cds-services/sepsis-risk HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert begun.wait(60)
    assert done.wait(60)
    assert served.call(data=body).status_code == 200
    assert [one.call.outcome for one in handed] == ["locked_out"]  # of the second call


@pytest.mark.parametrize("writes", [True, False])
def test_a_failure_is_counted_and_audited_and_costs_no_card(serve, answering, bedside, tmp_path, caplog, writes):
    door, body = answering
    (tmp_path / "shared").mkdir()
    audit, metrics = Audit(tmp_path / "audit"), Metrics(tmp_path / "shared")
    options = Options(bedside, "https://cds.example.org", (), GENERIC, None, None, writes, (), tmp_path)
    with recording(options, door, audit, metrics) as record:
        served = serve(lambda request: door.answer(replace(request, arrived=AS_OF)), record=record)
        assert len(served.call(data=body).json()["cards"]) == 1
        until(lambda: not writes or len(served.audit()) == 2)

    events = [one for one in served.audit() if one["subtype"][0]["code"] == "result"]
    if not writes:
        assert (record, events) == (None, [])
        return
    AuditEvent.model_validate(events[0])
    said = details(events[0])
    assert (said["became"], said["why"], events[0]["outcome"]) == ("failed", "FhirUnreachable", "8")
    assert "status" not in said
    assert 'wardround_cds_results_total{became="failed"} 1' in metrics.text()
    # A random uuid may hold "e-a" by chance.
    text = UUID.sub("", orjson.dumps(events).decode() + metrics.text() + caplog.text)
    for private in ("p-a", "e-a", "0.8918"):
        assert private not in text
