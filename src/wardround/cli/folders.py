"""Reports on stderr which files in a folder are not FHIR files."""

from collections.abc import Sequence
from typing import Final

from wardround.cli.results import say
from wardround.escaping import visible

_MOST: Final = 10


def say_passed_over(names: Sequence[str]) -> None:
    """Lists the files that, judging by their names, contain no FHIR resources; if there are many, only the first."""
    if names:
        shown = ", ".join(visible(name) for name in names[:_MOST])
        rest = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
        say(f"Passed over, because their names are not those of FHIR files: {shown}{rest}")
