"""The quality gate in a process of its own, so that its imports cost the screening no time."""

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
    """`check_quality` in a child; a context manager, called as the function is, once.

    Importing Great Expectations takes seconds of one core. The child starts with it at once, on another core; a thread
    could not, because imports hold the interpreter. This module imports nothing heavy, so that the child can be the
    first thing that a command starts. The child ends with its standard input, and so with a parent that is killed.
    """

    def __enter__(self) -> Self:
        # Without -P the working directory would be searched for modules first, as it is not for the command.
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
                f"run {run}: the quality gate's process ended with {self._child.returncode}, expected its verdict;"
                " resume the run"
            ) from None
        for record in records:
            if (log := logging.getLogger(record.name)).isEnabledFor(record.levelno):
                log.handle(record)
        if problem is not None:
            raise problem


class _Kept(logging.Handler):
    """Keeps what the child logs, for its parent, which alone knows where logs go."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        self.records.append(record)


def _serve() -> None:
    """The child: prepares, then does what its standard input asks for, and answers None or the error on stdout."""
    # Ctrl-C reaches both processes; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    # Looking through all that is imported, for garbage, takes a sixth of the time of the imports.
    gc.disable()
    from wardround.adapters import expectations
    from wardround.workflows.screen import check_quality

    expectations.prepare()
    gc.enable()
    # And it would keep the verdict back by a second when the child ends.
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
            f"run {run}: the quality gate failed with {named(error)}, expected its verdict; mend the cause and resume"
            " the run"
        )
    answers.write(pickle.dumps((problem, kept.records)))
    answers.flush()


if __name__ == "__main__":
    _serve()
