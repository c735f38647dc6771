"""Tests the health check of the containers against real servers and processes; no Docker engine is used."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from sqlalchemy import create_engine, insert

from wardround.demo.standalone import free_port
from wardround.settings import PROJECT

HEALTHY = PROJECT / "deploy" / "compose" / "healthy.py"
# As Docker's init: passes SIGTERM on, waits for what it started, and then ends.
INIT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
sys.stdout.buffer.write(child.stdout.readline()); sys.stdout.flush()
child.wait()
"""
OBEDIENT = "import time; print('started', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {OBEDIENT}"


class Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The address of a server whose /health answers 200 and whose /ready answers 503."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def container(program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the program as Docker's init would."""
    process = subprocess.Popen([sys.executable, "-c", INIT, program], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout.readline() == b"started\n"
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def check(tmp_path):
    """Runs the health check of a container, and returns its exit code."""

    def run(process, *probe, grace="0", **environment) -> int:
        command = [sys.executable, HEALTHY, f"--main={process.pid}", f"--grace={grace}", *probe]
        environment = {**os.environ, "TMPDIR": str(tmp_path), **environment}
        return subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False).returncode

    return run


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}/health"


def test_a_service_that_answers_is_healthy(check, served):
    with container(OBEDIENT) as process:
        assert check(process, "http", f"{served}/health") == 0


def test_a_service_that_is_ill_four_times_in_a_row_is_asked_to_end(check):
    with container(OBEDIENT) as process:
        assert [check(process, "http", nowhere()) for _ in range(3)] == [1, 1, 1]
        assert process.poll() is None

        check(process, "http", nowhere())

        process.wait(60)


def test_a_service_that_does_not_end_is_killed_the_eighth_time(check):
    with container(STUBBORN) as process:
        for _ in range(7):
            check(process, "http", nowhere())
        assert process.poll() is None

        check(process, "http", nowhere())

        process.wait(60)


def test_one_healthy_answer_makes_the_count_begin_anew(check, served):
    with container(OBEDIENT) as process:
        for _ in range(3):
            check(process, "http", nowhere())
        check(process, "http", f"{served}/health")
        for _ in range(3):
            check(process, "http", nowhere())

        assert process.poll() is None


def test_a_container_that_was_started_again_is_counted_anew(check):
    with container(OBEDIENT) as first:
        for _ in range(3):
            check(first, "http", nowhere())
    with container(OBEDIENT) as second:
        check(second, "http", nowhere())

        assert second.poll() is None


def test_a_service_that_is_starting_is_not_ended(check):
    with container(OBEDIENT) as process:
        for _ in range(4):
            assert check(process, "http", nowhere(), grace="600") == 1

        assert process.poll() is None


def test_a_service_that_runs_and_cannot_work_is_shown_as_ill_and_not_ended(check, served):
    with container(OBEDIENT) as process:
        for _ in range(8):
            assert check(process, "http", f"{served}/ready", f"{served}/health") == 1

        assert process.poll() is None


def test_a_job_without_a_database_is_shown_as_ill_and_not_ended(check):
    address = f"postgresql+psycopg2://airflow:secret@127.0.0.1:{free_port()}/airflow"
    with container(OBEDIENT) as process:
        for _ in range(4):
            assert check(process, "job", "TriggererJob", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=address) == 1

        assert process.poll() is None


@pytest.mark.parametrize(
    ("kind", "age", "machine", "code"),
    [
        ("TriggererJob", 5, socket.gethostname(), 0),
        ("TriggererJob", 600, socket.gethostname(), 1),
        ("TriggererJob", 5, "another", 1),
        ("SchedulerJob", 5, socket.gethostname(), 1),
    ],
    ids=["its heartbeat", "an old one", "another machine's", "another job's"],
)
def test_a_job_is_healthy_if_its_own_heartbeat_is_young(kind, age, machine, code, check, postgresql):
    address = postgresql.url(postgresql.new_database())
    add_job(address, kind, machine, age)

    with container(OBEDIENT) as process:
        psycopg2 = address.replace("postgresql:", "postgresql+psycopg2:")
        assert check(process, "job", "TriggererJob", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=psycopg2) == code


def add_job(address: str, kind: str, machine: str, age: int) -> None:
    """Makes the table of jobs as Airflow does, and a job in it whose heartbeat is so many seconds old."""
    from airflow.jobs.job import Job

    engine = create_engine(address.replace("postgresql:", "postgresql+psycopg:"))
    Job.__table__.create(engine)
    heartbeat = datetime.now(UTC) - timedelta(seconds=age)
    with engine.begin() as connection:
        job = {"job_type": kind, "hostname": machine, "state": "running", "latest_heartbeat": heartbeat}
        connection.execute(insert(Job.__table__).values(**job))
    engine.dispose()
