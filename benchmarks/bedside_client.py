"""Sends calls and times the answers, in a process of its own: several clients at a time, or at a fixed rate.

It reads a job, says when its calls are made, waits for a line, and prints one result. A call is timed from its first
byte to the last of its answer; at a fixed rate from the moment at which it was due, also if no answer had come to an
earlier one by then, so that a service that stops for a second is charged with all calls of that second.
"""

import asyncio
import gc
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.bedside_calls import calls_in
from wardround.demo.sandbox.signing import Signer


@dataclass(frozen=True)
class Job:
    """What to send: `number` calls of a file to a service, by `clients` at a time or `rate` a second.

    With a `key`, each call has a token of its own, for this `audience`.
    """

    calls: str
    port: int
    path: str
    number: int
    clients: int = 0
    rate: float = 0.0
    key: str = ""
    audience: str = ""


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Sender:
    """Sends requests over connections that stay open, and keeps how long each took and what was answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        # The one that has been idle for the longest comes first: the service closes those that nobody uses.
        self._idle: deque[Connection] = deque()
        self.took: list[float] = []
        self.answers: list[bytes] = []

    async def connect(self, connections: int) -> None:
        self._idle += [await self._connection() for _ in range(connections)]

    async def send(self, request: bytes, due: float | None = None) -> None:
        began = time.perf_counter() if due is None else due
        reader, writer = connection = self._idle.popleft() if self._idle else await self._connection()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length_in(head))
        self.took.append(time.perf_counter() - began)
        self.answers.append(head.split(b" ", 2)[1] + body)
        self._idle.append(connection)

    async def _connection(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self._port)


def _length_in(head: bytes) -> int:
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n", 1)[0])


async def sent(job: Job) -> dict[str, Any]:
    sender, requests = Sender(job.port), _requests(job)
    await sender.connect(job.clients or 16)
    if job.clients:
        # At a fixed rate there is time between two calls; here they must be there.
        requests = iter(list(requests))
    sys.stdout.write("made\n")
    sys.stdout.flush()
    sys.stdin.readline()
    gc.disable()
    began, used = time.perf_counter(), time.process_time()
    if job.clients:
        await asyncio.gather(*(_one_after_the_other(sender, requests) for _ in range(job.clients)))
    else:
        await _at_rate(sender, requests, job.rate)
    seconds = time.perf_counter() - began
    used = time.process_time() - used
    return {"seconds": seconds, "cpu": used, "took": sender.took, "outcomes": Counter(map(_outcome, sender.answers))}


async def _one_after_the_other(sender: Sender, requests: Iterator[bytes]) -> None:
    for request in requests:
        await sender.send(request)


async def _at_rate(sender: Sender, requests: Iterator[bytes], rate: float) -> None:
    began, sending = time.perf_counter() + 0.1, []
    for number, request in enumerate(requests):
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        sending.append(asyncio.create_task(sender.send(request, due)))
    await asyncio.gather(*sending)


def _requests(job: Job) -> Iterator[bytes]:
    """Returns the requests; their tokens are signed before this returns, their bodies made as they are asked for."""
    headers = _signed(job) if job.key else [{}] * job.number
    return (_request(job, header, body) for header, body in zip(headers, calls_in(Path(job.calls)), strict=False))


def _signed(job: Job) -> list[dict[str, str]]:
    signer = Signer.of_file(Path(job.key), "https://ehr.example.org")
    return [signer.header(job.audience) for _ in range(job.number)]


def _request(job: Job, header: dict[str, str], body: bytes) -> bytes:
    lines = [
        f"POST {job.path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in header.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _outcome(answer: bytes) -> str:
    """Returns the status, or what Wardround says became of the call."""
    status, body = answer[:3].decode(), json.loads(answer[3:] or b"{}")
    said = body.get("extension", {}).get("com.wardround.risk", {})
    return str(said.get("outcome", status))


if __name__ == "__main__":
    result = uvloop.run(sent(Job(**json.loads(sys.stdin.readline()))))
    sys.stdout.write(json.dumps(result) + "\n")
