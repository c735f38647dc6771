"""Compares runs and models in S3 with those in folders: a training, and screenings by search and by export.

Against two S3 servers on this machine: moto, with which the tests run and which is slow, and gofakes3, which is
compiled. What a request takes is shown, so that the server's own time can be told from ours.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import requests

from benchmarks.environments import environment
from benchmarks.measure import DATA, WARDROUND, run, table
from benchmarks.population import NOW, ward
from wardround.demo.fhir_server.running import running_server
from wardround.demo.standalone import free_port
from wardround.settings import PROJECT

STAYS: Final = 1000
_MOTO: Final = PROJECT / "tests" / "object_storage"
_GOFAKES3: Final = "github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0"
_BUCKET: Final = "ward"


@dataclass(frozen=True)
class Storage:
    """Where runs and models are: variables for the command, and a clock of an S3 server's processor time, if any."""

    name: str
    variables: dict[str, str]
    cpu: Callable[[], float] | None = None


@contextmanager
def in_folders() -> Iterator[Storage]:
    """Gives folders."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"WARDROUND_RUNS": f"{folder}/runs", "WARDROUND_MODELS": f"{folder}/models"}
        yield Storage("folders", {**places, "WARDROUND_VAR": folder})


@contextmanager
def in_moto() -> Iterator[Storage]:
    """Gives moto's server, in the environment of its own that the tests have."""
    command = [str(environment("moto", _MOTO / "requirements.txt")), str(_MOTO / "launch.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        with _in_s3("moto", process.stdout.readline().strip(), process.pid) as storage:
            yield storage
        process.communicate()


@contextmanager
def in_gofakes3() -> Iterator[Storage]:
    """Gives gofakes3, which is compiled the first time."""
    program = DATA / "gofakes3-v1.2.0" / "gofakes3"
    if not program.exists():
        subprocess.run(["go", "install", _GOFAKES3], check=True, env={**os.environ, "GOBIN": str(program.parent)})
    port = free_port()
    command = [str(program), "-backend", "memory", "-host", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with _in_s3("gofakes3", f"http://127.0.0.1:{port}", process.pid) as storage:
                yield storage
        finally:
            process.terminate()


@contextmanager
def _in_s3(name: str, address: str, pid: int) -> Iterator[Storage]:
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=requests.adapters.Retry(10, backoff_factor=0.1)))
    session.put(f"{address}/{_BUCKET}", timeout=60).raise_for_status()
    places = {"WARDROUND_RUNS": f"s3://{_BUCKET}/runs", "WARDROUND_MODELS": f"s3://{_BUCKET}/models"}
    keys = {"AWS_ACCESS_KEY_ID": "ward", "AWS_SECRET_ACCESS_KEY": "round", "AWS_DEFAULT_REGION": "us-east-1"}
    # gofakes3 sends the checksum of the whole object with a part of it.
    keys["AWS_RESPONSE_CHECKSUM_VALIDATION"] = "when_required"
    process = psutil.Process(pid)
    with tempfile.TemporaryDirectory() as folder:
        variables = {**places, **keys, "AWS_ENDPOINT_URL": address, "WARDROUND_VAR": folder}
        yield Storage(f"S3 ({name})", variables, lambda: sum(process.cpu_times()[:2]))


def measured(what: str, storage: Storage, *command: str) -> list[str]:
    """Returns a row of the table: the command as a whole process."""
    if storage.cpu is None:
        finished = run([WARDROUND, *command], storage.variables)
        return [what, storage.name, f"{finished.wall:.1f}", f"{finished.cpu:.1f}", *[""] * 4]
    before = storage.cpu()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "requests.json"
        finished = run([sys.executable, "-m", "benchmarks.counted", str(counts), *command], storage.variables)
        asked = json.loads(counts.read_text())
    number = sum(asked["requests"].values())
    each, served = asked["seconds"] / number * 1000, storage.cpu() - before
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(asked["requests"].items()))
    figures = (f"{finished.wall:.1f}", f"{finished.cpu:.1f}", str(number), f"{each:.1f}", f"{served:.1f}", kinds)
    return [what, storage.name, *figures]


def rows(storage: Storage, stays: int) -> Iterator[list[str]]:
    """Yields a row for the training, and one for each way to screen, each on a server without any RiskAssessment."""
    train = ("train", "sepsis", "--mimic", str(ward(stays) / "mimic"))
    yield measured("training", storage, *train)
    for cohort in ("search", "export"):
        with (
            tempfile.TemporaryDirectory() as folder,
            running_server(ward(stays) / "fhir", Path(folder) / "db") as server,
        ):
            screen = ("screen", "sepsis", "--source", server.base_url, "--as-of", NOW, "--cohort", cohort, "--json")
            yield measured(f"screening by {cohort}", storage, *screen)


def main(stays: int = STAYS) -> None:
    """Measures each in turn, and prints the table; without Go, gofakes3 is left out."""
    found = []
    for place in (in_folders, in_moto, *([in_gofakes3] if shutil.which("go") else [])):
        with ExitStack() as stack:
            found += list(rows(stack.enter_context(place()), stays))
    columns = ["what", "runs and models in", "s", "CPU s", "requests", "ms each", "S3 server CPU s", "by kind"]
    table(f"S3 against folders, {stays:,} stays; whole processes, imports included", columns, sorted(found))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
