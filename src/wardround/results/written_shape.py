"""Defines the shape of the RiskAssessments that we write to their source, stricter than FHIR: no extra, no empty parts.

Checking it takes a tenth of the time that fhir.resources takes; fhir.resources still judges all other shapes.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeGuard

import msgspec

_REFERENCE: Final = r"[A-Z][A-Za-z]{2,40}/[A-Za-z0-9.-]{1,64}"
_REFERENCES: Final = re.compile(rf"{_REFERENCE}(?:\n{_REFERENCE})*")
# Starts with a visible character, and holds nothing that JSON or a screen cannot show.
_Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\s\x00-\x1f\x7f\ud800-\udfff][^\x00-\x1f\x7f\ud800-\udfff]*\Z")]
_Word = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]+\Z")]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Shape(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="camel", gc=False):
    pass


class _Coding(_Shape):
    system: _Word
    code: _Word
    version: _Text | None = None
    display: _Text | None = None


class _Concept(_Shape):
    coding: Annotated[list[_Coding], msgspec.Meta(min_length=1)]
    text: _Text | None = None


class _Identifier(_Shape):
    system: _Text
    value: _Text


class _Reference(_Shape):
    reference: Annotated[str, msgspec.Meta(pattern=rf"\A{_REFERENCE}\Z")]
    display: _Text | None = None


class _Period(_Shape):
    start: _Time
    end: _Time | None = None


class _Prediction(_Shape):
    outcome: _Concept
    probability_decimal: Annotated[float, msgspec.Meta(ge=0, le=100)]
    qualitative_risk: _Concept
    when_period: _Period
    rationale: _Text


class _Note(_Shape):
    text: _Text


class _RiskAssessment(_Shape):
    resource_type: Literal["RiskAssessment"]
    identifier: Annotated[list[_Identifier], msgspec.Meta(min_length=1, max_length=1)]
    status: _Word
    method: _Concept
    subject: _Reference
    encounter: _Reference
    occurrence_date_time: _Time
    performer: _Reference
    basis: Annotated[list[_Reference], msgspec.Meta(min_length=1)]
    prediction: Annotated[list[_Prediction], msgspec.Meta(min_length=1, max_length=1)]
    note: Annotated[list[_Note], msgspec.Meta(min_length=1)]


def is_as_we_write(resource: Mapping[str, Any]) -> bool:
    """Returns whether a RiskAssessment has this shape; one that does not may still be valid FHIR."""
    basis = resource.get("basis")
    # A hundred Observations are named: all are checked in one expression, and one of them stands for their shape.
    if not _are_references(basis):
        return False
    one = {**resource, "basis": basis[:1]}
    try:
        shaped = msgspec.convert(one, _RiskAssessment)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return False
    # Converted back it must be identical, which also checks that times are written as we write them.
    return bool(msgspec.to_builtins(shaped) == one)


def _are_references(basis: Any) -> TypeGuard[list[Any]]:
    """Returns whether each is a Reference with nothing but `Type/id`."""
    try:
        texts = [one["reference"] for one in basis if len(one) == 1]
        lines = "\n".join(texts)
    except (TypeError, KeyError):
        return False
    return len(texts) == len(basis) == lines.count("\n") + 1 and _REFERENCES.fullmatch(lines) is not None
