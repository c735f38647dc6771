"""What is told to people, the same through every channel, and what becomes of an attempt to tell it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from wardround.results.risk_assessment import Screening, fhir_time, identity
from wardround.stream.bodies import Scored


@dataclass(frozen=True)
class Telling:
    """A score that people are told of.

    Attributes:
        key: names the notification: whoever gets it twice can know.
        source: the feed.
        branch: of it; "<condition>/<branch id>".
        scored: the score.
        screening: what its RiskAssessment was made with.
        now: the time.
    """

    key: str
    source: str
    branch: str
    scored: Scored
    screening: Screening
    now: datetime

    @property
    def age_seconds(self) -> int:
        """How long ago the prediction time is."""
        return round((self.now - self.screening.as_of).total_seconds())

    @property
    def risk_assessment(self) -> str:
        """The value of the RiskAssessment's identifier."""
        return identity(self.screening, self.scored.stay_id)

    @property
    def until(self) -> str | None:
        """The end of the horizon; None: the end of the hospital stay."""
        horizon = self.screening.horizon
        return None if horizon is None else fhir_time(self.screening.as_of + horizon)


class Sent(NamedTuple):
    """It has arrived."""


class Refused(NamedTuple):
    """It was refused, and would be again; the reason holds nothing of a patient."""

    reason: str


class Failed(NamedTuple):
    """It could not be sent now; the receiver asks for so many seconds of patience, or says nothing of it."""

    reason: str
    retry_after: float = 0.0


Became = Sent | Refused | Failed


class Channel(Protocol):
    """A way to people."""

    def tell(self, telling: Telling) -> Became:
        """Tells it. It may be told again under the same key, which must then have no second effect."""

    def withdraw(self, telling: Telling) -> None:
        """Takes back what was told, as far as the channel can. Raises FhirError."""
