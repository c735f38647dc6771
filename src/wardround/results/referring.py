"""How a result refers to the patient, the stay and the readings of its source, from where it lies; references out.

At the source by their ids. At another server a logical reference names an identifier, which is the same everywhere:
one that the resource carries, or, if it carries none, its address at the source (system `<base URL>/Patient`, value the
id). Resources of that server's own, found by identifier, are again named by their ids.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

Reference = dict[str, Any]

# https://terminology.hl7.org/CodeSystem-v2-0203.html: the record's own numbers, and what names a person to the state.
_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
_OWN_NUMBERS: Final = {"MR", "VN"}
_OF_THE_STATE: Final = {"SS", "NH", "NI", "NNxxx", "DL", "PPN", "TAX", "BR", "CZ", "PRC", "MC", "MA"}
_USES: Final = {"official": 0, "usual": 1, None: 2, "secondary": 3, "temp": 4}


class Identifier(NamedTuple):
    """What names a resource at any server."""

    system: str
    value: str


class About(NamedTuple):
    """Whom and which stay a result is about, as it says so."""

    subject: Reference
    encounter: Reference


def identifiers_of(resource: Mapping[str, Any]) -> list[Identifier]:
    """The identifiers by which other servers may know a resource, the best first: the record's own number, official.

    Left out are those that are old or end, as they may be given to somebody else, and numbers of the state, which are
    nobody's to pass on. The order does not depend on the server's.
    """
    listed = resource.get("identifier")
    ranked = (_ranked(one) for one in (listed if isinstance(listed, list) else ()))
    best_first = sorted({one for one in ranked if one is not None})
    return list(dict.fromkeys(Identifier(system, value) for _, _, system, value in best_first))


def _ranked(identifier: object) -> tuple[bool, int, str, str] | None:
    """How good an identifier is, and what it says; None for one that must not be used."""
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
    """A reference to `Type/id` of the server on which it stands."""
    return {"reference": reference}


def logical(reference: str, source_url: str, resource: Mapping[str, Any] | None = None) -> Reference:
    """A reference from anywhere to `Type/id` of a source; `resource` holds its identifiers, if any is known."""
    kind, _, key = reference.partition("/")
    known = identifiers_of(resource or {})
    system, value = known[0] if known else (f"{source_url.rstrip('/')}/{kind}", key)
    return {"type": kind, "identifier": {"system": system, "value": value}}


def leads_to(stated: object, expected: Reference) -> bool:
    """Whether a reference that a server holds leads to where it was meant to; what else it says does not matter."""
    if not isinstance(stated, dict):
        return False
    if "reference" in expected:
        return bool(stated.get("reference") == expected["reference"])
    named = stated.get("identifier")
    return isinstance(named, dict) and expected["identifier"].items() <= named.items()
