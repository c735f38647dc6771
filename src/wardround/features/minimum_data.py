"""Features in, whether enough is known for a score out. Below the minimum a stay is indeterminate, never low."""

import numpy as np
import pandas as pd

from wardround.features.build import WITHOUT_EVENTS
from wardround.spec.conditions import Condition


def known_variables(features: pd.DataFrame, condition: Condition) -> np.ndarray:
    """Per row, how many of the variables in `condition.minimum_data` have at least one event in a window."""
    return sum(
        (_has_event(features, condition, variable) for variable in sorted(set(condition.minimum_data.of))),
        start=np.zeros(len(features), dtype=int),
    )


def enough_data(features: pd.DataFrame, condition: Condition) -> np.ndarray:
    """Per row, whether a score may be given."""
    return known_variables(features, condition) >= condition.minimum_data.at_least


def _has_event(features: pd.DataFrame, condition: Condition, variable: str) -> np.ndarray:
    known = np.zeros(len(features), dtype=bool)
    for feature in condition.feature_list:
        if feature.variable == variable:
            values = features[feature.name].to_numpy(dtype=float)
            known |= ~np.isnan(values) & (values != WITHOUT_EVENTS.get(feature.summary))
    return known
