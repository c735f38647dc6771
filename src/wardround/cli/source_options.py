"""Declares the options that say which FHIR server is meant and how to use it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from wardround.fhir.source_settings import is_path, meaning

SOURCE_HELP: Final = "FHIR R4 server: its base URL, or the name of a source in the environment or .env."


def source_option(setting: str, metavar: str | None) -> Callable[[Any], Any]:
    """Returns a command's option that overrides the source's own setting; a switch if there is no `metavar`."""
    return click.option(
        f"--{setting.replace('_', '-')}",
        metavar=metavar,
        is_flag=metavar is None,
        type=click.Path(path_type=Path) if is_path(setting) else None,
        help=f"{meaning(setting)}  [default: NAME_{setting.upper()} of the source]",
    )
