"""Starts the services that answer calls at the bedside: Wardround's door with one worker, and HealthChain's service."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import jwt
import psutil
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.environments import environment
from benchmarks.healthchain_job import Model
from wardround.cds.http.running import running_door
from wardround.settings import PROJECT
from wardround.spec.loading import load_variables

HERE = Path(__file__).parent
_PATH = "/cds-services/sepsis-risk"
# What the example's model takes, and the variable that has it in the calls.
_EXAMPLE = {
    "heart_rate": "heart_rate",
    "temperature": "body_temperature",
    "respiratory_rate": "respiratory_rate",
    "wbc": "white_cells",
    "lactate": "lactate",
    "creatinine": "creatinine",
}


@dataclass(frozen=True)
class Service:
    """A service that answers calls.

    Attributes:
        name: in the tables.
        port, path: where calls go.
        pid: the process that answers.
        asked: for the client's job: the key and the audience of tokens, where they are needed.
        answered: returns for how many calls HealthChain had a probability; None for Wardround, whose answers say so.
    """

    name: str
    port: int
    path: str
    pid: int
    asked: Mapping[str, str]
    answered: Callable[[], int] | None = None

    def processor_time(self) -> float:
        """Returns the seconds that the process has used (user and system, from /proc/PID/stat)."""
        return sum(psutil.Process(self.pid).cpu_times()[:2])

    def memory(self) -> tuple[float, float]:
        """Returns the process's RSS and PSS in MiB; a page that is shared by processes counts for each, or in parts."""
        found = psutil.Process(self.pid).memory_full_info()
        return found.rss / 2**20, found.pss / 2**20


@contextmanager
def wardround(name: str, models: Path, folder: Path, *, tokens: bool) -> Iterator[Service]:
    """Runs `wardround cds` with one worker, and files and a database of its own in the folder."""
    folder.mkdir()
    private, issuers = _issuer(folder)
    options = ["--issuers", str(issuers), "--host", "127.0.0.1"] if tokens else ["--no-jwt"]
    places = {"WARDROUND_MODELS": str(models), "WARDROUND_VAR": str(folder)}
    with running_door(*options, environment={**os.environ, **places}) as door:
        (worker,) = [one for one in psutil.Process(door.pid).children() if "spawn_main" in " ".join(one.cmdline())]
        asked = {"key": str(private), "audience": door.said["base_url"] + _PATH} if tokens else {}
        yield Service(name, urlsplit(door.said["listening"]).port or 0, _PATH, worker.pid, asked)


def _issuer(folder: Path) -> tuple[Path, Path]:
    """Writes an EHR's key pair; returns the file of the private key and the issuers file with the public one."""
    pair, algorithm = ec.generate_private_key(ec.SECP384R1()), jwt.algorithms.ECAlgorithm
    about = {"kid": "bench", "alg": "ES384"}
    private, public, issuers = folder / "private.json", folder / "public.json", folder / "issuers.yaml"
    private.write_text(json.dumps({**algorithm.to_jwk(pair, as_dict=True), **about}))
    public.write_text(json.dumps({"keys": [{**algorithm.to_jwk(pair.public_key(), as_dict=True), **about}]}))
    listed = {"issuer": "https://ehr.example.org", "jwks": str(public)}
    issuers.write_text(yaml.safe_dump({"version": 1, "issuers": [listed]}))
    return private, issuers


@contextmanager
def healthchain(name: str, model: Model, folder: Path, *, example: bool) -> Iterator[Service]:
    """Runs HealthChain's service, with its example's model or with Wardround's fitted one."""
    python = environment("healthchain", HERE / "healthchain-requirements.txt")
    schema = folder / "example.yaml"
    schema.write_text(yaml.safe_dump(_schema_of_the_example()))
    job: dict[str, Any] = {**model.job(), "example": example, "high": model.threshold, "moderate": model.moderate}
    command = [str(python), str(HERE / "bedside_healthchain.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({**job, **({"schema": str(schema)} if example else {})}) + "\n")
        process.stdin.flush()
        said = process.stdout.readline()
        if not said:
            raise RuntimeError("HealthChain's service did not start")
        port = json.loads(said)["port"]

        def answered() -> int:
            with urlopen(f"http://127.0.0.1:{port}/answered") as answer:
                return int(answer.read())

        try:
            yield Service(name, port, f"/cds{_PATH}", process.pid, {}, answered)
        finally:
            process.stdin.close()


def _schema_of_the_example() -> dict[str, Any]:
    """Returns the example's eight inputs as a HealthChain feature schema, by MIMIC's codes that the calls have."""
    variables = load_variables(PROJECT / "include" / "schemas")
    features: dict[str, Any] = {}
    for name, variable in _EXAMPLE.items():
        code = next(code for system, code in variables[variable].all_codes() if "mimic" in system)
        features[name] = {"fhir_resource": "Observation", "code": code, "code_system": "mimic"}
    features["age"] = {"fhir_resource": "Patient", "field": "birthDate", "transform": "calculate_age"}
    features["gender_encoded"] = {"fhir_resource": "Patient", "field": "gender", "transform": "encode_gender"}
    about = {"age_calculation": "event_date", "event_date_source": "Observation", "event_date_strategy": "earliest"}
    return {"name": "example", "version": "1", "metadata": about, "features": features}
