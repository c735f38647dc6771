"""Compares a screening by HealthChain 0.15.0 with one by Wardround and with the bare requests, over TLS with SMART.

Both use the same server with the same patients, the same sign-in and the same fitted model. HealthChain's part is in
peer_healthchain.py; it is given the list of patients, while Wardround finds them itself. Each screening has its own
server, a copy of one that was filled before. Requests are counted at the server, including those for tokens.
"""

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import requests

from benchmarks.environments import environment
from benchmarks.healthchain_job import Model
from benchmarks.measure import WARDROUND, run, table
from benchmarks.population import NOW, ward
from benchmarks.screening import train
from benchmarks.servers import CLIENT, Key, Server, embedded, sekmet
from wardround.settings import PROJECT
from wardround.sources.fhir_folder.resources import FhirFolder

HERE = Path(__file__).parent
SOURCE = "bench"
ROUNDS = 2
_PROCESSOR_TIME = ("client ms", "server ms", "client : server")  # the first two per patient
DISTANCES = (0.0, 0.02)  # seconds of added round trip
Start = Callable[[int, Key, float], AbstractContextManager[Server]]


@dataclass
class Measured:
    """The rounds of one tool at one distance. All values are per patient, except the speed in patients per second."""

    speeds: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)  # seconds of processor time
    server: list[float] = field(default_factory=list)

    def add(self, patients: int, seconds: float, cpu: float, server: Server) -> None:
        self.speeds.append(patients / seconds)
        self.requests.append(server.count() / patients)
        self.client.append(cpu / patients)
        self.server.append(server.cpu() / patients)

    @property
    def speed(self) -> float:
        return statistics.median(self.speeds)


def patients_of(stays: int) -> list[str]:
    """Returns the ward's patients with a stay in progress."""
    resources = FhirFolder(ward(stays) / "fhir").resources(
        wanted=lambda path: path.endswith("/MimicEncounterICU.ndjson.gz")
    )
    encounters = (one for _, one in resources)
    open_ones = (one for one in encounters if one["status"] == "in-progress")
    return [one["subject"]["reference"].removeprefix("Patient/") for one in open_ones]


