"""Checks before a night's run: every spec file, and whether each condition's live model still fits it."""

from typing import Literal

from wardround.adapters.database.database import opened
from wardround.adapters.models.store import ModelStore
from wardround.errors import ModelError
from wardround.settings import Settings
from wardround.spec.base import SpecModel
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_conditions, load_server_profiles, load_stream, load_variables, require_channels
from wardround.workflows.branch_times import uncovered_times
from wardround.workflows.stores import model_store

State = Literal["ready", "no model", "refused", "suspended"]


class ConditionCheck(SpecModel):
    """The findings about one condition."""

    condition: str
    version: str
    columns: int
    spec_digest: str
    mode: str
    schedule: str
    time_zone: str
    sources: tuple[str, ...]
    model: str | None
    state: State
    remedy: str = ""
    warnings: tuple[str, ...] = ()  # what works, and is hardly what was meant
    doubts: str | None = None  # why its record of decisions cannot be trusted, and where it is


class Checked(SpecModel):
    """Which folders were checked, so that the result is not taken for that of another folder."""

    home: str
    schemas: str
    variables: int
    server_profiles: int
    models: str
    database: str
    feeds: tuple[str, ...]  # of the stream's settings, if there are any
    conditions: list[ConditionCheck]


def check(settings: Settings) -> Checked:
    """Checks all spec files and live models. Raises SpecError for the first invalid file, or a folder without any.

    Raises SettingsError, StorageError or DatabaseError for a database that cannot be used.
    A model that cannot be used, or a record of decisions that was changed, is only reported.
    """
    return Checked(
        home=str(settings.home),
        schemas=str(settings.schemas),
        variables=len(load_variables(settings.schemas)),
        server_profiles=len(load_server_profiles(settings.schemas)),
        models=str(settings.models),
        database=_database(settings),
        feeds=_feeds(settings) if settings.stream.exists() else (),
        conditions=_conditions(settings),
    )


def _feeds(settings: Settings) -> tuple[str, ...]:
    stream = load_stream(settings.stream)
    require_channels(load_conditions(settings.schemas), stream, settings.stream)
    return tuple(stream.sources)


def _database(settings: Settings) -> str:
    with opened(settings.database) as database:
        return database.place.shown


def _conditions(settings: Settings) -> list[ConditionCheck]:
    store = model_store(settings)
    rows = []
    for condition in load_conditions(settings.schemas).values():
        live, state, remedy = _live(condition, store)
        rows.append(
            ConditionCheck(
                condition=condition.id,
                version=condition.version,
                columns=len(condition.columns),
                spec_digest=spec_digest(condition)[:12],
                mode=condition.mode_in_words,
                schedule=condition.schedule,
                time_zone=condition.time_zone,
                sources=condition.sources,
                model=live,
                state=state,
                remedy=remedy,
                warnings=uncovered_times(condition, store, live),
                doubts=store.doubts(condition.id),
            )
        )
    return rows


def _live(condition: Condition, store: ModelStore) -> tuple[str | None, State, str]:
    """Returns the live version, if any, the state of the condition, and what to do if it is not ready."""
    try:
        now = store.standing(condition.id)
        if now.version:
            store.load(condition)
    except ModelError as error:
        return None, "refused", str(error)
    if now.suspended:
        return now.version, "suspended", f"wardround model resume {condition.id} --why TEXT"
    return (
        now.version,
        ("ready" if now.version else "no model"),
        ("" if now.version else f"wardround train {condition.id} --mimic DIR"),
    )
