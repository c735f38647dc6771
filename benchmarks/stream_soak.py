"""The whole stream under a steady feed: whether it keeps up, how long scores take, and whether memory stays flat."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread

import numpy as np

from benchmarks.measure import table
from benchmarks.stream_account import Waiting, drained, now_waiting, out_of_order, scores, stored
from benchmarks.stream_hospital import Hospital
from benchmarks.stream_processes import LIMITS, Process, running
from wardround.adapters.database.database import Database, opened

RATE = 50
"""Messages a second: 150 times what the hospital of the notes sends."""
EVERY = 20
_LOOKS = 20
"""How often memory and what waits are looked at while messages are sent."""
_WARM = 4
"""The look from which memory must be flat: all have worked by then, where the feed lasts some minutes."""


class Looks:
    """What was seen while messages were sent."""

    def __init__(self) -> None:
        self.memory: list[dict[str, float]] = []
        self.waiting: list[Waiting] = []
        self.failure: Exception | None = None


def measured(engine: str, hospital: Hospital, database: str, seconds: int) -> None:
    """Sends messages at the rate, and prints how scores fared and what the processes needed."""
    settings, before = hospital.on(database), hospital.results()
    with running(settings, [*LIMITS, "watch"]) as processes, opened(database) as there:
        watched = {name: one for name, one in processes.items() if name in LIMITS}
        with _looking(watched, there, seconds / _LOOKS) as looks:
            began = time.monotonic()
            account, distinct = hospital.play(RATE * seconds, RATE, EVERY, seconds * RATE // EVERY)
            took = time.monotonic() - began
            late = now_waiting(there)
        drained(there)
        looks.memory.append(_memory(watched))
        charged = {name: one.charged() for name, one in watched.items()}
        found, order, kept = scores(there), out_of_order(there), stored(there)
    written, most = hospital.results() - before, max(one.oldest for one in looks.waiting)
    without = 1 - len(found.took) / found.asked if found.asked else 0.0
    table(
        f"{engine}: {RATE} messages a second for {seconds} s, every {EVERY}th flagged, all stages on one core",
        ["", "measured", "aim"],
        [
            ["acknowledged, of sent", f"{account.sent - account.not_acknowledged:,} of {account.sent:,}", "all"],
            ["stored, of different ones", f"{kept:,} of {distinct:,}", "each once"],
            ["a second", f"{account.sent / took:.1f}", f"{RATE}"],
            ["due and not handled at the end", f"{late.messages:,}, the oldest {late.oldest:.1f} s", ""],
            ["longest that one was seen waiting, s", f"{most:.1f}", ""],
            ["ended before an earlier one of the visit", f"{order}", "0"],
            ["from due to written, p50 / p95 s", _quantiles(found.took), "2 / 5"],
            ["without a probability, of stays asked about", f"{without:.0%} of {found.asked:,}", ""],
            ["the reasons", ", ".join(f"{why} {count}" for why, count in found.otherwise.most_common(4)), ""],
            ["RiskAssessments, of probabilities", f"{written:,} of {len(found.took):,}", "each once"],
        ],
    )
    table(
        f"{engine}: PSS in MB, and what is charged to the cgroup at the end, where there is one",
        ["", "ready", "warm", "end", "change", "charged", "aim"],
        _rows(looks.memory, charged),
    )


@contextmanager
def _looking(processes: Mapping[str, Process], database: Database, every: float) -> Iterator[Looks]:
    """Looks at once, and again and again until the block ends. Raises RuntimeError then if a process had ended."""
    looks, stop = Looks(), Event()

    def look() -> None:
        try:
            while True:
                looks.memory.append(_memory(processes))
                looks.waiting.append(now_waiting(database))
                if stop.wait(every):
                    return
        except Exception as error:  # noqa: BLE001 - raised at the end of the block
            looks.failure = error

    thread = Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        stop.set()
        thread.join()
    if looks.failure is not None:
        raise looks.failure


def _memory(processes: Mapping[str, Process]) -> dict[str, float]:
    return {name: one.memory() for name, one in processes.items()}


def _rows(looks: list[dict[str, float]], charged: Mapping[str, float | None]) -> list[list[str]]:
    first, warm, last = looks[0], looks[min(_WARM, len(looks) - 1)], looks[-1]
    return [
        [
            name,
            f"{first[name]:.1f}",
            f"{warm[name]:.1f}",
            f"{last[name]:.1f}",
            f"{last[name] / warm[name] - 1:+.1%}",
            "" if (most := charged[name]) is None else f"{most:.1f}",
            f"{LIMITS[name]}, 5 %",
        ]
        for name in first
    ]


def _quantiles(took: list[float]) -> str:
    return " / ".join(f"{one:.2f}" for one in np.quantile(took, (0.5, 0.95))) if took else "none"
