"""Tests answers that arrive too slowly, are too large, or decompress to too much."""

import gzip
import io
import socketserver
import time
import zlib
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from wardround.errors import FhirError, FhirUnreachable
from wardround.fhir import wire
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.transport import Transport
from wardround.fhir.wire import SLOWEST, WAITS, TooSlow

GOOD = b'{"resourceType": "Patient", "id": "p1"}'
TIMEOUT = 0.5
# A whole answer takes so long, byte by byte, that only a client without a limit reads it.
PAUSE, BYTES = 0.05, 1_000


class Slow(io.RawIOBase):
    """A connection on which `size` bytes arrive at a time, each after a number of seconds; it moves the clock."""

    def __init__(self, size: int, seconds: float) -> None:
        self.now, self.size, self.seconds = 0.0, size, seconds

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        self.now += self.seconds
        return self.size


def watched(slow: Slow, in_body: bool = True) -> Any:
    line = wire._Watched(slow, timeout=5.0, clock=lambda: slow.now)
    line.in_body = in_body
    return line


def read(line: Any, slow: Slow, times: int, between: float = 0.0) -> None:
    for _ in range(times):
        line.readinto(bytearray())
        slow.now += between


@pytest.mark.parametrize("in_body", [False, True], ids=["headers", "body"])
def test_a_slow_answer_may_take_four_timeouts_in_total(in_body: bool) -> None:
    slow = Slow(1, 0.5)
    with pytest.raises(TooSlow):
        read(watched(slow, in_body), slow, 1_000)
    assert WAITS * 5.0 <= slow.now < 21


def test_a_body_that_comes_fast_enough_may_take_as_long_as_it_needs() -> None:
    slow = Slow(SLOWEST, 0.9)
    read(watched(slow), slow, 10_000)
    assert slow.now == pytest.approx(9_000)


def test_headers_never_extend_the_time_limit() -> None:
    slow = Slow(SLOWEST, 0.9)
    with pytest.raises(TooSlow):
        read(watched(slow, in_body=False), slow, 10_000)


def test_a_fast_start_does_not_extend_the_limit_of_a_slow_rest() -> None:
    slow = Slow(2**20, 0.1)
    line = watched(slow)
    read(line, slow, 1_000)
    slow.size, slow.seconds, slow.now = 1, 0.5, 0.0
    with pytest.raises(TooSlow):
        read(line, slow, 1_000)
    assert slow.now < 21


def test_time_between_two_reads_does_not_count_against_the_server() -> None:
    slow = Slow(1, 0.01)
    read(watched(slow), slow, 100, between=60)
    assert slow.now > 6_000


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[Any], None]], str]]:
    """raw_server(answer) returns the base URL of a server whose answers are written by `answer(write)`."""
    running: list[tuple[socketserver.TCPServer, Thread]] = []

    def start(answer: Callable[[Any], None]) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while self.rfile.readline().strip():
                    pass
                try:
                    answer(self.wfile.write)
                except OSError:
                    return  # the client has gone

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/fhir"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.socket.close()


def dripped(write: Any, content: bytes) -> None:
    for byte in content:
        write(bytes([byte]))
        time.sleep(PAUSE)


def in_headers(write: Any) -> None:
    write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n")
    dripped(write, b"X-Padding: " + b"x" * BYTES + b"\r\n")
    write(b"Content-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD))


def in_the_body(write: Any) -> None:
    body = GOOD + b" " * BYTES
    write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n" % len(body))
    dripped(write, body)


def in_chunks(write: Any) -> None:
    write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for byte in GOOD + b" " * BYTES:
        write(b"1\r\n%c\r\n" % byte)
        time.sleep(PAUSE)
    write(b"0\r\n\r\n")


def in_interim_answers(write: Any) -> None:
    for _ in range(BYTES):
        write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(PAUSE)
    write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD))


DRIPS = [in_headers, in_the_body, in_chunks, in_interim_answers]


