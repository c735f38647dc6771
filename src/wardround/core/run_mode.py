"""What request.json says in, whether the run writes results out."""

from collections.abc import Mapping
from typing import Any


def mode_of(request: Mapping[str, Any]) -> str:
    """live or shadow, as the run was opened; "" if it does not say.

    Earlier releases knew a dry run besides, which is what a run in shadow is.
    """
    return "shadow" if request.get("dry_run") else str(request["mode"] or "")
