"""Prints a command's result on stdout: one JSON object, or a table."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from wardround.escaping import visible_lines

if TYPE_CHECKING:
    from rich.table import Table

_UNBOUNDED: Final = 100_000
"""A width in characters that no table reaches, in place of the terminal's."""


def show(result: Mapping[str, Any], as_json: bool) -> None:
    """Prints `result` as one JSON object if `as_json`, otherwise as a table with one row per key.

    Each key of an inner mapping has its own row, named `key: inner key`, so that what was skipped does not look as if
    it had been written.
    """
    if as_json:
        click.echo(json.dumps(result))
        return
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column()
    table.add_column(no_wrap=True)
    for key, value in result.items():
        rows = (
            [(f"{key}: {inner}", one) for inner, one in value.items()] if isinstance(value, Mapping) else [(key, value)]
        )
        for name, shown in rows:
            add_row(table, name, _text(shown))
    print_table(table)


def _text(value: object) -> object:
    if isinstance(value, bool):  # which is an int, too
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else value


def print_table(table: "Table") -> None:
    """Prints a table, wider than the terminal if necessary.

    Columns without wrapping (a version, a run's name, a path) are never cut, because people copy from them. No other
    column becomes narrower than its longest word.
    """
    from rich.console import Console

    console = Console()
    unbounded = console.options.update(width=_UNBOUNDED)
    fixed, flexible, word = 0, 0, 0
    for column in table.columns:
        cells = [console.measure(cell, options=unbounded) for cell in (column.header, *column.cells)]
        if column.no_wrap:
            fixed += max(cell.maximum for cell in cells)
        else:
            # rich shrinks the widest of these until all are equal.
            flexible, word = flexible + 1, max(word, *(cell.minimum for cell in cells))
    lines = 3 * len(table.columns) + 1
    Console(width=max(console.width, fixed + flexible * word + lines)).print(table)


def add_row(table: "Table", *cells: object) -> None:
    """Adds a row of literal text: names from people, files and servers may contain what rich takes for markup."""
    from rich.text import Text

    table.add_row(*(Text(visible_lines(str(cell))) for cell in cells))


def tell(message: str) -> None:
    """Prints a line of the result on stdout; it may contain text from outside."""
    click.echo(visible_lines(message))


def say(message: str) -> None:
    """Prints a line about the progress on stderr; it may contain text from outside."""
    click.echo(visible_lines(message), err=True)
