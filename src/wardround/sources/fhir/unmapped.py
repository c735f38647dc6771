"""Counts, by code, the Observations (as dicts) that no variable names, and drafts a source map for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wardround.core.reading_rule import ReadingRule, reading_rule
from wardround.core.source_map_draft import draft
from wardround.core.unmapped_codes import UnmappedCodes
from wardround.fhir.page import dicts
from wardround.fhir.references import Bases, Resource, patient_of
from wardround.spec.source_maps import Translation
from wardround.spec.variables import Variable


@dataclass
class _Coding:
    """The part of a coding that the reading rule looks at; anything but a string matches nothing."""

    system: str | None
    code: str | None
    display: Any

    @property
    def pair(self) -> tuple[str | None, str | None]:
        return self.system, self.code


_NO_CODING: Final = _Coding(None, None, None)


@dataclass
class Unmapped:
    """Counts what no variable of the installation names, for any condition."""

    variables: Mapping[str, Variable]
    translation: Translation
    codes: UnmappedCodes = field(default_factory=UnmappedCodes)

    def __post_init__(self) -> None:
        self.rule: ReadingRule = reading_rule(self.variables, self.translation)

    def note(self, resource: Resource, patients: frozenset[str], bases: Bases) -> None:
        """Counts the Observation if it is about one of the patients and the rule does not read it."""
        unnamed = self._unnamed(resource)
        if not unnamed:
            return
        patient = patient_of(bases.localised({"subject": resource.get("subject")}))
        if patient in patients:
            named = [(coding.system, coding.code, coding.display) for coding in unnamed]
            self.codes.add(named, _unit(resource), patient)

    def _unnamed(self, resource: Resource) -> list[_Coding]:
        """Returns the codes by which the Observation could be read if a map named them; none if the rule reads it."""
        own, parts = list(_codings(resource.get("code"))), dicts(resource.get("component"))
        inner = [coding for part in parts for coding in _codings(part.get("code"))]
        opening = self.rule.opening(own)
        if opening is not None and (opening.variables or any(one.pair in opening.components for one in inner)):
            return []
        found = [one for one in inner if one.pair not in self.rule.openings]
        return found if opening is not None else [*own, *found] or [_NO_CODING]

    @property
    def draft(self) -> str:
        """Returns a source map as YAML that maps nothing yet, with the codes that were found in comments."""
        return draft(self.codes.most_frequent(), self.codes.observations)


def _codings(concept: Any) -> Iterator[_Coding]:
    if isinstance(concept, dict):
        for coding in dicts(concept.get("coding")):
            yield _Coding(_text(coding.get("system")), _text(coding.get("code")), coding.get("display"))


def _unit(resource: Resource) -> Any:
    """Returns the unit of its value, or of all its components if they have the same."""
    parts = [resource, *dicts(resource.get("component"))]
    quantities = [found for part in parts if isinstance(found := part.get("valueQuantity"), dict)]
    units = {_text(found.get("code") or found.get("unit")) for found in quantities}
    return units.pop() if len(units) == 1 else None


def _text(leaf: Any) -> str | None:
    return leaf if isinstance(leaf, str) else None
