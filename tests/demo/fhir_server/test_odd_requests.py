"""Tests that the server answers whatever it is sent, and never with an internal error."""

import http.client
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.demo.fhir_server.odd_requests import Drawn, OddRequest

from wardround.demo.fhir_server.running import RunningServer, running_server


class Line:
    """A connection that sends bytes unchanged, and is reopened after the server has closed it."""

    def __init__(self, server: RunningServer) -> None:
        host, _, port = server.control_url.rpartition("/")[2].partition(":")
        self._address = (host, int(port))
        self._socket: socket.socket | None = None

    def status(self, request: OddRequest) -> int:
        """Returns the status of the answer, or 0 if there was none."""
        fresh = self._socket is None
        try:
            return self._sent(request)
        except (OSError, http.client.HTTPException):
            self.close()
            return 0 if fresh else self.status(request)

    def _sent(self, request: OddRequest) -> int:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=120)
        named = {name.lower() for name, _ in request.headers}
        usual = [("Host", b"localhost")] if "host" not in named else []
        length = [("Content-Length", str(len(request.body)).encode())]
        head = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in (*usual, *request.headers, *length))
        self._socket.sendall(
            request.method.encode() + b" " + request.target + b" HTTP/1.1\r\n" + head + b"\r\n" + request.body
        )
        answer = http.client.HTTPResponse(self._socket, method=request.method)
        answer.begin()
        answer.read()
        if answer.will_close:
            self.close()
        return answer.status

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@contextmanager
def line_to(server: RunningServer) -> Iterator[Line]:
    line = Line(server)
    try:
        yield line
    finally:
        line.close()


def assert_answered(seed: int, count: int) -> None:
    statuses: Counter[int] = Counter()
    with running_server() as server, line_to(server) as line:
        for number, request in enumerate(Drawn(seed).requests(count)):
            status = line.status(request)
            assert 200 <= status < 500, f"seed {seed}, request {number}: {status} to {request}"
            statuses[status] += 1
    # If all requests were refused at once, the test would show nothing.
    assert statuses[200] + statuses[201] > count / 10
    assert statuses[400] > count / 20


@pytest.mark.parametrize("seed", [1, 2])
def test_hundreds_of_odd_requests_are_answered(seed: int) -> None:
    assert_answered(seed, 300)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 20))
def test_ten_thousand_odd_requests_are_answered(seed: int) -> None:
    assert_answered(seed, 1_000)
