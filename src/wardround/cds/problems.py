"""What the door answers where it cannot answer with cards: a status and an OperationOutcome.

The texts name rules, keys and services, never what a request held: it may be a patient's.
"""

from collections.abc import Mapping
from typing import Final

from wardround.cds.exchange import Answer, Call, Outcome
from wardround.fhir.operation_outcome import operation_outcome

# Codes of http://hl7.org/fhir/issue-type.
_ISSUE: Final = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    408: "timeout",
    412: "required",
    413: "too-long",
    415: "not-supported",
    500: "exception",
    503: "transient",
}
_OUTCOMES: Final[dict[int, Outcome]] = {412: "missing_prefetch", 503: "no_model"}


class Problem(Exception):
    """A request that is not answered with cards.

    Attributes:
        status: of HTTP.
        said: what is wrong and what to do, in words; nothing of it comes from the request.
        headers: that the answer has, such as Retry-After.
        outcome: what became of a hook call that is answered so; by default the usual one of the status.
    """

    def __init__(
        self, status: int, said: str, headers: Mapping[str, str] | None = None, outcome: Outcome | None = None
    ) -> None:
        super().__init__(said)
        self.status = status
        self.said = said
        self.headers = headers or {}
        self.outcome = outcome or _OUTCOMES.get(status, "refused")

    def answer(self, call: Call | None = None) -> Answer:
        """Returns the answer that says it."""
        return Answer(self.status, operation_outcome(_ISSUE[self.status], self.said), call, self.headers)
