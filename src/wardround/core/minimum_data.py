"""Features in, whether enough is known for a score out. Below the minimum a stay is indeterminate, never low."""

import numpy as np
import pandas as pd

from wardround.spec.conditions import Condition


def known_variables(features: pd.DataFrame, condition: Condition) -> pd.Series:
    """Per row, how many of the variables in `condition.minimum_data` have at least one event in a window."""
    known = pd.DataFrame(
        {variable: _has_event(features, condition, variable) for variable in set(condition.minimum_data.of)},
        index=features.index,
    )
    return known.sum(axis=1)


def enough_data(features: pd.DataFrame, condition: Condition) -> pd.Series:
    """Per row, whether a score may be given."""
    return known_variables(features, condition) >= condition.minimum_data.at_least


def _has_event(features: pd.DataFrame, condition: Condition, variable: str) -> pd.Series:
    mine = [feature for feature in condition.feature_list if feature.variable == variable]
    values = features[[feature.name for feature in mine]]
    # A count without events is 0; every other summary without events is unknown.
    counts = [feature.name for feature in mine if feature.summary == "count"]
    return values.assign(**{name: values[name].replace(0.0, np.nan) for name in counts}).notna().any(axis=1)
