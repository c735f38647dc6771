"""Tests that a request gets one answer and one record, whoever gives it first."""

from datetime import UTC, datetime

import pytest

from wardround.cds.exchange import Answer, Request
from wardround.cds.http.answered import Accounted, Waiting
from wardround.cds.http.audit import Asked, Audit
from wardround.cds.http.metrics import Metrics

AT = datetime(2026, 3, 10, 4, 30, tzinfo=UTC)
REQUEST = Request("POST", "/cds-services/sepsis-risk", AT)


@pytest.mark.parametrize(
    ("given", "over", "records", "results"), [(False, False, 1, 1), (False, True, 1, 0), (True, True, 0, 0)]
)
def test_an_answer_is_recorded_unless_another_was_given_and_handed_on_if_somebody_waits(
    tmp_path, given, over, records, results
):
    audit, handed, waiting = tmp_path / "audit", [], Waiting()
    accounted = Accounted(lambda _: Answer(200, b"{}", result="score"), Audit(audit), Metrics(tmp_path), handed.append)
    if given:
        assert waiting.give()
    if over:
        waiting.end()

    accounted.answered(REQUEST, Asked(AT, "call", "", 0), waiting)

    lines = [line for file in audit.glob("*") for line in file.read_bytes().splitlines()]
    assert (len(lines), len(handed)) == (records, results)
    assert not waiting.give()


def test_a_wait_that_fails_inside_the_door_is_a_fault_and_no_answer_that_took_too_long(serve, caplog):
    def answer(_request):
        raise TimeoutError("ZZTOPSECRET")

    answered = serve(answer).call()

    assert answered.status_code == 500
    assert "no answer within" not in caplog.text + answered.text
    assert "ZZTOPSECRET" not in caplog.text + answered.text
