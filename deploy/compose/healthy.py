"""The health check of the containers of this image: cheap, and it ends a service that is ill for good.

    python healthy.py http URL [ALIVE]    URL answers 200
    python healthy.py job TriggererJob    the job of this machine wrote its heartbeat into Airflow's database
    python healthy.py worker              the Celery worker of this machine answers its broker

Exit code 0 says healthy, 1 ill. Docker only marks a container that is ill; its restart policy acts on those that end.
So this program counts how often in a row the service was ill. The fourth time it asks the main process to end (SIGTERM
to process 1, which Docker's init passes on), the eighth time it kills what process 1 started. Then Docker starts the
container again.

What the service is not to blame for is shown, but not counted: Airflow's database or the broker does not answer, or
ALIVE does although URL does not. A worker is not ended while its tasks run and only Redis is away.
"""

import argparse
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

ASKED_TO_END: Final = 4
KILLED: Final = 8
_SECONDS: Final = 5  # for an answer; Docker's own time limit is longer
_STALE: Final = 60  # seconds; the jobs write a heartbeat every 5 seconds


class Unknown(Exception):
    """The service may be well: what had to be asked did not answer."""


def http(url: str, alive: str | None = None) -> bool:
    """Returns whether `url` answers 200. Raises Unknown if only `alive` does."""
    if _answers(url):
        return True
    if alive and _answers(alive):
        raise Unknown(f"{alive} answers, {url} does not")
    return False


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "localhost", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def job(kind: str) -> bool:
    """Returns whether a running job of this machine wrote its heartbeat in time. Raises Unknown without the database.

    `airflow jobs check` reads the same, but first imports Airflow.
    """
    import psycopg

    address = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("postgresql+psycopg2:", "postgresql:", 1)
    found = (
        "select count(*) from job where job_type = %s and hostname = %s and state = 'running'"
        " and latest_heartbeat > now() - make_interval(secs => %s)"
    )
    try:
        with psycopg.connect(address, connect_timeout=_SECONDS) as connection:
            row = connection.execute(found, (kind, socket.gethostname(), _STALE)).fetchone()
    except psycopg.OperationalError as error:
        raise Unknown("Airflow's database does not answer") from error
    return row is not None and row[0] > 0


def worker() -> bool:
    """Returns whether the worker of this machine answers. Raises Unknown without the broker.

    `celery inspect ping` with Airflow's application asks the same, but first imports Airflow.
    """
    from celery import Celery
    from kombu.exceptions import OperationalError

    application = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    try:
        with application.connection_for_write(connect_timeout=_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, timeout=_SECONDS)
            name = f"celery@{socket.gethostname()}"
            return bool(application.control.ping(destination=[name], timeout=_SECONDS, connection=connection))
    except (OSError, OperationalError) as error:
        raise Unknown("the broker does not answer") from error


def heal(main: int, grace: float) -> None:
    """Counts one more time that the service was ill, and ends it when it was ill for too long.

    Args:
        main: the process that Docker started, 1 in a container.
        grace: seconds after its start in which nothing is counted.
    """
    started, age = _started(main)
    if age < grace:
        return
    counted = _count(started) + 1
    _file().write_text(f"{started} {counted}")
    if counted == ASKED_TO_END:
        os.kill(main, signal.SIGTERM)
    elif counted >= KILLED:
        for child in Path(f"/proc/{main}/task/{main}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)


def _count(started: int) -> int:
    """Returns how often the process that started then was ill. A container keeps its files when it starts again."""
    try:
        of, counted = _file().read_text().split()
    except (FileNotFoundError, ValueError):
        return 0
    return int(counted) if int(of) == started else 0


def _file() -> Path:
    return Path(tempfile.gettempdir()) / "wardround-ill"


def _started(process: int) -> tuple[int, float]:
    """Returns when a process started, in ticks since the machine did, and its age in seconds."""
    after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    started = int(after_name[19])
    return started, float(Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tells whether the service of this container is well.")
    parser.add_argument("--main", type=int, default=1, help="the process that is ended")
    parser.add_argument("--grace", type=float, default=180, help="seconds after its start in which it is not ended")
    probes = parser.add_subparsers(required=True)
    one = probes.add_parser("http")
    one.add_argument("url")
    one.add_argument("alive", nargs="?")
    one.set_defaults(probe=lambda given: http(given.url, given.alive))
    one = probes.add_parser("job")
    one.add_argument("kind")
    one.set_defaults(probe=lambda given: job(given.kind))
    one = probes.add_parser("worker")
    one.set_defaults(probe=lambda _: worker())
    return parser.parse_args()


def main() -> str | None:
    """Returns what is wrong, None if nothing is."""
    given = _arguments()
    probe: Callable[[argparse.Namespace], bool] = given.probe
    try:
        well = probe(given)
    except Unknown as unknown:
        return str(unknown)
    if well:
        _file().unlink(missing_ok=True)
        return None
    heal(given.main, given.grace)
    return "ill"


if __name__ == "__main__":
    sys.exit(main())
