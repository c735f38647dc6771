"""Runs the quality gate in a separate process, so that its imports cost the screening no time."""

import gc
import logging
import pickle
import signal
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

from wardround.errors import WardroundError, named
from wardround.settings import Settings

_MODULE: Final = "wardround.workflows.gate_process"


class GateProcess:
    """Runs `check_quality` in a child process; a context manager, called once, with the arguments of the function.

    Importing Great Expectations takes seconds of one core. The child starts importing at once, on another core; a
    thread could not, because imports hold the interpreter. This module imports nothing heavy, so that the child can be
    the first thing that a command starts. The child ends when its standard input closes, and so also if the parent is
    killed.
    """

    def __enter__(self) -> Self:
        # Without -P, modules would be looked for in the working directory first, which the command does not do.
        command = [sys.executable, "-P", "-m", _MODULE]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.__exit__(None, None, None)

    def __call__(self, run: str, settings: Settings) -> None:
        answer, _ = self._child.communicate(pickle.dumps((run, settings)))
        try:
            problem, records = pickle.loads(answer)
        except (EOFError, pickle.UnpicklingError):
            raise WardroundError(
                f"run {run}: the process of the quality gate ended with {self._child.returncode}, expected its verdict;"
                " resume the run"
            ) from None
        for record in records:
            if (log := logging.getLogger(record.name)).isEnabledFor(record.levelno):
                log.handle(record)
        if problem is not None:
            raise problem


class _Kept(logging.Handler):
    """Keeps the child's log records for its parent, because only the parent knows where logs go."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        self.records.append(record)


def _serve() -> None:
    """Runs in the child: prepares, does what standard input asks, and writes None or the error to standard output."""
    # Ctrl-C reaches both processes, and the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    # Garbage collection over everything that is imported takes a sixth of the time of the imports.
    gc.disable()
    from wardround.adapters import expectations
    from wardround.workflows.screen import check_quality

    expectations.prepare()
    gc.enable()
    # It would also delay the verdict by a second when the child ends.
    gc.freeze()
    asked = sys.stdin.buffer.read()
    if not asked:
        return
    run, settings = pickle.loads(asked)
    problem, kept, log = None, _Kept(), logging.getLogger("wardround")
    log.addHandler(kept)
    log.setLevel(logging.DEBUG)
    try:
        check_quality(run, settings)
    except WardroundError as error:
        problem = error
    except Exception as error:  # noqa: BLE001 - the interpreter would print its message
        problem = WardroundError(
            f"run {run}: the quality gate failed with {named(error)}, expected its verdict; fix the cause and resume"
            " the run"
        )
    answers.write(pickle.dumps((problem, kept.records)))
    answers.flush()


if __name__ == "__main__":
    _serve()
