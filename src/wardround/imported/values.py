"""What an imported model uses for unknown values, and what is typical: given by feature, returned by column."""

from collections.abc import Mapping, Sequence
from typing import Final

from wardround.errors import SpecError
from wardround.imported.about import ImportedInput
from wardround.imported.inputs import VALUE_SUMMARIES
from wardround.imported.stated_training import check_plausible
from wardround.spec.conditions import Condition, Feature
from wardround.spec.variables import Variable

# Reasons compare with these if a model takes no unknown values and came without values for them: half-way between the
# codes of the sexes, and an age and times that are common in intensive care.
_TYPICAL_DEMOGRAPHICS: Final = {"age": 65.0, "sex": 0.5, "hours_in_unit": 24.0, "hours_in_hospital": 48.0}


def imputation(
    given: Mapping[str, float], inputs: Sequence[ImportedInput], condition: Condition, where: str
) -> dict[str, float]:
    """Returns, by column and in its unit, the values that were given by feature and in the model's unit.

    Raises SpecError for a feature that the model does not take, for a value that is not plausible in its unit (usually
    because the unit is wrong), and for two values for one column.
    """
    by_name = {one.name: one for one in inputs}
    unknown = sorted(set(given) - set(by_name))
    if unknown:
        raise SpecError(f"{where}: got {unknown[0]!r}, expected features of the model; correct or remove it")
    by_column: dict[str, float] = {}
    for name, value in given.items():
        one = by_name[name]
        check_plausible(one, value, "the value given for it", condition, where)
        converted = one.in_column(value)
        if abs(by_column.setdefault(one.column, converted) - converted) > 1e-6:
            raise SpecError(f"{where}: {name}: two features use {one.column} and have different values; give one value")
    return by_column


def typical(
    inputs: Sequence[ImportedInput], imputed: Mapping[str, float], takes_unknown: bool, condition: Condition, where: str
) -> dict[str, float]:
    """Returns, by column, what reasons compare with: the imputed value; otherwise nothing if the model takes unknown
    values; otherwise a usual value, and 0 for counts, trends and times. Raises SpecError if none is known."""
    features = {feature.name: feature for feature in condition.feature_list}
    found = dict(imputed)
    for one in inputs:
        if one.column not in found and not takes_unknown:
            found[one.column] = _usual(one, features.get(one.column), condition.variables, where)
    return found


def _usual(one: ImportedInput, feature: Feature | None, variables: Mapping[str, Variable], where: str) -> float:
    if feature is None:
        return _TYPICAL_DEMOGRAPHICS[one.column]
    if feature.summary not in VALUE_SUMMARIES:
        return 0.0
    usual = variables[feature.variable].typical
    if usual is None:
        raise SpecError(
            f"{where}: {one.name}: no usual value of {feature.variable} is known; give one to impute, or add `typical`"
            " to variables.yaml"
        )
    return usual
