"""Defines the account of writing a chunk's RiskAssessments, which `publish` writes and `reconcile` reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from wardround.core.stay_reasons import Reason


@dataclass
class Written:
    """The outcome for each stay; `failed` says why. A written stay has failed if its Provenance is missing.

    Attributes:
        to_write: the number of RiskAssessments to write.
        written: stays whose RiskAssessment the server holds.
        unchanged: stays of these for which the server already held the same.
        repaired: stays for which it held several RiskAssessments, of which one now stands.
        withdrawn: stays whose RiskAssessment somebody else withdrew, which stands.
    """

    to_write: int = 0
    written: set[str] = field(default_factory=set)
    unchanged: set[str] = field(default_factory=set)
    repaired: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    failed: dict[str, Reason] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Returns the account that the chunk's file holds."""
        return cls(
            to_write=content["to_write"],
            written=set(content["written"]),
            unchanged=set(content["unchanged"]),
            repaired=set(content["repaired"]),
            withdrawn=set(content.get("withdrawn", ())),  # an earlier release had no such list
            failed={stay: Reason.of(text) for stay, text in content["failed"].items()},
        )

    def as_json(self) -> dict[str, Any]:
        """Returns the content of the chunk's file."""
        return {
            "to_write": self.to_write,
            "written": sorted(self.written),
            "unchanged": sorted(self.unchanged),
            "repaired": sorted(self.repaired),
            "withdrawn": sorted(self.withdrawn),
            "failed": {stay: str(reason) for stay, reason in sorted(self.failed.items())},
        }
