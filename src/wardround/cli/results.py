"""A command's result on stdout: one JSON object, or a table of two columns."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from wardround.escaping import visible_lines

if TYPE_CHECKING:
    from rich.table import Table


def show(result: Mapping[str, Any], as_json: bool) -> None:
    """Prints `result`: with `as_json` as one JSON object, otherwise a row per key (and per key of inner mappings)."""
    if as_json:
        click.echo(json.dumps(result))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for key, value in result.items():
        for inner, shown in value.items() if isinstance(value, Mapping) else [(key, value)]:
            add_row(table, inner, f"{shown:,}" if isinstance(shown, int) else shown)
    Console().print(table)


def add_row(table: "Table", *cells: object) -> None:
    """A row of text as it is: what people, files and servers name may hold what rich takes for markup."""
    from rich.text import Text

    table.add_row(*(Text(visible_lines(str(cell))) for cell in cells))


def say(message: str) -> None:
    """Progress, on stderr."""
    click.echo(message, err=True)
