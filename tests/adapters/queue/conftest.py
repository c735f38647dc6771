"""Provides queues on SQLite, and in the long tests on PostgreSQL; each test has a run of its own in one database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count

import pytest
from tests.adapters.database.throwaway_postgresql import running

from wardround.adapters.database.database import Database, opened
from wardround.adapters.queue.message import Put
from wardround.adapters.queue.queue import Queue
from wardround.settings import database_in

NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
_RUNS = count()


@pytest.fixture(scope="session")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """urls(engine) returns the URL of a new, empty database."""
    with ExitStack() as stack:
        servers = []

        def new(engine: str) -> str:
            if engine == "sqlite":
                return database_in(tmp_path_factory.mktemp("queue"))
            if not servers:
                servers.append(stack.enter_context(running()))
            return servers[0].url(servers[0].new_database())

        yield new


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def url(request: pytest.FixtureRequest, urls: Callable[[str], str]) -> str:
    return urls(request.param)


@pytest.fixture(scope="module")
def database(url: str) -> Iterator[Database]:
    with opened(url) as one:
        yield one


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, f"run {next(_RUNS)}")


def raw(number: int, key: str = "all", due: datetime = NOW, stage: str = "flag", source: str = "main") -> Put:
    """Returns a message of which only the number and the key matter."""
    return Put(stage, key, f"body {number}".encode(), f"digest {number}", due, NOW, source)
