"""Records the decisions on a condition's models: one JSON object a line in <root>/<condition>/decisions.jsonl.

This file alone decides what is live; live.json only repeats the result. Lines are added, never changed: each holds the
SHA-256 of everything above it (`above`), and live.json that of the whole file. So a line that was changed, removed or
inserted is found, and so is a file that was cut short.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from wardround.adapters.models.files import Changes, ConditionFiles
from wardround.errors import ModelError
from wardround.training.decisions import Decision

DECISIONS: Final = "decisions.jsonl"
_ABOVE: Final = "above"


class _Line(NamedTuple):
    """A decision, the digest that its line states for the lines above (None in old releases), and the actual one."""

    decision: Decision
    said: str | None
    above: str


@dataclass(frozen=True)
class DecisionRecord:
    """All decisions, oldest first, as read from the file in one go.

    Attributes:
        place: where the file is.
        stored: the file as it was read; None if there is none.
        content: the same, with a line break at its end.
    """

    condition: str
    place: str
    lines: tuple[_Line, ...]
    stored: bytes | None
    content: bytes

    @classmethod
    def read(cls, files: ConditionFiles) -> "DecisionRecord":
        """Returns the record; an empty one if there is no file.

        Raises ModelError for a line that is not a decision, and StorageError.
        """
        stored, place = files.found(DECISIONS), files.location(DECISIONS)
        content = stored or b""
        if content and not content.endswith(b"\n"):  # an editor removed the last line break
            content += b"\n"
        lines, above = [], hashlib.sha256()
        for number, line in enumerate(content.splitlines(keepends=True), start=1):
            decision, said = _parsed(line, f"{place}, line {number}")
            lines.append(_Line(decision, said, above.hexdigest()))
            above.update(line)
        return cls(files.condition, place, tuple(lines), stored, content)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(line.decision for line in self.lines)

    @property
    def head(self) -> str:
        """The SHA-256 of the whole file."""
        return hashlib.sha256(self.content).hexdigest()

    def add(self, decision: Decision, changes: Changes) -> None:
        """Adds a line: the lines above stay byte for byte the same. Raises StorageError or DatabaseError."""
        line = {**decision.model_dump(mode="json"), _ABOVE: self.head}
        longer = self.content + json.dumps(line, ensure_ascii=False).encode() + b"\n"
        changes.write_over(DECISIONS, self.stored, longer)

    def once_was(self, head: str) -> bool:
        """Returns whether the file, up to some line, has this SHA-256: what was read then is still its beginning."""
        return head in {line.above for line in self.lines} | {self.head}

    def broken(self) -> str | None:
        """Returns the first unaccepted place where a line does not match the lines above it; None if there is none."""
        chained, broken = False, None
        for number, line in enumerate(self.lines, start=1):
            follows = line.said == line.above or (line.said is None and not chained)
            if follows and line.decision.what == "record_accepted":
                broken = None
            elif not follows and broken is None:
                broken = number
            chained = chained or line.said is not None
        if broken is None:
            return None
        return (
            f"{self.place}, line {broken}: does not follow from the lines above it: a line was changed,"
            f" removed or inserted; {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        """What to do about a record that was changed."""
        return (
            "restore it from a backup, or accept it as it is"
            f" (`wardround model accept-record {self.condition} --why TEXT`)"
        )


def _parsed(line: bytes, where: str) -> tuple[Decision, str | None]:
    try:
        said: Any = json.loads(line)
        above = said.pop(_ABOVE, None)
        return Decision.model_validate_json(json.dumps(said)), above
    except (ValidationError, ValueError, AttributeError):
        raise ModelError(f"{where}: not a decision in the form that this release writes; restore the file") from None
