"""Runs a ward, its FHIR server, the bedside door and the page of the EHR until the block ends."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from socket import socket
from typing import Final

from wardround.adapters.files.refused import storing
from wardround.adapters.sockets import url_of
from wardround.cds.http.running import running_door
from wardround.core.progress import Say
from wardround.demo.demo_ward import DISCHARGED, SEED
from wardround.demo.ehr.serving import served
from wardround.demo.fhir_server.running import running_server
from wardround.demo.sandbox.embedded import PROFILE
from wardround.settings import Settings, kept_apart, places_in_environment
from wardround.spec.loading import condition_ids, load_variables
from wardround.workflows.stores import model_store

_BUDGET: Final = 1  # settings tried per candidate: quick, without a search for a better one


@dataclass(frozen=True)
class Ehr:
    """What is running: the URL of the page, and the base URLs of the FHIR server and the bedside door."""

    page: str
    fhir_base_url: str
    cds_base_url: str


@contextmanager
def running_ehr(settings: Settings, data: Path, listening: socket) -> Iterator[Ehr]:
    """Serves the page on the socket, beside a FHIR server with the folder's files and a door with these settings."""
    page = url_of(listening)
    own = places_in_environment(settings)
    options = ["--no-jwt", "--profile", PROFILE, "--cors", page]
    with (
        running_server(data, origins=[page]) as server,
        running_door(*options, environment={**os.environ, **own}) as door,
        served(listening, server.base_url, door.said["base_url"]),
    ):
        yield Ehr(f"{page}/", server.base_url, door.said["base_url"])


def own_ward(settings: Settings, stays: int, now: datetime, say: Say) -> tuple[Settings, Path]:
    """Simulates a ward as of `now` in var/ehr, and trains what has no live model there.

    Models are kept. The cards of an earlier ward are not: its stays have the same ids, and would be locked out.

    Returns the settings of the folder, and where the ward's FHIR files are.
    """
    import pandas as pd

    from wardround.demo.simulate import Plan, simulate
    from wardround.workflows.train import TrainingRequest, train

    folder = settings.var / "ehr"
    own = kept_apart(settings, folder)
    with storing(folder):
        for earlier in ("fhir", "mimic"):
            shutil.rmtree(folder / earlier, ignore_errors=True)
        for earlier_database in folder.glob("wardround.sqlite*"):
            earlier_database.unlink()
        folder.mkdir(parents=True, exist_ok=True)
    store = model_store(own)
    untrained = [one for one in condition_ids(own.schemas) if store.live(one) is None]
    plan = Plan(stays, DISCHARGED if untrained else 0, SEED, pd.Timestamp(now))
    simulate(plan, folder, load_variables(own.schemas), lambda step: say(f"Simulating a ward of {stays} stays: {step}"))
    for condition in untrained:
        say(f"Training a model for {condition}, which later starts will find")
        request = TrainingRequest(condition=condition, mimic=folder / "mimic", created=now, budget=_BUDGET)
        train(request, own, "wardround ehr", lambda *_: None)
    return own, folder / "fhir"
