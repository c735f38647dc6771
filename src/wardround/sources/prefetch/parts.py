"""Reads the value of one prefetch key: which resources it holds, and whether they are all that there are.

A client sends what it got: a resource, a Bundle, the OperationOutcome of a refusal, null, or the page of an error. Only
the form is judged here; what the resources say is judged as in a screening.
"""

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from wardround.fhir.answer import error_codes
from wardround.fhir.json_object import json_object
from wardround.fhir.page import Misshapen
from wardround.fhir.references import Bases, Resource
from wardround.sources.fhir.observation_shape import OBSERVATION, Observation
from wardround.sources.fhir_folder.bundles import OUTCOME, Account, Unusable, entries_of
from wardround.sources.prefetch.bundle import One, Sent, each_resource, sent

BUNDLE: Final = "Bundle"
_OBSERVATION: Final = "Observation"
_DEEPEST: Final = 2  # a Bundle of the Bundles that answered a batch
_NOTHING: Final = re.compile(rb"\s*(null|\{\s*\})\s*")
# Bundles whose entries need not have ids, and may refer to one another by the addresses of entries.
_WITHOUT_IDS: Final = ("transaction", "batch", "message", "document", "history")


class State(StrEnum):
    """What became of a prefetch key."""

    GIVEN = "given"
    EMPTY = "empty"  # the client looked, and there is nothing
    ABSENT = "absent"
    REFUSED = "refused"  # an OperationOutcome: the client's server refused, or failed
    INCOMPLETE = "incomplete"  # there is more than was sent
    UNREADABLE = "unreadable"  # not a resource, such as the page of an error


_LACKING: Final = (State.REFUSED, State.INCOMPLETE, State.UNREADABLE)


@dataclass
class Part:
    """The value of one key.

    Attributes:
        state: what became of it.
        observations: its Observations, in order.
        others: its other resources, in order.
        lost: entries that cannot be read.
    """

    state: State
    observations: list[Observation | Misshapen] = field(default_factory=list)
    others: list[Resource] = field(default_factory=list)
    lost: int = 0

    @property
    def types(self) -> set[str]:
        """The types of its resources."""
        found = {str(one.get("resourceType")) for one in self.others}
        return found | {_OBSERVATION} if self.observations else found


def part_of(content: bytes, bases: Bases, depth: int = 0) -> Part:
    """Returns what the value of a key holds. References by urn to other entries of a Bundle name these entries."""
    if _NOTHING.fullmatch(content):
        return Part(State.EMPTY)
    text = content.removeprefix(BOM_UTF8)
    found = sent(text)
    if found is None or depth > _DEEPEST:
        return Part(State.UNREADABLE)
    if found.kind == OUTCOME:
        return Part(State.REFUSED)
    part = Part(State.GIVEN)
    if found.kind != BUNDLE:
        _add(part, found.kind, text, bases, depth)
        return part if part.types else Part(State.UNREADABLE)
    if _names_its_own(found):
        _add_entries(part, text, bases, depth)
    else:
        _add_resources(part, found, text, bases, depth)
    return _judged(part, found)


def _names_its_own(bundle: Sent) -> bool:
    """Returns whether the Bundle's references must be resolved within it."""
    by_urn = (type(one) is str and one.startswith("urn:") for one in bundle.addresses)
    return bundle.type in _WITHOUT_IDS or any(by_urn)


def _add_entries(part: Part, content: bytes, bases: Bases, depth: int) -> None:
    """Adds the resources of a Bundle with ids, and with references that are valid without it."""
    refused: list[int] = []
    try:
        for _, kind, text in entries_of(content, Account(), bases, lambda number, _: refused.append(number)):
            _add(part, kind, text, bases, depth)
    except Unusable:
        refused.append(0)
    part.lost += len(refused)


def _add_resources(part: Part, bundle: Sent, content: bytes, bases: Bases, depth: int) -> None:
    """Adds a Bundle's Observations as they were decoded, and its other resources, decoded whole."""
    own = [one for one in bundle.resources if type(one) is Observation and one.resource_type == _OBSERVATION]
    if len(own) == len(bundle.resources):
        part.observations += own
        return
    kinds = [_kind_of(one) for one in bundle.resources]
    elsewhere: list[tuple[int, Any]] = []
    for place, (kind, one) in enumerate(zip(kinds, bundle.resources, strict=True)):
        if kind == _OBSERVATION and one is not None:
            part.observations.append(one)
        elif one is None:
            part.lost += 1
        elif kind != OUTCOME:
            elsewhere.append((place, kind))
    if elsewhere:
        whole = list(each_resource(content))
        for place, kind in elsewhere:
            _add(part, kind, whole[place], bases, depth)


def _kind_of(one: One) -> Any:
    return OBSERVATION.about(one)[0] if one is not None else None


def _add(part: Part, kind: object, content: bytes, bases: Bases, depth: int) -> None:
    """Adds a resource; the resources of a Bundle, and what became of it, if it is one."""
    if kind == BUNDLE:
        inner = part_of(content, bases, depth + 1)
        part.observations += inner.observations
        part.others += inner.others
        part.lost += inner.lost + (inner.state in _LACKING)
    elif kind == _OBSERVATION and (one := OBSERVATION.decoded(content)) is not None:
        part.observations.append(one)
    elif isinstance(kind, str) and kind and (resource := json_object(content)) is not None:
        part.others.append(resource)
    else:
        part.lost += 1


def _judged(part: Part, bundle: Sent) -> Part:
    """Returns the part in the state that its Bundle says: more pages, errors of the search, or nothing at all."""
    others = len(bundle.resources) - len(part.observations)
    failed = others > 0 and any(_has_failed(one) for one in bundle.resources)
    if failed and not part.types:
        part.state = State.REFUSED
    elif failed or part.lost or bundle.has_more or _is_short(part, bundle):
        part.state = State.INCOMPLETE
    elif not part.types:
        part.state = State.EMPTY
    return part


def _has_failed(one: One) -> bool:
    """Returns whether an entry is an OperationOutcome of errors; others hold warnings and hints."""
    return _kind_of(one) == OUTCOME and one is not None and bool(error_codes(OBSERVATION.about(one)[2]))


def _is_short(part: Part, bundle: Sent) -> bool:
    """Returns whether the Bundle counts more matches than it holds."""
    return type(bundle.total) is int and bundle.total > len(part.observations) + len(part.others)
