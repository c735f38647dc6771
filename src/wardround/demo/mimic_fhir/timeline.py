"""Decides, in SQL, which patients are written, how their times are shifted, and up to when anything is known."""

from dataclasses import dataclass
from typing import Final

import duckdb
import pandas as pd

from wardround.sources.mimic.eastern import ZONE, utc_micros
from wardround.sources.mimic.files import MimicFiles

END_OF_TIME: Final = 1 << 62
"""Microseconds since 1970; later than any record, so that everything is known by then."""


@dataclass(frozen=True)
class Timeline:
    """SQL expressions for times, for queries that join the table `timeline` (subject_id, shift in microseconds).

    Attributes:
        until: UTC microseconds; what became known later is left out.
    """

    until: int = END_OF_TIME

    def at(self, local: str) -> str:
        """Returns SQL for the UTC microseconds, on the output's timeline, of MIMIC's local time `local`."""
        return f"({utc_micros(local)} + timeline.shift)"

    def known(self, micros: str) -> str:
        """Returns SQL that is true if `micros` is a time not after `until`; always true if nothing is left out."""
        return "true" if self.until == END_OF_TIME else f"coalesce({micros} <= {self.until}, false)"

    def if_known(self, micros: str, value: str) -> str:
        """Returns SQL for `value`, or for NULL if `micros` is after `until` or NULL."""
        return f"CASE WHEN {micros} <= {self.until} THEN {value} END"

    def end(self, local: str) -> str:
        """Returns SQL for the FHIR dateTime of `local`, or for NULL if it has not been reached yet."""
        return self.if_known(self.at(local), date_time(self.at(local)))


def local(micros: str) -> str:
    """Returns SQL for the US Eastern wall-clock time, a TIMESTAMP, of UTC microseconds."""
    return f"timezone('{ZONE}', make_timestamptz({micros}))"


def date_time(micros: str) -> str:
    """Returns SQL for the FHIR dateTime, with the US Eastern offset, of UTC microseconds; NULL if they are NULL.

    `local` of `utc_micros` returns the original wall-clock time, except in the hour that is skipped in spring.
    """
    offset = f"CASE WHEN epoch_us({local(micros)}) - {micros} = -14400000000 THEN '-04:00' ELSE '-05:00' END"
    return f"strftime({local(micros)}, '%Y-%m-%dT%H:%M:%S') || {offset}"


def keep_all(database: duckdb.DuckDBPyConnection, files: MimicFiles) -> Timeline:
    """Creates the timeline with all patients of `patients`, unshifted."""
    database.execute(
        "CREATE OR REPLACE TABLE timeline AS SELECT DISTINCT subject_id, 0::BIGINT AS shift"
        f" FROM {files.scan('patients', ['subject_id'])}"
    )
    return Timeline()


def keep_present(database: duckdb.DuckDBPyConnection, files: MimicFiles, since: pd.Timestamp) -> Timeline:
    """Creates the timeline with the patients whose ICU stay is open or ended at or after `since`, unshifted."""
    ended = utc_micros("outtime")
    database.execute(
        "CREATE OR REPLACE TABLE timeline AS SELECT DISTINCT subject_id, 0::BIGINT AS shift"
        f" FROM {files.scan('icustays', ['subject_id', 'outtime'])}"
        f" WHERE outtime IS NULL OR {ended} >= {_micros(since)}"
    )
    return Timeline()


def shift_each(database: duckdb.DuckDBPyConnection, shifts: pd.DataFrame, now: pd.Timestamp) -> Timeline:
    """Creates the timeline with the patients of `shifts` (subject_id, shift as timedelta), as known at `now`."""
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
