"""Tests the listener's own process: ready, fed, stopped, and what it says of settings that cannot be used."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import urlopen

import orjson
import pytest
from tests.hl7.messages import message
from tests.stream.feeding import WAIT, code, settings, settings_file, stored

from wardround.adapters.database.database import opened
from wardround.adapters.mllp.framing import framed
from wardround.adapters.mllp.sender import sender_to
from wardround.adapters.queue.queue import Queue
from wardround.demo.standalone import free_port
from wardround.errors import SpecError
from wardround.settings import database_in


def written(folder, sources):
    """Writes the settings into a file; returns the environment of a process that uses them."""
    file = settings_file(folder, sources)
    return {**os.environ, "WARDROUND_STREAM": str(file), "WARDROUND_DATABASE": database_in(folder)}


COMMAND = [sys.executable, "-m", "wardround", "stream", "listen", "--port", "0", "--json"]


@contextmanager
def listener(environment, *options):
    """Gives a process that is ready, and the URL of its page."""
    process = subprocess.Popen([*COMMAND, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, orjson.loads(line)["page"]
    finally:
        process.kill()
        process.communicate()


def test_a_listener_is_ready_takes_messages_and_stops_when_it_is_asked_to(tmp_path):
    port = free_port()
    environment = written(tmp_path, settings(listen=f"127.0.0.1:{port}"))
    with listener(environment, "-v") as (process, page):
        assert urlopen(f"{page}/ready", timeout=WAIT).read() == b"ready\n"
        with sender_to("127.0.0.1", port) as sender:
            assert code(sender.send(message())) == "AA C1"
            metrics = urlopen(f"{page}/metrics", timeout=WAIT).read().decode()
            assert 'received_total{source="main",became="new"} 1' in metrics
            assert 'acknowledged_total{source="main",code="AA"} 1' in metrics
            assert 'wardround_stream_connections{source="main"} 1' in metrics
            sender.connection.sendall(framed(message(control_id="2")))
            assert code(sender.answer()) == "AA 2"
            process.send_signal(signal.SIGTERM)
            assert sender.connection.recv(1) == b""
        _, said = process.communicate(timeout=WAIT)
        assert process.returncode == 0
        assert f"source main listens on 127.0.0.1:{port}".encode() in said
        assert b"DOE" not in said
    with opened(database_in(tmp_path)) as database:
        assert [source for source, _ in stored(Queue(database))] == ["main", "main"]


@pytest.mark.parametrize(
    ("sources", "message"),
    [(settings(listen=None), b"sources: none has a port"), (None, b"stream.yaml: not found")],
)
def test_a_listener_without_a_port_to_listen_on_says_what_to_do(tmp_path, sources, message):
    environment = written(tmp_path, sources or settings())
    if sources is None:
        (tmp_path / "stream.yaml").unlink()
    done = subprocess.run(COMMAND, env=environment, capture_output=True, check=False)
    assert done.returncode == SpecError.exit_code
    assert message in done.stderr
    assert done.stdout == b""


def test_a_listener_that_cannot_store_says_so_on_its_page(tmp_path):
    port = free_port()
    environment = written(tmp_path, settings(listen=f"127.0.0.1:{port}"))
    with listener(environment) as (_, page):
        with opened(database_in(tmp_path)) as database, database.writing(), sender_to("127.0.0.1", port) as sender:
            assert code(sender.send(message())) == "AE C1"
            with pytest.raises(HTTPError) as caught:
                urlopen(f"{page}/ready", timeout=WAIT)
            assert caught.value.code == 503
            assert b"DOE" not in caught.value.read()
        with sender_to("127.0.0.1", port) as sender:
            assert code(sender.send(message())) == "AA C1"
        assert urlopen(f"{page}/ready", timeout=WAIT).status == 200
