"""The forms of the DAGs (Airflow Params), and what a run's answers mean."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from airflow.sdk import Param

from wardround.airflow.provider import DEFAULT_CONNECTION
from wardround.candidates.names import CANDIDATE_NAMES
from wardround.core.prediction_times import require_reached
from wardround.errors import WardroundError
from wardround.spec.base import format_duration, parse_duration
from wardround.spec.cohorts import COHORT_BEGINNINGS, COHORT_TEXT, COHORT_WORDS
from wardround.spec.conditions import Condition

ASSET_TRIGGERED = "asset_triggered"  # Airflow's run type
DURATION = r"^\d+[mhd]$"


def screening_form(condition: Condition, source: str = DEFAULT_CONNECTION) -> dict[str, Param]:
    """The form of the DAG that screens a condition at a source."""
    return {
        "connection": Param(
            source,
            type="string",
            minLength=1,
            # Proposed and no more: which connections there are is known to Airflow's database alone.
            examples=list(condition.sources or (source,)),
            title="FHIR connection",
            description="Id of the connection (type FHIR server) to read from, and to write to unless it says where.",
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="The prediction time. Empty: the run's own time."
            f" The schedule is {condition.schedule_in_words}.",
        ),
        "allow_future": Param(
            False,
            type="boolean",
            title="Allow the future",
            description="Predict at a time that has not come. Without it such a time is refused: a wrong offset asks"
            " for one by mistake.",
        ),
        "look_back": Param(
            None,
            type=["null", "string"],
            pattern=DURATION,
            title="Look-back",
            description="Stays that overlap this long before the prediction time are found: 90m, 24h or 2d. "
            f"Empty: as the condition says ({format_duration(condition.cohort.look_back)}).",
        ),
        "cohort": Param(
            None,
            type=["null", "string"],
            pattern=COHORT_TEXT,
            examples=list(COHORT_BEGINNINGS),
            title="Cohort",
            description=f"Whose stays are screened: {COHORT_WORDS}. "
            f"Empty: as the condition says ({condition.cohort.source.kind}).",
        ),
        "wait_for_source": Param(
            "30m",
            type=["null", "string"],
            pattern=DURATION,
            title="Wait for the source",
            description="A source that is down is waited for until the run is this old: 30m, 2h. Empty: not at all.",
        ),
        "chunk_size": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Stays per chunk",
            description="Stays that one task handles. Empty: one task per stay up to 32 stays, larger chunks beyond.",
        ),
        "mode": Param(
            None,
            type=["null", "string"],
            enum=[None, "live", "shadow"],
            values_display={"None": f"as the condition says ({condition.mode_in_words})"},
            title="Mode",
            description="shadow scores and reports, and writes nothing to the server. "
            f"Empty: as the condition says ({condition.mode_in_words}).",
        ),
        "accept_census": Param(
            False,
            type="boolean",
            title="Accept the census",
            description="However few stays are found: these are all. Without it a run that finds far fewer than the one"
            " before, or fewer than the condition expects, ends red.",
        ),
    }


def training_form(condition: Condition) -> dict[str, Param]:
    """The form of train__<condition>: the options of `wardround train`, by the same names."""
    return {
        "mimic": Param(
            None,
            type=["null", "string"],
            title="MIMIC-IV",
            description="Folder with hosp/ and icu/, or a DuckDB file, as the workers see it."
            " Empty: their MIMIC_CSV_PATH.",
        ),
        "label": Param(
            None,
            type=["null", "string"],
            enum=[None, *condition.labels],
            values_display={"None": f"the first ({condition.label.rule})"},
            title="Label rule",
            description=f"One of the condition's: {', '.join(condition.labels)}. Empty: the first.",
        ),
        "horizon": Param(
            None,
            type=["null", "string"],
            pattern=DURATION,
            title="Horizon",
            description="Predict by the hour whether onset is so near: 6h. Empty: once, for the whole stay.",
        ),
        "at": Param(
            "24h",
            type="string",
            pattern=DURATION,
            title="At",
            description="The first prediction, so long after admission.",
        ),
        "candidates": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": list(CANDIDATE_NAMES)},
            # From these Airflow makes a list to choose from.
            examples=list(CANDIDATE_NAMES),
            title="Candidates",
            description="Names of the candidates to compare. Empty: all.",
        ),
        "seed": Param(
            1,
            type="integer",
            minimum=0,
            title="Seed",
            description="Decides sides, folds, candidates and resamples: the same seed gives the same model.",
        ),
        "budget": Param(
            4,
            type="integer",
            minimum=1,
            title="Budget",
            description="Settings that are tried per candidate in nested cross-validation.",
        ),
        "split": Param(
            "patient",
            type="string",
            enum=["patient", "calendar"],
            title="Split",
            description="patient: a quarter of the patients tests the model. calendar: those of the latest years.",
        ),
        "approval": Param(
            "first_without_asking",
            type="string",
            enum=["ask", "first_without_asking", "never"],
            title="Approval",
            description="Whether somebody must approve before the model goes live; first_without_asking asks if another"
            " is live, never asks nobody. The gates hold in any case.",
        ),
        "explained": Param(
            None,
            type=["null", "string"],
            title="Explained",
            description="Why an AUROC above 0.95 is believed; without it such a model is not stored.",
        ),
    }


def approval_form() -> dict[str, Param]:
    """What the person who is asked for approval fills in. Without a text Airflow's page takes no answer."""
    return {"why": _why(default="")}


