"""`wardround stream import`: takes messages from files."""

from pathlib import Path

import click

from wardround.cli.results import show
from wardround.cli.stream.queues import opened_queue
from wardround.cli.stream.sources import source_named, source_option
from wardround.settings import settings_from


@click.command("import", short_help="Take messages from files, as if they had arrived.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@source_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def import_files(files: tuple[Path, ...], source: str, as_json: bool) -> None:
    """Store the messages of files for the flag stage, in the order of the files and inside them.

    A file has one message or many, with or without batch headers (FHS, BHS). What was stored before is not stored
    again, so an import that was broken off can be repeated.
    """
    from wardround.stream.files import messages_in
    from wardround.stream.importing import imported
    from wardround.stream.runner import utc_now

    feed = source_named(source, settings_from())
    with opened_queue() as queue:
        counts = imported(messages_in(files, feed), source, queue, utc_now)
    show(dict(counts), as_json)
