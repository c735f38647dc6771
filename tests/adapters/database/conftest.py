"""Provides each test with a database of its own, and runs to put into it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, LargeBinary, func, insert, select

from wardround.adapters.database.database import Database, opened
from wardround.adapters.database.tables import HISTORY_FIGURE, HISTORY_RUN, METADATA, Moment
from wardround.settings import database_in

FIGURES = 3
"""Of each run that `fill` puts in."""

AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return database_in(tmp_path)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with opened(url) as one:
        yield one


@pytest.fixture(scope="session")
def fill() -> Callable[..., None]:
    """fill(database, *names) stores a run of each name, with its figures, in one transaction."""

    def put(database: Database, *names: str) -> None:
        facts = {"condition": "sepsis", "source": "ward", "mode": "live", "state": "complete", "model_version": "1"}
        with database.writing() as connection:
            connection.execute(insert(HISTORY_RUN), [{"run": name, "as_of": AS_OF, **facts} for name in names])
            figures = [
                {"run": name, "unit": f"Unit {unit}", "measure": "found", "value": unit + 0.5}
                for name in names
                for unit in range(FIGURES)
            ]
            connection.execute(insert(HISTORY_FIGURE), figures)

    return put


@pytest.fixture(scope="session")
def fill_all() -> Callable[[Database], None]:
    """fill_all(database) stores a row in every table."""

    def value(column: Column[Any]) -> object:
        if isinstance(column.type, Moment):
            return AS_OF
        if isinstance(column.type, Double):
            return 0.1
        if isinstance(column.type, BigInteger | Integer):
            return 7
        if isinstance(column.type, Boolean):
            return True
        if isinstance(column.type, LargeBinary):
            return b"\0\xff"
        named = next((key.column for key in column.foreign_keys), column)
        return f"{named.name} ß"

    def put(database: Database) -> None:
        with database.writing() as connection:
            for table in METADATA.sorted_tables:
                connection.execute(insert(table), {column.name: value(column) for column in table.columns})

    return put


@pytest.fixture(scope="session")
def held() -> Callable[[Database], dict[str, list[tuple[object, ...]]]]:
    """held(database) returns every row of every table, in order."""

    def read(database: Database) -> dict[str, list[tuple[object, ...]]]:
        with database.reading() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
                for table in METADATA.sorted_tables
            }

    return read


@pytest.fixture(scope="session")
def runs() -> Callable[[Database], int]:
    """runs(database) returns the number of runs."""

    def count(database: Database) -> int:
        with database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(HISTORY_RUN)).scalar() or 0)

    return count
