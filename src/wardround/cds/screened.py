"""Finds what the latest scheduled screening said of a stay: in RiskAssessments, or in the ledgers of the runs.

Whether that is recent enough, and whether its band counts, is up to who asks: no screening, an old one and another
band are three different answers. This code sees patient values; it never logs.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import inf
from threading import Lock, Thread
from typing import Any, Final, NamedTuple

import pandas as pd

from wardround.adapters.files.run_folder import RunFolder, runs_before
from wardround.adapters.files.stored_request_file import read_request
from wardround.core import run_files
from wardround.core.exclusion import Stay
from wardround.core.ledger import INDETERMINATE, SCORED, WITHDRAWN
from wardround.core.microseconds import UNKNOWN
from wardround.core.stored_request import StoredScreening
from wardround.errors import WardroundError
from wardround.fhir.page import dicts
from wardround.fhir.references import Resource, id_in, patient_of
from wardround.fhir.risk_assessments import identity_of
from wardround.fhir.times import micros_of
from wardround.results.bands import HIGH, LOW, MODERATE
from wardround.results.risk_assessment import MODEL_SYSTEM, RISK_SYSTEM, is_scheduled, method_codings

_STANDS: Final = ("final", "amended")
_BANDS: Final = (LOW, MODERATE, HIGH)
_LOOK_AGAIN: Final = 5.0  # seconds until the runs are listed again
_TOGETHER: Final = timedelta(minutes=1)
_MOST_RUNS: Final = 48  # runs that are looked through for a stay: two days of hourly ones


class Screened(NamedTuple):
    """What a screening said of a stay: its prediction time, and low, moderate, high or indeterminate."""

    as_of: datetime
    band: str


def in_assessments(resources: Iterable[Resource], stay: Stay, condition_id: str, as_of: datetime) -> Screened | None:
    """Returns what the latest of the RiskAssessments says, by as_of; None if none is of the stay and the condition.

    Only those that a scheduled screening of ours wrote and that stand count. References in them are relative if they
    are the source's own.
    """
    said = [one for resource in resources if (one := _said(resource, stay, condition_id)) and one.as_of <= as_of]
    return max(said, default=None)


def _said(resource: Resource, stay: Stay, condition_id: str) -> Screened | None:
    ours = identity_of(resource) and resource.get("status") in _STANDS and _is_of(condition_id, resource)
    if not ours or not is_scheduled(resource) or patient_of(resource) != stay.patient_id:
        return None
    if id_in(resource.get("encounter"), "Encounter") != stay.stay_id:
        return None
    when, bands = _micros(resource.get("occurrenceDateTime")), list(_bands(resource))
    if when == UNKNOWN or not bands:
        return None
    return Screened(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=when), bands[0])


def _is_of(condition_id: str, resource: Resource) -> bool:
    codings = method_codings(resource)
    return any(one.get("system") == MODEL_SYSTEM and one.get("code") == condition_id for one in codings)


def _bands(resource: Resource) -> Iterator[str]:
    for prediction in dicts(resource.get("prediction")):
        for one in dicts(_object(prediction.get("qualitativeRisk")).get("coding")):
            if one.get("system") == RISK_SYSTEM and one.get("code") in _BANDS:
                yield str(one["code"])


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _micros(text: object) -> int:
    return micros_of(text) if isinstance(text, str) else UNKNOWN


class _Ledger(NamedTuple):
    """What one run said of its stays."""

    as_of: datetime
    source_url: str
    bands: Mapping[str, str]


class _Known(NamedTuple):
    """What is known of the runs up to a time.

    Attributes:
        until: the time; None if nobody has looked.
        read: the runs whose ledgers were read.
        said: what was said last of each stay, by source and stay.
    """

    until: datetime | None
    read: frozenset[str]
    said: Mapping[tuple[str, str], Screened]

    def is_new_to(self, as_of: datetime) -> bool:
        """Returns whether this does not tell what was known at as_of; calls that arrive together come in any order."""
        return self.until is None or as_of < self.until - _TOGETHER


def _add(said: dict[tuple[str, str], Screened], ledger: _Ledger) -> None:
    for stay_id, band in ledger.bands.items():
        key = ledger.source_url, stay_id
        if key not in said or said[key].as_of < ledger.as_of:
            said[key] = Screened(ledger.as_of, band)


@dataclass
class Ledgers:
    """What the runs of one condition said last of each stay, for calls in any thread.

    Runs that reached nobody do not count: in shadow, with the demo's model, or retracted. The runs are listed every few
    seconds, beside the calls; each ledger is read once.

    Attributes:
        runs: where the run folders are.
        clock: seconds that only increase.
    """

    runs: str
    condition_id: str
    clock: Callable[[], float] = time.monotonic
    _known: _Known = field(default=_Known(None, frozenset(), {}), init=False, repr=False)
    _again: float = field(default=-inf, init=False, repr=False)
    _one_at_a_time: Lock = field(default_factory=Lock, init=False, repr=False)

    def latest(self, stay_id: str, source_url: str, as_of: datetime) -> Screened | None:
        """Returns what the latest run by as_of that screened the stay of this source said; None if none did.

        Only the first call, and one for an earlier time, waits for the runs to be read.
        """
        if self._known.is_new_to(as_of):
            self.look(as_of)
        elif self.clock() >= self._again:
            self._again = self.clock() + _LOOK_AGAIN
            Thread(target=self.look, args=(as_of,), name=f"ledgers-{self.condition_id}", daemon=True).start()
        found = self._known.said.get((source_url, stay_id))
        return found if found and found.as_of <= as_of else None

    def look(self, as_of: datetime) -> None:
        """Adds the runs up to as_of that have ended since, and takes away those that were retracted.

        If the runs cannot be listed, what is known stays. Waits if somebody else is looking.
        """
        with self._one_at_a_time:
            try:
                self._known = self._looked(as_of)
            except (WardroundError, OSError):
                self._known = self._known._replace(until=self._known.until or as_of)
            self._again = self.clock() + _LOOK_AGAIN

    def _looked(self, as_of: datetime) -> _Known:
        known = self._known
        if known.is_new_to(as_of) or any(map(self._is_retracted, known.read)):
            known = _Known(None, frozenset(), {})
        # A name tells the time to the second.
        names = runs_before(self.runs, self.condition_id, pd.Timestamp(as_of) + pd.Timedelta(seconds=1))
        recent = list(islice(names, _MOST_RUNS))
        read, said = set(known.read.intersection(recent)), dict(known.said)
        for name in recent:
            if name not in read and (ledger := self._ledger(name)):
                read.add(name)
                _add(said, ledger)
        return _Known(as_of, frozenset(read), said)

    def _is_retracted(self, name: str) -> bool:
        return RunFolder.of(self.runs, name).exists(run_files.RETRACTION)

    def _ledger(self, name: str) -> _Ledger | None:
        """Returns the ledger of a run; an empty one if the run does not count; None if there is none yet."""
        folder = RunFolder.of(self.runs, name)
        try:
            if not folder.exists(run_files.LEDGER):
                return None
            request = read_request(folder, StoredScreening)
            counts = request.mode == "live" and not request.demo_model and not self._is_retracted(name)
            if not counts:
                return _Ledger(request.as_of, request.source_url, {})
            rows = folder.read_frame(run_files.LEDGER, ["stay_id", "outcome", "reason", "band"])
        except (WardroundError, OSError, ValueError, KeyError):
            return None  # such as one that is being removed
        said = rows[rows["outcome"].isin((SCORED, INDETERMINATE)) & (rows["reason"] != WITHDRAWN)]
        bands = dict(zip(said["stay_id"], said["band"], strict=True))
        return _Ledger(request.as_of, request.source_url, bands)
