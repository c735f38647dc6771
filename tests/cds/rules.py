"""The rules of CDS Hooks that a JSON document must keep to: one schema for each kind, and the invariants of its models.

Schemas: the specification 2.0.1, its sections on discovery, calling a service, the response and feedback. Invariants:
the twelve of the logical models in HL7's FHIR Tools IG, cds-r-1 and 2, cds-resp-1 to 7, cds-fb-1 to 3; where a schema
already holds one, it says so. `summary` and `topic` as Inferno's test kit asks.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator

Json = Any
TEXT: Final = {"type": "string", "pattern": r"\S"}
UUID: Final = {"type": "string", "pattern": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
URL: Final = {"type": "string", "pattern": r"^https?://\S+$"}
MAP: Final = {"type": "object", "minProperties": 1}


def obj(required: str, **properties: Json) -> Json:
    """Returns the schema of an object with these keys and an extension, and no others."""
    known = {**properties, "extension": {**MAP, "propertyNames": {"pattern": r"^[a-z]+(\.[a-z0-9-]+)+$"}}}
    return {"type": "object", "required": required.split(), "properties": known, "additionalProperties": False}


def several(of: Json, least: int = 1) -> Json:
    return {"type": "array", "items": of, "minItems": least}


CODING: Final = obj("code", code=TEXT, system=TEXT, display=TEXT)
TOPIC: Final = obj("code system", code=TEXT, system=TEXT, display=TEXT)
ACTION: Final = obj(
    "type description", type={"enum": ["create", "update", "delete"]}, description=TEXT, resource=MAP, resourceId=TEXT
)
SUGGESTION: Final = obj(
    "label",
    label=TEXT,
    uuid=UUID,
    isRecommended={"type": "boolean"},
    actions=several(ACTION),
    # cds-resp-7: it is one of these. New in 3.0.
    actionSelectionBehavior={"enum": ["all", "any", "at-most-one"]},
)
LINK: Final = obj("label url type", label=TEXT, url=URL, type={"enum": ["absolute", "smart"]}, appContext=TEXT)
CARD: Final = obj(
    "uuid summary indicator source",
    uuid=UUID,
    summary={**TEXT, "maxLength": 139},
    detail=TEXT,
    indicator={"enum": ["info", "warning", "critical"]},
    source=obj("label topic", label=TEXT, url=URL, icon=URL, topic=TOPIC),
    suggestions=several(SUGGESTION),
    selectionBehavior={"enum": ["at-most-one", "any"]},
    overrideReasons=several(CODING),
    links=several(LINK),
)
SERVICE: Final = obj(
    "hook id description",
    hook=TEXT,
    id={"type": "string", "pattern": r"^[A-Za-z0-9._-]+$"},
    title=TEXT,
    description=TEXT,
    version={"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
    prefetch={**MAP, "additionalProperties": TEXT},
    usageRequirements=TEXT,
)
OUTCOME: Final = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": several(
            obj(
                "severity code diagnostics",
                severity={"enum": ["fatal", "error", "warning", "information"]},
                code=TEXT,
                diagnostics=TEXT,
            )
        ),
    },
    "additionalProperties": False,
}
_ID: Final = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"}
_USER: Final = {
    "type": "string",
    "pattern": r"^(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9\-.]{1,64}$",
}
REQUEST: Final = obj(
    "hook hookInstance context",
    hook=TEXT,
    hookInstance=UUID,
    context={"type": "object", "required": ["userId", "patientId"], "properties": {"userId": _USER, "patientId": _ID}},
    fhirServer=URL,
    fhirAuthorization=obj(
        "access_token token_type expires_in scope subject",
        access_token=TEXT,
        token_type={"const": "Bearer"},
        expires_in={"type": "integer"},
        scope=TEXT,
        subject=TEXT,
        patient=_ID,
    ),
    # A key that is null says that there is nothing.
    prefetch={**MAP, "additionalProperties": {"type": ["object", "null"]}},
)
FEEDBACK: Final = obj(
    "card outcome outcomeTimestamp",
    card=UUID,
    # cds-fb-1: it is one of these.
    outcome={"enum": ["accepted", "overridden"]},
    acceptedSuggestions=several(obj("id", id=TEXT)),
    overrideReason=obj("", reason=CODING, userComment=TEXT),
    outcomeTimestamp={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"},
)
SCHEMAS: Final = {
    "request": REQUEST,
    "feedback": obj("feedback", feedback=several(FEEDBACK)),
    "services": obj("services", services=several(SERVICE, 0)),
    "answer": obj("cards", cards=several(CARD, 0), systemActions=several(ACTION)),
    "outcome": OUTCOME,
}
Invariant = tuple[str, Callable[[Json], bool]]
_OF_REQUESTS: Final[list[Invariant]] = [
    ("cds-r-1: a token is for a server", lambda one: "fhirAuthorization" not in one or "fhirServer" in one),
    (
        "cds-r-2: a token for one patient names the patient",
        lambda one: (
            "patient/" not in one.get("fhirAuthorization", {}).get("scope", "") or "patient" in one["fhirAuthorization"]
        ),
    ),
]
_OF_FEEDBACK: Final[list[Invariant]] = [
    (
        "cds-fb-2: suggestions are accepted, and nothing else is",
        lambda one: (one["outcome"] == "accepted") == ("acceptedSuggestions" in one),
    ),
    (
        "cds-fb-3: an override reason has a reason, a comment or both",
        lambda one: "overrideReason" not in one or bool({"reason", "userComment"} & set(one["overrideReason"])),
    ),
    ("a reason is for overriding", lambda one: one["outcome"] == "overridden" or "overrideReason" not in one),
]
_OF_CARDS: Final[list[Invariant]] = [
    (
        "cds-resp-1: at most one suggestion is recommended if one may be chosen",
        lambda card: (
            card.get("selectionBehavior") != "at-most-one"
            or sum(one.get("isRecommended", False) for one in card.get("suggestions", [])) <= 1
        ),
    ),
    (
        "cds-resp-2: a delete names what it deletes and brings no resource, everything else brings one",
        lambda card: all(
            ("resourceId" in one and "resource" not in one) if one["type"] == "delete" else "resource" in one
            for one in actions(card)
        ),
    ),
    (
        "cds-resp-3: appContext is for smart apps only",
        lambda card: all(one["type"] == "smart" or "appContext" not in one for one in card.get("links", [])),
    ),
    (
        "cds-resp-4: every override reason has a display",
        lambda card: all("display" in one for one in card.get("overrideReasons", [])),
    ),
    ("cds-resp-5: every action has a description", lambda card: all("description" in one for one in actions(card))),
    (
        "cds-resp-6: suggestions come with how they are chosen, and nothing else does",
        lambda card: ("suggestions" in card) == ("selectionBehavior" in card),
    ),
]


def actions(card: Json) -> list[Json]:
    return [action for one in card.get("suggestions", []) for action in one.get("actions", [])]


def blanks(content: Json) -> Iterator[Json]:
    """Yields every null, empty text, list and object in JSON, beside an empty list of cards or services."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            if (key, value) not in (("cards", []), ("services", [])):
                yield from blanks(value)
    elif isinstance(content, list) and content:
        for value in content:
            yield from blanks(value)
    elif content in (None, "", [], {}):
        yield content


def require(kind: str, content: Json) -> None:
    """Holds a document of this kind (a key of SCHEMAS) to the rules."""
    Draft202012Validator(SCHEMAS[kind]).validate(content)
    # What prefetch holds is FHIR's matter.
    assert list(blanks({key: value for key, value in content.items() if key != "prefetch"})) == []
    parts = {"request": [content], "feedback": content.get("feedback", []), "answer": content.get("cards", [])}
    rules = {"request": _OF_REQUESTS, "feedback": _OF_FEEDBACK, "answer": _OF_CARDS}
    broken = [rule for part in parts.get(kind, []) for rule, keeps in rules[kind] if not keeps(part)]
    assert not broken, broken
