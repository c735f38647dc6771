"""Airflow's Assets: what one DAG produces and another uses, and what the DAGs read and write.

Names and URIs say which condition and which connection, and never a patient, a run or a server's address. Only tasks
that run once in a DAG run have an Asset as an outlet: each outlet of a task is an event in Airflow's database.
"""

from airflow.sdk import Asset

_GROUP = "wardround"


def live_model(condition_id: str) -> Asset:
    """Returns the asset for a condition's live model; its events carry {"version": …, "previous": …} as extra."""
    return Asset(name=f"live_model__{condition_id}", uri=f"wardround://models/{condition_id}", group=_GROUP)


def drift(condition_id: str) -> Asset:
    """Returns the asset for drift: an event of it, from any origin, means that the model no longer fits the patients.

    Each event starts a training.
    """
    return Asset(name=f"drift__{condition_id}", uri=f"wardround://drift/{condition_id}", group=_GROUP)


def record(source: str) -> Asset:
    """Returns the asset for what the FHIR server of a connection holds of patients."""
    return Asset(name=f"record__{source}", uri=f"wardround://record/{source}", group=_GROUP)


def frames(condition_id: str, source: str) -> Asset:
    """Returns the asset for the frames of a condition's screenings at a source, of all runs."""
    return Asset(
        name=f"frames__{condition_id}__{source}", uri=f"wardround://frames/{condition_id}/{source}", group=_GROUP
    )


def results(condition_id: str, source: str) -> Asset:
    """Returns the asset for the RiskAssessments of a condition's screenings at a source.

    Its events carry {"mode": …, "written": …} as extra: a run in shadow mode writes none.
    """
    return Asset(
        name=f"results__{condition_id}__{source}", uri=f"wardround://results/{condition_id}/{source}", group=_GROUP
    )


def mimic() -> Asset:
    """Returns the asset for the files of MIMIC-IV."""
    return Asset(name="mimic_iv", uri="wardround://mimic/iv", group=_GROUP)


def training_table(condition_id: str) -> Asset:
    """Returns the asset for the features and labels of a condition's trainings, of all runs."""
    return Asset(name=f"training_table__{condition_id}", uri=f"wardround://training/{condition_id}", group=_GROUP)
