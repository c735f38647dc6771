"""Measures `wardround screen` on the embedded server: 1,000 and 10,000 stays, and a second run that changes nothing."""

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import WARDROUND, Run, run, table
from benchmarks.population import NOW, ward
from wardround.demo.fhir_server.running import running_server


def train(mimic: Path, environment: dict[str, str]) -> None:
    """Trains the model for the measured screenings, in a separate store."""
    run([WARDROUND, "train", "sepsis", "--mimic", str(mimic)], environment)


def screen(base_url: str, environment: dict[str, str]) -> tuple[Run, dict[str, int]]:
    """Runs one screening as a whole process, and returns its measurement and result."""
    command = [WARDROUND, "screen", "sepsis", "--source", base_url, "--as-of", NOW, "--json"]
    finished = run(command, environment)
    return finished, json.loads(finished.output)


def measured(stays: int, environment: dict[str, str]) -> list[list[str]]:
    """Returns rows of the table: the first screening of a ward, and a repetition."""
    with tempfile.TemporaryDirectory() as folder, running_server(ward(stays) / "fhir", Path(folder) / "db") as server:
        rows = []
        for label in (f"{stays:,} stays", f"{stays:,} stays, again"):
            finished, result = screen(server.base_url, environment)
            found = result["found"]
            rows.append(
                [
                    label,
                    f"{found:,}",
                    f"{result['written']:,}",
                    f"{finished.wall:.1f}",
                    f"{found / finished.wall:.0f}",
                    f"{result['http_requests'] / found:.3f}",
                    f"{finished.peak:.0f}",
                ]
            )
        return rows


def main(*sizes: int) -> None:
    """Trains once, then screens each ward twice."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"WARDROUND_MODELS": f"{folder}/models", "WARDROUND_VAR": folder}
        train(ward(1000) / "mimic", environment)
        rows = [row for stays in sizes or (1000, 10000) for row in measured(stays, environment)]
    table(
        "wardround screen sepsis, whole process, imports included",
        ["ward", "found", "written", "seconds", "stays/s", "HTTP requests/stay", "peak MiB"],
        rows,
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
