"""Scores a stay that does not exist, so that the first real one finds all libraries and models loaded."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from wardround.core.exclusion import Stay
from wardround.core.microseconds import micros
from wardround.core.readings import Readings, Row
from wardround.spec.conditions import Condition
from wardround.stream.branches import Way
from wardround.stream.models import Models
from wardround.stream.scoring import ToScore, score_together
from wardround.stream.stored_readings import as_parquet, of_parquet

_NOBODY: Final = "warm-up"
_HOURS: Final = (1, 2, 6)


def warm_up(models: Models, ways: Iterable[Way], now: datetime) -> None:
    """Scores an adult in intensive care with three values of every variable, with the model of each branch.

    A branch without a usable model is left out. Raises ModelError if a model returns anything but probabilities.
    """
    for way in ways:
        model = models.of(way)
        if not isinstance(model, str):
            readings = of_parquet(as_parquet(_readings(way.condition, now)))
            score_together([ToScore(_stay(now), readings, now)], model.scoring)


def _readings(condition: Condition, now: datetime) -> Readings:
    rows: list[Row] = []
    for name, variable in condition.variables.items():
        kind = (name, variable.unit, "", False, "final", "")
        for hours in _HOURS:
            at = micros(now - timedelta(hours=hours))
            rows.append((_NOBODY, at, at, variable.usual, f"Observation/{name}-{hours}", kind))
    return Readings.of(rows)


def _stay(now: datetime) -> Stay:
    began, born = micros(now - timedelta(hours=24)), micros(now - timedelta(days=60 * 365))
    return Stay(
        stay_id=_NOBODY,
        patient_id=_NOBODY,
        intime=began,
        outtime=began,
        unit_begin=began,
        hospital_begin=began,
        birth_date=born,
        sex="female",
        unit="",
        status="in-progress",
        born_from=born,
        born_by=born,
        barred="",
        hospital_unknown="",
        part_of="",
    )
