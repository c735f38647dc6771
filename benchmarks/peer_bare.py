"""Sends the requests of a recorded run again without Wardround, to measure the server's own limit.

It reads a job on stdin and prints a result. It follows the steps of the run, with the same number of requests at a time
in each step, over persistent connections. Only the status of each answer is checked: it must be the recorded one.
"""

import http.client
import json
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Recorded = dict[str, Any]


class Lane:
    """One connection with its requests."""

    def __init__(self, job: dict[str, Any]) -> None:
        address = urlsplit(job["base_url"])
        trusted = ssl.create_default_context(cafile=job["ca_file"])
        self._connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=trusted)

    def send(self, requests: list[Recorded], token: str) -> None:
        for one in requests:
            parts = urlsplit(one["url"])
            headers = {name: value for name, value in one["headers"].items() if name != "Content-Length"}
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            body = one["body"].encode() if one["body"] is not None else None
            self._connection.request(one["method"], path, body, {**headers, "Authorization": f"Bearer {token}"})
            answer = self._connection.getresponse()
            answer.read()
            if answer.status != one["status"]:
                raise RuntimeError(f"{one['method']} {parts.path}: answered {answer.status}, was {one['status']}")


def replay(recorded: list[Recorded], job: dict[str, Any]) -> None:
    """Sends every request except those for tokens."""
    asked = [one for one in recorded if urlsplit(one["url"]).path.startswith("/fhir")]
    lanes = [Lane(job) for _ in range(job["threads"])]
    with ThreadPoolExecutor(len(lanes)) as pool:
        for _, step in groupby(asked, key=lambda one: one["step"]):
            by_thread: dict[int, list[Recorded]] = {}
            for one in step:
                by_thread.setdefault(one["thread"], []).append(one)
            parts = list(by_thread.values())
            for start in range(0, len(parts), len(lanes)):
                some = parts[start : start + len(lanes)]
                list(pool.map(lambda lane, part: lane.send(part, job["token"]), lanes, some))


def main() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    job = json.loads(sys.stdin.readline())
    recorded = json.loads(Path(job["record"]).read_text())
    started, used = time.monotonic(), time.process_time()
    replay(recorded, job)
    spent = {"seconds": time.monotonic() - started, "cpu": time.process_time() - used}
    sys.stdout.write(json.dumps(spent) + "\n")


if __name__ == "__main__":
    main()
