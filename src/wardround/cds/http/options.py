"""What the bedside door is started with."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.spec.servers import ServerProfile


@dataclass(frozen=True)
class Options:
    """How the door is served; the same for all workers.

    Attributes:
        settings: of the installation.
        base_url: under which EHRs call; tokens must name it.
        servers: the FHIR servers that a call may name.
        profile: the kind of EHR that is asked for prefetch.
        issuers: the file that says whose tokens are accepted; None if no token is required.
        as_of: the prediction time of every call; None for the arrival of each.
        writes: whether scores are written to the record as well.
        origins: web pages that may call.
        counts: folder in which the workers share their counts.
    """

    settings: Settings
    base_url: str
    servers: tuple[FhirEndpoint, ...]
    profile: ServerProfile
    issuers: Path | None
    as_of: datetime | None
    writes: bool
    origins: tuple[str, ...]
    counts: Path
