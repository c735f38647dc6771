"""Reads a whole prefetch: what each key holds, and how far that covers the patient, the Encounters, the Observations.

A client answers our templates under our keys, sends each variable under a key of its own, or one Bundle with all.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from wardround.fhir.page import Misshapen
from wardround.fhir.references import Bases, Resource
from wardround.sources.fhir.observation_shape import Observation
from wardround.sources.prefetch.parts import BUNDLE, Part, State, part_of

PATIENT: Final = "Patient"
ENCOUNTER: Final = "Encounter"
OBSERVATION: Final = "Observation"
ALL_IN_ONE: Final = "prefetch"  # the key of a prefetch that is itself a Bundle
_NO_PART: Final = Part(State.ABSENT)
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]+")


class Template(NamedTuple):
    """What one of our prefetch templates asks for."""

    type: str
    reads_one: bool  # a read of one resource, which says nothing of others

    @classmethod
    def of(cls, text: str) -> "Template":
        """Returns what a template asks for, such as `Patient/{{context.patientId}}` or `Observation?patient=…`."""
        found = _TYPE.match(text)
        return cls(found[0] if found else "", "?" not in text)


class Coverage(NamedTuple):
    """How far a prefetch covers the resources of one type, by key.

    Attributes:
        missing: keys that are absent, or that hold something else.
        refused: keys for which the client's server refused to answer.
        incomplete: keys of which there is more than was sent.
        unsent: variables of which nothing was sent, where each variable that was has a key of its own.
    """

    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prefetched:
    """A prefetch that was read: the part under each key that was sent."""

    parts: Mapping[str, Part]

    @classmethod
    def of(cls, values: Mapping[str, msgspec.Raw], bases: Bases) -> "Prefetched":
        """Reads a prefetch; `bases` are the base URLs whose references are relative ones."""
        texts = {key: bytes(value) for key, value in values.items()}
        if texts.get("resourceType", b"").strip() == f'"{BUNDLE}"'.encode():
            whole = b",".join(msgspec.json.encode(key) + b":" + text for key, text in texts.items())
            return cls({ALL_IN_ONE: part_of(b"{" + whole + b"}", bases)})
        return cls({key: part_of(text, bases) for key, text in texts.items()})

    def state_of(self, key: str, kind: str) -> State:
        """Returns what became of the key of a template that asks for resources of this type."""
        part = self.parts.get(key, _NO_PART)
        wrong = part.state in (State.GIVEN, State.INCOMPLETE) and kind not in part.types
        return State.UNREADABLE if wrong else part.state

    def resources(self, kind: str) -> Iterator[Resource]:
        """Yields the resources of a type other than Observation, whatever their key."""
        for part in self.parts.values():
            yield from (one for one in part.others if one.get("resourceType") == kind)

    @property
    def observations(self) -> Iterator[Observation | Misshapen]:
        """The Observations, whatever their key."""
        for part in self.parts.values():
            yield from part.observations

    def coverage(self, kind: str, keys: Sequence[str], variables: Collection[str] = ()) -> Coverage:
        """Returns how far the prefetch covers a type, for which our templates have these keys.

        If none of them was sent, the client's own keys count: those that hold resources of the type and, for
        Observations, those named as a variable.
        """
        if any(key in self.parts for key in keys):
            return self._of_keys(kind, keys)
        named = [key for key in self.parts if kind == OBSERVATION and key in variables]
        holding = [key for key, part in self.parts.items() if kind in part.types]
        if not named and not holding:
            return Coverage(missing=tuple(keys) or (kind.lower(),))
        found = self._of_keys(kind, list(dict.fromkeys([*named, *holding])))
        # One part that holds more than Observations is what the client knows of the patient.
        is_whole = kind != OBSERVATION or any(self.parts[key].types - {OBSERVATION} for key in holding)
        unsent = () if is_whole else tuple(name for name in variables if name not in self.parts)
        return found._replace(missing=(), unsent=(*unsent, *(key for key in found.missing if key in variables)))

    def _of_keys(self, kind: str, keys: Sequence[str]) -> Coverage:
        found: dict[State, list[str]] = {}
        for key in keys:
            state = self.state_of(key, kind)
            found.setdefault(State.ABSENT if state is State.UNREADABLE else state, []).append(key)
        return Coverage(*(tuple(found.get(state, ())) for state in (State.ABSENT, State.REFUSED, State.INCOMPLETE)))
