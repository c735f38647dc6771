"""Measures `wardround screen` on the embedded server: wards of several sizes, and again, when nothing changes."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.measure import WARDROUND, Run, run, table
from benchmarks.population import NOW, hospital, ward
from wardround.demo.fhir_server.running import running_server

SIZES = (100, 1000, 10000)
COPIES = 50  # of the ward of 1,000 stays, in the hospital


def train(mimic: Path, environment: dict[str, str], *options: str) -> None:
    """Trains the model for the measured screenings, in a separate store."""
    run([WARDROUND, "train", "sepsis", "--mimic", str(mimic), *options], environment)


def screen(base_url: str, environment: dict[str, str]) -> tuple[Run, dict[str, int]]:
    """Runs one screening as a whole process, and returns its measurement and result."""
    command = [WARDROUND, "screen", "sepsis", "--source", base_url, "--as-of", NOW, "--json"]
    finished = run(command, environment)
    return finished, json.loads(finished.output)


def measured(label: str, fhir: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """Yields rows of the table: the first screening of a ward, and a repetition."""
    with tempfile.TemporaryDirectory() as folder, running_server(fhir, Path(folder) / "db") as server:
        process = psutil.Process(server.pid)
        for what in (label, f"{label}, again"):
            before = sum(process.cpu_times()[:2])
            finished, result = screen(server.base_url, environment)
            found, served = result["found"], sum(process.cpu_times()[:2]) - before
            yield [
                what,
                f"{found:,}",
                f"{result['written']:,}",
                f"{finished.wall:.1f}",
                f"{found / finished.wall:.0f}",
                f"{finished.cpu:.1f}",
                f"{finished.cpu / found * 1000:.2f}",
                f"{served / found * 1000:.2f}",
                f"{result['http_requests'] / found:.3f}",
                f"{finished.peak:.0f}",
            ]


def main(*sizes: int) -> None:
    """Trains once, then screens each ward twice; without sizes also the hospital of 50,700 stays."""
    wards = {f"{stays:,} stays": ward(stays) / "fhir" for stays in sizes or SIZES}
    if not sizes:
        wards["50,700 stays, an hour of Observations"] = hospital(COPIES)
    with tempfile.TemporaryDirectory() as folder:
        environment = {"WARDROUND_MODELS": f"{folder}/models", "WARDROUND_VAR": folder}
        train(ward(1000) / "mimic", environment)
        rows = [row for label, fhir in wards.items() for row in measured(label, fhir, environment)]
    columns = ("found", "written", "seconds", "stays/s", "client CPU s", "client ms", "server ms", "HTTP requests/stay")
    table(
        "wardround screen sepsis, whole process, imports included; client ms and server ms: processor time per stay",
        ["ward", *columns, "peak MiB"],
        rows,
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
