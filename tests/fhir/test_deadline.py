"""Tests that requests under a deadline end with it, whatever the server does, and share connections with others."""

from collections.abc import Callable

import pytest
from tests.loopback import Line, serving

from wardround.errors import FhirUnreachable
from wardround.fhir.client import FhirClient
from wardround.fhir.deadline import Deadline
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.wire import HurriedAnswers

EMPTY = {"resourceType": "Bundle", "type": "searchset"}


def search(url: str, deadline: Deadline) -> list[object]:
    with FhirClient(FhirEndpoint(url), deadline, Patience(1, pause=lambda _: None)) as client:
        return list(client.search("Patient", {}))


def endless(part: bytes, wait: float) -> Callable[[Line], None]:
    """Answers with a body that never ends, unless the client hangs up."""

    def answer(line: Line) -> None:
        line.send_response(200)
        line.send_header("Content-Type", "application/fhir+json")
        line.send_header("Content-Length", str(10**12))
        line.end_headers()
        while not line.close_connection:
            line.write(part)
            line.connection.settimeout(wait)
            try:
                line.close_connection |= line.connection.recv(1) == b""
            except OSError:
                continue

    return answer


@pytest.mark.parametrize(("part", "wait"), [(b" ", 0.02), (b" " * 2**18, 0.001)])
def test_an_answer_without_end_is_given_up(part, wait):
    with serving(endless(part, wait)) as url, pytest.raises(FhirUnreachable):
        search(url, Deadline(HurriedAnswers(), 0.3))


def test_after_the_deadline_no_request_is_sent():
    asked: list[str] = []
    now = [0.0]

    def answer(line: Line) -> None:
        asked.append(line.path)
        line.say(EMPTY)

    with serving(answer) as url:
        deadline = Deadline(HurriedAnswers(), 5.0, lambda: now[0])
        assert search(url, deadline) == []
        now[0] = 5.0
        assert deadline.left == 0.0
        with pytest.raises(FhirUnreachable):
            search(url, deadline)
    assert len(asked) == 1


def test_one_connection_serves_callers_one_after_the_other():
    ports: list[int] = []

    def answer(line: Line) -> None:
        ports.append(line.client_address[1])
        line.say(EMPTY)

    connections = HurriedAnswers()
    with serving(answer) as url:
        for _ in range(3):
            search(url, Deadline(connections, 5.0))
        connections.close()
    assert len(ports) == 3
    assert len(set(ports)) == 1


def test_a_wait_that_is_longer_than_what_is_left_is_not_begun():
    now = [0.0]
    deadline = Deadline(HurriedAnswers(), 5.0, lambda: now[0])
    deadline.pause(0.0)
    assert deadline.left == 5.0
    deadline.pause(3600.0)
    assert deadline.left == 0.0
