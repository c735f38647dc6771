"""Airflow's Assets: what one DAG produces and another uses. Training produces the model that screening scores with."""

from airflow.sdk import Asset


def live_model(condition_id: str) -> Asset:
    """Returns the asset for a condition's live model; its events carry {"version": …, "previous": …} as extra."""
    return Asset(name=f"live_model__{condition_id}", uri=f"wardround://models/{condition_id}", group="wardround")


def drift(condition_id: str) -> Asset:
    """Returns the asset for drift: an event of it, from any origin, means that the model no longer fits the patients.

    Each event starts a training.
    """
    return Asset(name=f"drift__{condition_id}", uri=f"wardround://drift/{condition_id}", group="wardround")
