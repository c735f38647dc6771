"""Writes frames into one parquet file, piece by piece; the file appears when it is complete."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from wardround.adapters.files.whole_file import whole_file


class TableFile:
    """Writes frames with the same columns into `path`, replacing what is there; a context manager.

    Raises StorageError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._writer: parquet.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def write(self, frame: pd.DataFrame) -> None:
        """Appends `frame`."""
        schema = None if self._writer is None else self._writer.schema
        rows = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if self._writer is None:
            file = self._open.enter_context(whole_file(self._path))
            self._writer = self._open.enter_context(parquet.ParquetWriter(file, rows.schema))
        self._writer.write_table(rows)
