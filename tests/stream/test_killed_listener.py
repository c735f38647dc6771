"""Kills the listener at any moment under load: each acknowledged message is stored, once; and it was on disk before."""

import random
import re
import shutil
import signal
import subprocess
from threading import Event, Thread
from time import sleep

import pytest
from tests.hl7.messages import message
from tests.stream.feeding import WAIT, code, settings, stored
from tests.stream.test_listen import listener, written

from wardround.adapters.database.database import opened
from wardround.adapters.mllp.sender import sender_to
from wardround.adapters.queue.queue import Queue
from wardround.demo.standalone import free_port

pytestmark = pytest.mark.long

KILLS, ENGINES = 20, 4


class Engine(Thread):
    """Sends messages one after the other, each again until it is acknowledged, as an interface engine does."""

    def __init__(self, port, number, stop):
        super().__init__()
        self._port, self._number, self._ending = port, number, stop
        self.acknowledged = []
        self.resent = 0

    def run(self):
        turn = 0
        while not self._ending.is_set():
            try:
                with sender_to("127.0.0.1", self._port, wait=WAIT) as sender:
                    while not self._ending.is_set():
                        control_id = f"{self._number}.{turn}"
                        if code(sender.send(message(control_id=control_id))) != f"AA {control_id}":
                            continue  # the disk was too busy: it is sent again
                        self.acknowledged.append(control_id)
                        turn += 1
            except OSError:
                self.resent += 1
                sleep(0.01)  # the listener is being started


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_acknowledged_message_is_stored_once_whenever_the_listener_is_killed(tmp_path, urls, engine):
    port, url = free_port(), urls(engine)
    environment = {**written(tmp_path, settings(listen=f"127.0.0.1:{port}")), "WARDROUND_DATABASE": url}
    stop = Event()
    engines = [Engine(port, number, stop) for number in range(ENGINES)]
    choose = random.Random(14)
    for one in engines:
        one.start()
    try:
        for _ in range(KILLS):
            before = sum(len(one.acknowledged) for one in engines)
            with listener(environment) as (process, _):
                while sum(len(one.acknowledged) for one in engines) == before:
                    sleep(0.001)
                sleep(choose.random() / 3)
                process.kill()
                assert process.wait(WAIT) == -signal.SIGKILL
    finally:
        stop.set()
        for one in engines:
            one.join(WAIT)
    with opened(url) as database:
        held = [body.split(b"|")[9].decode() for _, body in stored(Queue(database))]
    assert len(held) == len(set(held))
    acknowledged = [control_id for one in engines for control_id in one.acknowledged]
    assert len(acknowledged) > KILLS
    assert set(acknowledged) <= set(held)
    # Beyond these, only what was in flight in the end: stored, with the answer on its way.
    assert len(held) - len(acknowledged) <= ENGINES
    for number in range(ENGINES):
        mine = [int(one.split(".")[1]) for one in held if one.startswith(f"{number}.")]
        assert mine == sorted(mine)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_disk_is_asked_to_keep_a_message_before_it_is_acknowledged(tmp_path):
    port = free_port()
    environment = written(tmp_path, settings(listen=f"127.0.0.1:{port}"))
    trace = tmp_path / "trace"
    with listener(environment) as (process, _):
        calls = "trace=fsync,fdatasync,sendto,sendmsg,write"
        tracer = subprocess.Popen(
            ["strace", "-f", "-p", str(process.pid), "-e", calls, "-s", "400", "-o", str(trace)],
            stderr=subprocess.PIPE,
        )
        try:
            assert b"attached" in tracer.stderr.readline()
            with sender_to("127.0.0.1", port) as sender:
                for number in range(20):
                    assert code(sender.send(message(control_id=f"M{number}"))) == f"AA M{number}"
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=WAIT)
    seen = re.findall(r"(f(?:data)?sync)\(\d+\)|MSA\|AA\|(M\d+)", trace.read_text())
    synced, answers = False, []
    for sync, answer in seen:
        if sync:
            synced = True
        else:
            answers.append((answer, synced))
            synced = False
    assert answers == [(f"M{number}", True) for number in range(20)]


def test_a_port_is_free_again_at_once(tmp_path):
    port = free_port()
    environment = written(tmp_path, settings(listen=f"127.0.0.1:{port}"))
    for _ in range(3):
        with listener(environment), sender_to("127.0.0.1", port) as sender:
            assert code(sender.send(message())) == "AA C1"
