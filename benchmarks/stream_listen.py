"""Messages that `wardround stream listen` acknowledges a second, each on disk before its answer, and its memory.

`python -m benchmarks.stream_listen` prints the table; `python -m benchmarks.stream_listen soak` sends 50 messages a
second for 10 minutes and prints the memory of each minute. An address of PostgreSQL (WARDROUND_BENCH_POSTGRESQL, with
fsync on) adds its rows.
"""

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import yaml

from benchmarks.measure import WARDROUND, table
from wardround.adapters.mllp.sender import sender_to
from wardround.demo.hospital.hl7_text import components, message, segment
from wardround.demo.standalone import free_port
from wardround.settings import database_in

MESSAGES = 2_000  # for each row
_FILLER = "x" * 7_900  # the samples of the notes have 8.5 kB
_SOAK_MINUTES, _SOAK_RATE = 10, 50
_AIM = "500"


def admission(number: int) -> bytes:
    """Returns an admission of 8.5 kB."""
    return message(
        [
            segment(
                "MSH",
                {
                    3: "ADT",
                    4: "HOSPITAL",
                    7: "20260101120000",
                    9: "ADT^A01^ADT_A01",
                    10: f"M{number}",
                    11: "P",
                    12: "2.5.1",
                },
            ),
            segment("EVN", {2: "20260101120000"}),
            segment("PID", {3: components(f"{number}", "", "", "HOSP", "MR"), 5: components("Doe", "Jane")}),
            segment("PV1", {2: "I", 3: components("MICU", "1", "2"), 19: components(f"V{number}", "", "", "VISITS")}),
            segment("ZZZ", {1: _FILLER}),
        ]
    )


@contextmanager
def listener(database: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Gives the port of a listener, and the id of its process."""
    port = free_port()
    source = {
        "listen": f"127.0.0.1:{port}",
        "fhir": "http://127.0.0.1:9/fhir",
        "time_zone": "UTC",
        "patients": [{"namespace": "HOSP", "system": "urn:example:patients"}],
        "visits": {"namespace": "VISITS", "system": "urn:example:visits"},
        "units": ["MICU"],
    }
    file = folder / "stream.yaml"
    file.write_text(yaml.safe_dump({"sources": {"main": source}}), encoding="utf-8")
    environment = {
        **os.environ,
        "WARDROUND_STREAM": str(file),
        "WARDROUND_DATABASE": database,
        "WARDROUND_VAR": str(folder),
    }
    command = [WARDROUND, "stream", "listen", "--port", "0", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        yield port, process.pid
    finally:
        process.terminate()
        process.communicate()


def sent(port: int, numbers: range, seconds: list[float]) -> None:
    """Sends messages on one connection, one after the other."""
    with sender_to("127.0.0.1", port) as sender:
        for number in numbers:
            body, began = admission(number), time.perf_counter()
            answer = sender.send(body)
            seconds.append(time.perf_counter() - began)
            assert b"\rMSA|AA|" in answer


def rate(port: int, connections: int, first: int) -> tuple[float, list[float]]:
    """Returns messages a second over connections side by side, and the seconds of each message."""
    share, seconds = MESSAGES // connections, list[float]()
    parts = [range(first + share * number, first + share * (number + 1)) for number in range(connections)]
    threads = [Thread(target=sent, args=[port, part, seconds]) for part in parts]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(seconds) / (time.perf_counter() - began), seconds


def pss(process: int) -> float:
    """Returns the memory of a process in MB: its own, and its share of what it has in common with others."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1000


def bare(folder: Path) -> tuple[float, list[float]]:
    """Returns the same of inserts of such messages with a commit each, in this process: what the disk allows."""
    seconds: list[float] = []
    with closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table body (body blob)")
        began = time.perf_counter()
        for number in range(MESSAGES):
            asked = time.perf_counter()
            connection.execute("insert into body values (?)", [admission(number)])
            seconds.append(time.perf_counter() - asked)
    return MESSAGES / (time.perf_counter() - began), seconds


def databases(folder: Path) -> dict[str, str]:
    """Returns the databases that are measured, by name."""
    found = {"SQLite": database_in(folder)}
    if url := os.environ.get("WARDROUND_BENCH_POSTGRESQL"):
        found["PostgreSQL"] = url
    return found


def row(what: str, speed: float, seconds: list[float], memory: str) -> list[str]:
    """Returns a row of the table."""
    cuts = statistics.quantiles(seconds, n=100)
    return [what, f"{speed:.0f}", f"{cuts[49] * 1000:.1f}", f"{cuts[98] * 1000:.1f}", memory]


def main() -> None:
    """Measures one and eight connections, after what the disk allows."""
    with tempfile.TemporaryDirectory() as text:
        rows = [row("bare insert and commit, SQLite", *bare(Path(text)), "")]
        for name, database in databases(Path(text)).items():
            with listener(database, Path(text)) as (port, process):
                rate(port, 1, 10_000_000 + time.time_ns() % 10**15)
                for connections in (1, 8):
                    what = f"{name}, {connections} connection{'s' * (connections > 1)}"
                    rows.append(row(what, *rate(port, connections, time.time_ns()), f"{pss(process):.0f}"))
    columns = ["messages of 8.5 kB, each on disk before its AA", "messages/s", "p50 ms", "p99 ms", "PSS MB"]
    table(f"wardround stream listen ({MESSAGES:,} messages a row; aim {_AIM}/s on one connection)", columns, rows)


def soak() -> None:
    """Sends at the same rate for some minutes; memory must stay flat."""
    with tempfile.TemporaryDirectory() as text:
        for name, database in databases(Path(text)).items():
            rows, first = [], time.time_ns()
            with listener(database, Path(text)) as (port, process), sender_to("127.0.0.1", port) as sender:
                began, number = time.perf_counter(), 0
                for minute in range(1, _SOAK_MINUTES + 1):
                    slowest = 0.0
                    for _ in range(60 * _SOAK_RATE):
                        time.sleep(max(0.0, began + number / _SOAK_RATE - time.perf_counter()))
                        asked = time.perf_counter()
                        assert b"\rMSA|AA|" in sender.send(admission(first + number))
                        slowest = max(slowest, time.perf_counter() - asked)
                        number += 1
                    late = time.perf_counter() - began - number / _SOAK_RATE
                    rows.append([f"{minute}", f"{pss(process):.1f}", f"{slowest * 1000:.0f}", f"{max(late, 0):.1f}"])
            table(f"{_SOAK_RATE} messages a second, {name}", ["minute", "PSS MB", "slowest ms", "behind s"], rows)


if __name__ == "__main__":
    soak() if sys.argv[1:] == ["soak"] else main()
