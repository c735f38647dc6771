"""Returns MIMIC's tables as SQL FROM items with explicit types, from a folder with hosp/ and icu/ or a DuckDB file."""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from glob import escape
from itertools import islice
from pathlib import Path
from tempfile import gettempdir
from typing import Final

import duckdb

from wardround.errors import SourceDataError, StorageError
from wardround.sources.mimic.database import MimicDatabase
from wardround.sources.mimic.sql import literal
from wardround.sources.mimic.time_format import checked, error_message

MODULES = {
    "icustays": "icu", "chartevents": "icu", "d_items": "icu", "inputevents": "icu", "outputevents": "icu",
    "patients": "hosp", "admissions": "hosp", "transfers": "hosp", "labevents": "hosp", "d_labitems": "hosp",
    "diagnoses_icd": "hosp", "services": "hosp", "d_icd_diagnoses": "hosp", "prescriptions": "hosp",
    "microbiologyevents": "hosp",
}  # fmt: skip

# All other columns are read as text, so that an invalid number affects one value and not the whole file.
_NUMBERS = {
    "subject_id", "hadm_id", "stay_id", "transfer_id", "labevent_id", "specimen_id", "micro_specimen_id", "itemid",
    "anchor_age", "anchor_year", "seq_num", "icd_version", "hospital_expire_flag",
}  # fmt: skip


# How DuckDB's messages begin when it is out of memory or of disk space.
_SPILL: Final = re.compile("Could not write|Failed to create|No space left|Out of Memory|failed to (offload|allocate)")
_WHOLE: Final = re.compile(r"-?\d+(\.0+)?")
_LOOKED_AT: Final = 1000

MEMORY = "512MB"
"""DuckDB's memory limit, unless an installation sets another one."""


@dataclass(frozen=True)
class MimicFiles:
    """MIMIC-IV's tables: `folder` is a folder with hosp/ and icu/, or a DuckDB file.

    `memory` is DuckDB's memory limit while it reads them.
    """

    folder: Path
    memory: str = MEMORY

    def path(self, table: str) -> Path:
        """Returns the file that contains `table`; raises SourceDataError if there is none."""
        return self._tables.path(table)

    def scan(self, table: str, columns: Sequence[str]) -> str:
        """Returns a FROM item for `table`: SQL that reads it. Raises SourceDataError if one of `columns` is missing.

        Columns of ids are BIGINT, all others VARCHAR; an empty field is NULL. A query fails if a time in `columns` has
        another format than MIMIC's (see `reading`).
        """
        return checked(self._tables.scan(table, columns), columns, self.path(table))

    @cached_property
    def _tables(self) -> "_MimicCsvs | MimicDatabase":
        if self.folder.is_file():
            return MimicDatabase(self.folder, MODULES, frozenset(_NUMBERS))
        return _MimicCsvs(self.folder)


@dataclass(frozen=True)
class _MimicCsvs:
    """The CSVs of one MIMIC-IV folder, plain or gzipped."""

    folder: Path

    def path(self, table: str) -> Path:
        """Returns the file of `table`; raises SourceDataError if there is none."""
        stem = self.folder / MODULES[table] / f"{table}.csv"
        for path in (stem.with_name(f"{table}.csv.gz"), stem):
            if path.is_file():
                return path
        raise SourceDataError(
            f"{stem}: not found, expected it or {stem.name}.gz; give the folder with hosp/ and icu/, or a DuckDB file"
        )

    def scan(self, table: str, columns: Sequence[str]) -> str:
        """See `MimicFiles.scan`."""
        path = self.path(table)
        header = self._header(path)
        missing = [column for column in columns if column not in header]
        if missing:
            raise SourceDataError(
                f"{path}: column {missing[0]} is missing, expected {', '.join(columns)}; use an unaltered MIMIC-IV CSV"
            )
        types = ", ".join(f"{literal(name)}: '{'BIGINT' if name in _NUMBERS else 'VARCHAR'}'" for name in header)
        return (
            f"read_csv({literal(escape(str(path)))}, columns={{{types}}}, header=true, auto_detect=false,"
            " delim=',', quote='\"', escape='\"')"
        )

    def _header(self, path: Path) -> list[str]:
        if path not in self._headers:
            self._headers[path] = _read_header(path)
        return self._headers[path]

    @cached_property
    def _headers(self) -> dict[Path, list[str]]:
        return {}


@contextmanager
def reading(what: Path) -> Iterator[None]:
    """Turns DuckDB's errors into a SourceDataError about `what`, without the values that DuckDB would quote.

    If DuckDB is out of memory and of space for its temporary files, raises a StorageError.
    """
    try:
        yield
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException) and _SPILL.search(str(error)):
            raise StorageError(
                f"{gettempdir()}: DuckDB's temporary files cannot be written,"
                " expected space for what does not fit in memory; free some space, set TMPDIR,"
                " or raise WARDROUND_MEMORY"
            ) from None
        if text := error_message(error):
            raise SourceDataError(text) from None
        text = str(error)
        column = re.search(r'column "?(\w+)"?', text)
        line = re.search(r"[Ll]ine:? (\d+)", text)
        place = "".join(f", {name} {found[1]}" for name, found in (("column", column), ("line", line)) if found)
        raise SourceDataError(
            f"{what}{place}: cannot be read, expected MIMIC-IV's format; copy the file again"
        ) from None


def connect(scratch: Path, memory: str = MEMORY, threads: int = 2) -> duckdb.DuckDBPyConnection:
    """Returns an in-memory DuckDB that spills to `scratch` above `memory`; the order of rows is not kept."""
    database = duckdb.connect(
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(scratch),
            "preserve_insertion_order": False,
        }
    )
    database.execute("SET enable_progress_bar = false")  # it would be printed among the results on stdout
    return database


def _read_header(path: Path) -> list[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            line = file.readline().strip("\ufeff\r\n")
            header = [name.strip('"') for name in line.split(",")]
            if line:
                _require_whole_ids(path, header, csv.reader(islice(file, _LOOKED_AT)))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error):
        raise SourceDataError(f"{path}: cannot be read, expected a CSV with a header; copy the file again") from None
    if not line:
        raise SourceDataError(f"{path}: is empty, expected a CSV with a header; copy the file again")
    return header


def _require_whole_ids(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    """Raises SourceDataError for an id such as 1.0E+07, because it may be another patient's if read as a number.

    A program that writes ids in this way does so in the whole column, so that it is enough to check the first rows.
    """
    places = [(place, name) for place, name in enumerate(header) if name in _NUMBERS]
    for number, row in enumerate(rows, start=1):
        for place, name in places:
            if place < len(row) and row[place].strip() and not _WHOLE.fullmatch(row[place].strip()):
                raise SourceDataError(
                    f"{path}, column {name}, row {number}: not a whole number in digits,"
                    " expected one as in MIMIC-IV; use MIMIC-IV's own file"
                )
