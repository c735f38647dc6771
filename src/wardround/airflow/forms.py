"""Defines the forms of the DAGs (Airflow Params), and interprets what was filled in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, get_args

from airflow.sdk import Param

from wardround.airflow.provider import DEFAULT_CONNECTION
from wardround.candidates.names import CANDIDATE_NAMES
from wardround.core.prediction_times import require_reached
from wardround.errors import WardroundError
from wardround.spec.base import format_duration, parse_duration
from wardround.spec.cohorts import COHORT_BEGINNINGS, COHORT_TEXT, COHORT_WORDS
from wardround.spec.conditions import Condition, OnsetDefinition, Suspicion

_ASSET_TRIGGERED = "asset_triggered"  # Airflow's run type
DURATION = r"^\d+[mhd]$"


def screening_form(condition: Condition, source: str = DEFAULT_CONNECTION) -> dict[str, Param]:
    """Returns the form of the DAG that screens a condition at a source."""
    return {
        "connection": Param(
            source,
            type="string",
            minLength=1,
            # Suggestions only: the connections that exist are in Airflow's database.
            examples=list(condition.sources or (source,)),
            title="FHIR connection",
            description="Id of the connection (type FHIR server) to read from. Results are written there too, unless"
            " the connection names another one for them.",
        ),
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="The prediction time. Empty: the time of the run."
            f" The schedule is {condition.schedule_in_words}.",
        ),
        "allow_future": Param(
            False,
            type="boolean",
            title="Allow the future",
            description="Accept a prediction time in the future. Otherwise such a time is refused, since it is usually"
            " a wrong UTC offset.",
        ),
        "look_back": Param(
            None,
            type=["null", "string"],
            pattern=DURATION,
            title="Look-back",
            description="How far back to look: stays that overlap this period before the prediction time are found,"
            f" such as 90m, 24h or 2d. Empty: as the condition says ({format_duration(condition.cohort.look_back)}).",
        ),
        "cohort": Param(
            None,
            type=["null", "string"],
            pattern=COHORT_TEXT,
            examples=list(COHORT_BEGINNINGS),
            title="Cohort",
            description=f"Which stays are screened: {COHORT_WORDS}. "
            f"Empty: as the condition says ({condition.cohort.source.kind}).",
        ),
        "wait_for_source": Param(
            "30m",
            type=["null", "string"],
            pattern=DURATION,
            title="Wait for the source",
            description="How long after its start the run may still wait for a source that is down, such as 30m or 2h."
            " Empty: it does not wait.",
        ),
        "chunk_size": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Stays per chunk",
            description="Number of stays that one task handles. Empty: one task per stay for up to 32 stays, larger"
            " chunks for more.",
        ),
        "mode": Param(
            None,
            type=["null", "string"],
            enum=[None, "live", "shadow"],
            values_display={"None": f"as the condition says ({condition.mode_in_words})"},
            title="Mode",
            description="In shadow mode a run scores and reports, but writes nothing to the server. "
            f"Empty: as the condition says ({condition.mode_in_words}).",
        ),
        "accept_census": Param(
            False,
            type="boolean",
            title="Accept the census",
            description="Accept the number of stays found, however few. Otherwise a run that finds far fewer than the"
            " previous one, or fewer than the condition expects, ends red.",
        ),
    }


def training_form(condition: Condition) -> dict[str, Param]:
    """Returns the form of train__<condition>: the options of `wardround train`, with the same names."""
    return {
        "mimic": Param(
            None,
            type=["null", "string"],
            title="MIMIC-IV",
            description="Folder with hosp/ and icu/, or a DuckDB file; a path on the workers."
            " Empty: their MIMIC_CSV_PATH.",
        ),
        "label": Param(
            None,
            type=["null", "string"],
            enum=[None, *condition.labels],
            values_display={"None": f"the first ({condition.label.rule})"},
            title="Label rule",
            description=f"One of the condition's label rules: {', '.join(condition.labels)}. Empty: the first.",
        ),
        "onset": Param(
            None,
            type=["null", "string"],
            enum=[None, *get_args(OnsetDefinition)],
            values_display={"None": "as the label says"},
            title="Onset",
            description="When sepsis began, for the label sepsis3. sofa_time: the first hour with a SOFA of 2."
            " sofa_rise: the first hour with a SOFA 2 above the lowest before it. earlier: the earlier of sofa_time and"
            " suspected_infection_time. Empty: as the condition's label says.",
        ),
        "suspicion": Param(
            None,
            type=["null", "string"],
            enum=[None, *get_args(Suspicion)],
            values_display={"None": "as the label says"},
            title="Suspicion",
            description="Which cultures count when infection is suspected, for the label sepsis3."
            " without_screening_cultures: all but those that look for carriers, such as MRSA screens."
            " Empty: as the condition's label says.",
        ),
        "horizon": Param(
            None,
            type=["null", "string"],
            pattern=DURATION,
            title="Horizon",
            description="Predict hourly whether onset occurs within this time, such as 6h. Empty: predict daily, for"
            " the whole stay.",
        ),
        "at": Param(
            "6h",
            type="string",
            pattern=DURATION,
            title="At",
            description="Earliest daily prediction after admission; each stay's first is drawn within a day of it.",
        ),
        "fitted_on": Param(
            "all_hours",
            type="string",
            enum=["all_hours", "matched"],
            title="Fitted on",
            description="all_hours: all hours at risk. matched (with a horizon): hours matched between stays with and"
            " without the outcome.",
        ),
        "candidates": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": list(CANDIDATE_NAMES)},
            # Airflow offers these as a list to choose from.
            examples=list(CANDIDATE_NAMES),
            title="Candidates",
            description="The candidates to compare. Empty: all.",
        ),
        "seed": Param(
            1,
            type="integer",
            minimum=0,
            title="Seed",
            description="Seed of the split, the folds and the candidates: the same seed gives the same model.",
        ),
        "budget": Param(
            4,
            type="integer",
            minimum=1,
            title="Budget",
            description="Number of settings to try per candidate in nested cross-validation.",
        ),
        "split": Param(
            "patient",
            type="string",
            enum=["patient", "calendar"],
            title="Split",
            description="Which patients test the model. patient: a random quarter of the patients. calendar: those of"
            " the latest years.",
        ),
        "approval": Param(
            "first_without_asking",
            type="string",
            enum=["ask", "first_without_asking", "never"],
            title="Approval",
            description="Whether somebody must approve the model before it goes live. ask: always."
            " first_without_asking: only if another model is live. never: it goes live unasked. The gates apply in any"
            " case.",
        ),
        "explained": Param(
            None,
            type=["null", "string"],
            title="Explained",
            description="Why an AUROC above 0.95 is credible. Without an explanation such a model is not stored.",
        ),
    }


def approval_form() -> dict[str, Param]:
    """Returns the form for the person who approves. Airflow's page accepts no answer until it is filled in."""
    return {"why": _why(default="")}


