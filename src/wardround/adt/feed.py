"""The settings of a feed that decide what its messages mean: whose numbers count, what is watched, which zone."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Literal

from wardround.spec.stream import Authority, StreamSource

VisitField = Literal["PV1-19", "PV1-50", "PID-18"]

PRIOR: Final[dict[VisitField, int]] = {"PV1-19": 5, "PV1-50": 6, "PID-18": 3}
"""The field of MRG that names the earlier number of each: MRG-5, MRG-6, MRG-3."""


@dataclass(frozen=True)
class Feed:
    """One source of messages.

    Attributes:
        name: of the source.
        zone: of times without an offset, in messages whose MSH-7 has none either.
        patients: who issues patients' numbers. One of the first counts whatever its type, others' only with type MR.
        visits: who issues visits' numbers.
        visit_fields: where a visit's number stands; the first field that has one of this authority counts.
        watched: the units, as PV1-3 names them: `MICU`, or `MICU^^^NORTH` where two facilities have one.
        classes: the classes of visits that are wanted (PV1-2), such as I; none for all.
        flag_first_seen: whether a visit that an update (A08) is the first to name counts as newly admitted.
    """

    name: str
    zone: tzinfo
    patients: tuple[Authority, ...]
    visits: Authority
    visit_fields: tuple[VisitField, ...] = ("PV1-19", "PV1-50")
    watched: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    flag_first_seen: bool = False


def feed_of(name: str, source: StreamSource) -> Feed:
    """Returns what decides what the messages of a source mean."""
    return Feed(
        name,
        source.zone,
        source.patients,
        source.visits,
        source.visit_fields,
        source.units,
        source.classes,
        source.flag_first_seen,
    )
