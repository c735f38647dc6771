"""A backlog as after six hours of downtime: how long all stages take until it is worked off, from their start."""

import time

from benchmarks.measure import table
from benchmarks.stream_account import drained, now_waiting, out_of_order, scores, stored
from benchmarks.stream_hospital import FIRST, Hospital
from benchmarks.stream_processes import running
from wardround.adapters.database.database import opened
from wardround.stream.stages import STAGES

MESSAGES, PREDICTIONS = 7_500, 45
"""Six hours of a hospital that sends 900,000 messages and is asked 4,600 times a month, and some more."""


def measured(engine: str, hospital: Hospital, database: str) -> None:
    """Prints how long it takes, and in which order it went."""
    settings, before = hospital.on(database), hospital.results()
    with running(settings, ["listen"]):
        began = time.monotonic()
        account, distinct = hospital.play(MESSAGES, 1e6, MESSAGES // PREDICTIONS, PREDICTIONS)
        sending = time.monotonic() - began
    time.sleep(FIRST)
    with opened(database) as there:
        waiting = now_waiting(there).messages
        began = time.monotonic()
        with running(settings, STAGES):
            ready = time.monotonic() - began
            drained(there)
            took = time.monotonic() - began
        found, order, kept = scores(there), out_of_order(there), stored(there)
    written = hospital.results() - before
    table(
        f"{engine}: a backlog of {MESSAGES:,} messages with {PREDICTIONS} predictions, all stages on one core",
        ["", "measured", "aim", "messagefoundry"],
        [
            ["acknowledged a second, one connection, with charts", f"{account.sent / sending:.0f}", "", ""],
            ["stored, of different ones", f"{kept:,} of {distinct:,}", "each once", ""],
            ["waiting", f"{waiting:,}", "", ""],
            ["all stages ready, s", f"{ready:.1f}", "", ""],
            ["drained, s from their start", f"{took:.1f}", "60", "154"],
            ["ended before an earlier one of the visit", f"{order}", "0", ""],
            ["with a probability, of predictions asked for", f"{len(found.took)} of {found.asked}", "", ""],
            ["RiskAssessments that this has written", f"{written}", "each once", ""],
        ],
    )
