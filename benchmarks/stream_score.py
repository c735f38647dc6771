"""How long an admission takes from its due time to its RiskAssessment, at 2.5 a second, and what the stages need.

The stages query, predict and notify run as the processes that containers run; the FHIR server is outside.
"""

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import psutil
import yaml
from sqlalchemy import select

from benchmarks.measure import table
from benchmarks.population import NOW, ward
from benchmarks.screening import train
from wardround.adapters.child_service import ChildService, child_service
from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import STREAM_MESSAGE
from wardround.adapters.queue.message import Put
from wardround.adapters.queue.queue import Queue
from wardround.demo.fhir_server.running import running_server
from wardround.errors import RunIncomplete
from wardround.fhir.client import FhirClient, FhirEndpoint
from wardround.settings import PROJECT, database_in
from wardround.stream.bodies import Admission, Number, packed

RATE: Final = 2.5
_STAYS: Final = 140
_BRANCH: Final = "sepsis/now"
_AS_OF: Final = datetime.fromisoformat(NOW).astimezone(UTC)
_STAGES: Final = ("query", "predict", "notify")
_PATIENCE: Final = 120.0  # seconds until what was put must have ended
_MESSAGE: Final = STREAM_MESSAGE.c
_Stay = tuple[Number, Number]


def main(seconds: float = 60.0) -> None:
    """Prints the times of admissions that came to a score, the share that did not, and the memory of each stage."""
    folder = ward(_STAYS)
    with TemporaryDirectory() as place, running_server(folder / "fhir") as server:
        home = Path(place)
        environment = _installation(home, server.base_url)
        train(folder / "mimic", environment)
        with opened(environment["WARDROUND_DATABASE"]) as database, _running(environment) as stages:
            queue, stays = Queue(database), list(_stays(server.base_url))
            put = _paced(queue, stays, seconds)
            took, became = _ended(queue, put)
            memory = {name: psutil.Process(one.pid).memory_full_info().pss / 2**20 for name, one in stages.items()}
    without = 1 - len(took) / len(put)
    quantiles = (f"{value:.2f} s" for value in np.quantile(took, (0.5, 0.95))) if took else ("", "")
    columns = ("admissions", "a second", "p50", "p95", "without a score", *(f"{name} (PSS)" for name in _STAGES))
    row = (f"{len(put)}", f"{RATE}", *quantiles, f"{without:.0%}", *(f"{memory[name]:.0f} MiB" for name in _STAGES))
    table("Due time to RiskAssessment written, SQLite", columns, [row, ("aim", "", "2 s", "5 s", "", "", "", "")])
    table("Why there was no score", ("stage", "outcome", "reason", "count"), became)


def _installation(home: Path, url: str) -> dict[str, str]:
    """Makes an installation whose sepsis has one branch; returns what tells a process of it."""
    shutil.copytree(PROJECT / "include" / "schemas", home / "include" / "schemas")
    file = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    said = {**yaml.safe_load(file.read_text()), "stream": {"branches": [{"id": "now", "at": ["0h"]}]}}
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    authority = {"system": "urn:example:numbers", "namespace": "H"}
    source = {"fhir": url, "time_zone": "UTC", "patients": [authority], "visits": authority, "units": ["MICU"]}
    (home / "include" / "stream.yaml").write_text(json.dumps({"sources": {"main": source}}))
    return {
        **os.environ,
        "WARDROUND_HOME": str(home),
        "WARDROUND_VAR": str(home / "var"),
        "WARDROUND_MODELS": str(home / "models"),
        "WARDROUND_DATABASE": database_in(home),
    }


@contextmanager
def _running(environment: Mapping[str, str]) -> Iterator[dict[str, ChildService]]:
    with ExitStack() as stack:
        failure = RunIncomplete("a stage of the stream could not start; its message is above")
        yield {
            name: stack.enter_context(
                child_service(["stream", name, "--port", "0", "--until-eof", "--json"], failure, environment)
            )
            for name in _STAGES
        }


def _stays(url: str) -> Iterator[_Stay]:
    """Yields the numbers of the patient and of the visit of each stay that goes on."""
    with FhirClient(FhirEndpoint(url)) as client:
        patients = {one["id"]: one for one in client.search("Patient", {})}
        for one in client.search("Encounter", {"class": "ACUTE"}):
            if "end" not in one["period"]:
                patient = patients[one["subject"]["reference"].removeprefix("Patient/")]
                yield _number(patient), _number(one)


def _number(resource: dict[str, list[dict[str, str]]]) -> Number:
    return Number(resource["identifier"][0]["system"], resource["identifier"][0]["value"])


def _paced(queue: Queue, stays: list[_Stay], seconds: float) -> dict[int, float]:
    """Puts admissions at the rate; returns when each was put, by its number."""
    put: dict[int, float] = {}
    began = time.time()
    for number in range(round(seconds * RATE)):
        time.sleep(max(0.0, began + number / RATE - time.time()))
        patient, visit = stays[number % len(stays)]
        # No two results of one stay may have the same prediction time.
        as_of = _AS_OF + timedelta(seconds=number // len(stays))
        body = packed(Admission(visit, (patient,), "MICU", "I", as_of, as_of))
        put[number + 1] = time.time()
        one = Put("query", f"key {number}", body, f"{number}", as_of, as_of, "main", _BRANCH, number + 1, as_of)
        queue.put([one])
    return put


def _ended(queue: Queue, put: Mapping[int, float]) -> tuple[list[float], list[tuple[str, str, str, str]]]:
    """Waits for all to end; returns the seconds until each score was written, and what became of the others."""
    give_up = time.time() + _PATIENCE
    asked = select(_MESSAGE.origin, _MESSAGE.stage, _MESSAGE.outcome, _MESSAGE.reason, _MESSAGE.ended)
    while True:
        with queue.database.reading() as connection:
            rows = connection.execute(asked).all()
        if all(row.outcome is not None for row in rows) or time.time() > give_up:
            break
        time.sleep(0.2)
    written = [row for row in rows if row.stage == "notify" and row.outcome == "done"]
    others = Counter((row.stage, row.outcome or "open", row.reason) for row in rows if row.outcome != "done")
    took = [row.ended.timestamp() - put[row.origin] for row in written]
    return took, [(*about, f"{count}") for about, count in sorted(others.items())]


if __name__ == "__main__":
    main()
