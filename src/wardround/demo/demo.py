"""Shows everything in one process: a ward, a FHIR server, a training and a screening per condition, a summary."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from wardround.adapters.files.refused import storing
from wardround.adapters.files.whole_file import write_whole
from wardround.airflow.environment import local_environment
from wardround.core import run_files
from wardround.core.progress import Say
from wardround.demo.demo_ward import prepare_ward
from wardround.demo.fhir_server.running import running_server
from wardround.errors import RunIncomplete
from wardround.settings import Settings, kept_apart
from wardround.spec.loading import condition_ids

NOW: Final = datetime(2026, 1, 2, 5, 0, tzinfo=UTC)
"""The prediction time of the demo, and the current time of its ward."""
_QUICK: Final = {"budget": 1}  # Params of the training: one setting per candidate, without a search for a better one
SUMMARY_KEYS: Final = (
    *("found", "scored", "indeterminate", "excluded", "failed", "written"),
    *("run", "report", "model_version"),
)


class Demo:
    """The demo with its own folder, which each demo starts from scratch, and settings that leave the project alone."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.demo
        self.settings = kept_apart(settings, self.folder)
        self.log = self.folder / "airflow.log"
        self.summary = self.folder / "summary.json"

    def run(self, stays: int, mimic: Path | None, say: Say) -> dict[str, dict[str, Any]]:
        """Runs both DAGs of every condition, writes summary.json, and returns the same summary by condition.

        `mimic` is a folder of MIMIC-IV CSVs; without one, a ward of `stays` stays is simulated. Raises RunIncomplete
        if a DAG run failed.
        """
        with storing(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        mimic = prepare_ward(self.folder, mimic, stays, NOW, self.settings, say)
        say("Starting the FHIR server")
        with running_server(data=self.folder / "fhir", db=self.folder / "fhir.sqlite") as server:
            os.environ.update(local_environment(self.settings, self.folder / "airflow", server.base_url))
            os.environ["MIMIC_CSV_PATH"] = str(mimic)
            with _output_to(self.log):
                return self._run_dags(say)

    def highest(self, run: str, number: int) -> list[dict[str, Any]]:
        """Returns the stays of a run with the highest scores: stay_id, unit, score and band."""
        from wardround.adapters.files.run_folder import RunFolder

        ledger = RunFolder.existing(self.settings.runs, run).read_frame(run_files.LEDGER)
        worst = ledger[ledger["outcome"] == "scored"].nlargest(number, "score")
        return [{str(name): value for name, value in row.items()} for row in worst.to_dict("records")]

    def _run_dags(self, say: Say) -> dict[str, dict[str, Any]]:
        from wardround.demo.in_process import migrate, watched

        say("Creating Airflow's database")
        migrate()
        conditions = condition_ids(self.settings.schemas)
        with watched(lambda dag_id, task_id: say(f"{dag_id}: {task_id}")):
            for condition in conditions:
                self._run_dag(f"train__{condition}", _QUICK)
            summary = {condition: self._screen(condition) for condition in conditions}
        write_whole(self.summary, (json.dumps(summary, indent=2) + "\n").encode())
        return summary

    def _screen(self, condition: str) -> dict[str, Any]:
        import pandas as pd

        from wardround.adapters.files.run_folder import RunFolder, run_id

        key = self._run_dag(f"screen_icu__{condition}", {})
        run = RunFolder.existing(self.settings.runs, run_id(condition, pd.Timestamp(NOW), key))
        summary = run.read_json(run_files.SUMMARY)
        return {name: summary[name] for name in SUMMARY_KEYS}

    def _run_dag(self, dag_id: str, params: Mapping[str, Any]) -> str:
        from wardround.demo.in_process import run_dag

        end = run_dag(dag_id, self.settings.home / "dags", NOW, params)
        if end.state != "success":
            failed = ", ".join(end.failed_tasks)
            raise RunIncomplete(f"{dag_id}: failed at {failed}, expected success; read {self.log}")
        return end.run_id


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Redirects what this process and its children print to a file: Airflow's log is long, and uses both streams."""
    saved = [os.dup(stream.fileno()) for stream in (sys.stdout, sys.stderr)]
    with storing(log), log.open("w", encoding="utf-8") as file:
        try:
            _point(file, sys.stdout)
            _point(file, sys.stderr)
            yield
        finally:
            for stream, descriptor in zip((sys.stdout, sys.stderr), saved, strict=True):
                stream.flush()
                os.dup2(descriptor, stream.fileno())
                os.close(descriptor)


def _point(file: TextIO, stream: TextIO) -> None:
    stream.flush()
    os.dup2(file.fileno(), stream.fileno())
