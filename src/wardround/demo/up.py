"""Runs a ward, a FHIR server, the bedside door, the stream and Airflow with its UI until the block ends."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wardround.adapters.database.bedside_removal import forget_lock_outs
from wardround.adapters.database.database import opened
from wardround.adapters.files.refused import storing
from wardround.airflow.environment import local_environment
from wardround.cds.http.running import running_door
from wardround.core.progress import Say
from wardround.demo.airflow_rest import FINISHED
from wardround.demo.demo_ward import prepare_ward
from wardround.demo.fhir_server.running import running_server
from wardround.demo.hospital.installation import EARLIEST, playing_hospital, running_stream, with_stream
from wardround.demo.standalone import POLL_SECONDS, Standalone, free_port, refuse_taken, running_standalone
from wardround.errors import RunIncomplete
from wardround.settings import Settings, kept_apart
from wardround.spec.loading import condition_ids
from wardround.workflows.stores import model_store


@dataclass(frozen=True)
class Ward:
    """What is running: Airflow, the FHIR server's base URL, the bedside door's, and the settings of all of it.

    `mllp_port` is the port of the stream, `webhook_port` the one at which it tells people.
    """

    airflow: Standalone
    fhir_base_url: str
    cds_base_url: str
    settings: Settings
    mllp_port: int
    webhook_port: int

    def first_round(self, say: Say) -> None:
        """Trains conditions without a live model, and screens each once, so that there is something to see at once."""
        conditions = condition_ids(self.settings.schemas)
        store = model_store(self.settings)
        untrained = [f"train__{condition}" for condition in conditions if store.live(condition) is None]
        # From the first minute on, so that the stream need not wait for six hours before it can ask the model.
        self._run(untrained, say, {"at": EARLIEST})
        # A condition that was suspended in an earlier session would end red, and stop everything.
        active = [condition for condition in conditions if store.standing(condition).suspended is None]
        self._run([f"screen_icu__{condition}" for condition in active], say)

    @contextmanager
    def hospital(self, say: Say) -> Iterator[None]:
        """Lets a hospital play, whose notifications are printed, until the block ends."""
        say("Playing a hospital: its ADT messages arrive at the stream, and its notifications are printed here")
        with playing_hospital(self.settings, self.fhir_base_url, self.mllp_port, self.webhook_port):
            yield

    def look_after_the_stream(self, say: Say) -> None:
        """Runs the upkeep of the stream once, as it runs every hour."""
        self._run(["stream_upkeep"], say)

    def _run(self, dag_ids: list[str], say: Say, conf: Mapping[str, Any] | None = None) -> None:
        """Starts the DAGs and returns when all have ended. Raises RunIncomplete for the first that failed."""
        if not dag_ids:
            return
        api = self.airflow.api
        self._wait_while(lambda: not all(api.knows(dag_id) for dag_id in dag_ids))
        runs = {dag_id: api.trigger(dag_id, conf or {}) for dag_id in dag_ids}
        say(f"Running {', '.join(dag_ids)}")
        self._wait_while(lambda: any(api.state(dag_id, run_id) not in FINISHED for dag_id, run_id in runs.items()))
        for dag_id, run_id in runs.items():
            if api.state(dag_id, run_id) == "failed":
                raise RunIncomplete(f"{dag_id}: failed, expected success; see {api.base_url}/dags/{dag_id}")

    def _wait_while(self, condition: Callable[[], bool]) -> None:
        while condition():
            self.airflow.check()
            time.sleep(POLL_SECONDS)

    def wait(self) -> None:
        """Never returns; raises WardroundError if Airflow ends."""
        self._wait_while(lambda: True)


@contextmanager
def running_ward(
    settings: Settings,
    mimic: Path | None,
    stays: int,
    now: datetime,
    port: int,
    cds_port: int,
    mllp_port: int,
    say: Say,
) -> Iterator[Ward]:
    """Creates a new ward in var/up as of `now`, and runs it; Airflow's history and the models in var/up are kept.

    Raises WardroundError if a port is taken, before anything is changed.
    """
    # Checked before anything in var/up is removed: the process that has the port may be using it.
    refuse_taken(port)
    refuse_taken(cds_port, "CDS Hooks", "--cds-port")
    refuse_taken(mllp_port, "The stream", "--mllp-port")
    folder = settings.var / "up"
    own = kept_apart(settings, folder)
    with storing(folder):
        shutil.rmtree(folder / "fhir", ignore_errors=True)
        for leftover in folder.glob("fhir.sqlite*"):
            leftover.unlink()
        folder.mkdir(parents=True, exist_ok=True)
    with opened(own.database) as database, database.writing() as connection:
        # The new ward's stays have the ids of the earlier one's, whose cards would silence theirs.
        forget_lock_outs(connection)
    mimic = prepare_ward(folder, mimic, stays, now, own, say)
    say("Starting the FHIR server")
    with running_server(data=folder / "fhir", db=folder / "fhir.sqlite") as server:
        webhook_port = free_port()
        own = with_stream(own, folder, server.base_url, mllp_port, webhook_port)
        variables = local_environment(own, folder / "airflow", server.base_url) | {"MIMIC_CSV_PATH": str(mimic)}
        say("Starting CDS Hooks, the stream and Airflow")
        with (
            running_door(
                "--no-jwt", "--source", server.base_url, port=cds_port, environment={**os.environ, **variables}
            ) as door,
            running_stream(own),
            running_standalone(variables, port, folder / "airflow.log") as airflow,
        ):
            airflow.wait_until_ready()
            yield Ward(airflow, server.base_url, door.said["base_url"], own, mllp_port, webhook_port)
