"""What gates found in, a verdict out: of those against leakage with its limit, and of several gates together."""

from collections.abc import Iterable
from typing import Final, Literal

from pydantic import Field

from wardround.spec.base import SpecModel

Gate = Literal["patient_overlap", "permuted_labels", "dominant_feature", "too_good"]
Verdict = Literal["passed", "failed", "not_judged"]
VERDICTS: Final[dict[bool | None, Verdict]] = {True: "passed", False: "failed", None: "not_judged"}


def verdict_of(gates: Iterable[bool | None]) -> Verdict:
    """Of several gates: failed if one failed; passed if one passed and none failed; else none could judge."""
    found = set(gates)
    return VERDICTS[False if False in found else True if True in found else None]


def in_words(verdict: Verdict) -> str:
    return verdict.replace("_", " ")


class GateResult(SpecModel):
    """What one gate found. gates.json is a list of them, and so is `card.gates`."""

    name: Gate
    passed: bool | None = Field(description="None: the patients are too few to judge. Only False stops a training.")
    found: float | None = Field(description="The figure that was judged; None where it could not be computed.")
    limit: float | None = Field(description="What it was judged against.")
    message: str = Field(description="In words, with the remedy where it did not pass.")
    columns: tuple[str, ...] = Field(default=(), description="The features it names (dominant_feature).")
    explanation: str | None = Field(default=None, description="Given with the request; lets `too_good` pass.")
