"""What follows from the decisions about a condition's models: which version is live, withdrawn, or rolled back to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from pydantic import Field

from wardround.evaluation.gates import Verdict
from wardround.spec.base import SpecModel

What = Literal[
    "gates_passed",
    "gates_failed",
    "gates_not_judged",
    "promoted",
    "rejected",
    "unanswered",
    "rolled_back",
    "suspended",
    "resumed",
    "challenged",
    "challenge_ended",
    "record_accepted",
]
JUDGEMENTS: Final[dict[Verdict, What]] = {
    "passed": "gates_passed",
    "failed": "gates_failed",
    "not_judged": "gates_not_judged",
}


class Decision(SpecModel):
    """One decision by a person or by the promotion gates, about one version or about the whole condition."""

    when: datetime
    by: str = Field(description="The name of the person or thing that decided.")
    what: What
    version: str = Field(description="The version that the decision is about; empty if it is about the condition.")
    live: str | None = Field(description="The version that was live until then.")
    why: str
    despite_gates: bool = Field(default=False, description="Promoted although a promotion gate had failed.")
    until: datetime | None = Field(default=None, description="Of a challenge: screenings before this time take part.")


@dataclass(frozen=True)
class Standing:
    """The result of all decisions about a condition.

    Attributes:
        live: the decision that made the live version live; None if nothing is live.
        before: the versions that were live before it, the latest last; a rollback removes those that it skips.
        withdrawn: versions rolled back from or rejected, and not promoted since, each with that decision.
        judged: the latest verdict of the promotion gates on each version.
        suspended: the decision since which the condition computes nothing new for people; None if it does.
        challenge: the decision by which a stored version is scored beside the live one; None if there is none.
    """

    live: Decision | None = None
    before: tuple[str, ...] = ()
    withdrawn: Mapping[str, Decision] = field(default_factory=dict)
    judged: Mapping[str, Decision] = field(default_factory=dict)
    suspended: Decision | None = None
    challenge: Decision | None = None

    @property
    def version(self) -> str | None:
        """The live version."""
        return self.live.version if self.live else None

    @property
    def previous(self) -> str | None:
        """The latest version that was live before and is not withdrawn: a rollback leads to it."""
        good = [version for version in self.before if version not in self.withdrawn]
        return good[-1] if good else None

    def challenger_at(self, as_of: datetime) -> str | None:
        """Returns the version that a screening at that prediction time scores beside the live one."""
        challenge = self.challenge
        return challenge.version if challenge and (challenge.until is None or as_of < challenge.until) else None

    def verdict(self, version: str) -> Verdict:
        """Returns whether a version passed the promotion gates; one that they never judged is `not_judged`."""
        judgement = self.judged.get(version)
        verdicts = {what: verdict for verdict, what in JUDGEMENTS.items()}
        return verdicts[judgement.what] if judgement else "not_judged"

    def after(self, decision: Decision) -> "Standing":
        """Returns the standing after one more decision."""
        if decision.what in JUDGEMENTS.values():
            return replace(self, judged={**self.judged, decision.version: decision})
        match decision.what:
            case "promoted":
                return self._with_live(decision, (*self.before, *([self.version] if self.version else [])))
            case "rolled_back":
                back = self._with_live(decision, _until(decision.version, self.before))
                left = {self.version: decision} if self.version else {}
                return replace(back, withdrawn={**back.withdrawn, **left})
            case "rejected" if decision.version != self.version:
                return replace(self, withdrawn={**self.withdrawn, decision.version: decision})
            case "suspended":
                return replace(self, suspended=self.suspended or decision)
            case "resumed":
                return replace(self, suspended=None)
            case "challenged":
                return replace(self, challenge=decision)
            case "challenge_ended":
                return replace(self, challenge=None)
        return self

    def _with_live(self, decision: Decision, before: tuple[str, ...]) -> "Standing":
        withdrawn = {version: why for version, why in self.withdrawn.items() if version != decision.version}
        others = tuple(version for version in before if version != decision.version)
        over = self.challenge is not None and self.challenge.version == decision.version
        challenge = None if over else self.challenge
        return replace(self, live=decision, before=others, withdrawn=withdrawn, challenge=challenge)


def standing(decisions: Iterable[Decision]) -> Standing:
    """Returns the result of the decisions, given in order of time."""
    now = Standing()
    for decision in decisions:
        now = now.after(decision)
    return now


def is_repeat(decision: Decision, decisions: tuple[Decision, ...]) -> bool:
    """Returns whether the last decision differs from this one only in its time."""
    return bool(decisions) and decisions[-1].model_copy(update={"when": decision.when}) == decision


def _until(version: str, before: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the versions that were live before this version was last live."""
    places = [place for place, one in enumerate(before) if one == version]
    return before[: places[-1]] if places else before
