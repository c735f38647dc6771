"""What a server answered to one write."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

UNANSWERED: Final = "unanswered"
"""What an outcome without a status is called in reasons and messages."""

_STATUS: Final = re.compile(r"[1-5][0-9]{2}")
# Another writer was there first. A creation that is answered with 200 or 304 has created nothing.
_OVERTAKEN: Final = (None, 200, 304, 404, 409, 410, 412)


class WriteOutcome(NamedTuple):
    """The outcome of one write, as far as its answer says.

    Attributes:
        status: the HTTP status; None if there is none, and it may or may not have been done.
        taken: whether the server now holds what it was sent.
        replaced: whether that replaced what another writer had put there meanwhile.
    """

    status: int | None
    taken: bool = False
    replaced: bool = False

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Returns the outcome that an answered entry of a batch states."""
        status = status_of(answer)
        # Some servers answer 304 to an update that changes nothing.
        return cls(status, taken=status is not None and (status // 100 == 2 or status == 304))

    @property
    def is_overtaken(self) -> bool:
        """Returns whether it is worth looking again at what the server holds now. Other refusals are final."""
        return not self.taken and self.status in _OVERTAKEN

    def __str__(self) -> str:
        return UNANSWERED if self.status is None else str(self.status)


def status_of(answer: Mapping[str, Any]) -> int | None:
    """Returns the HTTP status of an answered entry; None if it states no valid one."""
    status = str(answer.get("response", {}).get("status")).split(" ")[0]
    return int(status) if _STATUS.fullmatch(status) else None
