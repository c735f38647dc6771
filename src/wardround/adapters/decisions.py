"""What was decided about a condition's models: one JSON object a line in <root>/<condition>/decisions.jsonl.

It is the one account of what is live; live.json says again what it comes to. Lines are added, never changed.
"""

from pathlib import Path

from pydantic import ValidationError

from wardround.core.decisions import Decision
from wardround.errors import ModelError


def read_decisions(path: Path) -> tuple[Decision, ...]:
    """All decisions, oldest first; none if there is no file. Raises ModelError for a line that is none."""
    if not path.is_file():
        return ()
    try:
        return tuple(Decision.model_validate_json(line) for line in path.read_bytes().splitlines())
    except ValidationError:
        raise ModelError(f"{path}: a line is not a decision that this release writes; restore the file") from None
