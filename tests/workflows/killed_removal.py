"""A program that removes the runs of a store in forks of itself, each killed at a later touch of a file than the last.

After each it prints a JSON object: whether the fork was killed, which runs are listed and which still have all files;
and, once the removal was completed, which files are left, and how many rows the account has.
"""

import faulthandler
import itertools
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import REMOVED_RUN
from wardround.settings import Settings, database_in, settings_from
from wardround.workflows.run_list import overviews, run_names
from wardround.workflows.run_removal import remove_runs

TOUCHES = {"open", "os.link", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree", "sqlite3.connect"}
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PATIENCE = 300.0
"""Seconds; a fork takes a tenth of one. One that hangs says where."""


def remove_and_die(settings: Settings, last: int) -> None:
    """Runs in the fork; never returns."""
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    numbers = itertools.count(1)

    def note(event: str, _arguments: object) -> None:
        if event in TOUCHES and next(numbers) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(note)
    remove_runs(run_names(settings), "tests", settings, NOW, lambda _name: False)
    os._exit(0)


def rows(settings: Settings) -> int:
    with opened(settings.database) as database, database.reading() as connection:
        return connection.execute(select(func.count()).select_from(REMOVED_RUN)).scalar_one()


def main(store: Path, work: Path) -> None:
    with opened(database_in(work)):
        pass
    for last in itertools.count(1):
        place = work / str(last)
        shutil.copytree(store, place / "runs")
        shutil.copy(work / "wardround.sqlite", place)
        settings = replace(settings_from(), var=place, runs=str(place / "runs"), database=database_in(place))
        pid = os.fork()
        if pid == 0:
            remove_and_die(settings, last)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        names = run_names(settings)
        said = {
            "killed": status == -signal.SIGKILL,
            "listed": [one.run for one in overviews(names, settings)],
            "whole": [str(name) for name in names if same(place / "runs" / str(name), store / str(name))],
        }
        remove_runs(run_names(settings), "tests", settings, NOW, lambda _name: False)
        left = [path.name for path in (place / "runs").rglob("*") if path.is_file() and ".locks" not in path.parts]
        sys.stdout.write(json.dumps({**said, "left": left, "rows": rows(settings)}) + "\n")
        shutil.rmtree(place)
        if status == 0:
            return


def same(one: Path, other: Path) -> bool:
    """Whether a folder has every file of the other, unchanged."""
    return all(
        (copy := one / path.relative_to(other)).is_file() and copy.read_bytes() == path.read_bytes()
        for path in other.rglob("*")
        if path.is_file()
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
