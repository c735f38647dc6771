"""The present as the machine has it, and the numbers of a hospital that begins now."""

import time
from datetime import UTC, datetime
from typing import Final

from wardround.demo.hospital.playing import Clock

_DIGITS: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def machine_clock() -> Clock:
    """Returns the clock of this machine."""

    def wait_until(moment: datetime) -> None:
        time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))

    return Clock(lambda: datetime.now(UTC), wait_until)


def run_of(moment: datetime) -> str:
    """Returns letters and digits that no run begun in another second has."""
    number, text = int(moment.timestamp()), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text
