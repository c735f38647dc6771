"""Creates data for the measurements: MIMIC-IV CSVs repeated under new ids, and simulated wards."""

import gzip
import json
import os
import re
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.measure import DATA, WARDROUND, run
from wardround.settings import PROJECT

NOW = "2026-03-10T06:00:00+00:00"
_IDS = {
    "subject_id": 10**8, "hadm_id": 10**8, "stay_id": 10**8, "transfer_id": 10**8, "specimen_id": 10**8,
    "micro_specimen_id": 10**8, "microevent_id": 10**8, "labevent_id": 10**9,
}  # fmt: skip
_TABLES = (
    "hosp/patients", "hosp/admissions", "hosp/transfers", "hosp/diagnoses_icd", "hosp/labevents", "hosp/d_labitems",
    "hosp/prescriptions", "hosp/microbiologyevents",
    "icu/icustays", "icu/chartevents", "icu/d_items", "icu/inputevents", "icu/outputevents",
)  # fmt: skip
# What all copies of a ward share, and what each copy has of its own: ids, references to them, and record numbers.
_SHARED = ("MimicLocation.ndjson.gz", "MimicOrganization.ndjson.gz")
_OWN_ID = re.compile(r'(?<="id":")[^"]+|(?<="Patient/)[^"]+|(?<="Encounter/)[^"]+|(?<="value":")[^"]+')


def mimic_demo() -> Path:
    """Returns the MIMIC-IV demo: MIMIC_CSV_PATH, the copy next to the project, or a simulated folder of its size."""
    beside = PROJECT.parent / "shared" / "data" / "mimic-iv-demo-2.2"
    given = os.environ.get("MIMIC_CSV_PATH")
    if given or beside.is_dir():
        return Path(given or beside)
    return ward(140) / "mimic"


def repeated_mimic(times: int) -> Path:
    """Returns the demo repeated this many times, each copy with its own ids; created once and kept.

    It is created in a separate process, because memory of the parent counts towards the peak memory of a child.
    """
    run([sys.executable, "-m", "benchmarks.population", str(times)])
    return _folder(times)


def _folder(times: int) -> Path:
    return DATA / f"mimic-x{times}"


def make_repeated_mimic(times: int) -> None:
    """Writes the missing tables."""
    source, out = mimic_demo(), _folder(times)
    connection = duckdb.connect()
    connection.execute(f"SET threads = {os.cpu_count()}")
    connection.execute("SET enable_progress_bar = false")
    for name in _TABLES:
        path, unfinished = out / f"{name}.csv.gz", out / f"{name}.part"
        # A simulated folder does not have every table; whoever needs a missing one reports it.
        if not path.exists() and (source / f"{name}.csv.gz").exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(_repeat(connection, source / f"{name}.csv.gz", unfinished, times))
            unfinished.replace(path)


def _repeat(connection: duckdb.DuckDBPyConnection, source: Path, out: Path, times: int) -> str:
    """Returns SQL that writes copy after copy, so that gzip does not see the same row twice in succession."""
    read = f"read_csv('{source}', all_varchar=true)"
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]
    copies = range(times if any(column in _IDS for column in columns) else 1)
    selects = (f"SELECT {', '.join(_renamed(column, copy) for column in columns)} FROM {read}" for copy in copies)
    return f"COPY ({' UNION ALL '.join(selects)}) TO '{out}' (HEADER, COMPRESSION gzip)"


def _renamed(column: str, copy: int) -> str:
    return f"{column}::BIGINT + {copy * _IDS[column]} AS {column}" if column in _IDS else column


def ward(stays: int) -> Path:
    """Returns a simulated ward with this many stays in progress; created once and kept."""
    out = DATA / f"ward-{stays}"
    if not (out / "complete").exists():
        run([WARDROUND, "simulate", "--stays", str(stays), "--seed", "1", "--now", NOW, "--out", str(out)])
        (out / "complete").touch()
    return out


def recent(stays: int, hours: int) -> Path:
    """Returns the FHIR files of `ward` with only the Observations of the last `hours` before NOW; created once."""
    out, since = DATA / f"ward-{stays}-{hours}h", datetime.fromisoformat(NOW) - timedelta(hours=hours)
    if not (out / "complete").exists():
        out.mkdir(parents=True, exist_ok=True)
        for file in (ward(stays) / "fhir").iterdir():
            with gzip.open(file, "rt") as read, gzip.open(out / file.name, "wt") as write:
                write.writelines(line for line in read if _is_since(json.loads(line), since))
        (out / "complete").touch()
    return out


def hospital(times: int) -> Path:
    """Returns the ward of 1,000 stays this many times, each copy with its own ids, with an hour of Observations."""
    once, out = recent(1000, 1), DATA / f"hospital-{times}"
    if not (out / "complete").exists():
        out.mkdir(parents=True, exist_ok=True)
        for file in once.glob("*.ndjson.gz"):
            if file.name in _SHARED:
                shutil.copy(file, out)
            else:
                _repeat_lines(file, out / file.name, times)
        (out / "complete").touch()
    return out


def _repeat_lines(file: Path, out: Path, times: int) -> None:
    with gzip.open(out, "wt", compresslevel=1) as write:
        for copy in range(times):
            with gzip.open(file, "rt") as read:
                write.writelines(_OWN_ID.sub(rf"\g<0>-{copy}", line) for line in read)


def _is_since(resource: dict[str, str], since: datetime) -> bool:
    return resource["resourceType"] != "Observation" or datetime.fromisoformat(resource["effectiveDateTime"]) >= since


if __name__ == "__main__":
    make_repeated_mimic(int(sys.argv[1]))
