"""Screens with Wardround, with its libraries already loaded as in a DAG's task; reads a job, prints one result."""

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from wardround.candidates.registry import CANDIDATES
from wardround.cli.process import tune_process
from wardround.fhir.wire import WholeAnswers
from wardround.settings import settings_from
from wardround.workflows.gate_process import GateProcess
from wardround.workflows.screen import Means, ScreeningRequest, screen
from wardround.workflows.screen.ahead import load_ahead
from wardround.workflows.servers import server_at


class Recording(WholeAnswers):
    """Records every request with its step, its thread and the answer."""

    def __init__(self, **options: Any) -> None:
        self.step = ""
        self.requests: list[dict[str, object]] = []
        super().__init__(**options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        response = super().send(request, *args, **options)
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        about = {"step": self.step, "thread": threading.get_ident(), "status": response.status_code}
        what = {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": body}
        self.requests.append(about | what)
        return response

    def heard(self, step: str, done: int, _of: int) -> None:
        # Some steps run in parallel; their requests are recorded together under the one that began last.
        self.step = self.step if done else step


def seconds_of(process: psutil.Process) -> float:
    """Returns the processor time that a process has used."""
    return sum(process.cpu_times()[:2])


def seconds_of_ended_children() -> float:
    """Returns the processor time of the gate's process, which has ended after its verdict."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_until_idle(process: psutil.Process) -> None:
    """Waits until the process has loaded its libraries and is idle: no processor time for half a second, and asleep."""
    quiet, used = 0, 0.0
    while quiet < 5:
        time.sleep(0.1)
        before, used = used, seconds_of(process)
        quiet = quiet + 1 if used == before and process.status() == psutil.STATUS_SLEEPING else 0


def main() -> None:
    with GateProcess() as gate:
        tune_process()
        tuple(CANDIDATES.values())  # imports the libraries of all kinds of model, as a task's process has them
        load_ahead()
        (child,) = psutil.Process().children()
        wait_until_idle(child)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        job = json.loads(sys.stdin.readline())
        settings = settings_from()
        source = server_at(job["source"], settings)
        recording = Recording(pool_connections=2, pool_maxsize=source.threads)
        request = ScreeningRequest(condition="sepsis", source_url=source.base_url, as_of=job["as_of"])
        started, used = time.monotonic(), time.process_time() + seconds_of(child)
        summary = screen(request, Means(source, settings, recording.heard, transport=recording, gate=gate))
        seconds, cpu = time.monotonic() - started, time.process_time() + seconds_of_ended_children() - used
    Path(job["record"]).write_text(json.dumps(recording.requests))
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "found": summary.found}) + "\n")


if __name__ == "__main__":
    main()
