"""Reads WARDROUND_DATABASE: which database is meant, and its name in messages, without its password."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from wardround.errors import SettingsError

_EXPECTED: Final = "expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; correct it"


@dataclass(frozen=True)
class Place:
    """Where a database is.

    Attributes:
        url: what SQLAlchemy connects to; it may hold a password.
        shown: the same for messages: the file, or the URL without its password and options.
        file: the file of a SQLite database; None for a server.
    """

    url: URL = field(repr=False)
    shown: str
    file: Path | None = None


def place_of(text: str) -> Place:
    """Returns the place that a SQLAlchemy URL names. Raises SettingsError, which never quotes the URL."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is not a number raises ValueError
        # It may hold a password, and an invalid URL does not show where that begins.
        raise SettingsError(f"WARDROUND_DATABASE: is not a database URL, {_EXPECTED}") from None
    kind = url.drivername.partition("+")[0]
    # A path with a question mark would be cut off there.
    if kind == "sqlite" and not url.host and not url.query and url.database not in (None, "", ":memory:"):
        return file_place(Path(str(url.database)))
    if kind == "postgresql" and url.database:
        # Always the same driver, even if Airflow's own URL of the same server names another.
        url = url.set(drivername="postgresql+psycopg")
        return Place(url, url.set(drivername="postgresql", query={}).render_as_string(hide_password=True))
    raise SettingsError(
        f"WARDROUND_DATABASE: names no {'file' if kind == 'sqlite' else 'database that Wardround can use'}, {_EXPECTED}"
    )


def file_place(file: Path) -> Place:
    """Returns the place of a SQLite file."""
    path = file.absolute()
    return Place(URL.create("sqlite+pysqlite", database=str(path)), str(path), path)
