"""Retracts the results that the bedside door wrote to the record in a period. Safe to repeat.

They belong to no run, so nothing here lists them: they are found on the server, by their mark.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from wardround.core.microseconds import micros
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource, id_in
from wardround.fhir.times import micros_of, no_earlier_than, no_later_than
from wardround.results.amendment import is_withdrawn, retracted
from wardround.results.risk_assessment import BEDSIDE, DOOR_SYSTEM, MODEL_SYSTEM, method_codings
from wardround.workflows.retract_results import ROUNDS

_LOG = logging.getLogger(__name__)

_AT_ONCE: Final = 100  # results in memory


@dataclass(frozen=True)
class Wanted:
    """Which results are to be retracted.

    Attributes:
        condition: the id of their condition.
        since, until: of their prediction times, both included.
        stays: the ids of the Encounters that they name; empty for all.
    """

    condition: str
    since: datetime
    until: datetime
    stays: frozenset[str] = frozenset()

    def has(self, resource: Resource) -> bool:
        """Returns whether a RiskAssessment is one of them, whatever the server was asked."""
        said = {(one.get("system"), one.get("code")) for one in method_codings(resource)}
        when = resource.get("occurrenceDateTime")
        return (
            {(DOOR_SYSTEM, BEDSIDE), (MODEL_SYSTEM, self.condition)} <= said
            and isinstance(when, str)
            and micros(self.since) <= micros_of(when) <= micros(self.until)
            and (not self.stays or _stay_of(resource) in self.stays)
        )


class Taken(NamedTuple):
    """How many results are marked as entered in error now, were so before, or still stand."""

    retracted: int
    earlier: int
    failed: int


def retract_bedside(wanted: Wanted, client: FhirClient, why: str, at: datetime) -> Taken:
    """Marks results of the bedside as entered in error, with a note of when and why; returns how many.

    `client` is for the server that holds them. Raises FhirError if the whole server fails: then call it again.
    """
    earlier = 0
    for number in range(ROUNDS):
        # The last look only looks. What the server has made of a write, the next look shows.
        last = number == ROUNDS - 1
        withdrawn = standing = misshapen = 0
        held = _held(wanted, client)
        while some := list(islice(held, _AT_ONCE)):
            mine = [one for one in some if not risk_assessments.is_misshapen(one)]
            stand = [one for one in mine if not is_withdrawn(one)]
            misshapen += len(some) - len(mine)
            withdrawn += len(mine) - len(stand)
            standing += len(stand)
            if stand and not last:
                risk_assessments.write(client, [retracted(one, why, at) for one in stand])
        earlier = earlier if number else withdrawn
        if not standing:
            break
    taken = Taken(withdrawn - earlier, earlier, standing + misshapen)
    _LOG.info("bedside, %s: retracted %d, earlier %d, failed %d", wanted.condition, *taken)
    return taken


def _held(wanted: Wanted, client: FhirClient) -> Iterator[Resource]:
    """Yields them, with relative references to the server's own resources."""
    criteria = [
        ("method", [f"{DOOR_SYSTEM}|{BEDSIDE}"]),
        ("date", no_earlier_than(wanted.since)),
        ("date", no_later_than(wanted.until)),
    ]
    for one in client.search("RiskAssessment", criteria):
        if one.get("resourceType") == "RiskAssessment" and wanted.has(localised := client.source.bases.localised(one)):
            yield localised


def _stay_of(resource: Resource) -> str:
    """Returns the id of the Encounter; of a result for another server than the source, the value that names it."""
    encounter = resource.get("encounter")
    identifier = encounter.get("identifier") if isinstance(encounter, dict) else None
    value = identifier.get("value") if isinstance(identifier, dict) else None
    return id_in(encounter, "Encounter") or str(value or "")
