"""Lists the stored versions of a condition, as dictionaries or as a table for a terminal."""

from typing import TYPE_CHECKING, Any

from wardround.cli.results import add_row
from wardround.errors import ModelError
from wardround.evaluation.gates import in_words

if TYPE_CHECKING:
    from rich.table import Table

    from wardround.adapters.models.store import ModelStore
    from wardround.evaluation.metrics import Metric
    from wardround.training.decisions import Standing


def versions_of(store: "ModelStore", condition_id: str) -> list[dict[str, Any]]:
    """Returns a dictionary of facts for each version, oldest first."""
    now = store.standing(condition_id)
    last = {decision.version: decision.model_dump(mode="json") for decision in store.decisions(condition_id)}
    return [
        {
            "condition": condition_id,
            "version": version,
            **_facts(store, condition_id, version, now),
            "gates": now.verdict(version),
            "withdrawn": version in now.withdrawn,
            "decision": last.get(version),
        }
        for version in store.versions(condition_id)
    ]


def _facts(store: "ModelStore", condition_id: str, version: str, now: "Standing") -> dict[str, Any]:
    try:
        card = store.card(condition_id, version)
    except ModelError:
        return {"state": "refused", "created": None, "model": None, "auroc": None, "f1": None, "intervals": {}}
    figures = {name: card.metrics.get(name) for name in ("auroc", "f1")}
    return {
        "state": _use_of(version, now),
        "created": card.created.isoformat(timespec="seconds"),
        "model": card.chosen,
        **{name: _rounded(metric) for name, metric in figures.items()},
        "intervals": {name: _interval(metric) for name, metric in figures.items()},
    }


def _use_of(version: str, now: "Standing") -> str:
    if version == now.version:
        return "live"
    return "challenger" if now.challenge and now.challenge.version == version else "stored"


def versions_table(condition_id: str, rows: list[dict[str, Any]]) -> "Table":
    """Returns the rows as a table for a terminal."""
    from rich.table import Table

    table = Table(title=condition_id)
    table.add_column("version", no_wrap=True)
    for name in ("state", "model", "decided last"):
        table.add_column(name, overflow="fold")
    for row in rows:
        last = decided(row["decision"]) if row["decision"] else ""
        add_row(table, row["version"], _state(row), _model(row), last)
    return table


def _state(row: dict[str, Any]) -> str:
    withdrawn = ", withdrawn" if row["withdrawn"] else ""
    return f"{row['state']}{withdrawn}\ngates {in_words(row['gates'])}"


def _model(row: dict[str, Any]) -> str:
    if row["state"] == "refused":
        return ""
    figures = "\n".join(_figure(row, name) for name in ("auroc", "f1"))
    return f"{row['model']}\n{row['created'][:10]}\n{figures}"


def _figure(row: dict[str, Any], name: str) -> str:
    interval = row["intervals"][name]
    said = interval["reason"] or f"{interval['low']:.3f} to {interval['high']:.3f}"
    return f"{name.upper()} {'–' if row[name] is None else f'{row[name]:.3f}'} ({said})"


def decided(decision: dict[str, Any]) -> str:
    """Returns a decision in words: what was decided, by whom and when."""
    despite = " despite its gates" if decision["despite_gates"] else ""
    return f"{decision['what'].replace('_', ' ')}{despite} by {decision['by']} at {decision['when'][:16]}"


def _interval(metric: "Metric | None") -> dict[str, Any]:
    if metric is None:
        return {"low": None, "high": None, "reason": "not measured"}
    if metric.interval is None:
        return {"low": None, "high": None, "reason": metric.why_no_interval}
    low, high = metric.interval
    return {"low": round(low, 3), "high": round(high, 3), "reason": None}


def _rounded(metric: "Metric | None") -> float | None:
    return None if metric is None or metric.value is None else round(metric.value, 3)
