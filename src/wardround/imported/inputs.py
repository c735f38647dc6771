"""Maps the inputs of a model that was trained elsewhere to feature columns, by a feature schema or by their names.

Codes are matched exactly, by system and code. Nothing is guessed: what cannot be converted is a SpecError that names
file, feature, value and remedy.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Final

from wardround.errors import SpecError
from wardround.imported.about import ImportedInput
from wardround.spec.base import format_duration
from wardround.spec.conditions import Condition, Feature
from wardround.spec.feature_schema import FeatureSchema, SchemaFeature, ValueSummary
from wardround.spec.units import SAME, UnitConversion, conversion, has_one_scale
from wardround.spec.variables import Variable

# The field of a Patient -> its column, and the transform that makes it a number: completed years; male 1, female 0.
_DEMOGRAPHICS: Final = {"birthDate": ("age", "calculate_age"), "gender": ("sex", "encode_gender")}
# The transform of an Encounter's begin -> its column, in hours at the prediction time.
_CLOCKS: Final = {
    "calculate_hours_in_unit": "hours_in_unit",
    "calculate_hours_in_hospital": "hours_in_hospital",
}
_BEGIN: Final = "period.start"
_HOUR: Final = "h"
_QUANTITY_FIELDS: Final = (None, "value", "valueQuantity", "valueQuantity.value")
_A_NUMBER: Final = re.compile(r"(float|u?int)\d*|bool", re.IGNORECASE)
VALUE_SUMMARIES: Final = ("last", "first", "mean", "min", "max")


@dataclass(frozen=True)
class SchemaReader:
    """Converts one schema. `where` names its file; `summary` combines several values unless a feature has its own."""

    schema: FeatureSchema
    condition: Condition
    variables: Mapping[str, Variable]
    summary: ValueSummary
    where: str

    def inputs(self, names: Sequence[str]) -> tuple[ImportedInput, ...]:
        """Returns the model's inputs in its order. Raises SpecError."""
        missing = [name for name in names if name not in self.schema.features]
        if missing:
            raise SpecError(
                f"{self.where}: features: the model takes {missing[0]!r}, which the schema does not have; add it"
            )
        pairs = [self._input(name, self.schema.features[name]) for name in names]
        self._check_columns([wanted for _, wanted in pairs])
        return tuple(one for one, _ in pairs)

    def _input(self, name: str, feature: SchemaFeature) -> tuple[ImportedInput, "Feature | str"]:
        if not _A_NUMBER.fullmatch(feature.dtype):
            raise self._error(name, "dtype", feature.dtype, "a number such as float64 or int64; encode it in the model")
        if feature.fhir_resource == "Patient":
            return self._demographic(name, feature)
        if feature.fhir_resource == "Observation":
            return self._measured(name, feature)
        if feature.fhir_resource == "Encounter":
            return self._clock(name, feature)
        expected = "Observation, Patient or Encounter; train without it"
        raise self._error(name, "fhir_resource", feature.fhir_resource, expected)

    def _demographic(self, name: str, feature: SchemaFeature) -> tuple[ImportedInput, str]:
        if feature.field not in _DEMOGRAPHICS:
            raise self._error(name, "field", feature.field, "birthDate or gender of a Patient; train without it")
        column, transform = _DEMOGRAPHICS[feature.field]
        if feature.transform != transform:
            raise self._error(name, "transform", feature.transform, f"{transform}; correct it")
        whole = column == "age"
        return ImportedInput(name=name, column=column, unit="", whole=whole, required=feature.required), column

    def _clock(self, name: str, feature: SchemaFeature) -> tuple[ImportedInput, str]:
        """Returns the time since the stay began: in hours or the schema's unit of time; whole for an integer dtype."""
        if feature.field != _BEGIN:
            raise self._error(name, "field", feature.field, f"{_BEGIN} of an Encounter; train without it")
        if feature.transform not in _CLOCKS:
            raise self._error(name, "transform", feature.transform, f"{' or '.join(_CLOCKS)}; correct it")
        converted = conversion(_HOUR, feature.unit or _HOUR, {})
        if converted is None:
            raise self._error(name, "unit", feature.unit, "a UCUM unit of time such as h or d; correct it")
        column = _CLOCKS[feature.transform]
        clock = ImportedInput(
            name=name,
            column=column,
            unit=feature.unit or "",
            factor=converted.factor,
            whole=not feature.dtype.lower().startswith("float"),
            required=feature.required,
        )
        return clock, column

    def _measured(self, name: str, feature: SchemaFeature) -> tuple[ImportedInput, Feature]:
        if feature.field not in _QUANTITY_FIELDS:
            raise self._error(name, "field", feature.field, "valueQuantity.value; train without it")
        if feature.transform is not None:
            raise self._error(name, "transform", feature.transform, "none for an Observation; put it into the model")
        variable = self._variable(name, feature)
        unit, canonical = self._unit(name, feature, variable)
        wanted = self._wanted(variable, feature)
        converted = ImportedInput(
            name=name,
            column=wanted.name,
            unit=unit,
            factor=1 / canonical.factor,
            offset=0.0 - canonical.offset / canonical.factor,
            required=feature.required,
        )
        return converted, wanted

    def _variable(self, name: str, feature: SchemaFeature) -> Variable:
        code = (feature.code_system or "", feature.code or "")
        for variable in self.variables.values():
            if code in variable.all_codes():
                return variable
        if not feature.code or not feature.code_system:
            absent = "code_system" if feature.code else "code"
            raise self._error(name, absent, None, "the Observation's; add it")
        expected = f"a code of variables.yaml{self._hint(name, code[1])}; or add a variable"
        raise self._error(name, "code", f"{code[1]} of {code[0]}", expected)

    def _hint(self, name: str, code: str) -> str:
        """Returns what may have been meant: the code in another system, or a variable with a similar name."""
        for variable in self.variables.values():
            systems = [system for system, known in variable.all_codes() if known == code]
            if systems:
                return f" ({variable.name} has it in {systems[0]})"
        close = get_close_matches(name, list(self.variables), n=1)
        listed = ", ".join(dict.fromkeys(known for _, known in self.variables[close[0]].all_codes())) if close else ""
        return f" ({close[0]} has {listed}; correct it if the model was trained on that)" if close else ""

    def _unit(self, name: str, feature: SchemaFeature, variable: Variable) -> tuple[str, UnitConversion]:
        """Returns unit and conversion. A unit may be missing only if such values are on the same scale everywhere."""
        if feature.unit is None:
            if not has_one_scale(variable.unit):
                raise self._error(name, "unit", None, f"the unit that the model was trained in: {_listed(variable)}")
            return variable.unit, SAME
        found = variable.conversion(feature.unit)
        if found is None:
            raise self._error(name, "unit", feature.unit, f"one of {_listed(variable)}; or add it to variables.yaml")
        return feature.unit, found

    def _wanted(self, variable: Variable, feature: SchemaFeature) -> Feature:
        """Returns the feature; without a window in the schema, with the condition's longest window for the summary."""
        summary = feature.summary or self.summary
        windows = [
            mine.window
            for mine in self.condition.feature_list
            if (mine.variable, mine.summary) == (variable.name, summary)
        ]
        window = feature.window or max(windows, default=self.condition.longest_window)
        return Feature(variable=variable.name, summary=summary, window=window)

    def _check_columns(self, wanted: Sequence["Feature | str"]) -> None:
        absent = [one for one in wanted if _name(one) not in self.condition.columns]
        if absent:
            names = ", ".join(dict.fromkeys(_name(one) for one in absent))
            lines = "\n".join(_lines_to_add(absent, self.condition))
            raise SpecError(
                f"{self.where}: {self.condition.id} does not compute {names}; name another summary or window, or write"
                f" this under `features` of conditions/{self.condition.id}.yaml, after which the condition's own models"
                f" must be trained again:\n{lines}"
            )

    def _error(self, name: str, key: str, value: object, expected: str) -> SpecError:
        got = "is missing" if value is None else f"got {value!r}"
        return SpecError(f"{self.where}: features.{name}.{key}: {got}, expected {expected}")


