"""Defines what a run was asked for and opened with: the content of its request.json.

The requests themselves (`ScreeningRequest`, `TrainingRequest` of the workflows) are strict. Here is what others need to
know of a stored one, which an earlier or a later release may have written: their further fields are kept.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from wardround.core.account import Account
from wardround.spec.base import Duration, UtcTime
from wardround.spec.conditions import Mode


class Challenger(Account):
    """A stored version that a run scores beside its own; `left_out` says why it does not, and is "" if it does."""

    version: str
    left_out: str


class StoredScreening(Account):
    """A screening, as it was opened.

    Attributes:
        source_url: base URL of the server that is read; write_to is that of another server that takes the results.
        mode: the mode of the run; None if an earlier release left it open.
        mode_asked: the mode that the request chose; None if it left the choice to the condition.
        mode_of_condition: the mode of the condition at as_of.
        demo_model: whether it is a rehearsal with the demo's model.
        horizon: as the model's card states it; None in runs of earlier releases.
    """

    condition: str
    as_of: UtcTime
    source_url: str
    source_name: str | None = None
    write_to: str | None = None
    chart_url: str | None = None
    look_back: Duration | None = None
    mode: Mode | None
    mode_asked: Mode | None = None
    mode_of_condition: Mode | None = None
    demo_model: bool = False
    condition_version: str = ""
    spec_digest: str = ""
    model_version: str
    horizon: str | None = None
    challenger: Challenger | None = None
    software_version: str = ""

    @model_validator(mode="before")
    @classmethod
    def _dry_run(cls, content: Any) -> Any:
        """Takes the dry run of earlier releases for a run in shadow, which is the same."""
        return {**content, "mode": "shadow"} if isinstance(content, Mapping) and content.get("dry_run") else content

    @property
    def source(self) -> str:
        """Returns what tells its source from others: the name, or the URL of a source without a name."""
        return self.source_name or self.source_url


class StoredTraining(Account):
    """A training, as it was opened."""

    condition: str
    created: UtcTime
    spec_digest: str = ""


def stored_request(content: Any) -> StoredScreening | StoredTraining:
    """Returns the request in the parsed content of a request.json. Raises ValueError if it is that of no run."""
    if isinstance(content, Mapping) and "source_url" in content:
        return StoredScreening.model_validate(content)
    return StoredTraining.model_validate(content)
