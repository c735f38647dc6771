"""Sets a stream up beside a ward, for demonstration: its settings, branches of the conditions, and its processes."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import yaml

from wardround.adapters.child_service import child_process, child_service
from wardround.adapters.files.private_file import write_private
from wardround.adapters.files.refused import storing
from wardround.adapters.files.whole_file import write_whole
from wardround.adapters.sockets import LOOPBACK
from wardround.demo.hospital.places import (
    INPATIENT,
    PEOPLE,
    PEOPLE_AUTHORITY,
    VISITS,
    VISITS_AUTHORITY,
    WATCHED,
    ZONE,
)
from wardround.errors import WardroundError
from wardround.settings import Settings, places_in_environment
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_conditions

EARLIEST: Final = "1m"
"""The earliest prediction of the demonstration's models, and the first time of its branches."""
_BRANCH: Final = {"id": "admission", "at": [EARLIEST, "1h", "6h"], "band": "moderate", "channel": "ward"}


def with_stream(settings: Settings, folder: Path, base_url: str, listen: int, webhook: int) -> Settings:
    """Returns the settings with a stream that takes what the simulated hospital sends to port `listen`.

    Their home, folder/home, is a copy of the home in which each condition without branches has one: people are told by
    a webhook at the port of this machine.
    """
    home = folder / "home"
    with storing(home):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(settings.schemas, home / "include" / "schemas")
        for name in ("dags", "config", "plugins"):
            if (settings.home / name).is_dir():
                (home / name).symlink_to(settings.home / name)
        for one in load_conditions(settings.schemas).values():
            _add_branch(one, home)
    write_private(folder / "ward.secret", secrets.token_urlsafe(32).encode())
    write_whole(
        folder / "stream.yaml", yaml.safe_dump(_settings_of(base_url, listen, webhook), sort_keys=False).encode()
    )
    return replace(settings, home=home, stream=folder / "stream.yaml")


def _add_branch(condition: Condition, home: Path) -> None:
    if not condition.stream.branches:
        file = home / "include" / "schemas" / "conditions" / f"{condition.id}.yaml"
        branches = yaml.safe_dump({"stream": {"branches": [_BRANCH]}}, sort_keys=False)
        write_whole(file, f"{file.read_text().rstrip()}\n\n{branches}".encode())


def _settings_of(base_url: str, listen: int, webhook: int) -> dict[str, object]:
    source = {
        "listen": f"{LOOPBACK}:{listen}",
        "fhir": base_url,
        "time_zone": ZONE.key,
        "patients": [{"namespace": PEOPLE_AUTHORITY, "system": PEOPLE}],
        "visits": {"namespace": VISITS_AUTHORITY, "system": VISITS},
        "units": list(WATCHED),
        "classes": [INPATIENT],
    }
    channel = {"webhook": {"url": f"http://{LOOPBACK}:{webhook}/", "secret_file": "ward.secret"}}
    return {"sources": {"hospital": source}, "channels": {"ward": channel}}


@contextmanager
def running_stream(settings: Settings) -> Iterator[None]:
    """Runs `wardround stream` with these settings until the block ends; yields once all its processes are ready."""
    failure = WardroundError("stream: ended before it was ready; its message is above")
    environment = {**os.environ, **places_in_environment(settings)}
    with child_service(["stream", "--port", "0", "--json", "--until-eof"], failure, environment):
        yield


@contextmanager
def playing_hospital(settings: Settings, base_url: str, listen: int, webhook: int) -> Iterator[None]:
    """Runs `wardround stream simulate` until the block ends; what it says of notifications is printed."""
    to = ["--source", base_url, "--to", f"{LOOPBACK}:{listen}", "--webhook", str(webhook), "--every", "4"]
    environment = {**os.environ, **places_in_environment(settings)}
    with child_process(["stream", "simulate", *to, "--until-eof"], environment):
        yield
