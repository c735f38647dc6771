"""Keeps live.json: the result of a condition's decisions, for other programs to read; updated when it lags behind."""

from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from wardround.adapters.files.refused import storing
from wardround.adapters.files.whole_file import write_whole
from wardround.adapters.models.decisions import DecisionRecord
from wardround.adapters.models.files import as_bytes
from wardround.errors import ModelError
from wardround.spec.base import SpecModel
from wardround.training.decisions import standing

LIVE: Final = "live.json"


class LiveRecord(SpecModel):
    """Which version of a condition's model is in use, since when, by whom and why, and which one was before it."""

    version: str
    previous: str | None = Field(description="What a rollback leads to; None if nothing, or nothing good, was before.")
    by: str
    when: datetime
    why: str
    decisions: str = Field(description="SHA-256 of the decisions.jsonl that this is read from.")

    @classmethod
    def of(cls, record: DecisionRecord) -> "LiveRecord | None":
        """Returns the live record that follows from the decisions; None if nothing is live."""
        now = standing(record.decisions)
        if now.live is None:
            return None
        live = now.live
        return cls(
            version=live.version,
            previous=now.previous,
            by=live.by,
            when=live.when,
            why=live.why,
            decisions=record.head,
        )


def write_live(folder: Path, record: DecisionRecord) -> LiveRecord:
    """Writes live.json, for a caller that is `alone`. Raises ModelError if nothing is live, and StorageError."""
    live = LiveRecord.of(record)
    if live is None:
        raise ModelError("model store: no model is live; promote one")
    write_whole(folder / LIVE, as_bytes(live.model_dump(mode="json")))
    return live


def accept(folder: Path, record: DecisionRecord) -> None:
    """Makes live.json match the record, whatever it was; for a caller that is `alone`. Raises StorageError."""
    if LiveRecord.of(record):
        write_live(folder, record)
    else:
        with storing(folder / LIVE):
            (folder / LIVE).unlink(missing_ok=True)


def lags(folder: Path, record: DecisionRecord) -> bool:
    """Returns whether live.json must be rewritten: it is missing, of another release, or based on fewer decisions.

    One that is based on decisions that are not in the record stays: it shows that the record was cut short or changed.
    """
    live = LiveRecord.of(record)
    written = _written(folder)
    return live is not None and written != live and (written is None or record.once_was(written.decisions))


def doubts(folder: Path, record: DecisionRecord) -> str | None:
    """Returns why the record of decisions cannot be trusted, and where; None if it can."""
    written = _written(folder)
    if broken := record.broken():
        return broken
    if written and not record.once_was(written.decisions):
        return (
            f"{record.path}, line {len(record.lines)}: does not match {folder / LIVE}: lines were removed or"
            f" changed, and {written.version} was live according to them; {record.remedy}"
        )
    return None


def _written(folder: Path) -> LiveRecord | None:
    """Returns live.json; None if it is missing or of another release."""
    path = folder / LIVE
    with storing(path):
        content = path.read_bytes() if path.is_file() else b""
    try:
        return LiveRecord.model_validate_json(content)
    except ValidationError:
        return None
