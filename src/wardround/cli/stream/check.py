"""`wardround stream check`: a dry run of a source's settings on files of messages."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wardround.cli.results import add_row, print_table, tell
from wardround.cli.stream.sources import source_named, source_option
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.stream.checking import Finding


@click.command("check", short_help="Try a source's settings on files: who would be flagged, and why not.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@source_option
@click.option("--each", is_flag=True, help="Print a line for each message, too, with its place in its file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table; with --each, a line a message.")
def check_files(files: tuple[Path, ...], source: str, each: bool, as_json: bool) -> None:
    """Say what would become of the messages of files, by the settings of a source and the branches of all conditions.

    The messages are taken as if they arrived now, with no visit known before. Nothing is stored, and nothing that they
    say is printed.
    """
    from wardround.adt.feed import feed_of
    from wardround.spec.loading import load_conditions
    from wardround.stream.branches import ways_of
    from wardround.stream.checking import counted, findings
    from wardround.stream.files import messages_in
    from wardround.stream.flag import watches_of
    from wardround.stream.runner import utc_now

    settings = settings_from()
    feed = source_named(source, settings)
    watches = watches_of(ways_of(load_conditions(settings.schemas)))
    found = findings(messages_in(files, feed), feed_of(source, feed), watches, feed.charset, utc_now())
    rows = [
        {"outcome": outcome, "why": why, **of._asdict()}
        for (outcome, why), of in counted(_told(found, as_json) if each else found).items()
    ]
    if as_json:
        click.echo(json.dumps({"messages": sum(row["messages"] for row in rows), "found": rows}))
        return
    if not rows:
        tell("The files hold no message.")
        return
    _print(rows)


def _told(found: "Iterable[Finding]", as_json: bool) -> "Iterator[Finding]":
    for one in found:
        said = " ".join(filter(None, (f"{one.place}:", one.event, one.outcome)))
        click.echo(json.dumps(one._asdict()) if as_json else f"{said}: {one.why}" if one.why else said)
        yield one


def _print(rows: list[dict[str, object]]) -> None:
    from rich.table import Table

    table = Table("outcome", "why", "messages", "first")
    table.columns[-1].no_wrap = True
    for row in rows:
        add_row(table, row["outcome"], row["why"], f"{row['messages']:,}", row["first"])
    print_table(table)
