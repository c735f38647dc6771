"""Reads MIMIC's patients, stays and diagnoses as rows for the resources: one query each, streamed in batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from wardround.demo.mimic_fhir.condition import DiagnosisRow
from wardround.demo.mimic_fhir.encounter import AdmissionRow, IcuStayRow, UnitStay
from wardround.demo.mimic_fhir.patient import PatientRow
from wardround.demo.mimic_fhir.timeline import END_OF_TIME, Timeline, date_time, local
from wardround.errors import SourceDataError
from wardround.sources.mimic.files import MimicFiles, reading

_BATCH: Final = 20_000
_DAY: Final = 86_400_000_000
_UNITS: Final = ("first_careunit", "last_careunit")
_ADMISSION_COLUMNS: Final = ("hadm_id", "admission_type", "admission_location", "discharge_location")


@dataclass(frozen=True)
class Tables:
    """The rows of one MIMIC folder on one timeline (the table `timeline` of `database`)."""

    database: duckdb.DuckDBPyConnection
    files: MimicFiles
    timeline: Timeline

    def careunits(self) -> Iterator[str]:
        """Returns the names of all care units, sorted."""
        sql = f"""
            SELECT DISTINCT careunit FROM {self._scan("transfers", "careunit")} WHERE careunit IS NOT NULL
            UNION SELECT first_careunit FROM {self._scan("icustays", "first_careunit")} WHERE first_careunit IS NOT NULL
            UNION SELECT last_careunit FROM {self._scan("icustays", "last_careunit")} WHERE last_careunit IS NOT NULL
            ORDER BY 1"""
        return (row[0] for row in self._rows("transfers", sql))

    def patients(self) -> Iterator[PatientRow]:
        """Returns patients, sorted by subject_id, with the demographics of their latest admission.

        The birth date follows the rule of MIMIC-IV on FHIR: the date of the first transfer minus anchor_age years.
        """
        time = self.timeline
        died = time.at("coalesce(deathtime, dod || ' 12:00:00')")
        # A date of death is known when the day is over; a death in hospital is known at its time.
        known_from = f"coalesce({time.at('deathtime')}, {time.at('dod')} + {_DAY})"
        sql = f"""
            WITH firsts AS (
                SELECT subject_id, min(intime) AS first_intime
                FROM {self._scan("transfers", "subject_id", "intime")} GROUP BY ALL
            ), latest AS (
                SELECT subject_id, max(deathtime) AS deathtime,
                    arg_max({{'marital': marital_status, 'language': language, 'race': race}}, admittime) AS person
                FROM {self._scan("admissions", "admittime", "deathtime", "marital_status", "language", "race")}
                JOIN timeline USING (subject_id)
                WHERE {time.known(time.at("admittime"))} GROUP BY ALL
            )
            SELECT subject_id, gender,
                strftime(CAST({local(time.at("first_intime"))} AS DATE) - to_years(anchor_age::INTEGER), '%Y-%m-%d'),
                {time.if_known(known_from, f"strftime({local(died)}, '%Y-%m-%d')")},
                person.marital, person.language, person.race
            FROM {self._scan("patients", "gender", "anchor_age", "dod")} JOIN timeline USING (subject_id)
            LEFT JOIN firsts USING (subject_id) LEFT JOIN latest USING (subject_id)
            ORDER BY subject_id"""
        return (PatientRow(*row) for row in self._rows("patients", sql))

    def admissions(self) -> Iterator[tuple[AdmissionRow, list[UnitStay]]]:
        """Returns started admissions, sorted by hadm_id, with transfers in time order and their first service."""
        time = self.timeline
        start, end = time.at("admittime"), time.at("dischtime")
        sql = f"""
            WITH units AS (
                SELECT hadm_id, list({self._unit} ORDER BY start, transfer_id) AS units
                FROM ({self._transfers()}) GROUP BY ALL
            ), services AS ({self._services()})
            SELECT subject_id, hadm_id, {date_time(start)}, {time.if_known(end, date_time(end))}, admission_type,
                admission_location, {time.if_known(end, "discharge_location")}, service, units
            FROM {self._scan("admissions", "admittime", "dischtime", *_ADMISSION_COLUMNS)}
            JOIN timeline USING (subject_id) LEFT JOIN units USING (hadm_id) LEFT JOIN services USING (hadm_id)
            WHERE {time.known(start)} ORDER BY hadm_id"""
        return ((AdmissionRow(*row[:-1]), _unit_stays(row[-1])) for row in self._rows("admissions", sql))

    def icu_stays(self) -> Iterator[tuple[IcuStayRow, list[UnitStay]]]:
        """Returns started ICU stays, sorted by stay_id, with their first and, if different, their last care unit.

        A unit's period spans all transfers to it during the stay, as in PhysioNet's files.
        """
        time = self.timeline
        start, end = time.at("intime"), time.at("outtime")
        sql = f"""
            WITH stays AS (
                SELECT subject_id, hadm_id, stay_id, first_careunit, last_careunit, {start} AS start, {end} AS finish
                FROM {self._scan("icustays", "hadm_id", "stay_id", *_UNITS, "intime", "outtime")}
                JOIN timeline USING (subject_id) WHERE {time.known(start)}
            ), spans AS (
                SELECT stay_id, t.careunit, min(t.start) AS start,
                    CASE WHEN count(*) = count(t.finish) THEN max(t.finish) END AS finish
                FROM stays JOIN ({self._transfers()}) t
                    ON stays.hadm_id = t.hadm_id AND t.start >= stays.start
                    AND coalesce(t.finish, {END_OF_TIME}) <= coalesce(stays.finish, {END_OF_TIME})
                GROUP BY ALL
            ), units AS (
                SELECT spans.stay_id, list({self._unit} ORDER BY careunit <> first_careunit) AS units
                FROM spans JOIN (SELECT stay_id, first_careunit, last_careunit FROM stays) USING (stay_id)
                WHERE careunit IN (first_careunit, last_careunit) GROUP BY ALL
            )
            SELECT subject_id, hadm_id, stay_id, {date_time("start")}, {time.if_known("finish", date_time("finish"))},
                units
            FROM stays LEFT JOIN units USING (stay_id) ORDER BY stay_id"""
        return ((IcuStayRow(*row[:-1]), _unit_stays(row[-1])) for row in self._rows("icustays", sql))

    def diagnoses(self) -> Iterator[DiagnosisRow]:
        """Returns diagnoses of ended admissions (they are coded at discharge), sorted by hadm_id and seq_num."""
        time = self.timeline
        sql = f"""
            SELECT d.subject_id, d.hadm_id, seq_num, icd_code, icd_version, title
            FROM {self._scan("diagnoses_icd", "subject_id", "hadm_id", "seq_num", "icd_code", "icd_version")} d
            JOIN timeline USING (subject_id)
            JOIN (SELECT hadm_id, dischtime FROM {self._scan("admissions", "hadm_id", "dischtime")}) USING (hadm_id)
            LEFT JOIN ({self._titles()}) USING (icd_code, icd_version)
            WHERE {time.known(time.at("dischtime"))} ORDER BY d.hadm_id, seq_num"""
        return (DiagnosisRow(*row) for row in self._rows("diagnoses_icd", sql))

    @property
    def _unit(self) -> str:
        end = self.timeline.if_known("finish", date_time("finish"))
        return f"{{'careunit': careunit, 'start': {date_time('start')}, 'end': {end}}}"

    def _transfers(self) -> str:
        start = self.timeline.at("intime")
        return f"""
            SELECT hadm_id, transfer_id, careunit, {start} AS start, {self.timeline.at("outtime")} AS finish
            FROM {self._scan("transfers", "hadm_id", "transfer_id", "careunit", "intime", "outtime")}
            JOIN timeline USING (subject_id)
            WHERE hadm_id IS NOT NULL AND careunit IS NOT NULL AND {self.timeline.known(start)}"""

    def _services(self) -> str:
        """Returns SQL for hadm_id and its first service; it has no rows if the folder has no services table."""
        if not self._has("services"):
            return "SELECT NULL::BIGINT AS hadm_id, NULL AS service WHERE false"
        start = self.timeline.at("transfertime")
        return f"""
            SELECT hadm_id, arg_min(curr_service, transfertime) AS service
            FROM {self._scan("services", "hadm_id", "transfertime", "curr_service")} JOIN timeline USING (subject_id)
            WHERE {self.timeline.known(start)} GROUP BY hadm_id"""

    def _titles(self) -> str:
        """Returns SQL for diagnosis codes and texts; it has no rows if the folder has no d_icd_diagnoses table."""
        if not self._has("d_icd_diagnoses"):
            return "SELECT NULL AS icd_code, NULL::BIGINT AS icd_version, NULL AS title WHERE false"
        return (
            "SELECT icd_code, icd_version, any_value(long_title) AS title"
            f" FROM {self._scan('d_icd_diagnoses', 'icd_code', 'icd_version', 'long_title')} GROUP BY ALL"
        )

    def _scan(self, table: str, *columns: str) -> str:
        return self.files.scan(table, columns)

    def _has(self, table: str) -> bool:
        try:
            self.files.path(table)
        except SourceDataError:
            return False
        return True

    def _rows(self, table: str, sql: str) -> Iterator[tuple[Any, ...]]:
        return stream(self.database, self.files, table, sql)


def stream(database: duckdb.DuckDBPyConnection, files: MimicFiles, table: str, sql: str) -> Iterator[tuple[Any, ...]]:
    """Yields the rows of `sql`, with some thousands in memory at a time. DuckDB's errors become SourceDataErrors.

    `table` is the table that such an error names.
    """
    with reading(files.path(table)):
        cursor = database.cursor().execute(sql)
        while batch := cursor.fetchmany(_BATCH):
            yield from batch


def _unit_stays(units: list[dict[str, str | None]] | None) -> list[UnitStay]:
    return [UnitStay(careunit=unit["careunit"] or "", start=unit["start"], end=unit["end"]) for unit in units or ()]
