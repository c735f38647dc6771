"""Messages that `wardround stream listen` acknowledges a second, each on disk before its answer.

A sender waits for each answer before it sends the next message, so that one connection cannot be faster than the disk.
"""

import statistics
import time
from pathlib import Path
from threading import Thread

from benchmarks.measure import table
from benchmarks.stream_databases import bare_commits, flushes
from benchmarks.stream_hospital import Hospital
from benchmarks.stream_processes import running
from wardround.adapters.mllp.sender import sender_to
from wardround.adapters.sockets import LOOPBACK
from wardround.demo.hospital.hl7_text import components, message, segment

MESSAGES = 2_000  # for each row
_FILLER = "x" * 7_900  # the samples of the notes have 8.5 kB
_PEER = {1: "61, p99 65 ms", 8: "224"}
"""messagefoundry 0.5.2 on SQLite, on another day."""


def measured(engine: str, hospital: Hospital, database: str, folder: Path) -> None:
    """Prints the rates of one and of eight connections, between what the disk and the engine alone allow."""
    rows = [_allowed(engine, database, folder)]
    with running(hospital.on(database), ["listen"]) as processes:
        _rate(hospital.mllp, 1, "warm")
        for connections in (1, 8):
            speed, seconds = _rate(hospital.mllp, connections, f"{connections}")
            cuts = [f"{one * 1_000:.1f}" for one in statistics.quantiles(seconds, n=100)]
            what = f"{connections} connection{'s' * (connections > 1)}"
            aim = "500" if connections == 1 else ""
            rows.append([what, f"{speed:.0f}", cuts[49], cuts[98], aim, _PEER[connections]])
        memory = f"{processes['listen'].memory():.0f} MB"
    rows.append(_allowed(engine, database, folder))
    columns = ["messages of 8.5 kB", "a second", "p50 ms", "p99 ms", "aim", "messagefoundry"]
    table(f"{engine}: the listener, {MESSAGES:,} messages a row; PSS {memory}", columns, rows)


def _allowed(engine: str, database: str, folder: Path) -> list[str]:
    bare = f"{bare_commits(database, folder):.0f}"
    return [f"bare insert and commit, {engine} (append and flush alone: {flushes(folder):.0f})", bare, "", "", "", ""]


def _admission(number: str) -> bytes:
    """Returns an admission of 8.5 kB."""
    fields = {3: "ADT", 4: "HOSPITAL", 7: "20260101120000", 9: "ADT^A01^ADT_A01", 10: number, 11: "P", 12: "2.5.1"}
    return message(
        [
            segment("MSH", fields),
            segment("EVN", {2: "20260101120000"}),
            segment("PID", {3: components(number, "", "", "HOSP", "MR"), 5: components("Doe", "Jane")}),
            segment("PV1", {2: "I", 3: components("WARD", "1", "2"), 19: components(number, "", "", "VISITS")}),
            segment("ZZZ", {1: _FILLER}),
        ]
    )


def _sent(port: int, numbers: list[str], seconds: list[float]) -> None:
    """Sends messages on one connection, one after the other."""
    with sender_to(LOOPBACK, port) as sender:
        for number in numbers:
            body, began = _admission(number), time.perf_counter()
            answer = sender.send(body)
            seconds.append(time.perf_counter() - began)
            if b"\rMSA|AA|" not in answer:
                raise RuntimeError("a message was not acknowledged")


def _rate(port: int, connections: int, name: str) -> tuple[float, list[float]]:
    """Returns messages a second over connections side by side, and the seconds of each message."""
    share, seconds = MESSAGES // connections, list[float]()
    parts = [[f"{name}-{first}-{number}" for number in range(share)] for first in range(connections)]
    threads = [Thread(target=_sent, args=[port, part, seconds]) for part in parts]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) < share * connections:
        raise RuntimeError("a connection did not get all its answers")
    return len(seconds) / (time.perf_counter() - began), seconds
