"""What starts the DAGs of a condition: cron expressions by its own clock, and the events of its Assets."""

from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable

from wardround.airflow.assets import drift, live_model
from wardround.spec.conditions import Condition


def screening_schedule(condition: Condition) -> AssetOrTimeSchedule:
    """By the clock, and once in shadow whenever another model goes live."""
    return AssetOrTimeSchedule(timetable=_cron(condition.schedule, condition), assets=[live_model(condition.id)])


def training_schedule(condition: Condition) -> Any:
    """Whenever drift is flagged, and by the clock if the condition says so."""
    flagged = [drift(condition.id)]
    if condition.retraining is None:
        return flagged
    return AssetOrTimeSchedule(timetable=_cron(condition.retraining, condition), assets=flagged)


def _cron(expression: str, condition: Condition) -> CronTriggerTimetable:
    return CronTriggerTimetable(expression, timezone=condition.time_zone)
