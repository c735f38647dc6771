"""Writes RiskAssessments until the server holds each of them once, as it should be.

Each round looks at what the server holds, decides and writes. So a lost answer, a second writer, several resources of
one identifier and a refused entry are all handled alike: by the next look at the server.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from wardround.core.stay_reasons import FailedAt, Reason
from wardround.fhir import risk_assessments
from wardround.fhir.client import FhirClient
from wardround.fhir.references import Resource
from wardround.fhir.write_outcome import WriteOutcome
from wardround.results.amendment import decide, overruled, version_of
from wardround.workflows.screen.written import Written

# The last round only looks. A server that answers needs one round to write; two competing writers need a second.
ROUNDS: Final = 5

_LOG = logging.getLogger(__name__)


class Settled(NamedTuple):
    """What the server holds, by identity, and of these the ones that it did not hold before they were last written."""

    kept: dict[str, Resource]
    new: set[str]


def settle(wanted: Mapping[str, Resource], stay_of: Mapping[str, str], client: FhirClient, account: Written) -> Settled:
    """Writes what the server lacks or holds differently; returns what it then holds, and accounts for every stay.

    Raises FhirError if the server as a whole is at fault; whatever it took before that is found by the next attempt.
    """
    work = _Work(dict(wanted), stay_of, account)
    for number in range(ROUNDS):
        held = risk_assessments.held(client, list(work.open))
        for one, before, now in work.in_doubt(held):
            if theirs := overruled(risk_assessments.versions(client, now), before, version_of(now)):
                work.overruled[one] = theirs
        changes = work.changes(held, final=number == ROUNDS - 1)
        if not work.open:
            break
        outcomes = risk_assessments.write(client, [change for _, change in changes])
        work.note((one, outcome) for (one, _), outcome in zip(changes, outcomes, strict=True))
        if work.refused:
            refused = ", ".join(f"{number} with {status}" for status, number in Counter(work.refused.values()).items())
            _LOG.warning("some of %d RiskAssessments were refused: %s; checking them again", len(changes), refused)
    return Settled(work.kept, work.kept.keys() & work.new)


@dataclass
class _Work:
    open: dict[str, Resource]  # identity -> wanted
    stay_of: Mapping[str, str]
    account: Written
    kept: dict[str, Resource] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)  # everything sent of it in the last round was answered with success
    sent: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)  # the look before its last write found nothing
    refused: dict[str, WriteOutcome] = field(default_factory=dict)
    replacing: set[str] = field(default_factory=set)  # its last write replaced what the look had not found
    seen: dict[str, dict[str, str]] = field(default_factory=dict)  # id -> version, at the look before its last write
    overruled: dict[str, Resource] = field(default_factory=dict)  # what somebody withdrew, and a write of ours undid

    def in_doubt(self, held: Mapping[str, list[Resource]]) -> Iterator[tuple[str, str, Resource]]:
        """Yields what may have replaced more than was seen: identity, the version seen, and what is there now.

        A server that honours If-Match refuses such a write; with any other server only the versions show it.
        """
        for one in sorted(self.taken - self.overruled.keys()):
            for now in held.get(one, []):
                if risk_assessments.is_misshapen(now):
                    continue
                before, made = self.seen[one].get(now["id"], ""), version_of(now)
                created = not before and one not in self.replacing
                if made and not created and made not in (before, _next(before)):
                    yield one, before, now

    def changes(self, held: Mapping[str, list[Resource]], final: bool) -> list[tuple[str, Resource]]:
        """Returns what to write, by identity; closes what is as it should be and what cannot be repaired."""
        changes = []
        for one in list(self.open):
            there = held.get(one, [])
            change = self._changes(one, there, final)
            if change:
                self.seen[one] = {resource["id"]: version_of(resource) for resource in there}
            changes += [(one, each) for each in change]
        return changes

    def _changes(self, one: str, there: list[Resource], final: bool) -> Sequence[Resource]:
        if any(risk_assessments.is_misshapen(resource) for resource in there):
            return self._fail(one, "malformed")
        decision = decide(self.open[one], there, blind=one in self.new)
        if decision.withdrawn and not decision.changes:
            # Somebody withdrew it; a repeated run must not restore it.
            return self._withdraw(one)
        if one in self.overruled and len(there) == 1:
            restored = {**self.overruled[one], "id": there[0]["id"], "meta": there[0].get("meta", {})}
            return self._fail(one, "overruled") if final else (restored,)
        if not decision.changes or (one in self.taken and len(there) == 1):
            # What a server has accepted is not written again, even if it changes what it stores.
            return self._keep(one, there[0])
        if problem := self._problem(one, there, final):
            return self._fail(one, problem)
        (self.new.discard if there else self.new.add)(one)
        if decision.repairs:
            self.account.repaired.add(self.stay_of[one])
        return decision.changes

    def note(self, outcomes: Iterable[tuple[str, WriteOutcome]]) -> None:
        """Notes what the server answered to each change."""
        self.taken, self.refused, self.replacing = set(), {}, set()
        for one, outcome in outcomes:
            self.sent.add(one)
            if not outcome.taken:
                self.refused[one] = outcome
                continue
            self.taken.add(one)
            if outcome.replaced:
                self.new.discard(one)
                self.replacing.add(one)
        self.taken -= set(self.refused)

    def _problem(self, one: str, there: list[Resource], final: bool) -> str:
        refusal = self.refused.get(one)
        if one in self.taken and not there:
            return "not_found"
        # Most servers refuse several resources of one identifier with 412, some with 400.
        if refusal and not refusal.is_overtaken and len(there) < 2:
            return str(refusal)
        return str(refusal or "duplicate") if final else ""

    def _keep(self, one: str, resource: Resource) -> Sequence[Resource]:
        del self.open[one]
        self.kept[one] = resource
        self.account.written.add(self.stay_of[one])
        if one not in self.sent:
            self.account.unchanged.add(self.stay_of[one])
        return ()

    def _withdraw(self, one: str) -> Sequence[Resource]:
        del self.open[one]
        self.account.withdrawn.add(self.stay_of[one])
        self.account.repaired.discard(self.stay_of[one])
        return ()

    def _fail(self, one: str, reason: str) -> Sequence[Resource]:
        del self.open[one]
        self.account.failed[self.stay_of[one]] = Reason(reason, FailedAt.WRITE)
        self.account.repaired.discard(self.stay_of[one])
        return ()


def _next(version: str) -> str:
    """Returns the version after this one, if the server counts its versions."""
    return str(int(version or 0) + 1) if not version or version.isdecimal() else ""
