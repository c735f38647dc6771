"""What a server holds of one RiskAssessment and what it should hold in, what must be written out; no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from wardround.core.risk_assessment import IDENTIFIER_SYSTEM, fhir_time, same_content

Resource = dict[str, Any]

WITHDRAWN: Final = "entered-in-error"
SUPERSEDED_SYSTEM: Final = "urn:wardround:superseded-risk-assessment"
# Who signs the note of a retraction: what Wardround took back it may write again, what a person took back never.
RETRACTED_BY: Final = "wardround retract"
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Decision:
    """What to do about one RiskAssessment.

    Attributes:
        changes: what to write: with the server's id an update of that resource, without one a new resource.
        withdrawn: somebody took it back; it is left alone.
        repairs: the changes resolve that the server holds several.
    """

    changes: tuple[Resource, ...] = ()
    withdrawn: bool = False
    repairs: bool = False


def decide(wanted: Resource, held: Sequence[Resource]) -> Decision:
    """What makes the server hold `wanted` once; `held` is all that it holds under the same identifier."""
    if not held:
        return Decision(changes=(wanted,))
    standing = [one for one in held if not is_withdrawn(one)]
    kept = newest(standing or held)
    if not standing and not is_retracted_by_us(kept):
        return Decision(withdrawn=True)
    others = tuple(superseded(one) for one in held if one is not kept)
    if standing and same_content(kept, wanted):
        return Decision(others, repairs=bool(others))
    amended = {**wanted, "id": kept["id"], "meta": kept.get("meta") or {}, "status": "amended"}
    return Decision((*others, amended), repairs=bool(others))


def newest(held: Sequence[Resource]) -> Resource:
    """The one that was written last; of several at one moment the one with the last id, so that all choose the same."""
    return max(held, key=lambda one: (written_at(one) or _NEVER, str(one.get("id", ""))))


def is_withdrawn(resource: Mapping[str, Any]) -> bool:
    return resource.get("status") == WITHDRAWN


def is_retracted_by_us(resource: Mapping[str, Any]) -> bool:
    """Whether `wardround retract` took it back, and not a person or another system."""
    notes = resource.get("note", [])
    return is_withdrawn(resource) and any(note.get("authorString") == RETRACTED_BY for note in notes)


def superseded(resource: Resource) -> Resource:
    """A second RiskAssessment of the same question, taken back.

    Its identifier moves to another system: with two of one identifier every later conditional update would fail.
    """
    moved = [
        {**item, "use": "old", "system": SUPERSEDED_SYSTEM} if item.get("system") == IDENTIFIER_SYSTEM else item
        for item in resource.get("identifier", [])
    ]
    return {**resource, "status": WITHDRAWN, "identifier": moved}


def retracted(resource: Resource, why: str, at: datetime) -> Resource:
    """The resource taken back, with a note that says when and why; all else stays as it was."""
    note = {"authorString": RETRACTED_BY, "time": fhir_time(at), "text": why}
    return {**resource, "status": WITHDRAWN, "note": [*resource.get("note", []), note]}


def written_at(resource: Mapping[str, Any]) -> datetime | None:
    """When the server took it (UTC), by its own account; None if it gives no time."""
    try:
        moment = datetime.fromisoformat(str((resource.get("meta") or {}).get("lastUpdated")))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
