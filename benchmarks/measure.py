"""Runs a command as a whole process and measures it; prints tables with the machine and its load."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wardround.settings import PROJECT

WARDROUND = str(Path(sys.executable).with_name("wardround"))
DATA = Path(os.environ.get("WARDROUND_BENCH", PROJECT / "var" / "bench"))
_console = Console(width=140)


@dataclass(frozen=True)
class Run:
    """One finished process: seconds of wall clock and of CPU, peak resident memory in MiB, and what it printed."""

    wall: float
    cpu: float
    peak: float
    output: str


def run(command: Sequence[str], environment: dict[str, str] | None = None) -> Run:
    """Runs a command to its end; raises RuntimeError with the end of its stderr if it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(environment or {})})
        # wait4 reports on this process and the children that it waited for.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}\n{err.read()[-2000:]}")
        return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read())


def machine() -> str:
    """Describes the machine and its load."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {python}, {platform.system()}; load {load}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table and the machine on which it was measured."""
    shown = Table(title=title, caption=machine(), title_justify="left", caption_justify="left")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        shown.add_row(*row)
    _console.print(shown)
