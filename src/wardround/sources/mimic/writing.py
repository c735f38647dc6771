"""Writes frames piece by piece to gzipped CSVs like MIMIC-IV's; the same frames give the same bytes."""

import gzip
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from wardround.adapters.files.whole_file import whole_file
from wardround.sources.mimic.files import MODULES

_LEVEL: Final = 1  # a fifth of the time of gzip's default, for files a quarter larger
_LABELLED: Final = ("d_items", "d_labitems")
"""Tables whose texts contain commas; the others are written without quotes, as in MIMIC."""


class MimicWriter:
    """Writes tables into `folder`/hosp and `folder`/icu; a context manager. Files appear when all are complete.

    Raises StorageError.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._open = ExitStack()
        self._writers: dict[str, csv.CSVWriter] = {}
        self._schemas: dict[str, pa.Schema] = {}
        self.rows: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            self._open.__exit__(kind, error, trace)
            if error:
                raise error

    def write(self, table: str, frame: pd.DataFrame) -> None:
        """Appends `frame` to `table`; empty texts and missing values become empty fields."""
        schema = self._schemas.get(table)
        content = _without_empty_texts(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
        if table not in self._writers:
            self._schemas[table] = content.schema
            style = "needed" if table in _LABELLED else "none"
            options = csv.WriteOptions(quoting_header="none", quoting_style=style)
            writer = csv.CSVWriter(self._gzip(table), content.schema, write_options=options)
            self._writers[table] = self._open.enter_context(writer)
        self._writers[table].write_table(content)
        self.rows[table] = self.rows.get(table, 0) + len(frame)

    def _gzip(self, table: str) -> gzip.GzipFile:
        raw = self._files.enter_context(whole_file(self._folder / MODULES[table] / f"{table}.csv.gz"))
        # No time and no name in gzip's header, so that equal content gives equal bytes.
        return self._open.enter_context(gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0))


def _without_empty_texts(table: pa.Table) -> pa.Table:
    columns = [
        pc.if_else(pc.equal(column, ""), None, column)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)
