"""A program that runs `wardround` commands in forked copies of itself, with all imports already done.

One JSON object a line: {"arguments": [...], "environment": {...}, "kill_at": n, "after": seconds} in; out first
{"pid": ...} and, when the fork has ended, {"status": exit code or minus signal, "stdout": ..., "stderr": ..., "events":
how many times it touched a file or the network}. At the n-th of those times, and so long `after` it, the fork kills
itself with SIGKILL; without `kill_at` it does not. One that takes minutes ends itself, and says where it was.
"""

import faulthandler
import itertools
import json
import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import IO, Any

import sklearn.linear_model  # noqa: F401
from fhir.resources.R4B.riskassessment import RiskAssessment  # noqa: F401

import wardround.cli.screen
import wardround.cli.screening_said  # noqa: F401
import wardround.workflows.servers  # noqa: F401
from wardround.adapters import expectations
from wardround.cli.main import run
from wardround.workflows.screen import check_quality
from wardround.workflows.screen.ahead import load_ahead

PATIENCE = 300.0
"""Seconds; a fork takes one, or ten on a busy machine."""
TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "shutil.rmtree", "socket.connect", "http.client.send"}


class Touches:
    """Counts them, and kills the process at one of them."""

    def __init__(self, last: int | None, after: float) -> None:
        self.count = 0
        self.due = False
        """Whether the end is on its way."""
        self._numbers, self._last, self._after = itertools.count(1), last, after

    def note(self, event: str, _arguments: object) -> None:
        if event not in TOUCHES:
            return
        self.count = number = next(self._numbers)
        if number == self._last:
            self.due = True
            if self._after:
                threading.Thread(target=self._kill).start()
            else:
                self._kill()

    def _kill(self) -> None:
        time.sleep(self._after)
        os.kill(os.getpid(), signal.SIGKILL)


def work(job: dict[str, Any], out: IO[str], err: IO[str], count: str) -> None:
    """Runs in the fork; never returns."""
    faulthandler.enable(err)
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=err)
    os.environ.update(job["environment"])
    sys.argv, sys.stdout, sys.stderr = ["wardround", *job["arguments"]], out, err
    touches = Touches(job.get("kill_at"), job.get("after", 0.0))
    sys.addaudithook(touches.note)
    status = 0
    try:
        run()
    except SystemExit as end:
        status = int(end.code or 0)
    out.flush()
    err.flush()
    Path(count).write_text(str(touches.count))
    while touches.due:
        time.sleep(1)
    os._exit(status)


def serve() -> None:
    expectations.prepare()
    load_ahead()
    # The quality gate in this process: one of its own would import Great Expectations anew in every fork.
    gate = partial(nullcontext, check_quality)
    wardround.cli.screen.GateProcess = gate  # type: ignore[assignment, misc]
    answers = sys.stdout
    for line in sys.stdin:
        with (
            tempfile.TemporaryFile("w+") as out,
            tempfile.TemporaryFile("w+") as err,
            tempfile.NamedTemporaryFile() as n,
        ):
            pid = os.fork()
            if pid == 0:
                work(json.loads(line), out, err, n.name)
            print(json.dumps({"pid": pid}), file=answers, flush=True)
            _, status = os.waitpid(pid, 0)
            out.seek(0)
            err.seek(0)
            ended = {"status": os.waitstatus_to_exitcode(status), "stdout": out.read(), "stderr": err.read()}
            print(json.dumps({**ended, "events": int(n.read() or 0)}), file=answers, flush=True)


if __name__ == "__main__":
    serve()