def promotion_form(versions: Sequence[str] = ()) -> dict[str, Param]:
    """Returns the form of promote__<condition>; it suggests `versions`, newest first."""
    return {
        "version": Param(
            None,
            type=["null", "string"],
            # Suggestions only: the form dates from when Airflow last parsed the DAG.
            examples=list(versions),
            title="Version",
            description="The stored version to make live. Empty: roll back to the previous live version.",
        ),
        "why": _why(minLength=1),
        "despite_gates": Param(
            False,
            type="boolean",
            title="Despite its gates",
            description="Make it live even though a promotion gate failed.",
        ),
    }


def suspension_form() -> dict[str, Param]:
    """Returns the form of suspend__<condition>."""
    return {
        "action": Param(
            "suspend",
            type="string",
            enum=["suspend", "resume"],
            title="Action",
            description="suspend: switch the condition off, from the next request on. resume: switch it on again.",
        ),
        "why": _why(minLength=1),
    }


def _why(**terms: Any) -> Param:
    """Returns the field for a person's reason; `terms` say whether it may be empty."""
    return Param(**terms, type="string", title="Why", description="Recorded with your name in the model store.")


def triggered_by(dag_run: Any) -> str:
    """Returns the name of the user who started the run, or Airflow if no user did."""
    return dag_run.triggering_user_name or "Airflow"


def run_time(dag_run: Any) -> datetime:
    """Returns the time of a DAG run: its logical date, or else when it was requested. Airflow stores both."""
    moment: datetime = dag_run.logical_date or dag_run.run_after
    return moment


def prediction_time(params: Mapping[str, Any], dag_run: Any, now: datetime) -> datetime:
    """Returns as_of of a screening: the Param, or else the run's time. A cleared run has the same as_of again.

    Raises FutureAsOf for a time after `now`, unless the form allows it.
    """
    as_of = _given_time(params) if params["as_of"] else run_time(dag_run)
    require_reached(as_of, now, params["allow_future"])
    return as_of


def _given_time(params: Mapping[str, Any]) -> datetime:
    given = datetime.fromisoformat(params["as_of"])
    if given.tzinfo is None:
        raise WardroundError(f"As of: got {params['as_of']!r}, expected a time with a UTC offset; add Z or +00:00")
    return given


def screening_mode(params: Mapping[str, Any], dag_run: Any) -> str | None:
    """Returns live or shadow, or None for the condition's own mode. A run that a new live model started is shadow."""
    mode: str | None = "shadow" if dag_run.run_type == _ASSET_TRIGGERED else params["mode"]
    return mode


def waiting_time(params: Mapping[str, Any], dag_run: Any, now: datetime) -> timedelta:
    """Returns how much longer a run may wait for its source. Clearing the run starts the wait again."""
    if not params["wait_for_source"]:
        return timedelta()
    began: datetime = dag_run.start_date or now
    return max(timedelta(), began + parse_duration(params["wait_for_source"]) - now)


def first_day(condition: Condition) -> datetime | None:
    """Returns the start date of the screening DAG, from which missed runs are caught up; None: they are skipped."""
    day = condition.catch_up_from
    # Of Python's time zones, Airflow can store only UTC with a DAG.
    return datetime.combine(day, time(), condition.zone).astimezone(UTC) if day else None
