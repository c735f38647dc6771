"""The processes of the stream as containers run them: on one core, each with its own limit of memory.

Where the memory controller of cgroups (version 1) can be written, each process has a group with a limit of its own
below the one of this process. What is charged there includes the pages of the database's files that are in use and what
the kernel itself keeps for the process; what the process needs is its PSS.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks.measure import WARDROUND
from wardround.settings import Settings, places_in_environment

CORE = 0
LIMITS = {"listen": 128, "flag": 128, "query": 256, "predict": 256, "notify": 128}
"""Of memory, in MB."""
_MB = 1_000_000
_CONTROLLER = Path("/sys/fs/cgroup/memory")
_STOPS_WITHIN = 15.0  # seconds


class Process:
    """A process of the stream, and its group if it has one."""

    def __init__(self, name: str, child: "subprocess.Popen[bytes]", group: Path | None) -> None:
        self.name = name
        self.child = child
        self._group = group

    def memory(self) -> float:
        """Returns its PSS now, in MB. Raises RuntimeError if it has ended."""
        if (code := self.child.poll()) is not None:
            raise RuntimeError(f"stream {self.name} has ended with code {code}{self._killed()}")
        return float(psutil.Process(self.child.pid).memory_full_info().pss) / _MB

    def charged(self) -> float | None:
        """Returns what its group is charged with, in MB, without pages of files that were not used of late."""
        if self._group is None:
            return None
        charged = int((self._group / "memory.usage_in_bytes").read_text())
        return (charged - _figure(self._group / "memory.stat", "total_inactive_file")) / _MB

    def _killed(self) -> str:
        killed = self._group and _figure(self._group / "memory.oom_control", "oom_kill")
        return f": its limit of {LIMITS[self.name]} MB was too small" if killed else ""


@contextmanager
def running(settings: Settings, names: Sequence[str]) -> Iterator[dict[str, Process]]:
    """Starts these processes at once, and gives them when all are ready. Raises RuntimeError if one is never."""
    with ExitStack() as stack:
        found = {name: stack.enter_context(_started(settings, name)) for name in names}
        for one in found.values():
            assert one.child.stdout is not None
            if not one.child.stdout.readline():
                raise RuntimeError(f"stream {one.name} did not start; its message is above")
        yield found


@contextmanager
def _started(settings: Settings, name: str) -> Iterator[Process]:
    group = _new_group(name) if name in LIMITS and _may_group() else None

    def confine() -> None:
        os.sched_setaffinity(0, {CORE})
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    child = subprocess.Popen(
        [WARDROUND, "stream", name, "--port", "0", "--json", "--until-eof"],
        env={**os.environ, **places_in_environment(settings)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=confine,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield Process(name, child, group)
    finally:
        child.stdin.close()
        try:
            child.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
        if group is not None:
            group.rmdir()


def _own_group() -> Path | None:
    lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    mine = next((place for _, names, place in (one.split(":", 2) for one in lines) if names == "memory"), None)
    return None if mine is None else _CONTROLLER / mine.removeprefix("/")


def _may_group() -> bool:
    own = _own_group()
    return own is not None and own.is_dir() and os.access(own, os.W_OK)


def _new_group(name: str) -> Path:
    own = _own_group()
    assert own is not None
    group = own / f"wardround-bench-{name}-{time.time_ns()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(LIMITS[name] * _MB))
    return group


def _figure(file: Path, name: str) -> int:
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    return next((int(value) for word, value in lines if word == name), 0)
