"""Variables: clinical quantities, each with its unit, its plausible range and its codes in every source."""

from collections import Counter
from itertools import chain
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wardround.spec.base import SpecModel
from wardround.spec.code_systems import LOINC, spellings
from wardround.spec.ucum import measure
from wardround.spec.units import UnitConversion, between, conversion

_MIMIC_CODE_SYSTEMS = {
    "chartevents": "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-chartevents-d-items",
    "labevents": "http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-d-labitems",
}


CodeText = Annotated[str, Field(pattern=r"^[^\s|]+( [^\s|]+)*$")]


class Range(SpecModel):
    """The plausible range of a value in its canonical unit, both ends included."""

    min: float = Field(description="Smallest plausible value, in the canonical unit.")
    max: float = Field(description="Largest plausible value, in the canonical unit.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"got min {self.min} and max {self.max}, expected min below max")
        return self


class MimicCoding(SpecModel):
    """Where MIMIC-IV keeps the variable."""

    table: Literal["chartevents", "labevents"] = Field(description="MIMIC-IV table.")
    itemids: tuple[int, ...] = Field(min_length=1, description="Its item ids in d_items or d_labitems.")


class NamedCode(SpecModel):
    """A code of any code system."""

    system: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s|]+$", description="URI of the code system, as in a FHIR Coding."
    )
    code: CodeText = Field(description="The code; a number in quotes.")
    display: str = Field(default="", description="What it means; compared if a source gives only words.")

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Returns (system, code) for each spelling of the system."""
        return _pairs(self.system, self.code)


Terms = tuple[NamedCode | str, ...]


class Exclusions(SpecModel):
    """What changes the meaning of a value: codes, or words contained in its text (case is ignored)."""

    code: tuple[NamedCode, ...] = Field(default=(), description="Other codes of the Observation or component.")
    body_site: Terms = Field(default=(), description="Where it was measured.")
    method: Terms = Field(default=(), description="How it was measured.")
    specimen: Terms = Field(default=(), description="The specimen that was measured.")


class Variable(SpecModel):
    """A clinical quantity; `name` is its key in variables.yaml."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", description="The key; columns are named after it.")
    display: str = Field(min_length=1, description="Name in reports.")
    unit: str = Field(min_length=1, description="Canonical UCUM unit; all events and features are in it.")
    plausible: Range = Field(description="Values outside are set aside.")
    typical: float | None = Field(
        default=None, description="A usual value in adults, with which reasons for an imported model's score compare."
    )
    risk_rises_with: Literal["high", "low", "both", "none"] = Field(
        default="none",
        description="Which values are clinically expected to raise the risk: high or low ones, those outside"
        " usual_range, or none for certain. A reason for a score that contradicts this is not shown.",
    )
    usual_range: Range | None = Field(
        default=None, description="In adults, both ends included; needed if the risk rises with both."
    )
    loinc: tuple[CodeText, ...] = Field(default=(), description="LOINC codes, matched exactly.")
    codes: tuple[NamedCode, ...] = Field(
        default=(), description="Codes of other systems, matched exactly with the system."
    )
    panels: tuple[CodeText | NamedCode, ...] = Field(
        default=(), description="Codes of Observations whose components may be the variable; LOINC unless stated."
    )
    excludes: Exclusions = Field(default=Exclusions(), description="What makes a value with these codes another one.")
    mimic: MimicCoding = Field(description="Its place in MIMIC-IV.")
    units: dict[str, str | UnitConversion] = Field(
        default={},
        description="What UCUM does not define: a text that sources write, with the UCUM unit that it means;"
        " or a UCUM unit of a different kind from the canonical one, with its conversion.",
    )

    @model_validator(mode="after")
    def _units_say_what_ucum_does_not(self) -> Self:
        if measure(self.unit) is None:
            raise ValueError(f"got unit {self.unit!r}, expected a UCUM unit")
        for unit, meant in self.units.items():
            if between(unit, self.unit):
                raise ValueError(f"units.{unit}: UCUM converts it to {self.unit}; remove it")
            if isinstance(meant, str) and not self.conversion(meant):
                raise ValueError(f"units.{unit}: got {meant!r}, expected a UCUM unit that converts to {self.unit}")
            if isinstance(meant, UnitConversion) and not measure(unit):
                raise ValueError(
                    f"units.{unit}: is not a UCUM unit, expected the one that it means, such as {self.unit!r}"
                )
        return self

    @model_validator(mode="after")
    def _each_code_once(self) -> Self:
        for pairs in (self.all_codes(), self.panel_codes()):
            for (system, code), times in Counter(pairs).items():
                if times > 1:
                    raise ValueError(f"code {code} of {system} is given twice; remove one")
        return self

    @model_validator(mode="after")
    def _both_have_a_range(self) -> Self:
        if (self.risk_rises_with == "both") != (self.usual_range is not None):
            raise ValueError("usual_range belongs to risk_rises_with: both, and only to it; give both or neither")
        return self

    @property
    def usual(self) -> float:
        """A value as of a patient who is well: the typical one, or the middle of the plausible ones."""
        return self.typical if self.typical is not None else (self.plausible.min + self.plausible.max) / 2

    @model_validator(mode="after")
    def _typical_is_plausible(self) -> Self:
        if self.typical is not None and not self.plausible.min <= self.typical <= self.plausible.max:
            raise ValueError(f"got typical {self.typical}, expected a plausible value")
        return self

    def conversion(self, unit: str) -> UnitConversion | None:
        """Returns how values in a source's unit become canonical; None for a unit that is not certain."""
        return conversion(unit, self.unit, self.units)

    def all_codes(self) -> tuple[tuple[str, str], ...]:
        """Returns all (system, code) pairs that mean this variable, in an Observation or in a component that counts."""
        mimic = _MIMIC_CODE_SYSTEMS[self.mimic.table]
        loinc = (pair for code in self.loinc for pair in _pairs(LOINC, code))
        others = (pair for named in self.codes for pair in named.pairs())
        return (*loinc, *others, *((mimic, str(itemid)) for itemid in self.mimic.itemids))

    def panel_codes(self) -> tuple[tuple[str, str], ...]:
        """Returns the (system, code) pairs of Observations that carry this variable as a component."""
        each = (_pairs(LOINC, panel) if isinstance(panel, str) else panel.pairs() for panel in self.panels)
        return tuple(chain.from_iterable(each))


def _pairs(system: str, code: str) -> tuple[tuple[str, str], ...]:
    return tuple((spelling, code) for spelling in spellings(system))


class VariablesFile(SpecModel):
    """The whole of variables.yaml."""

    version: Literal[1] = Field(description="Version of this file's format.")
    exclusions: dict[str, Exclusions] = Field(
        default={}, description="Exclusions that variables share by a YAML anchor."
    )
    variables: dict[str, Variable] = Field(description="Variables by name.")

    @model_validator(mode="before")
    @classmethod
    def _names_from_keys(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("variables"), dict):
            named = {k: {"name": k, **v} if isinstance(v, dict) else v for k, v in data["variables"].items()}
            return {**data, "variables": named}
        return data

    @model_validator(mode="after")
    def _each_code_means_one_variable(self) -> Self:
        owner: dict[tuple[str, str], str] = {}
        for variable in self.variables.values():
            for code in variable.all_codes():
                if owner.setdefault(code, variable.name) != variable.name:
                    raise ValueError(f"code {code[1]} of {code[0]} is claimed by {owner[code]} and {variable.name}")
        return self
