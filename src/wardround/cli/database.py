"""`wardround database`: backs up and restores Wardround's own database, and erases a patient in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wardround.cli.results import say, show
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.core.identifier import Identifier
    from wardround.settings import Settings

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def command() -> None:
    """Back up and restore the database that WARDROUND_DATABASE names, or erase a patient in it.

    It contains the history of the runs, and what the bedside service and the stream keep.
    """


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


@command.command("erase-patient", short_help="Remove what the bedside and the stream keep of a patient, after asking.")
@click.option(
    "--patient",
    help="Id of the Patient, for what the bedside keeps; it is asked for if neither this nor --number is given.",
)
@click.option(
    "--number",
    "numbers",
    metavar="SYSTEM|VALUE",
    multiple=True,
    help="A number of the patient as an identifier, for what the stream keeps; several.",
)
@click.option(
    "--issuer", default="", help="The EHR that the patient is of, as its tokens say. [default: calls without]"
)
@click.option("--stay", "stays", multiple=True, help="Id of an Encounter, for lock-outs whose card has gone; several.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
def erase_patient_in_database(
    patient: str | None, numbers: tuple[str, ...], issuer: str, stays: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Remove what is kept about a patient.

    Of the bedside (--patient): the cards that were shown, the feedback and comments on them, and the lock-outs. The
    patient is found by a keyed hash, with the key of this WARDROUND_VAR. The hash is printed: the audit has it too, and
    is left as it is.

    Of the stream (--number): messages of every stage, dead letters, visits, merged numbers and lock-outs. Numbers that
    were merged with the given one are the same patient's. Accounts of the messages stay, without content.
    """
    from datetime import UTC, datetime

    from wardround.adapters.database.bedside_removal import erase_patient
    from wardround.adapters.database.database import opened
    from wardround.adapters.pseudonyms import Pseudonyms

    settings = settings_from()
    if patient is None and not numbers:
        patient = click.prompt("Patient id")
    pseudonyms = Pseudonyms.existing(settings.var)
    identifiers = _identifiers(numbers, settings)
    facts: dict[str, Any] = {}
    with opened(settings.database) as database:
        if not yes and not click.confirm(f"Erase this patient in {database.place.shown}?", err=True):
            say("Nothing was changed.")
            return
        facts["database"] = database.place.shown
        if patient is not None:
            key = pseudonyms.of(issuer, "Patient", patient)
            with database.writing() as connection:
                erased = erase_patient(connection, key, [pseudonyms.of(issuer, "Encounter", stay) for stay in stays])
            facts |= {"patient_key": key, **erased._asdict()}
        if identifiers:
            from wardround.adapters.queue.queue import Queue
            from wardround.spec.loading import load_stream
            from wardround.stream.erasing import erase

            sources = load_stream(settings.stream).sources
            gone = erase(Queue(database), identifiers, sources, pseudonyms, datetime.now(UTC))
            facts |= {**gone._asdict(), "lock_outs": facts.get("lock_outs", 0) + gone.lock_outs}
        database.settle()
        show(facts, as_json)


def _identifiers(numbers: tuple[str, ...], settings: "Settings") -> "list[Identifier]":
    """Returns the numbers as identifiers. Raises UsageError for one that no source of the stream can have."""
    if not numbers:
        return []
    from wardround.core.identifier import Identifier
    from wardround.spec.loading import load_stream

    issuers = {one.system for source in load_stream(settings.stream).sources.values() for one in source.patients}
    found = [Identifier(*number.rpartition("|")[::2]) for number in numbers]
    if any(one.system not in issuers or not one.value for one in found):
        expected = ", ".join(f"{system}|VALUE" for system in sorted(issuers))
        raise click.UsageError(f"--number: is of no system in {settings.stream}, expected one of: {expected}")
    return found


def _facts(database: str, file: Path, rows: dict[str, int]) -> dict[str, Any]:
    return {"database": database, "file": str(file), "rows": rows}
