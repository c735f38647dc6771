"""The option that names a source of the stream's settings."""

from typing import TYPE_CHECKING

import click

from wardround.errors import SpecError
from wardround.settings import Settings

if TYPE_CHECKING:
    from wardround.spec.stream import StreamSource

source_option = click.option(
    "--source", required=True, metavar="NAME", help="Feed of the stream's settings, whose messages these are."
)


def source_named(name: str, settings: Settings) -> "StreamSource":
    """Returns a source of the stream's settings. Raises SpecError."""
    # A quarter of what the command imports; few of its parts need it.
    from wardround.spec.loading import load_stream

    sources = load_stream(settings.stream).sources
    if name not in sources:
        known = ", ".join(sorted(sources))
        raise SpecError(f"{settings.stream}: sources: no source {name!r}, expected one of: {known}; correct --source")
    return sources[name]
