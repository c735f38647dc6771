"""How fast the stage `flag` works off a backlog: six hours' messages of a hospital of 900,000 a month."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic, process_time
from typing import Final

import psutil
from sqlalchemy import func, select

from benchmarks.measure import table
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.pseudonyms import Pseudonyms
from wardround.adapters.queue.message import Put
from wardround.adapters.queue.queue import Queue
from wardround.settings import PROJECT, database_in
from wardround.spec.branches import Branch
from wardround.spec.loading import load_condition
from wardround.spec.stream import Authority, StreamSource
from wardround.stream.branches import Way
from wardround.stream.flag import Flag
from wardround.stream.metrics import Metrics
from wardround.stream.raw import raw
from wardround.stream.runner import Runner
from wardround.stream.stage_metrics import StageMetrics

MESSAGES: Final = 7_500
_AT_ONCE: Final = 500
_BEGIN: Final = datetime(2026, 1, 2, tzinfo=UTC)
_UNITS: Final = ("MICU", *(f"WARD{number}" for number in range(19)))
_EVENTS: Final = ("A01", "A02", "A02", "A03", "A08", "A08", "A08", "A31")


def main(messages: int = MESSAGES) -> None:
    """Prints messages a second, the share of one core, and the memory of the process."""
    source = StreamSource(
        fhir="http://127.0.0.1/fhir",
        time_zone="Europe/Berlin",
        patients=(Authority(system="urn:example:patients", namespace="HOSP"),),
        visits=Authority(system="urn:example:visits", namespace="HOSP"),
        units=("MICU",),
    )
    way = Way(load_condition("sepsis", PROJECT / "include" / "schemas"), Branch(id="every"))
    with tempfile.TemporaryDirectory() as folder, opened(database_in(Path(folder))) as database:
        queue = Queue(database)
        for begin in range(0, messages, _AT_ONCE):
            queue.put([_raw(number) for number in range(begin, min(begin + _AT_ONCE, messages))])
        flag = Flag(queue, {"main": source}, {way.name: way}, Pseudonyms(b"benchmark"))
        seconds, cpu = _worked_off(Runner(flag, queue, StageMetrics("flag", Metrics())))
        with database.reading() as connection:
            stage = STREAM_MESSAGE.c.stage
            counts = dict(connection.execute(select(stage, func.count()).group_by(stage)).all())
    memory = psutil.Process().memory_full_info().pss / 2**20
    row = (f"{messages}", f"{counts.get('query', 0)}", f"{seconds:.1f} s", f"{messages / seconds:.0f}/s")
    columns = ("messages waiting", "flagged", "worked off in", "rate", "CPU a message", "memory (PSS)")
    table("The stage flag, SQLite", columns, [(*row, f"{1_000 * cpu / messages:.2f} ms", f"{memory:.0f} MiB")])


def _worked_off(runner: Runner) -> tuple[float, float]:
    began, cpu = monotonic(), process_time()
    while runner.step():
        pass
    return monotonic() - began, process_time() - cpu


def _raw(number: int) -> Put:
    return raw(_message(number, Random(number)), "main", _at(number))


def _at(number: int) -> datetime:
    return _BEGIN + timedelta(seconds=3 * number)


def _message(number: int, rng: Random) -> bytes:
    """Returns a message of 3 kB about one of sixty visits, others as time goes on."""
    visit, event = number // 5 + rng.randrange(60), rng.choice(_EVENTS)
    at = f"{_at(number):%Y%m%d%H%M%S}+0000"
    return "\r".join(
        (
            f"MSH|^~\\&|APP|FAC|WARD|UNIT|{at}||ADT^{event}|C{number}|P|2.5.1",
            f"EVN|{event}|{at}",
            f"PID|1||{visit}^^^HOSP^MR||DOE^JANE||19500101|F|||1 STREET^^TOWN",
            f"PV1|1|I|{rng.choice(_UNITS)}^1^2^FAC" + "|" * 16 + f"{visit}^^^HOSP",
            *(f"OBX|{line}|ST|1^text||{'free text ' * 60}" for line in range(5)),
        )
    ).encode()


if __name__ == "__main__":
    main()
