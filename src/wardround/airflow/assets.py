"""Assets: what one DAG makes and another uses. Training makes a condition's live model, screening scores with it."""

from airflow.sdk import Asset


def live_model(condition_id: str) -> Asset:
    """The live model of a condition; its events carry {"version": …, "previous": …} as extra."""
    return Asset(name=f"live_model__{condition_id}", uri=f"wardround://models/{condition_id}", group="wardround")


def drift(condition_id: str) -> Asset:
    """That a condition's model no longer fits its patients: an event of it, whoever makes it, starts a training."""
    return Asset(name=f"drift__{condition_id}", uri=f"wardround://drift/{condition_id}", group="wardround")
