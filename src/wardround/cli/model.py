"""`wardround model`: what the model store holds, and which version is live."""

import json
from typing import TYPE_CHECKING, Any

import click

from wardround.errors import ModelError
from wardround.settings import settings_from

if TYPE_CHECKING:
    from wardround.adapters.model_store import LiveRecord, ModelStore

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
_by = click.option("--by", envvar="USER", default="unknown", help="Who decides, for the record (default: USER).")
_why = click.option("--why", default="", help="The reason, for the record.")


@click.group()
def command() -> None:
    """List and show stored models, and decide which one is live."""


@command.command("list")
@click.argument("condition", required=False)
@_as_json
def list_models(condition: str | None, as_json: bool) -> None:
    """List the versions of CONDITION, or of all conditions."""
    store = _store()
    conditions = (condition,) if condition else store.conditions()
    rows = [row for condition_id in conditions for row in _rows(store, condition_id)]
    if as_json:
        click.echo(json.dumps({"models": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("condition", "version", "state", "created", "model", "test AUROC", "test F1")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)


@command.command("show")
@click.argument("condition")
@click.argument("version", required=False)
@_as_json
def show_model(condition: str, version: str | None, as_json: bool) -> None:
    """Show the card of a VERSION, by default of the live one."""
    store = _store()
    card = store.card(condition, version or store.live_version(condition))
    if as_json:
        click.echo(card.model_dump_json())
        return
    from wardround.cli.cards import show_card

    show_card(card)


@command.command("promote")
@click.argument("condition")
@click.argument("version")
@_by
@_why
@_as_json
def promote_model(condition: str, version: str, by: str, why: str, as_json: bool) -> None:
    """Make VERSION the live one."""
    _show_live(condition, _store().promote(condition, version, by, why), as_json)


@command.command("rollback")
@click.argument("condition")
@_by
@_why
@_as_json
def rollback_model(condition: str, by: str, why: str, as_json: bool) -> None:
    """Make the version live that was live before."""
    _show_live(condition, _store().rollback(condition, by, why), as_json)


def _store() -> "ModelStore":
    from wardround.adapters.model_store import ModelStore

    return ModelStore(settings_from().models)


def _rows(store: "ModelStore", condition_id: str) -> list[dict[str, Any]]:
    live = store.live(condition_id)
    return [
        {"condition": condition_id, "version": version, **_facts(store, condition_id, version, live)}
        for version in store.versions(condition_id)
    ]


def _facts(store: "ModelStore", condition_id: str, version: str, live: "LiveRecord | None") -> dict[str, Any]:
    try:
        card = store.card(condition_id, version)
    except ModelError:
        return {"state": "refused", "created": None, "model": None, "auroc": None, "f1": None}
    return {
        "state": "live" if live and live.version == version else "stored",
        "created": card.created.isoformat(timespec="seconds"),
        "model": card.chosen,
        **{name: _rounded(card.metrics[name].value) for name in ("auroc", "f1")},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _show_live(condition: str, live: "LiveRecord", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"condition": condition, **live.model_dump(mode="json")}))
    else:
        click.echo(f"{condition}: {live.version} is live, before it {live.previous or 'nothing'}.")
