"""Finds the alerts that people would get of many predictions, with the lock-out of the alert policy.

An alert is a message to people that a stay is in the high band. It is not repeated within the lock-out, so there are
far fewer alerts than predictions in the high band if a model is asked each hour.
"""

from datetime import timedelta
from typing import Final, Self

import numpy as np
import pandas as pd

from wardround.core.runs import first_of_each
from wardround.evaluation.metrics import Metric

HOURS_IN_100_DAYS: Final = 2400.0


def per_100_patient_days(share: float, hours_per_row: float) -> float:
    """Returns so many per 100 days of care, if they are this share of rows that stand for `hours_per_row` hours."""
    return share * HOURS_IN_100_DAYS / hours_per_row


def in_100_patient_days(share: Metric, hours_per_row: float) -> Metric:
    """Returns a share of rows, with its interval, as rows per 100 patient-days."""
    figures = {
        name: None if figure is None else per_100_patient_days(figure, hours_per_row)
        for name, figure in (("value", share.value), ("low", share.low), ("high", share.high))
    }
    return Metric(**figures, reason=share.reason)


class Alerts:
    """The predictions of some stays, of which it says which would raise an alert.

    As `results.alert_policy.verdict` decides for people who are told of the high band: a stay's first prediction in the
    band raises an alert, and then the first one that is a lock-out later than the last alert, or more. So the alerts of
    a stay are as many predictions of the band as can be a lock-out apart, and never fewer if more are in the band.
    """

    def __init__(self, stays: pd.Series, as_of: pd.Series, lock_out: timedelta, hours_per_row: float) -> None:
        """Takes the stay and the prediction time of each row, in any order, and the hours that a row stands for."""
        self.lock_out = lock_out
        self._hours_per_row = hours_per_row
        # Times of one stay that are equal are one prediction, even without a lock-out.
        self._apart = max(lock_out // timedelta(microseconds=1), 1)
        numbers = np.asarray(pd.factorize(stays)[0])
        microseconds = as_of.astype("datetime64[us, UTC]").astype("int64").to_numpy()
        self._order = np.lexsort((microseconds, numbers))
        self._stay = numbers[self._order]
        self._line = _end_to_end(self._stay, microseconds[self._order], self._apart)

    @classmethod
    def of(cls, rows: pd.DataFrame, lock_out: timedelta, hours_per_row: float) -> Self:
        """Takes rows with stay_id and as_of."""
        return cls(rows["stay_id"], rows["as_of"], lock_out, hours_per_row)

    def raised(self, in_high_band: np.ndarray) -> np.ndarray:
        """Returns, for each row, whether it raises an alert if these rows are in the high band."""
        kept = np.flatnonzero(in_high_band[self._order])
        line, stay = self._line[kept], self._stay[kept]
        # The first row of the band that may raise the next alert; it is another stay's if there is none.
        following = np.searchsorted(line, line + self._apart)
        raised = np.zeros(len(self._order), dtype=bool)
        raising = first_of_each(stay)
        while len(raising):
            raised[self._order[kept[raising]]] = True
            after = following[raising]
            inside = after < len(stay)
            raising, after = raising[inside], after[inside]
            raising = after[stay[after] == stay[raising]]
        return raised

    def per_100_patient_days(self, in_high_band: np.ndarray) -> float:
        """Returns the alerts per 100 days of care if these rows are in the high band."""
        share = float(self.raised(in_high_band).sum()) / len(in_high_band)
        return per_100_patient_days(share, self._hours_per_row)


def _end_to_end(stay: np.ndarray, times: np.ndarray, apart: int) -> np.ndarray:
    """Returns times on one line, on which stays follow each other with more than `apart` between them.

    `stay` is ascending, and so are the times of a stay.
    """
    steps = np.diff(times, prepend=0)
    steps[first_of_each(stay)] = apart + 1
    return np.cumsum(steps)
