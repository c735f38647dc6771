"""Reads from request.json whether the run writes results."""

from collections.abc import Mapping
from typing import Any


def mode_of(request: Mapping[str, Any]) -> str:
    """Returns live or shadow, as the run was opened; "" if the request does not state it.

    Earlier releases also had a dry run, which is the same as a run in shadow.
    """
    return "shadow" if request.get("dry_run") else str(request["mode"] or "")
