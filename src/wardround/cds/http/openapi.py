"""The OpenAPI document of the bedside door: its paths, and what CDS Hooks 2.0.1 says about requests and answers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from wardround import __version__
from wardround.cds.discovery import Service

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_CODE: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 1_000}
_UUID: Final[Schema] = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}
_ID: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9\\-.]{1,64}$"}
_URL: Final[Schema] = {"type": "string", "pattern": "^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$"}


def _object(required: Iterable[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _taken(required: Iterable[str], **properties: Schema) -> Schema:
    """Returns an object that is read: what may be left out may also be null, though CDS Hooks does not allow that."""
    names = tuple(required)
    read = {name: one if name in names else {"anyOf": [one, {"type": "null"}]} for name, one in properties.items()}
    return _object(names, **read)


def _list(items: Schema, at_least: int = 0) -> Schema:
    return {"type": "array", "items": items, "minItems": at_least}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_CODING: Final = _object(["code", "system"], code=_TEXT, system=_TEXT, display=_TEXT)
_OVERRIDE: Final = _object(["code", "system", "display"], code=_TEXT, system=_TEXT, display=_TEXT)
_PATIENT: Final = {"userId": _TEXT, "patientId": _ID}
_ENCOUNTER: Final = {**_PATIENT, "encounterId": _ID}
_ORDERS: Final = {
    "selections": _list({"type": "string"}),
    "draftOrders": _taken(["resourceType"], resourceType={"const": "Bundle"}),
}
_CONTEXTS: Final[dict[str, Schema]] = {
    "patient-view": _taken(_PATIENT, **_ENCOUNTER),
    "encounter-start": _taken(_ENCOUNTER, **_ENCOUNTER),
    "encounter-discharge": _taken(_ENCOUNTER, **_ENCOUNTER),
    "order-select": _taken([*_PATIENT, *_ORDERS], **_ENCOUNTER, **_ORDERS),
}
"""What each hook says about whom."""

_SCHEMAS: Final[dict[str, Schema]] = {
    "Discovery": _object(
        ["services"],
        services=_list(
            _object(
                ["hook", "description", "id"],
                hook=_TEXT,
                title=_TEXT,
                description=_TEXT,
                id=_TEXT,
                version=_TEXT,
                usageRequirements=_TEXT,
                prefetch={"type": "object", "additionalProperties": _TEXT},
            )
        ),
    ),
    "Authorization": _taken(
        ["access_token", "token_type", "expires_in", "scope", "subject"],
        access_token=_TEXT,
        token_type={"type": "string", "pattern": "^[Bb]earer$"},
        expires_in={"type": "integer"},
        scope=_TEXT,
        subject=_TEXT,
        patient=_ID,
    ),
    "Cards": _object(["cards"], cards=_list(_ref("Card"))),
    "Card": _object(
        ["summary", "indicator", "source"],
        uuid=_TEXT,
        # "Under 140 characters".
        summary={**_TEXT, "maxLength": 139},
        detail=_TEXT,
        indicator={"enum": ["info", "warning", "critical"]},
        source=_object(["label"], label=_TEXT, url=_TEXT, icon=_TEXT, topic=_CODING),
        suggestions=_list(_object(["label"], label=_TEXT, uuid=_TEXT), 1),
        selectionBehavior={"enum": ["at-most-one", "any"]},
        overrideReasons=_list(_OVERRIDE, 1),
        links=_list(_object(["label", "url", "type"], label=_TEXT, url=_TEXT, type={"enum": ["absolute", "smart"]}), 1),
        extension={"type": "object"},
    ),
    "Feedback": _taken(["feedback"], feedback={**_list(_ref("FeedbackEntry"), 1), "maxItems": 1_000}),
    "FeedbackEntry": {
        **_taken(
            ["card", "outcome", "outcomeTimestamp"],
            card=_UUID,
            outcome={"enum": ["accepted", "overridden"]},
            # Of a year that is one in UTC, too.
            outcomeTimestamp={"type": "string", "format": "date-time", "pattern": "^[1-8]"},
            acceptedSuggestions=_list(_taken(["id"], id=_CODE)),
            overrideReason=_taken(
                [],
                reason=_taken(["code"], code=_CODE, system=_CODE),
                userComment={"type": "string", "maxLength": 20_000},
            ),
        ),
        # A card without a suggestion can only be overridden.
        "if": {"properties": {"outcome": {"const": "accepted"}}},
        "then": {
            "required": ["acceptedSuggestions"],
            "properties": {"acceptedSuggestions": {"type": "array", "minItems": 1}, "overrideReason": {"type": "null"}},
        },
        "else": {"properties": {"acceptedSuggestions": {"maxItems": 0}}},
    },
    "OperationOutcome": _object(
        ["resourceType", "issue"],
        resourceType={"const": "OperationOutcome"},
        issue=_list(
            _object(
                ["severity", "code"], severity={"enum": ["fatal", "error", "warning"]}, code=_TEXT, diagnostics=_TEXT
            ),
            1,
        ),
    ),
    "State": _object(["status"], status=_TEXT),
}

_SAID: Final = {
    400: "The request is not what CDS Hooks defines, or is about another patient.",
    401: "A token is missing, expired, for another URL, used before, or not signed by its issuer.",
    403: "The issuer may not call here.",
    404: "There is no such service.",
    405: "The path does not take the method.",
    408: "The body came too slowly.",
    412: "Data that the score needs could not be had; the keys are named.",
    413: "The body is larger than 5 MB.",
    415: "The body is not application/json, or it is packed.",
    500: "The service failed.",
    503: "Nothing can be computed now; see Retry-After.",
}
_ALWAYS: Final = (401, 403, 405, 500, 503)
_WITH_BODY: Final = (400, 404, 408, 413, 415)


def openapi(services: Mapping[str, Service]) -> bytes:
    """Returns the document for these services, as JSON."""
    paths: dict[str, Any] = {
        "/cds-services": {
            "get": _operation("discovery", "The services, and the prefetch that each asks for.", "Discovery")
        },
        "/model-cards/{condition}/{version}": {"get": _model_card()},
        "/health": {"get": _open("health", "Whether the worker runs.")},
        "/ready": {"get": _open("ready", "Whether calls are answered.", 503)},
    }
    for one in services.values():
        paths[f"/cds-services/{one.id}"] = {
            "post": _operation(one.id, f"Cards for {one.hook}.", "Cards", _request(one.hook), 412)
        }
        paths[f"/cds-services/{one.id}/feedback"] = {
            "post": _operation(f"{one.id}-feedback", "What became of cards.", "", _ref("Feedback"))
        }
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Wardround at the bedside",
            "version": __version__,
            "description": "CDS Hooks 2.0.1. Decision support only: an adjunct, never the sole basis of a decision.",
        },
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"ehr": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
    return orjson.dumps(document)


def _request(hook: str) -> Schema:
    return _taken(
        ["hook", "hookInstance", "context"],
        hook={"const": hook},
        hookInstance=_TEXT,
        context=_CONTEXTS[hook],
        fhirServer=_URL,
        fhirAuthorization=_ref("Authorization"),
        prefetch={"type": "object"},
    ) | {
        # The token is for that server.
        "if": {"properties": {"fhirAuthorization": {"type": "object"}}, "required": ["fhirAuthorization"]},
        "then": {"properties": {"fhirServer": {"type": "string"}}, "required": ["fhirServer"]},
    }


def _operation(name: str, summary: str, answer: str, body: Schema | None = None, *more: int) -> dict[str, Any]:
    """Returns an operation of the door; `answer` is the schema of a 200, if it has a body."""
    answered = _json("Answered.", _ref(answer)) if answer else {"description": "Taken."}
    errors = sorted({*_ALWAYS, *(_WITH_BODY if body else ()), *more})
    operation = {
        "operationId": name,
        "summary": summary,
        # Either a token, or none where they are switched off.
        "security": [{"ehr": []}, {}],
        "responses": {"200": answered, **_errors(errors)},
    }
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _model_card() -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in ("condition", "version")]
    page = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    return {
        "operationId": "model-card",
        "summary": "The card of a model, which cards link to.",
        "parameters": parameters,
        "responses": {"200": page, **_errors([404, 405, 500])},
    }


def _open(name: str, summary: str, *errors: int) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _json("Yes.", _ref("State")), **_errors([405, *errors])},
    }


def _errors(statuses: Iterable[int]) -> dict[str, Any]:
    return {str(status): _json(_SAID[status], _ref("OperationOutcome")) for status in statuses}


def _json(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
