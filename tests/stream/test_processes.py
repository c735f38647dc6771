"""Tests the processes of the stream: ready when they work, replaced when they die, stopped in time, and together."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from tests.adapters.queue.conftest import NOW, raw
from tests.stream.feeding import settings as feed
from tests.stream.feeding import settings_file
from tests.waiting import until

from wardround.adapters.child_service import ChildService, child_service
from wardround.adapters.database.database import opened
from wardround.adapters.queue.message import Done
from wardround.adapters.queue.queue import Queue
from wardround.adapters.sockets import LOOPBACK, listen, url_of
from wardround.errors import DatabaseError
from wardround.settings import database_in
from wardround.stream.metrics import FINISHED, STAGE_SECONDS, Metrics
from wardround.stream.page import Page, served
from wardround.stream.processes import CannotStart, run_all
from wardround.stream.stage_metrics import StageMetrics
from wardround.stream.stages import PROCESSES


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    settings = settings_file(tmp_path, feed(fhir="http://127.0.0.1:1/fhir"))
    own = {
        "WARDROUND_DATABASE": database_in(tmp_path),
        "WARDROUND_STREAM": str(settings),
        "WARDROUND_VAR": str(tmp_path),
    }
    return {**os.environ, **own}


@contextmanager
def running(environment: dict[str, str], *arguments: str) -> Iterator[ChildService]:
    failure = AssertionError("ended before it was ready")
    with child_service(["stream", *arguments, "--port", "0", "--until-eof", "--json"], failure, environment) as child:
        yield child


def test_a_stage_shows_that_it_runs_and_works_and_what_it_counts(environment, tmp_path):
    with running(environment, "flag") as child:
        page = child.said["page"]
        assert requests.get(f"{page}/health", timeout=10).text == "ok\n"
        until(lambda: requests.get(f"{page}/ready", timeout=10).status_code == 200)
        with opened(database_in(tmp_path)) as database:
            Queue(database).put([raw(1, source="main")])
        until(lambda: FINISHED in requests.get(f"{page}/metrics", timeout=10).text)
        text = requests.get(f"{page}/metrics", timeout=10).text
        assert requests.get(f"{page}/elsewhere", timeout=10).status_code == 404

    assert f'{FINISHED}{{stage="flag",outcome="dead"}} 1\n' in text  # "body 1" is no HL7
    assert 'wardround_stream_dead_letters{stage="flag"} 1\n' in text
    assert f'{STAGE_SECONDS}_count{{stage="flag"}} 1\n' in text
    assert "body 1" not in text


@pytest.mark.long
def test_all_processes_are_ready_together_replaced_when_they_die_and_stopped_together(environment):
    stages = ["flag", "listen"]
    code = (
        "import json, sys\n"
        "from wardround.stream.processes import run_all\n"
        f"commands = {{one: ['stream', one, '--port', '0', '--until-eof', '--json'] for one in {stages!r}}}\n"
        "run_all(commands, lambda said: print(json.dumps(said), flush=True))\n"
    )
    command = [sys.executable, "-P", "-c", code]
    parent = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    said = parent.stdout.readline()
    assert all(f'\\"process\\": \\"{one}\\"' in said for one in stages)

    first = children_of(parent.pid)
    assert len(first) == 2
    os.kill(first[0], signal.SIGKILL)
    assert "ended with code -9; starting it again" in parent.stderr.readline()
    until(lambda: len(children_of(parent.pid)) == 2)
    assert first[0] not in children_of(parent.pid)

    parent.terminate()
    rest = parent.communicate()
    assert parent.returncode == 0, rest
    assert children_of(parent.pid) == []


@pytest.mark.parametrize(
    "words", [("-v", "stream"), pytest.param(("stream", "-v"), marks=pytest.mark.long)], ids=["before", "after"]
)
def test_each_process_says_as_much_as_the_one_that_started_it(
    environment: dict[str, str], words: tuple[str, ...]
) -> None:
    command = [sys.executable, "-P", "-m", "wardround", *words, "--port", "0", "--json", "--until-eof"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as parent:
        assert parent.stdout is not None
        assert set(json.loads(parent.stdout.readline())["pages"]) == set(PROCESSES) - {"resolve"}
        _, said = parent.communicate()
    assert parent.returncode == 0
    assert "INFO stream: source main listens on 127.0.0.1:" in said


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(one) for one in found.stdout.split()]


def test_a_process_that_cannot_start_ends_all_with_its_code():
    def never_ready(_said) -> None:
        raise AssertionError("it was never ready")

    with pytest.raises(CannotStart) as raised:
        run_all({"nonsense": ["stream", "nonsense"]}, never_ready)
    assert raised.value.exit_code == 2
    assert "nonsense ended before it was ready" in str(raised.value)


def page_of(trouble, metrics="") -> Page:
    def said() -> str:
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    return Page(said, lambda: metrics)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [("", 200), ("the server is down", 503), (DatabaseError("unreachable"), 503)],
    ids=["works", "waits", "no database"],
)
def test_a_process_is_ready_while_it_has_what_it_needs(trouble, status):
    with listen(LOOPBACK, 0, "test") as listening, served(page_of(trouble), listening):
        answer = requests.get(f"{url_of(listening)}/ready", timeout=10)
        assert answer.status_code == status
        assert answer.text.strip() == (str(trouble) or "ready")
        assert requests.get(f"{url_of(listening)}/health", timeout=10).status_code == 200


def test_a_request_that_never_ends_stops_no_other():
    with (
        listen(LOOPBACK, 0, "test") as listening,
        served(page_of(""), listening),
        socket.create_connection(listening.getsockname()[:2]) as slow,
    ):
        slow.sendall(b"GET /health")
        assert requests.get(f"{url_of(listening)}/ready", timeout=10).status_code == 200


def test_metrics_are_written_as_prometheus_reads_them():
    metrics = Metrics()
    metrics.add(FINISHED, stage="flag", outcome="done")
    metrics.add(FINISHED, 2, stage="flag", outcome="dead")
    for seconds in (0.02, 0.3, 5_000.0):
        metrics.took(STAGE_SECONDS, seconds, stage="flag")
    lines = metrics.text().splitlines()

    assert lines[0].startswith(f"# HELP {FINISHED} ")
    assert lines[1:4] == [
        f"# TYPE {FINISHED} counter",
        f'{FINISHED}{{stage="flag",outcome="dead"}} 2',
        f'{FINISHED}{{stage="flag",outcome="done"}} 1',
    ]
    assert f"# TYPE {STAGE_SECONDS} histogram" in lines
    buckets = [int(line.split()[1]) for line in lines if line.startswith(f"{STAGE_SECONDS}_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 3
    assert lines[-2:] == [f'{STAGE_SECONDS}_count{{stage="flag"}} 3', f'{STAGE_SECONDS}_sum{{stage="flag"}} 5000.32']


def test_a_clock_that_is_set_back_makes_no_time_negative(queue):
    metrics = Metrics()
    queue.put([raw(1)])
    taken = queue.take("flag", 1, timedelta(seconds=10), NOW)
    StageMetrics("flag", metrics).finished([Done(taken[0], "done")], [True], NOW - timedelta(hours=1))
    assert f'{STAGE_SECONDS}_sum{{stage="flag"}} 0\n' in metrics.text()