def promotion_form(versions: Sequence[str] = ()) -> dict[str, Param]:
    """The form of promote__<condition>; `versions` are proposed, the newest first."""
    return {
        "version": Param(
            None,
            type=["null", "string"],
            # Proposed and no more: the form is as old as the last parsing of its DAG.
            examples=list(versions),
            title="Version",
            description="The stored version to make live. Empty: back to the one that was live before.",
        ),
        "why": _why(minLength=1),
        "despite_gates": Param(
            False,
            type="boolean",
            title="Despite its gates",
            description="Make it live although a promotion gate failed.",
        ),
    }


def suspension_form() -> dict[str, Param]:
    """The form of suspend__<condition>."""
    return {
        "action": Param(
            "suspend",
            type="string",
            enum=["suspend", "resume"],
            title="Action",
            description="suspend switches the condition off from the next request on, resume on again.",
        ),
        "why": _why(minLength=1),
    }


def _why(**terms: Any) -> Param:
    """The reason for a change of what is live, on whatever terms the form asks for it."""
    return Param(**terms, type="string", title="Why", description="Kept with your name in the model store.")


def triggered_by(dag_run: Any) -> str:
    """The name of who started the run, or Airflow where nobody did."""
    return dag_run.triggering_user_name or "Airflow"


def run_time(dag_run: Any) -> datetime:
    """When a DAG run is for: its logical date, else the time that it was asked for. Both are stored with the run."""
    moment: datetime = dag_run.logical_date or dag_run.run_after
    return moment


def prediction_time(params: Mapping[str, Any], dag_run: Any, now: datetime) -> datetime:
    """as_of of a screening: the Param, else the run's own time; clearing a run screens the same moment again.

    Raises FutureAsOf for a time after `now`, unless the form allows it.
    """
    as_of = _given_time(params) if params["as_of"] else run_time(dag_run)
    require_reached(as_of, now, params["allow_future"])
    return as_of


def _given_time(params: Mapping[str, Any]) -> datetime:
    given = datetime.fromisoformat(params["as_of"])
    if given.tzinfo is None:
        raise WardroundError(f"As of: got {params['as_of']!r}, expected an offset at its end; add Z or +00:00")
    return given


def screening_mode(params: Mapping[str, Any], dag_run: Any) -> str | None:
    """live or shadow, None for the condition's own: a run that a new live model started writes nothing in any case."""
    mode: str | None = "shadow" if dag_run.run_type == ASSET_TRIGGERED else params["mode"]
    return mode


def waiting_time(params: Mapping[str, Any], dag_run: Any, now: datetime) -> timedelta:
    """How much longer a run may wait for its source. Clearing a run begins it anew."""
    if not params["wait_for_source"]:
        return timedelta()
    began: datetime = dag_run.start_date or now
    return max(timedelta(), began + parse_duration(params["wait_for_source"]) - now)


def first_day(condition: Condition) -> datetime | None:
    """The start date of the screening DAG: missed runs are made up for since then. Without it they are skipped."""
    day = condition.catch_up_from
    # Airflow's own record of a DAG takes no zone of Python's but UTC.
    return datetime.combine(day, time(), condition.zone).astimezone(UTC) if day else None