class Runner:
    """A process that loads its libraries, reports that it is ready, and then gets its job; a context manager."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}

    def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        with subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment, cwd=PROJECT
        ) as process:
            assert process.stdout
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{' '.join(self._command)}: did not start")
            answer, _ = process.communicate(json.dumps(job) + "\n")
        if process.returncode:
            raise RuntimeError(f"{' '.join(self._command)}: exit {process.returncode}")
        result: dict[str, Any] = json.loads(answer)
        return result


def healthchain(server: Server, patients: list[str], model: Model, key_file: Path, measured: Measured) -> None:
    python = environment("healthchain", HERE / "healthchain-requirements.txt")
    job = {"base_url": server.base_url, "client_id": CLIENT, "key_file": str(key_file), "token_url": server.token_url}
    runner = Runner([str(python), str(HERE / "peer_healthchain.py")], {"SSL_CERT_FILE": server.ca_file})
    result = runner({**job, "patients": patients, **model.job()})
    if result["written"] != len(patients):
        raise RuntimeError(f"HealthChain wrote {result['written']} of {len(patients)}")
    measured.add(len(patients), result["seconds"], result["cpu"], server)


def source_variables(server: Server, key_file: Path) -> dict[str, str]:
    """Returns the variables that define the server for the command line."""
    values = {"BASE_URL": server.base_url, "CLIENT_ID": CLIENT, "KEY_FILE": str(key_file), "CA_FILE": server.ca_file}
    values |= {"TOKEN_URL": server.token_url, "SCOPE": "system/*.read system/*.write"}
    return {f"{SOURCE.upper()}_{name}": value for name, value in values.items()}


def wardround(server: Server, environment: dict[str, str], record: Path, measured: Measured) -> int:
    """Measures one screening by Wardround, and returns the number of stays found."""
    runner = Runner([sys.executable, "-m", "benchmarks.peer_wardround"], environment)
    result = runner({"source": SOURCE, "as_of": NOW, "record": str(record)})
    measured.add(result["found"], result["seconds"], result["cpu"], server)
    return int(result["found"])


def whole_command(server: Server, environment: dict[str, str], measured: Measured) -> None:
    finished = run([WARDROUND, "screen", "sepsis", "--source", SOURCE, "--as-of", NOW, "--json"], environment)
    measured.add(json.loads(finished.output)["found"], finished.wall, finished.cpu, server)


def bare(server: Server, key: Key, record: Path, found: int, measured: Measured) -> None:
    job = {"base_url": server.base_url, "ca_file": server.ca_file, "token": _token(server, key), "threads": 4}
    result = Runner([sys.executable, "-m", "benchmarks.peer_bare"], {})({**job, "record": str(record)})
    measured.add(found, result["seconds"], result["cpu"], server)


def _token(server: Server, key: Key) -> str:
    now = int(time.time())
    claims = {"iss": CLIENT, "sub": CLIENT, "aud": server.token_url, "exp": now + 240, "jti": secrets.token_hex()}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims, key.private_pem, "RS384"),
        "scope": "system/*.read system/*.write",
    }
    answer = requests.post(server.token_url, form, verify=server.ca_file, timeout=10)
    return str(answer.json()["access_token"])


@dataclass
class Comparison:
    """All measurements on one server at one distance."""

    start: Start
    stays: int
    round_trip: float
    sample: int
    peer: Measured = field(default_factory=Measured)
    ours: Measured = field(default_factory=Measured)
    command: Measured = field(default_factory=Measured)
    bare: Measured = field(default_factory=Measured)

    def measure(self, model: Model, key: Key, environment: dict[str, str], folder: Path) -> None:
        """Measures one round. A sample of patients is enough for HealthChain, which handles one after the other."""
        key_file, record, patients = folder / "key.pem", folder / "requests.json", patients_of(self.stays)
        key_file.write_text(key.private_pem)
        with self._server(key) as server:
            healthchain(server, patients[: self.sample], model, key_file, self.peer)
        for tool in (self._run, self._command):
            with self._server(key) as server:
                tool(server, {**environment, **source_variables(server, key_file)}, record)
        with self._server(key) as server:
            bare(server, key, record, self._found, self.bare)

    def _server(self, key: Key) -> AbstractContextManager[Server]:
        return self.start(self.stays, key, self.round_trip)

    def _run(self, server: Server, environment: dict[str, str], record: Path) -> None:
        self._found = wardround(server, environment, record, self.ours)

    def _command(self, server: Server, environment: dict[str, str], _record: Path) -> None:
        whole_command(server, environment, self.command)

    def rows(self) -> Iterator[list[str]]:
        tools = {
            "HealthChain 0.15.0": self.peer,
            "Wardround": self.ours,
            "Wardround, whole command": self.command,
            "its bare requests": self.bare,
        }
        for name, measured in tools.items():
            yield [
                name,
                f"{self.round_trip * 1000:.0f} ms",
                f"{measured.speed:.1f}",
                f"{statistics.median(measured.requests):.3f}",
                f"{measured.speed / self.peer.speed:.1f}",
                f"{measured.speed / self.bare.speed:.0%}",
                f"{statistics.median(measured.client) * 1000:.1f}",
                f"{statistics.median(measured.server) * 1000:.1f}",
                f"{statistics.median(measured.client) / statistics.median(measured.server):.2f}",
            ]


def compared(name: str, start: Start, stays: int, sample: int, rounds: int, folder: Path) -> None:
    """Prints the table for one server. The rounds of all distances alternate."""
    environment = {"WARDROUND_MODELS": f"{folder}/models", "WARDROUND_VAR": str(folder)}
    train(ward(200) / "mimic", environment)
    model, key = Model.live(folder / "models", folder), Key.new()
    comparisons = [Comparison(start, stays, round_trip, sample) for round_trip in DISTANCES]
    for _ in range(rounds):
        for comparison in comparisons:
            comparison.measure(model, key, environment, folder)
    how = f"over TLS with SMART sign-in (median of {rounds}; HealthChain: {sample} of them)"
    table(
        f"Screening {stays:,} stays on {name}, {how}",
        [
            "tool",
            "round trip",
            "patients/s",
            "requests/patient",
            "x HealthChain",
            "of bare",
            "client ms",
            "server ms",
            "client : server",
        ],
        [row for comparison in comparisons for row in comparison.rows()],
    )


def main(rounds: int = ROUNDS, sample: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compared("sekmet-fhir 0.1.1", sekmet, 200, sample, rounds, Path(folder))
        compared("the embedded server", embedded, 1000, sample, rounds, Path(folder))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
