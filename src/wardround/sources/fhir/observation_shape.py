"""The elements of an Observation that are read: the types that a page is decoded into."""

from typing import Any, Final

import msgspec

from wardround.fhir.page import About, Misshapen, Shape, about_a_dict


class Coding(msgspec.Struct, gc=False):
    system: Any = None
    code: Any = None


class CodeableConcept(msgspec.Struct, gc=False):
    coding: tuple[Coding, ...] = ()


class TermCoding(msgspec.Struct, gc=False):
    system: Any = None
    code: Any = None
    display: Any = None


class Term(msgspec.Struct, gc=False):
    """A CodeableConcept whose text is read too, because some sources give no code."""

    coding: tuple[TermCoding, ...] = ()
    text: Any = None


class Quantity(msgspec.Struct, gc=False):
    value: Any = None
    unit: Any = None
    system: Any = None
    code: Any = None
    comparator: Any = None
    extension: Any = None
    about_value: Any = msgspec.field(default=None, name="_value")


class Period(msgspec.Struct, gc=False):
    start: Any = None
    end: Any = None


class Meta(msgspec.Struct, gc=False, rename="camel"):
    last_updated: Any = None


class Reference(msgspec.Struct, gc=False):
    reference: Any = None
    type: Any = None


class SpecimenReference(msgspec.Struct, gc=False):
    reference: Any = None
    display: Any = None


class Component(msgspec.Struct, gc=False, rename="camel"):
    code: CodeableConcept | None = None
    value_quantity: Quantity | None = None
    value_integer: Any = None
    data_absent_reason: Any = None
    modifier_extension: Any = None
    extension: Any = None


class Observation(msgspec.Struct, gc=False, rename="camel"):
    """What is read of an Observation, or of another resource in a search, which `resource_type` then names.

    Leaves are `Any`: a code that is not a string matches nothing, and leaves the rest of the resource readable.
    Elements that are only checked for presence are `Any` too.
    """

    resource_type: Any = None
    id: Any = None
    status: Any = "missing"
    code: CodeableConcept | None = None
    subject: Reference | None = None
    effective_date_time: Any = None
    effective_instant: Any = None
    effective_period: Period | None = None
    issued: Any = None
    value_quantity: Quantity | None = None
    value_integer: Any = None
    data_absent_reason: Any = None
    component: tuple[Component, ...] = ()
    focus: Any = None
    modifier_extension: Any = None
    implicit_rules: Any = None
    body_site: Term | None = None
    method: Term | None = None
    specimen: SpecimenReference | None = None
    extension: Any = None
    contained: Any = None
    meta: Meta | None = None
    issue: Any = None  # of an OperationOutcome


def _about(one: Observation | Misshapen) -> About:
    if type(one) is Misshapen:
        return about_a_dict(one)
    return one.resource_type, one.id, one.issue, one.meta.last_updated if one.meta else None


OBSERVATION: Final = Shape(Observation, _about)