# A busy machine may take longer than a time-out between two bytes; that ends it too, and is then what is said.
@pytest.mark.parametrize("drip", DRIPS, ids=lambda drip: drip.__name__)
def test_a_server_that_drips_is_given_up(raw_server, drip: Callable[[Any], None]) -> None:
    transport = Transport(FhirEndpoint(raw_server(drip), timeout=TIMEOUT), patience=Patience(retries=0))
    with pytest.raises(
        FhirUnreachable, match=r"no complete answer \((it arrived too slowly|nothing arrived in" r" time)\)"
    ):
        transport.send("GET", f"{transport._source.base_url}/Patient/p1")
    transport.close()


def test_a_proxy_that_drips_is_given_up(raw_server) -> None:
    proxy = raw_server(in_headers).removesuffix("/fhir")
    source = FhirEndpoint("https://fhir.test/fhir", timeout=TIMEOUT, proxy=proxy)
    transport = Transport(source, patience=Patience(retries=0))
    with pytest.raises(FhirUnreachable, match=r"arrived too slowly|in time"):
        transport.send("GET", f"{source.base_url}/Patient/p1")
    transport.close()


def packed(content: bytes, times: int) -> bytes:
    """Returns the gzip of the repeated content, which is never in memory as a whole."""
    packer = zlib.compressobj(wbits=31)
    return b"".join([*(packer.compress(content) for _ in range(times)), packer.flush()])


GZIP = {"Content-Type": "application/fhir+json", "Content-Encoding": "gzip"}


def send(url: str) -> Any:
    transport = Transport(FhirEndpoint(url), patience=Patience(retries=0))
    try:
        return transport.send("GET", f"{url}/Patient/p1").body
    finally:
        transport.close()


def test_an_answer_may_be_compressed(server, reply) -> None:
    server.replies(reply(gzip.compress(GOOD), headers=GZIP))
    assert send(server.url)["id"] == "p1"


def test_an_answer_that_holds_too_much_is_refused_by_its_size_and_once(server, reply, monkeypatch) -> None:
    monkeypatch.setattr(wire, "MOST", 2**24)
    server.replies(reply(GOOD + b" " * 2**24))
    with pytest.raises(FhirError, match=r"answered with more than 16 MiB, .*; set a smaller page size"):
        send(server.url)
    assert len(server.requests) == 1


def test_a_decompression_bomb_is_refused_early(server, reply) -> None:
    bomb = packed(b" " * 2**20, 300)
    assert len(bomb) < 2**19
    server.replies(reply(bomb, headers=GZIP))
    with pytest.raises(FhirError, match="decompresses to more than 200 times its size"):
        send(server.url)
    assert len(server.requests) == 1


def test_a_file_that_is_a_decompression_bomb_is_refused_early(server, reply) -> None:
    server.replies(reply(packed(b'{"resourceType": "Patient"}\n' * 2**15, 300), headers=GZIP))
    taken: list[int] = []
    with (
        FhirClient(FhirEndpoint(server.url)) as client,
        pytest.raises(FhirError, match="decompresses to more than 200"),
    ):
        client.download(server.url, "*/*", False, lambda parts: taken.extend(len(part) for part in parts))
    assert 0 < sum(taken) <= wire._RATIO * 2**20  # of what one part of the packed bytes holds
    assert max(taken) <= 2**20


@pytest.mark.parametrize("status", [302, 404])
def test_an_error_in_place_of_a_file_has_the_same_size_limit(server, reply, monkeypatch, status: int) -> None:
    monkeypatch.setattr(wire, "MOST", 2**24)
    # Of a redirect requests reads all there is, to follow it some day.
    server.replies(reply(b" " * 2**24 + GOOD, status=status, headers={"Location": "http://[broken"}))
    with FhirClient(FhirEndpoint(server.url)) as client, pytest.raises(FhirError, match="more than 16 MiB"):
        client.download(server.url, "*/*", False, list)


def test_a_compressed_answer_that_is_cut_off_is_requested_again(server, reply) -> None:
    whole = gzip.compress(GOOD)
    server.replies(
        reply(whole[:-12], headers=GZIP, cut=True), reply(b"no gzip", headers=GZIP), reply(whole, headers=GZIP)
    )
    transport = Transport(FhirEndpoint(server.url), patience=Patience(pause=lambda _seconds: None))
    assert transport.send("GET", f"{server.url}/Patient/p1").body["id"] == "p1"
    transport.close()
