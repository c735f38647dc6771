"""What was decided about a condition's models: one JSON object a line in <root>/<condition>/decisions.jsonl.

live.json says what is live now; this says how it came to be, and what did not go live. Lines are added, never changed.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from wardround.errors import ModelError
from wardround.spec.base import SpecModel

What = Literal["gates_passed", "gates_failed", "promoted", "rejected", "unanswered", "rolled_back"]


class Decision(SpecModel):
    """One decision about one version: by a person, or by the promotion gates."""

    when: datetime
    by: str = Field(description="The name of who decided.")
    what: What
    version: str = Field(description="What was decided about.")
    live: str | None = Field(description="What was live until then.")
    why: str
    despite_gates: bool = Field(default=False, description="Promoted although a promotion gate had failed.")


def read_decisions(path: Path) -> tuple[Decision, ...]:
    """All decisions, oldest first; none if there is no file. Raises ModelError for a line that is none."""
    if not path.is_file():
        return ()
    try:
        return tuple(Decision.model_validate_json(line) for line in path.read_bytes().splitlines())
    except ValidationError:
        raise ModelError(f"{path}: a line is not a decision that this release writes; restore the file") from None


def judgement_of(version: str, decisions: tuple[Decision, ...]) -> Decision | None:
    """What the promotion gates said last about a version; None if they never judged it."""
    judged = [each for each in decisions if each.version == version and each.what in ("gates_passed", "gates_failed")]
    return judged[-1] if judged else None


def says_again(decision: Decision, decisions: tuple[Decision, ...]) -> bool:
    """Whether the last decision says the same, at another time."""
    return bool(decisions) and decisions[-1].model_copy(update={"when": decision.when}) == decision
