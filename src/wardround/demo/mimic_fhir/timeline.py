"""Which patients are written, how far each one's times are shifted, and up to when anything is known: as SQL."""

from dataclasses import dataclass
from typing import Final

import duckdb
import pandas as pd

from wardround.sources.mimic.eastern import ZONE, utc_micros
from wardround.sources.mimic.files import MimicFiles

END_OF_TIME: Final = 1 << 62
"""Microseconds since 1970, later than any record: everything is known by then."""


@dataclass(frozen=True)
class Timeline:
    """Makes the table `timeline` (subject_id, shift in microseconds) that every query joins, and speaks of its times.

    Attributes:
        until: UTC microseconds; what became known later is withheld.
    """

    until: int = END_OF_TIME

    def at(self, local: str) -> str:
        """SQL for the UTC microseconds, on the output's timeline, of MIMIC's local time `local`."""
        return f"({utc_micros(local)} + timeline.shift)"

    def known(self, micros: str) -> str:
        """SQL that is true where `micros` is a time not after `until`; where nothing is withheld, always."""
        return "true" if self.until == END_OF_TIME else f"coalesce({micros} <= {self.until}, false)"

    def if_known(self, micros: str, value: str) -> str:
        """SQL for `value`, or NULL where `micros` is after `until` or no time."""
        return f"CASE WHEN {micros} <= {self.until} THEN {value} END"

    def end(self, local: str) -> str:
        """SQL for the FHIR dateTime of `local`, NULL while it is not yet reached."""
        return self.if_known(self.at(local), date_time(self.at(local)))


def local(micros: str) -> str:
    """SQL for the US Eastern wall clock, a TIMESTAMP, at UTC microseconds."""
    return f"timezone('{ZONE}', make_timestamptz({micros}))"


def date_time(micros: str) -> str:
    """SQL for a FHIR dateTime with US Eastern's offset at UTC microseconds; NULL where they are.

    `local` of `utc_micros` gives the wall clock back as it was, but in the hour that the clock skips in spring.
    """
    offset = f"CASE WHEN epoch_us({local(micros)}) - {micros} = -14400000000 THEN '-04:00' ELSE '-05:00' END"
    return f"strftime({local(micros)}, '%Y-%m-%dT%H:%M:%S') || {offset}"


def keep_all(database: duckdb.DuckDBPyConnection, files: MimicFiles) -> Timeline:
    """Every patient of `patients`, unshifted."""
    database.execute(
        "CREATE OR REPLACE TABLE timeline AS SELECT DISTINCT subject_id, 0::BIGINT AS shift"
        f" FROM {files.scan('patients', ['subject_id'])}"
    )
    return Timeline()


def keep_present(database: duckdb.DuckDBPyConnection, files: MimicFiles, since: pd.Timestamp) -> Timeline:
    """Patients with an ICU stay that is open or ended at or after `since`, unshifted."""
    ended = utc_micros("outtime")
    database.execute(
        "CREATE OR REPLACE TABLE timeline AS SELECT DISTINCT subject_id, 0::BIGINT AS shift"
        f" FROM {files.scan('icustays', ['subject_id', 'outtime'])}"
        f" WHERE outtime IS NULL OR {ended} >= {_micros(since)}"
    )
    return Timeline()


def shift_each(database: duckdb.DuckDBPyConnection, shifts: pd.DataFrame, now: pd.Timestamp) -> Timeline:
    """The patients of `shifts` (subject_id, shift as timedelta), each moved by its shift, as known at `now`."""
    frame = pd.DataFrame(
        {
            "subject_id": shifts["subject_id"].astype("int64"),
            "shift": shifts["shift"].astype("timedelta64[us]").astype("int64"),
        }
    )
    database.register("_shifts", frame)
    database.execute("CREATE OR REPLACE TABLE timeline AS SELECT subject_id, shift FROM _shifts")
    database.unregister("_shifts")
    return Timeline(until=_micros(now))


def _micros(time: pd.Timestamp) -> int:
    return int((time - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1))