def inputs_by_name(names: Sequence[str], condition: Condition, where: str) -> tuple[ImportedInput, ...]:
    """Returns the inputs of a model whose features are named like the condition's columns. Raises SpecError."""
    columns = condition.columns
    unknown = [name for name in names if name not in columns]
    if unknown:
        close = get_close_matches(unknown[0], columns, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise SpecError(
            f"{where}: metadata.feature_names: got {unknown[0]!r}{hint}, expected columns of {condition.id} such as"
            f" {columns[-1]}; give a feature schema with --schema"
        )
    features = {feature.name: feature for feature in condition.feature_list}
    return tuple(
        ImportedInput(name=name, column=name, unit=_unit_of(features.get(name), condition.variables)) for name in names
    )


def _unit_of(feature: Feature | None, variables: Mapping[str, Variable]) -> str:
    return variables[feature.variable].unit if feature and feature.summary in VALUE_SUMMARIES else ""


def _listed(variable: Variable) -> str:
    return ", ".join(dict.fromkeys((variable.unit, *filter(None, variable.units), "another UCUM unit of its kind")))


def _name(wanted: "Feature | str") -> str:
    return wanted if isinstance(wanted, str) else wanted.name


def _lines_to_add(absent: Sequence["Feature | str"], condition: Condition) -> list[str]:
    """Returns what is missing as lines of YAML."""
    demographics = [one for one in absent if isinstance(one, str)]
    groups: dict[tuple[str, timedelta], dict[str, None]] = {}
    for one in absent:
        if not isinstance(one, str):
            groups.setdefault((one.summary, one.window), {})[one.variable] = None
    whole = dict.fromkeys([*condition.features.demographics, *demographics])
    return [
        *([f"  demographics: [{', '.join(whole)}]"] if demographics else []),
        *(["  groups:"] if groups else []),
        *(
            f"    - {{variables: [{', '.join(names)}], summaries: [{summary}], window: {format_duration(window)}}}"
            for (summary, window), names in groups.items()
        ),
    ]
