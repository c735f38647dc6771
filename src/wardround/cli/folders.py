"""What a folder of FHIR files holds beside them, said on stderr."""

from collections.abc import Sequence
from typing import Final

from wardround.cli.results import say
from wardround.escaping import visible

_MOST: Final = 10


def say_passed_over(names: Sequence[str]) -> None:
    """Names the files that hold no FHIR resources, by their names; of very many the first."""
    if names:
        shown = ", ".join(visible(name) for name in names[:_MOST])
        rest = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
        say(f"Passed over, as no FHIR files by their names: {shown}{rest}")
