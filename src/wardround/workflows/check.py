"""What can be checked before a night's run: every spec file, and whether each condition's live model still fits it."""

from typing import Literal

from wardround.adapters.model_store import ModelStore
from wardround.errors import ModelError
from wardround.settings import Settings
from wardround.spec.base import SpecModel
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_conditions, load_server_profiles


class ConditionCheck(SpecModel):
    """What was found out about one condition."""

    condition: str
    version: str
    columns: int
    spec_digest: str
    model: str | None
    state: Literal["ready", "no model", "refused"]
    remedy: str = ""


def check(settings: Settings) -> list[ConditionCheck]:
    """One row per condition. Raises SpecError for the first file that is wrong; a model is only reported."""
    load_server_profiles(settings.schemas)
    store = ModelStore(settings.models)
    rows = []
    for condition in load_conditions(settings.schemas).values():
        live = store.live(condition.id)
        state: Literal["ready", "no model", "refused"] = "ready" if live else "no model"
        remedy = "" if live else f"wardround train {condition.id} --mimic DIR"
        if live:
            try:
                store.load(condition)
            except ModelError as error:
                state, remedy = "refused", str(error)
        rows.append(
            ConditionCheck(
                condition=condition.id,
                version=condition.version,
                columns=len(condition.columns),
                spec_digest=spec_digest(condition)[:12],
                model=live.version if live else None,
                state=state,
                remedy=remedy,
            )
        )
    return rows
