"""Runs the listener and all stages, each in a process of its own, replaces those that die, and stops all together.

A process for each: while the flag stage works off a backlog, a score must not wait for the interpreter; what a library
needs in memory, or loses by a fault, is its process's alone; and it is the same command that a container runs.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from wardround.errors import WardroundError

STOP_SECONDS: Final = 10.0
"""How long a process may take to stop; then it is killed, and what it had in hand is taken again."""
_LONGEST_PAUSE: Final = 30.0

_LOG = logging.getLogger(__name__)


class CannotStart(WardroundError):
    """A process ended before it was ready; its own message is on stderr. `exit_code` is its exit code."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"stream: {name} ended before it was ready; its message is above")
        self.exit_code = code


def run_all(commands: Mapping[str, Sequence[str]], ready: Callable[[dict[str, str]], None]) -> None:
    """Runs these arguments of `wardround`, by name, until SIGTERM or SIGINT; calls `ready` with what each has said.

    Each must print a line when it is ready, and stop when its standard input ends. Raises CannotStart if one ends
    before it was ever ready.
    """
    asyncio.run(_Processes(commands, ready).run())


class _Processes:
    def __init__(self, commands: Mapping[str, Sequence[str]], ready: Callable[[dict[str, str]], None]) -> None:
        self._commands = commands
        self._ready = ready
        self._waited_for = set(commands)
        self._said: dict[str, str] = {}
        self._stop = asyncio.Event()
        self._failure: CannotStart | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with asyncio.TaskGroup() as group:
            for name in self._commands:
                group.create_task(self._keep(name))
        if self._failure is not None:
            raise self._failure

    async def _keep(self, name: str) -> None:
        """Keeps one process running until all are to stop."""
        pause = 0.0
        while not self._stop.is_set():
            process = await self._started(name)
            was_ready = await self._run_until_end(name, process)
            if self._stop.is_set():
                return
            code = process.returncode or 0
            if name in self._waited_for:
                self._failure = self._failure or CannotStart(name, code or 1)
                self._stop.set()  # the others end as usual
                return
            _LOG.error("stream: %s (process %d) ended with code %d; starting it again", name, process.pid, code)
            pause = 0.0 if was_ready else min(_LONGEST_PAUSE, 2 * pause + 1)
            await self._stopped_within(pause)

    async def _started(self, name: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-P", "-m", "wardround", *self._commands[name]]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)

    async def _run_until_end(self, name: str, process: asyncio.subprocess.Process) -> bool:
        """Returns, when the process has ended, whether it was ready before."""
        ended = asyncio.create_task(process.wait())
        stop = asyncio.create_task(self._stop.wait())
        line = asyncio.create_task(_line_of(process))
        await asyncio.wait([line, stop], return_when=asyncio.FIRST_COMPLETED)
        said = line.result().decode() if line.done() else ""
        if said:
            self._was_ready(name, said)
        await asyncio.wait([ended, stop], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await _end(name, process, ended)
        for task in (line, stop):
            task.cancel()
        return bool(said)

    def _was_ready(self, name: str, said: str) -> None:
        self._said[name] = said
        if name in self._waited_for:
            self._waited_for.remove(name)
            if not self._waited_for:
                self._ready(self._said)

    async def _stopped_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


async def _line_of(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()


async def _end(name: str, process: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    process.terminate()
    await asyncio.wait([ended], timeout=STOP_SECONDS)
    if not ended.done():
        _LOG.error("stream: %s (process %d) did not stop within %.0f s; it is killed", name, process.pid, STOP_SECONDS)
        process.kill()
        await ended
