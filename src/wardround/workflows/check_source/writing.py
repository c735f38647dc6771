"""A server in, what can be written to it and how out, found with one marked RiskAssessment that is removed again.

The resource is about nobody (its subject is a text), tagged as test data and entered in error from the beginning, so
that nobody takes it for a result even if it stays. What a write did is judged by what the server holds afterwards.
"""

from typing import Final
from uuid import uuid4

from wardround.errors import FhirError
from wardround.fhir.page import dicts
from wardround.fhir.probe import Asked, Probe
from wardround.fhir.references import Resource
from wardround.fhir.write_outcome import WriteOutcome
from wardround.workflows.check_source.findings import BY_IDENTIFIER, REMOVING, Finding, Findings, Outcome

SYSTEM: Final = "urn:wardround:check-source"
_TEST_DATA: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}


def probe_writing(probe: Probe, findings: Findings) -> None:
    """Fills in whether batches and conditional writes work, and whether repeating one changes nothing.

    A server that ignores the identifier would take somebody else's resource for ours: nothing is written to it. Raises
    what `Probe` raises, naming the test resource if it may still be there.
    """
    held = _Held(probe, str(uuid4()))
    if _found_by_identifier(held, findings) != "works":
        return
    try:
        written = _updates(probe, held, findings)
        if written:
            _repeats(probe, held, findings)
        _creates(probe, held, written, findings)
    finally:
        try:
            _remove(probe, held, findings)
        except FhirError as error:
            what = f"the test resource RiskAssessment?{held.criteria} may still be there; remove it by hand"
            raise type(error)(f"{error}; {what}") from None


class _Held:
    """The test resource, what the server holds of it, and whether it said to have `taken` one."""

    def __init__(self, probe: Probe, value: str) -> None:
        self._probe = probe
        self.taken = False
        self.criteria = f"identifier={SYSTEM}|{value}"
        self._identifier = {"system": SYSTEM, "value": value}
        self.resource: Resource = {
            "resourceType": "RiskAssessment",
            "meta": {"security": [_TEST_DATA]},
            "identifier": [self._identifier],
            "status": "entered-in-error",
            "subject": {"display": "Nobody: a test of the connection by Wardround"},
        }

    def search(self) -> Asked:
        return self._probe.get("RiskAssessment", [("identifier", f"{SYSTEM}|{self._identifier['value']}")])

    def now(self) -> list[Resource]:
        """Ours and nobody else's."""
        found = self.search().resources("RiskAssessment")
        # A server may add to the identifier what it likes, such as its use.
        return [
            each
            for each in found
            if any(self._identifier.items() <= one.items() for one in dicts(each.get("identifier")))
        ]


def _found_by_identifier(held: _Held, findings: Findings) -> Outcome:
    asked = held.search()
    return findings.add(BY_IDENTIFIER, asked, not asked.resources("RiskAssessment"))


def _updates(probe: Probe, held: _Held, findings: Findings) -> bool:
    """A conditional update in a batch, or else alone; whether the server holds the resource now."""
    request = {"method": "PUT", "url": f"RiskAssessment?{held.criteria}"}
    entry = {"resource": held.resource, "request": request}
    batched = probe.write("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    outcomes = [WriteOutcome.of(answer) for answer in dicts(batched.body.get("entry"))]
    held.taken = any(outcome.taken for outcome in outcomes)
    findings.facts["has_batch"] = not batched.refused and bool(outcomes)
    findings.add("a batch", batched, bool(outcomes))
    if held.now():
        findings.facts["has_conditional_update"] = True
        findings.add("a conditional update in a batch", batched, True)
        return True
    inside = f"HTTP {outcomes[0]} for the entry" if outcomes and outcomes[0].status else ""
    findings.add("a conditional update in a batch", batched, False, inside)
    alone = probe.write("PUT", f"RiskAssessment?{held.criteria}", held.resource)
    held.taken |= not alone.refused
    there = bool(held.now())
    findings.facts["has_conditional_update"] = there
    findings.add("a conditional update alone", alone, there)
    return there


def _repeats(probe: Probe, held: _Held, findings: Findings) -> None:
    """The same update again."""
    versions = [_version(each) for each in held.now()]
    again = probe.write("PUT", f"RiskAssessment?{held.criteria}", held.resource)
    found = held.now()
    kept = [_version(each) for each in found] == versions
    detail = "leaves a second resource" if len(found) > 1 else "" if kept else "makes a new version"
    findings.add("the same update again changes nothing", again, kept, detail)


def _creates(probe: Probe, held: _Held, written: bool, findings: Findings) -> None:
    """Conditional creates: one more where the resource is there, two where it is not."""
    tries = 1 if written else 2
    asked = [probe.write("POST", "RiskAssessment", held.resource, held.criteria) for _ in range(tries)]
    held.taken |= any(not one.refused for one in asked)
    works = len(held.now()) == 1
    findings.facts["has_conditional_create"] = works and not asked[-1].refused
    findings.add("a conditional create", asked[-1], works)


def _remove(probe: Probe, held: _Held, findings: Findings) -> None:
    """Deletes whatever is there under our identifier, and says so if it stays, or was taken and is not found."""
    there = [f"RiskAssessment/{each.get('id')}" for each in held.now()]
    asked: list[Asked] = [probe.write("DELETE", reference) for reference in there]
    left = [f"RiskAssessment/{each.get('id')}" for each in held.now()]
    spent = sum(one.milliseconds for one in asked)
    if left:
        detail = f"{', '.join(left)} is still there, entered in error; remove it by hand"
        findings.rows.append(Finding(question=REMOVING, outcome="kept", detail=detail))
    elif held.taken and not there:
        detail = f"RiskAssessment?{held.criteria} was accepted but is not found; look for it and remove it by hand"
        findings.rows.append(Finding(question=REMOVING, outcome="kept", detail=detail))
    elif there:
        findings.rows.append(
            Finding(
                question=REMOVING,
                outcome="works",
                detail=f"{len(there)} removed",
                milliseconds=round(spent / len(there), 1),
            )
        )


def _version(resource: Resource) -> str:
    return str((resource.get("meta") or {}).get("versionId"))
