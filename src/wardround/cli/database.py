"""`wardround database`: backs up and restores Wardround's own database."""

from pathlib import Path
from typing import Any

import click

from wardround.cli.results import say, show
from wardround.settings import settings_from

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def command() -> None:
    """Back up and restore the database that WARDROUND_DATABASE names. It contains the history of the runs."""


@command.command("backup", short_help="Write the whole database to one file.")
@_file
@_as_json
def back_up_database(file: Path, as_json: bool) -> None:
    """Write the whole database to FILE, consistent as of one moment. Nothing needs to be stopped for this.

    FILE is a SQLite database, even if the original is PostgreSQL, and can be restored into either.
    """
    from wardround.adapters.database.backup import back_up
    from wardround.adapters.database.database import opened

    with opened(settings_from().database) as database:
        rows = back_up(database, file)
        show(_facts(database.place.shown, file, rows), as_json)


@command.command("restore", short_help="Replace the content of the database with a backup, after asking.")
@_file
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
def restore_database(file: Path, yes: bool, as_json: bool) -> None:
    """Replace the content of the database with that of the backup FILE. It asks first.

    If this fails, nothing is changed. Runs that ended after the backup are added by `wardround history rebuild`.
    """
    from wardround.adapters.database.backup import restore
    from wardround.adapters.database.database import opened

    with opened(settings_from().database) as database:
        if not yes and not click.confirm(f"Replace everything in {database.place.shown} with {file}?", err=True):
            say("Nothing was changed.")
            return
        rows = restore(database, file)
        show(_facts(database.place.shown, file, rows), as_json)


def _facts(database: str, file: Path, rows: dict[str, int]) -> dict[str, Any]:
    return {"database": database, "file": str(file), "rows": rows}
