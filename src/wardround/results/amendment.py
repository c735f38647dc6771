"""Decides what to write so that a server holds one RiskAssessment as it should be. Uses no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, Final

from wardround.results.risk_assessment import IDENTIFIER_SYSTEM, fhir_time, same_content

Resource = dict[str, Any]

WITHDRAWN: Final = "entered-in-error"
SUPERSEDED_SYSTEM: Final = "urn:wardround:superseded-risk-assessment"
# Who signs the note of a retraction. Wardround may rewrite what it retracted itself, never what a person withdrew.
RETRACTED_BY: Final = "wardround retract"
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Decision:
    """What to do about one RiskAssessment.

    Attributes:
        changes: what to write: with the server's id an update of that resource, without an id a new resource.
        withdrawn: somebody withdrew it; that stands, and the changes leave no other resource standing.
        repairs: the changes fix that the server holds several.
    """

    changes: tuple[Resource, ...] = ()
    withdrawn: bool = False
    repairs: bool = False


def decide(wanted: Resource, held: Sequence[Resource], blind: bool = False) -> Decision:
    """Returns what makes the server hold `wanted` once; `held` is all that it holds under the same identifier.

    With `blind`, ours was written although a resource was there that the earlier look had missed. If somebody has
    withdrawn that resource in the meantime, ours must not stand.
    """
    if not held:
        return Decision(changes=(wanted,))
    standing = [one for one in held if not is_withdrawn(one)]
    if any(_is_withdrawn_by_others(one) for one in held) and (blind or not standing):
        return Decision(tuple(superseded(one) for one in standing), withdrawn=True)
    kept = newest(standing or held)
    others = tuple(superseded(one) for one in held if one is not kept)
    if standing and same_content(kept, wanted):
        return Decision(others, repairs=bool(others))
    amended = {**wanted, "id": kept["id"], "meta": kept.get("meta") or {}, "status": "amended"}
    return Decision((*others, amended), repairs=bool(others))


def overruled(history: Sequence[Resource], before: str, now: str) -> Resource | None:
    """Returns what an update replaced unseen, if somebody had just withdrawn it; None if not, or if unknown.

    Args:
        history: the versions of the resource, newest first.
        before: the version that was seen before the update; "" if there was none.
        now: the version that the update made.
    """
    versions = [version_of(one) for one in history]
    if now not in versions:
        return None
    unseen = list(takewhile(lambda one: version_of(one) != before, history[versions.index(now) + 1 :]))
    return unseen[0] if unseen and _is_withdrawn_by_others(unseen[0]) else None


def version_of(resource: Mapping[str, Any]) -> str:
    """Returns the version that the server gives the resource; "" if it gives none."""
    return str((resource.get("meta") or {}).get("versionId", ""))


def newest(held: Sequence[Resource]) -> Resource:
    """Returns the resource written last; among several written at once the last id, so all callers choose the same."""
    return max(held, key=lambda one: (written_at(one) or _NEVER, str(one.get("id", ""))))


def is_withdrawn(resource: Mapping[str, Any]) -> bool:
    return resource.get("status") == WITHDRAWN


def _is_withdrawn_by_others(resource: Mapping[str, Any]) -> bool:
    """Returns whether a person or another system withdrew it, and not `wardround retract`."""
    notes = resource.get("note")
    signed = isinstance(notes, list) and any(
        isinstance(note, dict) and note.get("authorString") == RETRACTED_BY for note in notes
    )
    return is_withdrawn(resource) and not signed


def superseded(resource: Resource) -> Resource:
    """Returns a duplicate RiskAssessment, marked as entered in error.

    Its identifier moves to another system: if two shared one, every later conditional update would fail.
    """
    moved = [
        {**item, "use": "old", "system": SUPERSEDED_SYSTEM} if item.get("system") == IDENTIFIER_SYSTEM else item
        for item in resource.get("identifier", [])
    ]
    return {**resource, "status": WITHDRAWN, "identifier": moved}


def retracted(resource: Resource, why: str, at: datetime) -> Resource:
    """Returns the resource retracted, with a note that says when and why; everything else is unchanged."""
    note = {"authorString": RETRACTED_BY, "time": fhir_time(at), "text": why}
    return {**resource, "status": WITHDRAWN, "note": [*resource.get("note", []), note]}


def written_at(resource: Mapping[str, Any]) -> datetime | None:
    """Returns when the server took the resource (UTC), as the server states it; None if it gives no time."""
    try:
        moment = datetime.fromisoformat(str((resource.get("meta") or {}).get("lastUpdated")))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
