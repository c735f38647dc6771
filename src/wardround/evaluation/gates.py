"""The result of a gate against leakage, and the verdict of several gates together."""

from collections.abc import Iterable
from typing import Final, Literal

from pydantic import Field

from wardround.spec.base import SpecModel

Gate = Literal["patient_overlap", "permuted_labels", "dominant_feature", "too_good"]
Verdict = Literal["passed", "failed", "not_judged"]
VERDICTS: Final[dict[bool | None, Verdict]] = {True: "passed", False: "failed", None: "not_judged"}


def verdict_of(gates: Iterable[bool | None]) -> Verdict:
    """Returns failed if a gate failed, passed if one passed and none failed, otherwise not_judged."""
    found = set(gates)
    return VERDICTS[False if False in found else True if True in found else None]


def in_words(verdict: Verdict) -> str:
    return verdict.replace("_", " ")


class GateResult(SpecModel):
    """What one gate found. gates.json is a list of them, as is `card.gates`."""

    name: Gate
    passed: bool | None = Field(description="None: too few patients to judge. Only False stops a training.")
    found: float | None = Field(description="The figure that was judged; None if it could not be computed.")
    limit: float | None = Field(description="The limit that it was judged against.")
    message: str = Field(description="The result in words, with the remedy if the gate did not pass.")
    columns: tuple[str, ...] = Field(default=(), description="The features that it names (dominant_feature).")
    clocks: tuple[str, ...] = Field(
        default=(), description="The times since the stay began that it names (dominant_feature); they are no leak."
    )
    explanation: str | None = Field(default=None, description="Given with the request; makes `too_good` pass.")
