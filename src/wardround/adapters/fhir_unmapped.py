"""Observations as plain dicts in; those that no variable names counted by code, and a draft of a map for them, out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wardround.adapters.fhir_page import dicts
from wardround.adapters.fhir_references import Bases, Resource, patient_of
from wardround.core.reading_rule import ReadingRule, reading_rule
from wardround.core.source_map_draft import draft
from wardround.core.unmapped_codes import UnmappedCodes
from wardround.spec.source_maps import Translation
from wardround.spec.variables import Variable


@dataclass
class _Coding:
    """What the reading rule looks at; what is no text matches nothing."""

    system: str | None
    code: str | None
    display: Any


@dataclass
class Unmapped:
    """Counts what no variable of the installation names, whichever condition is screened for."""

    variables: Mapping[str, Variable]
    translation: Translation
    codes: UnmappedCodes = field(default_factory=UnmappedCodes)

    def __post_init__(self) -> None:
        self._rule: ReadingRule = reading_rule(self.variables, self.translation)

    def note(self, resource: Resource, patients: frozenset[str], bases: Bases) -> None:
        """Counts the Observation if it is about one of the patients, and the rule does not read it."""
        codings = list(_codings(resource.get("code")))
        if self._rule.opening(codings) is not None:
            return
        patient = patient_of(bases.localised({"subject": resource.get("subject")}))
        if patient in patients:
            named = [(coding.system, coding.code, coding.display) for coding in codings]
            self.codes.add(named, _unit(resource), patient)

    @property
    def draft(self) -> str:
        """A source map as YAML that maps nothing yet, with the codes that were met in comments."""
        return draft(self.codes.most_frequent(), self.codes.observations)


def _codings(concept: Any) -> Iterator[_Coding]:
    if isinstance(concept, dict):
        for coding in dicts(concept.get("coding")):
            yield _Coding(_text(coding.get("system")), _text(coding.get("code")), coding.get("display"))


def _unit(resource: Resource) -> Any:
    quantity = resource.get("valueQuantity")
    return (quantity.get("code") or quantity.get("unit")) if isinstance(quantity, dict) else None


def _text(leaf: Any) -> str | None:
    return leaf if isinstance(leaf, str) else None
