"""`wardround stream dead`: messages that could not be handled; shown, handled again, or replaced by corrected ones."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wardround.cli.deciding import by_option, why_option
from wardround.cli.results import add_row, print_table, show, tell
from wardround.cli.stream.queues import opened_queue

if TYPE_CHECKING:
    from wardround.adapters.queue.dead_letters import DeadLetter

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
_number = click.argument("number", type=int)
_SHOWN = ("seq", "stage", "source", "branch", "received", "ended", "attempts", "reason")


@click.group("dead", short_help="Show, retry and replace messages that could not be handled.")
def command() -> None:
    """Deal with dead letters: messages that could not be handled, with the rule and the place.

    A list shows nothing of what a message holds.
    """


@command.command("list", short_help="List the dead letters, the oldest first.")
@click.option("--stage", help="Only those of this stage.")
@_as_json
def list_dead(stage: str | None, as_json: bool) -> None:
    """List the dead letters that nobody has dealt with."""
    from wardround.adapters.queue.dead_letters import dead_letters

    with opened_queue() as queue:
        letters = dead_letters(queue, stage)
    if as_json:
        click.echo(json.dumps({"dead_letters": [_facts(one) for one in letters]}))
    elif letters:
        _print(letters)
    else:
        tell("There are no dead letters.")


@command.command("show", short_help="Show one dead letter, and write what it holds into a file.")
@_number
@click.option(
    "--body",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the message into this new file, which only you may read: data of a patient.",
)
@_as_json
def show_dead(number: int, body: Path | None, as_json: bool) -> None:
    """Show the dead letter NUMBER."""
    from wardround.adapters.queue.dead_letters import body_of, dead_letters

    with opened_queue() as queue:
        letter = next((one for one in dead_letters(queue) if one.seq == number), None)
        content = body_of(queue, number) if body else None
    if letter is None:
        raise click.UsageError(_unknown(number))
    if body is not None:
        if content is None:
            raise click.UsageError(f"what {number} held was removed, as it is older than messages are kept")
        from wardround.adapters.files.private_file import write_private

        if not write_private(body, content):
            raise click.UsageError(f"{body}: is there already, expected a new file; choose another name")
    show(_facts(letter), as_json)


@command.command("retry", short_help="Let dead letters be handled again.")
@click.argument("numbers", type=int, nargs=-1, required=True)
@by_option
@why_option
def retry_dead(numbers: tuple[int, ...], by: str, why: str) -> None:
    """Let the dead letters NUMBERS be handled again, after their cause was mended."""
    from wardround.adapters.queue.dead_letters import Responsible, retry

    with opened_queue() as queue:
        retried = retry(queue, numbers, Responsible(by, why), datetime.now(UTC))
    for number in numbers:
        tell(f"{number}: {'is handled again' if number in retried else 'cannot be handled again; see dead show'}")
    if len(retried) < len(set(numbers)):
        raise click.exceptions.Exit(1)


@command.command("replace", short_help="Put a corrected message in place of a dead letter.")
@_number
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@by_option
@why_option
def replace_dead(number: int, file: Path, by: str, why: str) -> None:
    """Put the message in FILE in place of the dead letter NUMBER: `dead show NUMBER --body FILE`, corrected.

    A corrected message of a source counts as received now.
    """
    from wardround.adapters.queue.dead_letters import Responsible, replace

    with opened_queue() as queue:
        successor = replace(queue, number, file.read_bytes(), Responsible(by, why), datetime.now(UTC))
    if successor is None:
        raise click.UsageError(_unknown(number))
    tell(f"{number}: replaced by {successor}")


def _unknown(number: int) -> str:
    return f"{number} is no dead letter, expected a number that `wardround stream dead list` shows"


def _facts(letter: "DeadLetter") -> dict[str, Any]:
    facts = {name: getattr(letter, name) for name in _SHOWN}
    times = {name: facts[name].isoformat().replace("+00:00", "Z") for name in ("received", "ended")}
    return {**facts, **times, "can_be_retried": letter.can_be_retried}


def _print(letters: "list[DeadLetter]") -> None:
    from rich.table import Column, Table

    table = Table(Column("number", justify="right"), *_SHOWN[1:])
    for one in letters:
        facts = _facts(one)
        add_row(table, *(str(facts[name]) for name in _SHOWN))
    print_table(table)
