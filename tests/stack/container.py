"""One container of the stack: a command under init.py, which is started again when it ends, as Docker would."""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INIT: Final = Path(__file__).with_name("init.py")
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 60.0
_WELL_AFTER: Final = 10.0
"""Docker waits so long before it starts a container again, twice as long each time, unless it ran for 10 seconds."""


@dataclass(frozen=True)
class Runs:
    """What a container runs.

    Attributes:
        command: the program and its arguments.
        environment: all its variables.
        folder: the one it works in.
        log: the file that its output is added to.
        restarts: whether it is started again when it ends.
        user: user and group, UID:GID; None: those of the tests.
    """

    command: Sequence[object]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    restarts: bool
    user: str | None = None


class Container:
    """A running container; `pid` is that of its init."""

    def __init__(self, name: str, runs: Runs) -> None:
        self.name = name
        self._runs = runs
        self._stopping = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, name=name)
        self._keeper.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Kills all processes with SIGKILL at once; the container is started again."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]

    def exit_code(self) -> int | None:
        """Returns the exit code once it has ended for good, else None."""
        return None if self._keeper.is_alive() else self._process.poll()

    def stop(self, grace: float = 0) -> None:
        """Asks it to end, and kills it after so many seconds. It is not started again."""
        self._stopping.set()
        with suppress(ProcessLookupError):
            self._process.terminate()
        self._keeper.join(grace)
        if self._keeper.is_alive():
            self.kill()
            self._keeper.join()

    def _start(self) -> "subprocess.Popen[bytes]":
        as_user = ["--user", self._runs.user] if self._runs.user else []
        with self._runs.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", INIT, *as_user, *map(str, self._runs.command)],
                env=dict(self._runs.environment),
                cwd=self._runs.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self) -> None:
        delay = _FIRST_DELAY
        while True:
            began = time.monotonic()
            self._process.wait()
            self.kill()
            if time.monotonic() - began > _WELL_AFTER:
                delay = _FIRST_DELAY
            if not self._runs.restarts or self._stopping.wait(delay):
                return
            delay = min(2 * delay, _LONGEST_DELAY)
            self._process = self._start()
            if self._stopping.is_set():
                self._process.terminate()
