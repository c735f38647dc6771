"""Provides the stages with queues, those of tests/adapters/queue, and with a hospital that has a FHIR server."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.queue.conftest import database, queue, url, urls
from tests.stream.hospital import ONE_BRANCH, Hospital, promote_with, with_branches
from tests.stream.receiver import Receiver, receiving

from wardround.adapters.queue.queue import Queue
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.settings import Settings

__all__ = ["database", "queue", "url", "urls"]


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """One server for all; each hospital empties it first."""
    with running_server() as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    """A server that holds nothing yet, for tests that count all that it holds in the end."""
    with running_server() as running:
        yield running


@pytest.fixture
def hospital_with(server: RunningServer, settings: Settings, queue: Queue, tmp_path: Path) -> Callable[..., Hospital]:
    """hospital_with(branches, **spec) is a hospital whose sepsis has these branches; its server holds nothing yet.

    Its models are its own; with `card`, the live one says so.
    """

    def made(branches: Any = ONE_BRANCH, endpoint: Any = None, card: Any = None, **spec: Any) -> Hospital:
        own = with_branches(settings, tmp_path / "home", branches, **spec)
        shutil.copytree(own.models, tmp_path / "models")
        own = replace(own, models=tmp_path / "models")
        if card:
            promote_with(own, **card)
        hospital = Hospital(server.base_url, own, queue, endpoint=endpoint or {"retries": 1})
        hospital.delete_all()
        return hospital

    return made


@pytest.fixture
def hospital(hospital_with: Callable[..., Hospital]) -> Hospital:
    """A hospital that scores each admission at once."""
    return hospital_with()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one
