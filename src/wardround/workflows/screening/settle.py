"""RiskAssessments as they should be in, and written until the server holds each of them once.

Round by round: ask what the server holds, decide, write. So a lost answer, a second writer, several resources of one
identifier and an entry that was refused all end in the same place: with the next look at the server.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from wardround.adapters import risk_assessments
from wardround.adapters.fhir_batch import UNANSWERED
from wardround.adapters.fhir_client import FhirClient
from wardround.adapters.fhir_references import Resource
from wardround.core.amendment import decide

# The last of them only looks. One is enough for a server that answers; two writers that meet need a second.
ROUNDS: Final = 5
# Somebody else was there first: what is there now decides. Everything else between 400 and 499 stays as it is.
OVERTAKEN: Final = ("404", "409", "410", "412")

_LOG = logging.getLogger(__name__)


@dataclass
class Account:
    """What became of each stay; `failed` gives the reason. A written stay has failed if its Provenance is missing."""

    to_write: int = 0
    written: set[str] = field(default_factory=set)
    unchanged: set[str] = field(default_factory=set)
    repaired: set[str] = field(default_factory=set)  # the server held several of its RiskAssessment; now one stands
    failed: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "to_write": self.to_write,
            "written": sorted(self.written),
            "unchanged": sorted(self.unchanged),
            "repaired": sorted(self.repaired),
            "failed": dict(sorted(self.failed.items())),
        }


class Settled(NamedTuple):
    """What the server holds, by identity, and of which it held nothing when it was written last."""

    kept: dict[str, Resource]
    new: set[str]


def settle(wanted: Mapping[str, Resource], stay_of: Mapping[str, str], client: FhirClient, account: Account) -> Settled:
    """Writes what the server lacks or holds otherwise; gives what it then holds, and accounts for all.

    Raises FhirError if the server as a whole is at fault; what it has taken by then is found by the next attempt.
    """
    work = _Work(dict(wanted), stay_of, account)
    for number in range(ROUNDS):
        held = risk_assessments.held(client, list(work.open))
        changes = work.changes(held, final=number == ROUNDS - 1)
        if not work.open:
            break
        outcomes = risk_assessments.write(client, [change for _, change in changes])
        work.note((one, outcome) for (one, _), outcome in zip(changes, outcomes, strict=True))
        if work.refused:
            refused = ", ".join(f"{number} with {status}" for status, number in Counter(work.refused.values()).items())
            _LOG.warning("of %d RiskAssessments some were refused: %s; looked at again", len(changes), refused)
    return Settled(work.kept, work.kept.keys() & work.new)


@dataclass
class _Work:
    open: dict[str, Resource]  # identity -> wanted
    stay_of: Mapping[str, str]
    account: Account
    kept: dict[str, Resource] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)  # all that was sent of it in the last round was answered with success
    sent: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)  # the look before its last write found nothing
    refused: dict[str, str] = field(default_factory=dict)

    def changes(self, held: Mapping[str, list[Resource]], final: bool) -> list[tuple[str, Resource]]:
        """What to write, by identity; closes what is as it should be and what cannot be mended."""
        changes = []
        for one, wanted in list(self.open.items()):
            there = held.get(one, [])
            if any(risk_assessments.is_misshapen(resource) for resource in there):
                self._fail(one, "malformed")
                continue
            decision = decide(wanted, there)
            if decision.withdrawn:
                # Somebody took it back; a repeated run must not bring it back.
                self._fail(one, "retracted")
            elif not decision.changes or (one in self.taken and len(there) == 1):
                # What a server has taken is not written again, even where it changes what it stores.
                self._keep(one, there[0])
            elif problem := self._problem(one, there, final):
                self._fail(one, problem)
            else:
                (self.new.discard if there else self.new.add)(one)
                if decision.repairs:
                    self.account.repaired.add(self.stay_of[one])
                changes += [(one, change) for change in decision.changes]
        return changes

    def note(self, outcomes: Iterable[tuple[str, str]]) -> None:
        """What the server answered to each change, "" for success."""
        self.taken, self.refused = set(), {}
        for one, outcome in outcomes:
            self.sent.add(one)
            if outcome:
                self.refused[one] = outcome
            elif one not in self.refused:
                self.taken.add(one)
        self.taken -= set(self.refused)

    def _problem(self, one: str, there: list[Resource], final: bool) -> str:
        refusal = self.refused.get(one, "")
        if one in self.taken and not there:
            return "not_found"
        # Several of one identifier are refused with 412 by most and with 400 by some.
        if refusal and refusal != UNANSWERED and refusal not in OVERTAKEN and len(there) < 2:
            return refusal
        return (refusal or "duplicate") if final else ""

    def _keep(self, one: str, resource: Resource) -> None:
        del self.open[one]
        self.kept[one] = resource
        self.account.written.add(self.stay_of[one])
        if one not in self.sent:
            self.account.unchanged.add(self.stay_of[one])

    def _fail(self, one: str, reason: str) -> None:
        del self.open[one]
        self.account.failed[self.stay_of[one]] = f"write:{reason}"
        self.account.repaired.discard(self.stay_of[one])
