"""Makes the FHIR R4 Group of the patients in the high band, and decides what to write to a server that holds some.

There is one Group per condition and source. A trait that its members share (`characteristic`) states its as_of, so
that re-running an earlier as_of cannot replace today's members with those of that time.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from wardround.core.run_summary import Kept
from wardround.results.bands import HIGH
from wardround.results.risk_assessment import MODEL_SYSTEM, RISK_DISPLAYS, RISK_SYSTEM, Screening, fhir_time

Resource = dict[str, Any]
Named = tuple[str, ...]

GROUP_SYSTEM: Final = "urn:wardround:high-band"
SUPERSEDED_SYSTEM: Final = "urn:wardround:superseded-high-band"


class Decision(NamedTuple):
    """What to write to the server, and what that means. With the server's id it is an update, else a new Group."""

    changes: tuple[Resource, ...]
    kept: Kept


def group_identity(source_url: str, condition_id: str) -> str:
    """Returns the opaque value of the Group's identifier: equal for equal source and condition."""
    return sha256(json.dumps([source_url.rstrip("/"), condition_id]).encode()).hexdigest()


def group(subjects: Collection[Mapping[str, Any]], screening: Screening) -> Resource:
    """Returns the Group of these patients, each listed once, in a fixed order."""
    condition, at = screening.condition, fhir_time(screening.as_of)
    members = {_named(subject): dict(subject) for subject in subjects}
    listed = [{"entity": members[name]} for name in sorted(members)]
    return {
        "resourceType": "Group",
        "identifier": [{"system": GROUP_SYSTEM, "value": group_identity(screening.source_url, condition.id)}],
        "active": True,
        "type": "person",
        "actual": True,
        "name": f"{condition.title}: patients in the high band",
        "quantity": len(listed),
        "characteristic": [
            {
                "code": {
                    "coding": [{"system": MODEL_SYSTEM, "version": screening.model_version, "code": condition.id}],
                    "text": f"{condition.title}: Wardround model {screening.model_name}",
                },
                "valueCodeableConcept": {
                    "coding": [{"system": RISK_SYSTEM, "code": HIGH, "display": RISK_DISPLAYS[HIGH]}]
                },
                "exclude": False,
                "period": {"start": at, "end": at},
            }
        ],
        # FHIR does not allow empty lists.
        **({"member": listed} if listed else {}),
    }


def decide(wanted: Resource, held: Sequence[Resource]) -> Decision:
    """Returns what makes the server hold `wanted` once; `held` is all that it holds under the same identifier.

    The id does not change, as other resources refer to it; of several Groups, which a race can leave, the first stays.
    """
    if not held:
        return Decision((wanted,), Kept.WRITTEN)
    kept, *others = sorted(held, key=lambda one: str(one.get("id")))
    doubles = tuple(superseded(one) for one in others)
    newest, mine = max((_time(one) for one in held), default=_NEVER), _time(wanted)
    if newest > mine:
        return Decision((), Kept.NEWER)
    if _said(kept) == _said(wanted):
        return Decision(doubles, Kept.WRITTEN if doubles else Kept.UNCHANGED)
    return Decision((*doubles, _renewed(kept, wanted)), Kept.WRITTEN)


def without(kept: Resource, subjects: Collection[Mapping[str, Any]]) -> Resource:
    """Returns the Group without these patients."""
    gone = {_named(subject) for subject in subjects}
    rest = [member for member in _members(kept) if _named(member.get("entity")) not in gone]
    changed = {name: value for name, value in kept.items() if name not in ("member", "text")}
    return {**changed, "quantity": len(rest), **({"member": rest} if rest else {})}


def is_as_of(kept: Resource, as_of: datetime) -> bool:
    """Returns whether the members are those of this as_of."""
    return _time(kept) == as_of


def superseded(double: Resource) -> Resource:
    """Returns a duplicate Group, emptied and with its identifier moved, or every conditional update would fail."""
    identifiers = double.get("identifier")
    moved = [
        {**one, "use": "old", "system": SUPERSEDED_SYSTEM}
        if isinstance(one, dict) and one.get("system") == GROUP_SYSTEM
        else one
        for one in (identifiers if isinstance(identifiers, list) else ())
    ]
    rest = {name: value for name, value in double.items() if name not in ("member", "text")}
    return {**rest, "identifier": moved, "active": False, "quantity": 0}


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def _renewed(kept: Resource, wanted: Resource) -> Resource:
    """Returns the wanted Group with what others have added to it; the old narrative, which named others, is dropped."""
    return {**{name: value for name, value in kept.items() if name not in ("member", "text")}, **wanted}


def _said(resource: Mapping[str, Any]) -> tuple[object, ...]:
    """Returns the parts of a Group that are ours to set."""
    members = sorted((_named(member.get("entity")), member.get("inactive") is True) for member in _members(resource))
    return (
        *(resource.get(name) for name in ("active", "type", "actual", "name", "quantity")),
        *(_time(resource), _model(resource), members),
    )


def _members(resource: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = resource.get("member")
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _named(entity: object) -> Named:
    """Returns what distinguishes one patient of the Group from another."""
    if not isinstance(entity, Mapping):
        return ()
    named = entity.get("identifier")
    if isinstance(named, Mapping):
        return str(named.get("system")), str(named.get("value"))
    return (str(entity.get("reference")),)


def _trait(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the trait that states the model and the time of the members; empty if the Group has no trait of ours."""
    traits = resource.get("characteristic")
    for trait in traits if isinstance(traits, list) else ():
        if isinstance(trait, Mapping) and _coding(trait).get("system") == MODEL_SYSTEM:
            return trait
    return {}


def _coding(trait: Mapping[str, Any]) -> Mapping[str, Any]:
    code = trait.get("code")
    codings = code.get("coding") if isinstance(code, Mapping) else None
    return codings[0] if isinstance(codings, list) and codings and isinstance(codings[0], Mapping) else {}


def _model(resource: Mapping[str, Any]) -> tuple[object, object]:
    coding = _coding(_trait(resource))
    return coding.get("code"), coding.get("version")


def _time(resource: Mapping[str, Any]) -> datetime:
    """Returns the as_of of the members; the earliest possible time if unknown, so that any run may replace them."""
    period = _trait(resource).get("period")
    try:
        moment = datetime.fromisoformat(period["start"]) if isinstance(period, Mapping) else _NEVER
    except (KeyError, TypeError, ValueError):
        return _NEVER
    return moment if moment.tzinfo else _NEVER
