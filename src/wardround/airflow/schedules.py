"""Builds the schedules of a condition's DAGs: cron expressions in its time zone, and the events of its Assets."""

from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable

from wardround.airflow.assets import drift, live_model
from wardround.airflow.deadlines import screening_deadline
from wardround.airflow.forms import first_day
from wardround.settings import Settings
from wardround.spec.conditions import Condition


def screening_schedule(condition: Condition) -> AssetOrTimeSchedule:
    """Returns the screening's schedule: its cron times, and once whenever another model goes live (in shadow mode)."""
    return AssetOrTimeSchedule(timetable=_cron(condition.schedule, condition), assets=[live_model(condition.id)])


def screening_times(condition: Condition, settings: Settings) -> dict[str, Any]:
    """Returns what a screening's DAG is told of time besides its schedule: missed runs, overlaps, and its deadline."""
    return {
        "start_date": first_day(condition),
        "catchup": condition.catch_up_from is not None,
        "max_active_runs": 1,
        "deadline": screening_deadline(settings),
    }


def training_schedule(condition: Condition) -> Any:
    """Returns the training's schedule: whenever drift is flagged, and the condition's `retraining` if it has one."""
    flagged = [drift(condition.id)]
    if condition.retraining is None:
        return flagged
    return AssetOrTimeSchedule(timetable=_cron(condition.retraining, condition), assets=flagged)


def upkeep_schedule(settings: Settings) -> CronTriggerTimetable | None:
    """Returns the schedule of the stream's upkeep, hourly; None where there are no settings of the stream."""
    return CronTriggerTimetable("17 * * * *", timezone="UTC") if settings.stream.is_file() else None


def pruning_schedule(settings: Settings) -> CronTriggerTimetable | None:
    """Returns the schedule by which old runs are removed, daily; None where no setting says how long they are kept."""
    return CronTriggerTimetable("37 4 * * *", timezone="UTC") if settings.runs_kept else None


def _cron(expression: str, condition: Condition) -> CronTriggerTimetable:
    return CronTriggerTimetable(expression, timezone=condition.time_zone)
