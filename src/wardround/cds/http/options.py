"""What the bedside door is started with."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wardround.settings import Settings


@dataclass(frozen=True)
class Options:
    """How the door is served; the same for all workers.

    Attributes:
        settings: of the installation.
        base_url: under which EHRs call; tokens must name it.
        issuers: the file that says whose tokens are accepted; None if no token is required.
        as_of: the prediction time of every call; None for the arrival of each.
        origins: web pages that may call.
        counts: folder in which the workers share their counts.
    """

    settings: Settings
    base_url: str
    issuers: Path | None
    as_of: datetime | None
    origins: tuple[str, ...]
    counts: Path
