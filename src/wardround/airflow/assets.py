"""Assets: what one DAG makes and another uses. Training makes a condition's live model, screening scores with it."""

from airflow.sdk import Asset


def live_model(condition_id: str) -> Asset:
    """The live model of a condition; its events carry {"version": …} as extra."""
    return Asset(name=f"live_model__{condition_id}", uri=f"wardround://models/{condition_id}", group="wardround")
