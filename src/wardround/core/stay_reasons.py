"""Defines why a stay has no score or has failed. A run's files hold each reason as one text."""

import re
from enum import StrEnum
from typing import Final, NamedTuple, Self

# Messages of a server or a library are longer, or contain other characters.
_WORD: Final = re.compile(r"\w+", re.ASCII)


class FailedAt(StrEnum):
    """Where a stay failed."""

    QUALITY = "quality"  # its feature row broke a rule of the suite
    EXTRACT = "extract"  # its data cannot be used
    TASK = "task"  # a task for its whole chunk did not finish
    INVALID = "invalid"  # its RiskAssessment would not be valid
    REFER = "refer"  # its patient or stay is not known on the server where results are written
    WRITE = "write"
    PROVENANCE = "provenance"
    RECONCILE = "reconcile"  # the server does not hold what was written


_PLACES: Final = frozenset(place.value for place in FailedAt)


class Reason(NamedTuple):
    """Why a stay is not screened, indeterminate or failed.

    Attributes:
        what: a word of ours (`under_age`), an HTTP status, the rule that was broken, or the message of a library.
        failed_at: where it failed; None where the word alone is enough.
    """

    what: str
    failed_at: FailedAt | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """Returns the reason that a file of the run stores as this text."""
        place, colon, what = text.partition(":")
        return cls(what, FailedAt(place)) if colon and place in _PLACES else cls(text)

    def __str__(self) -> str:
        """Returns the text that the run's files store: `under_age`, `write:412`."""
        return self.what if self.failed_at is None else f"{self.failed_at}:{self.what}"

    @property
    def is_ours(self) -> bool:
        """Returns whether the wording is entirely ours; the words of a server or a library could name a patient."""
        return self.failed_at in (None, FailedAt.QUALITY) or self.is_short

    @property
    def is_short(self) -> bool:
        """Returns whether the reason is a single word or number, so that it fits into a log line."""
        return _WORD.fullmatch(self.what) is not None

    @property
    def word(self) -> str:
        """Returns the reason, unless it is a message that may quote what was written."""
        return str(self) if self.is_short else str(self.failed_at or "")
