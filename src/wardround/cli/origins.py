"""The option --cors of the commands that serve: which web pages may send requests."""

import re
from typing import Final

import click

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")


def _origins(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for origin in given:
        if not (origin == "*" or _ORIGIN.fullmatch(origin)):
            raise click.BadParameter(
                "expected scheme, host and port as a browser sends them, such as http://localhost:8080, without a"
                " trailing slash; or * for any"
            )
    return given


cors_option = click.option(
    "--cors",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    callback=_origins,
    help="Allow requests from web pages of this origin (https://host:port, or * for any); may be given several times.",
)
