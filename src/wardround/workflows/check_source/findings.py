"""What a check of a server finds out, one row per question."""

from typing import Any, Final, Literal

from wardround.fhir.probe import Asked
from wardround.spec.base import SpecModel
from wardround.spec.servers import ServerProfile

# Questions of which the verdict depends, and not only the table.
BY_IDENTIFIER: Final = "RiskAssessment by identifier"
REMOVING: Final = "removing the test resource"

Outcome = Literal["works", "ignored", "refused", "unproven", "kept"]


class Finding(SpecModel):
    """The answer to one question.

    Attributes:
        question: what was asked, without ids of patients.
        outcome: works; ignored (answered as if it had not been asked); refused; unproven (the server has no data that
            would show it); kept (a test resource that could not be removed).
        detail: in words, with the HTTP status of a refusal.
        milliseconds: the median of the times to the answer.
    """

    question: str
    outcome: Outcome
    detail: str = ""
    milliseconds: float | None = None


class Findings:
    """Rows, and the facts in them that a profile states."""

    def __init__(self) -> None:
        self.rows: list[Finding] = []
        self.facts: dict[str, Any] = {}

    def add(self, question: str, asked: Asked, works: bool | None, detail: str = "") -> Outcome:
        """Adds a row; `works` says what the data of an answer show, None if nothing."""
        outcome: Outcome = "unproven" if works is None else "works" if works else "ignored"
        if asked.refused:
            outcome = "refused"
            detail = asked.instead or (f"HTTP {asked.status}" if asked.status else "the answer was not FHIR")
        shown = round(asked.milliseconds, 1) if asked.milliseconds else None
        self.rows.append(Finding(question=question, outcome=outcome, detail=detail, milliseconds=shown))
        return outcome

    def fact(self, name: str, value: object, outcome: Outcome) -> None:
        """Notes what a profile should say, unless nothing was proven."""
        if outcome != "unproven":
            self.facts[name] = value

    def differences(self, profile: ServerProfile) -> dict[str, Any]:
        """The facts that the profile states otherwise; a page is only too small, never too large."""
        found = {name: value for name, value in self.facts.items() if getattr(profile, name) != value}
        if found.get("page_size", 0) > profile.page_size:
            del found["page_size"]
        if profile.patients_per_search == 1 or found.get("patients_per_search", 1) > 1:
            found.pop("patients_per_search", None)
        return found
