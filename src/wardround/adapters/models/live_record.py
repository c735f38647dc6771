"""Keeps live.json: the result of a condition's decisions, for other programs to read; updated when it lags behind."""

from datetime import datetime
from typing import Final

from pydantic import Field, ValidationError

from wardround.adapters.models.decisions import DecisionRecord
from wardround.adapters.models.files import Changes, ConditionFiles, as_bytes
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


def write_live(changes: Changes) -> LiveRecord:
    """Makes live.json say what follows from the decisions, and returns it.

    Raises ModelError if nothing is live, StorageError or DatabaseError.
    """
    # In this order: whoever decides after a lost lock has then changed live.json since.
    before = changes.files.found(LIVE)
    live = LiveRecord.of(DecisionRecord.read(changes.files))
    if live is None:
        raise ModelError("model store: no model is live; promote one")
    changes.write_over(LIVE, before, as_bytes(live.model_dump(mode="json")))
    return live


def accept(changes: Changes) -> None:
    """Makes live.json match the decisions, whatever it was. Raises as `write_live`."""
    if LiveRecord.of(DecisionRecord.read(changes.files)):
        write_live(changes)
    else:
        changes.remove(LIVE)


def lags(files: ConditionFiles, record: DecisionRecord) -> bool:
    """Returns whether live.json must be rewritten: it is missing, of another release, or based on fewer decisions.

    One that is based on decisions that are not in the record stays: it shows that the record was cut short or changed.
    """
    live = LiveRecord.of(record)
    written = _written(files)
    return live is not None and written != live and (written is None or record.once_was(written.decisions))


def doubts(files: ConditionFiles, record: DecisionRecord) -> str | None:
    """Returns why the record of decisions cannot be trusted, and where; None if it can."""
    written = _written(files)
    if broken := record.broken():
        return broken
    if written and not record.once_was(written.decisions):
        return (
            f"{record.place}, line {len(record.lines)}: does not match {files.location(LIVE)}: lines were removed or"
            f" changed, and {written.version} was live according to them; {record.remedy}"
        )
    return None


def _written(files: ConditionFiles) -> LiveRecord | None:
    """Returns live.json; None if it is missing or of another release."""
    try:
        return LiveRecord.model_validate_json(files.found(LIVE) or b"")
    except ValidationError:
        return None
