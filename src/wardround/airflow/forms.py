"""The forms of the DAGs (Airflow Params), and what a run's answers mean."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.sdk import Param

from wardround.airflow.provider import DEFAULT_CONNECTION
from wardround.errors import WardroundError
from wardround.spec.base import format_duration
from wardround.spec.conditions import Condition

DURATION = r"^\d+[mhd]$"


def screening_form(condition: Condition) -> dict[str, Param]:
    """The form of screen_icu__<condition>."""
    return {
        "connection": Param(
            DEFAULT_CONNECTION,
            type="string",
            minLength=1,
            title="FHIR connection",
            description="Id of the connection (type FHIR server) to read from and write to.",
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="The prediction time. Empty: the run's own time.",
        ),
        "look_back": Param(
            None,
            type=["null", "string"],
            pattern=DURATION,
            title="Look-back",
            description="Stays that overlap this long before the prediction time are found: 90m, 24h or 2d. "
            f"Empty: as the condition says ({format_duration(condition.cohort.look_back)}).",
        ),
        "chunk_size": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Stays per chunk",
            description="Stays that one task handles. Empty: one task per stay up to 32 stays, larger chunks beyond.",
        ),
        "mode": Param(
            "live",
            type="string",
            enum=["live", "shadow"],
            title="Mode",
            description="shadow scores and reports, and writes nothing to the server.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Go as far as the scores, and write neither to the server nor to the ledger.",
        ),
    }


def prediction_time(params: Mapping[str, Any], dag_run: Any) -> datetime:
    """as_of of a DAG run: the Param, else the run's logical date, else the time that it was asked for.

    All three are stored with the run, so that clearing its tasks screens the same moment again.
    """
    if not params["as_of"]:
        moment: datetime = dag_run.logical_date or dag_run.run_after
        return moment
    given = datetime.fromisoformat(params["as_of"])
    if given.tzinfo is None:
        raise WardroundError(f"As of: got {params['as_of']!r}, expected an offset at its end; add Z or +00:00")
    return given
