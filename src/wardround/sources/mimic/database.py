"""Reads MIMIC's tables from a DuckDB file, through FROM items with exactly the numbers and texts of the CSVs.

The file is only opened for reading. Names of schemas and tables are compared without case; typed columns are cast to
the form that a CSV has, so that a time or a code means the same from both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from glob import escape
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from wardround.errors import SourceDataError
from wardround.sources.mimic.sql import identifier, literal

# Columns that loading may have damaged: codes loaded as numbers have lost their leading zeros (0389, sepsis, becomes
# 389), and a table with only women may have been loaded with a column of booleans.
_TEXTS: Final = {"icd_code", "gender"}
_DAYS: Final = {"dod"}
_WITH_FRACTION: Final = ("DOUBLE", "FLOAT", "REAL", "DECIMAL")


class _Place(NamedTuple):
    schema: str
    table: str
    columns: dict[str, tuple[str, str]]  # lower-case name -> name in the file, type


@dataclass(frozen=True)
class MimicDatabase:
    """The tables of a DuckDB file, in schemas mimiciv_hosp and mimiciv_icu, hosp and icu, or main."""

    file: Path
    modules: dict[str, str]  # table -> hosp or icu
    numbers: frozenset[str]

    def path(self, table: str) -> Path:
        """Returns the file; raises SourceDataError if it cannot be read or has no such table."""
        self._place(table)
        return self.file

    def scan(self, table: str, columns: Sequence[str]) -> str:
        """Returns a FROM item for `table`, like `MimicFiles.scan`. Raises SourceDataError."""
        place = self._place(table)
        for column in columns:
            self._check(column, place, columns)
        given = ", ".join(f"{self._cast(name, *place.columns[name])} AS {identifier(name)}" for name in place.columns)
        return (
            f"(SELECT {given} FROM read_duckdb({literal(escape(str(self.file)))},"
            f" schema_name={literal(place.schema)}, table_name={literal(place.table)}))"
        )

    def _place(self, table: str) -> _Place:
        module = self.modules[table]
        schemas = (f"mimiciv_{module}", module, "main")
        for schema in schemas:
            if (schema, table) in self._places:
                return self._places[schema, table]
        raise SourceDataError(
            f"{self.file}: no table {table}, expected it in schema {', '.join(schemas[:-1])} or {schemas[-1]}"
            " (a view does not count); load it from MIMIC-IV's CSVs"
        )

    def _check(self, column: str, place: _Place, columns: Sequence[str]) -> None:
        where = f"{self.file}: {place.schema}.{place.table}"
        if column not in place.columns:
            raise SourceDataError(
                f"{where}: column {column} is missing, expected {', '.join(columns)}; load it from an unaltered CSV"
            )
        kind = place.columns[column][1]
        if column in _TEXTS and kind != "VARCHAR":
            raise SourceDataError(
                f"{where}: column {column} is {kind}, expected VARCHAR, which keeps its text as it is;"
                " load it again as text"
            )
        if "TIME ZONE" in kind:
            raise SourceDataError(
                f"{where}: column {column} is {kind}, expected TIMESTAMP: MIMIC's times have no time zone;"
                " load it again as that type"
            )

    def _cast(self, name: str, stored: str, kind: str) -> str:
        """Returns SQL for a column in the form that it has in a CSV."""
        column = identifier(stored)
        if name in self.numbers:
            return f"CAST({column} AS BIGINT)"
        if name in _DAYS and kind.startswith("TIMESTAMP"):
            return f"CAST(CAST({column} AS DATE) AS VARCHAR)"
        if kind.startswith(_WITH_FRACTION):
            return rf"regexp_replace(CAST({column} AS VARCHAR), '\.0+$', '')"
        return f"nullif(CAST({column} AS VARCHAR), '')"

    @cached_property
    def _places(self) -> dict[tuple[str, str], _Place]:
        """Returns all tables by lower-case schema and name."""
        found: dict[tuple[str, str], _Place] = {}
        for schema, table, column, kind in self._columns():
            place = found.setdefault((schema.lower(), table.lower()), _Place(schema, table, {}))
            place.columns[column.lower()] = (column, kind)
        return found

    def _columns(self) -> list[tuple[str, str, str, str]]:
        try:
            with duckdb.connect(self.file, read_only=True) as database:
                return database.execute(
                    "SELECT c.schema_name, c.table_name, c.column_name, c.data_type FROM duckdb_columns() c"
                    " JOIN duckdb_tables() t USING (database_name, schema_name, table_name)"
                    " WHERE NOT t.internal ORDER BY ALL"
                ).fetchall()
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                raise SourceDataError(
                    f"{self.file}: another program is writing to it; close that program and try again"
                ) from None
            raise self._no_database() from None
        except duckdb.Error:
            raise self._no_database() from None

    def _no_database(self) -> SourceDataError:
        return SourceDataError(
            f"{self.file}: cannot be read as a DuckDB database of this release, expected one, or a folder with hosp/"
            " and icu/; create it again from MIMIC-IV's CSVs"
        )
