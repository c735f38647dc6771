"""Fills the prefetch templates of any CDS Hooks service, as a client does: pure, no network."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

_TOKEN: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_DAY: Final = re.compile(r"today\(\)(?:\s*([+-])\s*(\d{1,5})\s+days?)?")
_FIELD: Final = re.compile(r"context\.(\w+)")
_USERS: Final = {
    "userPractitionerId": "Practitioner",
    "userPractitionerRoleId": "PractitionerRole",
    "userPatientId": "Patient",
    "userRelatedPersonId": "RelatedPerson",
}


def filled(template: str, context: Mapping[str, Any], today: date) -> str | None:
    """Returns the read or search that a template asks for; None if it has a token without a value.

    A client skips such a template: no brace ever reaches a FHIR server. `today` is the client's date.
    """
    unknown = False

    def value(found: re.Match[str]) -> str:
        nonlocal unknown
        text = _value(found[1], context, today)
        unknown = unknown or not text
        return text

    text = _TOKEN.sub(value, template)
    return None if unknown or "{{" in text or "}}" in text else text


def _value(token: str, context: Mapping[str, Any], today: date) -> str:
    """Returns what a token stands for; nothing if that is not known."""
    if day := _DAY.fullmatch(token):
        days = timedelta(days=int(day[2] or 0))
        return (today - days if day[1] == "-" else today + days).isoformat()
    if field := _FIELD.fullmatch(token):
        known = context.get(field[1])
        return known if isinstance(known, str) else ""
    kind, _, key = str(context.get("userId", "")).partition("/")
    return key if _USERS.get(token) == kind else ""
