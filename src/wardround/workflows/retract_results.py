"""Marks results on a server as entered in error, and says what became of each; for a run and for the stream alike."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.results.amendment import is_withdrawn, retracted
from wardround.results.risk_assessment import probability

# The last attempt only looks. A second one writes again what somebody else has changed in the meantime.
ROUNDS: Final = 4


class Verdict(StrEnum):
    """What became of one result (see `core.run_summary.Retraction`)."""

    RETRACTED = "retracted"
    SUPERSEDED = "superseded"
    MISSING = "missing"
    FAILED = "failed"


Statements = Mapping[str, tuple[str, float]]
"""What may have been written: by identity, the stay_id and the score."""


def retract_results(statements: Statements, client: FhirClient, why: str, at: datetime) -> dict[str, Verdict]:
    """Retracts the results that say so on the server, with a note of why and when; returns the verdict by stay_id.

    `client` is for the server that holds the results. Raises FhirError if it fails as a whole; repeating is safe.
    """
    held: dict[str, list[Resource]] = {}
    for number in range(ROUNDS):
        held = risk_assessments.held(client, list(statements))
        standing = [
            one
            for key, (_, score) in statements.items()
            for one in held.get(key, [])
            if not risk_assessments.is_misshapen(one) and _states(one, score)
        ]
        if not standing or number == ROUNDS - 1:
            break
        risk_assessments.write(client, [retracted(one, why, at) for one in standing])
    return {stay: _verdict(held.get(key, []), score) for key, (stay, score) in statements.items()}


def _states(resource: Resource, score: float) -> bool:
    """Returns whether a resource has this score, as a fraction or a percentage (a setting may have changed)."""
    stated = [probability(resource, percent) for percent in (False, True)]
    return not is_withdrawn(resource) and any(one is not None and abs(one - score) < 1e-6 for one in stated)


def _verdict(held: list[Resource], score: float) -> Verdict:
    if not held:
        return Verdict.MISSING
    if any(risk_assessments.is_misshapen(one) for one in held):
        return Verdict.FAILED
    if all(is_withdrawn(one) for one in held):
        return Verdict.RETRACTED
    return Verdict.FAILED if any(_states(one, score) for one in held) else Verdict.SUPERSEDED
