"""Runs the quality gate's library in a separate process, so that its imports cost the screening no time."""

import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from wardround.errors import WardroundError, named

if TYPE_CHECKING:
    import pandas as pd

    from wardround.quality.suite import QualityResult
    from wardround.settings import Settings
    from wardround.spec.conditions import Condition

_MODULE: Final = "wardround.workflows.gate_process"


class GateProcess:
    """Does what `check_quality` does, with Great Expectations in a child process; a context manager, called once.

    Importing Great Expectations takes seconds of one core. The child starts importing at once, on another core; a
    thread could not, because imports hold the interpreter. This module imports nothing heavy, so that the child can be
    the first thing that a command starts, and the child imports only what validating takes. It ends when its standard
    input closes, and so also if the parent is killed.
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

    def __call__(self, run: str, settings: "Settings") -> None:
        from wardround.workflows.screen.check_quality import check_quality

        check_quality(run, settings, partial(self._validate, f"run {run}"))

    def _validate(self, where: str, parts: "Iterable[pd.DataFrame]", condition: "Condition") -> "QualityResult":
        """Returns what `expectations.validate` returns, or raises what it raises; `parts` is sent to the child.

        Raises WardroundError if the child fails in any other way.
        """
        from wardround.workflows.screen.ahead import load_ahead

        with ThreadPoolExecutor(1) as pool:
            answered = pool.submit(self._child.communicate, pickle.dumps((parts, condition)))
            # In a small ward the child is still importing.
            load_ahead()
            answer, _ = answered.result()
        try:
            verdict: QualityResult | WardroundError | str = pickle.loads(answer)
        except (EOFError, pickle.UnpicklingError):
            raise WardroundError(
                f"{where}: the process of the quality gate ended with {self._child.returncode}, expected its verdict;"
                " resume the run"
            ) from None
        if isinstance(verdict, str):
            raise WardroundError(
                f"{where}: the quality gate failed with {verdict}, expected its verdict; fix the cause and resume the"
                " run"
            )
        if isinstance(verdict, WardroundError):
            raise verdict
        return verdict


def _serve() -> None:
    """Runs in the child: imports, then validates what standard input gives, and writes the answer to standard output.

    The answer is the result, the WardroundError that was raised, or the name of any other error.
    """
    # Ctrl-C reaches both processes, and the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    # Garbage collection over everything that is imported takes a sixth of the time of the imports.
    gc.disable()
    from wardround.adapters import expectations

    expectations.prepare()
    gc.enable()
    # Nor need it be looked through while the child validates.
    gc.freeze()
    asked = sys.stdin.buffer.read()
    if not asked:
        return
    answer: QualityResult | WardroundError | str
    try:
        parts, condition = pickle.loads(asked)
        answer = expectations.validate(parts, condition)
    except WardroundError as error:
        answer = error
    except Exception as error:  # noqa: BLE001 - the interpreter would print its message, which may hold a value
        answer = named(error)
    answers.write(pickle.dumps(answer))
    answers.flush()
    # The parent waits for the end, and what the libraries would still tidy up is of no use to anyone.
    os._exit(0)


if __name__ == "__main__":
    _serve()
