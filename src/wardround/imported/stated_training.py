"""Compares what a model's file says about its training with what its schema says; a contradiction is an error.

This finds two common, silent faults: a feature that was trained on one quantity, or in one unit, and is served another.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wardround.errors import SpecError
from wardround.imported.about import ImportedInput
from wardround.imported.inputs import VALUE_SUMMARIES
from wardround.spec.conditions import Condition
from wardround.spec.variables import Variable

ITEMS: Final = "itemid_mappings"  # in the tutorial's metadata: table -> feature -> MIMIC item ids


def check_items(
    metadata: Mapping[str, Any],
    inputs: Sequence[ImportedInput],
    condition: Condition,
    variables: Mapping[str, Variable],
    where: str,
) -> None:
    """Raises SpecError for a feature that was trained on MIMIC items of another variable than its schema says."""
    trained = _items(metadata)
    owner = {itemid: variable for variable in variables.values() for itemid in variable.mimic.itemids}
    served = {feature.name: feature.variable for feature in condition.feature_list}
    for one in inputs:
        for itemid in trained.get(one.name, ()) if one.column in served else ():
            variable = owner.get(itemid)
            if variable is None or variable.name != served[one.column]:
                found = variable.display if variable else "not a variable in variables.yaml"
                raise SpecError(
                    f"{where}: metadata.{ITEMS}: {one.name} was trained on MIMIC item {itemid}, which is {found}, and"
                    f" would be served {served[one.column]}; correct its code in the schema, or train it again"
                )


def _items(metadata: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Returns the item ids by feature; entries not in the tutorial's form are ignored."""
    tables = metadata.get(ITEMS)
    listed = [table for table in tables.values() if isinstance(table, Mapping)] if isinstance(tables, Mapping) else []
    named = {str(name): items for table in listed for name, items in table.items()}
    return {
        name: tuple(item for item in (items if isinstance(items, list | tuple) else [items]) if isinstance(item, int))
        for name, items in named.items()
    }


def check_means(means: Mapping[str, float], inputs: Sequence[ImportedInput], condition: Condition, where: str) -> None:
    """Raises SpecError for a feature whose mean in training, if a scaler kept it, is not plausible in its unit."""
    for one in inputs:
        if one.name in means:
            check_plausible(one, means[one.name], "the mean that its scaler learned", condition, where)


def check_plausible(one: ImportedInput, value: float, what: str, condition: Condition, where: str) -> None:
    """Raises SpecError if a value in the model's unit is not plausible, usually because the unit is wrong."""
    feature = {feature.name: feature for feature in condition.feature_list}.get(one.column)
    if feature is None or feature.summary not in VALUE_SUMMARIES:
        return
    variable = condition.variables[feature.variable]
    if not variable.plausible.min <= one.in_column(value) <= variable.plausible.max:
        raise SpecError(
            f"{where}: {one.name}: {what} is not plausible in {one.unit} ({variable.display} is between"
            f" {variable.plausible.min:g} and {variable.plausible.max:g} {variable.unit}); correct its unit in the"
            " schema, or the value"
        )
