"""Makes the references by which a result names its patient, its stay and the readings of its source.

On the source itself they are named by their ids. On another server a logical reference names an identifier, which is
the same everywhere: one that the resource carries or, if it carries none, its address at the source (system
`<base URL>/Patient`, value the id). Resources of that other server, found by identifier, are again named by their ids.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from wardround.core.identifier import Identifier

Reference = dict[str, Any]

# https://terminology.hl7.org/CodeSystem-v2-0203.html: the record's own numbers, and a person's official numbers.
_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
_OWN_NUMBERS: Final = {"MR", "VN"}
_OF_THE_STATE: Final = {"SS", "NH", "NI", "NNxxx", "DL", "PPN", "TAX", "BR", "CZ", "PRC", "MC", "MA"}
_USES: Final = {"official": 0, "usual": 1, None: 2, "secondary": 3, "temp": 4}


class About(NamedTuple):
    """References to the patient and the stay that a result is about."""

    subject: Reference
    encounter: Reference


def identifiers_of(resource: Mapping[str, Any]) -> list[Identifier]:
    """Returns the identifiers by which other servers may know a resource, best first: the record's own, then official.

    Identifiers that are old or have an end are left out, because they may be given to somebody else. So are numbers
    issued by the state, which nobody here may pass on. The order does not depend on the server's order.
    """
    listed = resource.get("identifier")
    ranked = (_ranked(one) for one in (listed if isinstance(listed, list) else ()))
    best_first = sorted({one for one in ranked if one is not None})
    return list(dict.fromkeys(Identifier(system, value) for _, _, system, value in best_first))


def _ranked(identifier: object) -> tuple[bool, int, str, str] | None:
    """Returns the rank of an identifier, and its system and value; None for one that must not be used."""
    if not isinstance(identifier, dict):
        return None
    system, value, use = (identifier.get(name) for name in ("system", "value", "use"))
    named = all(isinstance(text, str) and text.strip() for text in (system, value))
    in_use = isinstance(use, str | None) and use in _USES and not _ends(identifier.get("period"))
    codes = _codes_of(identifier.get("type"))
    if not named or not in_use or codes & _OF_THE_STATE:
        return None
    return not codes & _OWN_NUMBERS, _USES[use], str(system), str(value)


def _ends(period: object) -> bool:
    return period is not None and (not isinstance(period, dict) or "end" in period)


def _codes_of(concept: object) -> set[str]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    found = [coding for coding in codings if isinstance(coding, dict)] if isinstance(codings, list) else []
    return {str(coding.get("code")) for coding in found if coding.get("system") == _TYPES}


def literal(reference: str) -> Reference:
    """Returns a reference to `Type/id` on the same server."""
    return {"reference": reference}


def logical(reference: str, source_url: str, resource: Mapping[str, Any] | None = None) -> Reference:
    """Returns a reference from any server to `Type/id` of a source; `resource` holds its identifiers, if known."""
    kind, _, key = reference.partition("/")
    known = identifiers_of(resource or {})
    system, value = known[0] if known else (f"{source_url.rstrip('/')}/{kind}", key)
    return {"type": kind, "identifier": {"system": system, "value": value}}


def leads_to(stated: object, expected: Reference) -> bool:
    """Returns whether a reference on a server points to what was expected; its other content does not matter."""
    if not isinstance(stated, dict):
        return False
    if "reference" in expected:
        return bool(stated.get("reference") == expected["reference"])
    named = stated.get("identifier")
    return isinstance(named, dict) and expected["identifier"].items() <= named.items()
