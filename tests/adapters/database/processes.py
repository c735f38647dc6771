"""Starts processes that use a database at the same time, or are killed while they use it."""

import subprocess
import sys
from pathlib import Path

EACH = 20
"""Runs that each of the writers puts in, each in a transaction."""

FILL = """
import sys
from datetime import UTC, datetime
from sqlalchemy import insert
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import HISTORY_RUN
facts = {"condition": "sepsis", "source": "ward", "mode": "live", "state": "complete", "model_version": "1"}
sys.stdin.read(1)
with opened(sys.argv[1]) as database:
    for number in range(int(sys.argv[3])):
        with database.writing() as connection:
            row = {"run": f"{sys.argv[2]}-{number}", "as_of": datetime.now(UTC), **facts}
            connection.execute(insert(HISTORY_RUN), row)
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from wardround.adapters.database import backup
from wardround.adapters.database.database import opened
url, work, file, last = sys.argv[1:]
with opened(url) as database:
    done = 0
    @event.listens_for(Engine, "after_cursor_execute")
    def die(*_):
        global done
        done += 1
        if done == int(last):
            os.kill(os.getpid(), signal.SIGKILL)
    getattr(backup, work)(database, Path(file))
print(done)
"""


def write_at_once(url: str, writers: int) -> None:
    """Opens the database from several processes at once, each of which writes EACH runs."""
    command = [sys.executable, "-c", FILL, url]
    processes = [
        subprocess.Popen(
            [*command, f"writer{number}", str(EACH)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for number in range(writers)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [""] * writers


def killed_at(statement: int, work: str, url: str, file: Path) -> int | None:
    """Runs back_up or restore, killed after a number of SQL statements; returns their number if it was not killed."""
    command = [sys.executable, "-c", KILLED, url, work, str(file), str(statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, -9)
    return int(done.stdout) if done.returncode == 0 else None
