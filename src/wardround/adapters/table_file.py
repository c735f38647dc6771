"""Frames in, one parquet file out, written piece by piece; it appears when it is whole."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd
import pyarrow as pa
from pyarrow import parquet


class TableFile:
    """Writes frames with the same columns into `path`, replacing what is there; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(f".{path.name}.part")
        self._writer: parquet.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        self._writer.close()
        if error is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink()

    def write(self, frame: pd.DataFrame) -> None:
        """Appends `frame`."""
        schema = None if self._writer is None else self._writer.schema
        rows = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._unfinished, rows.schema)
        self._writer.write_table(rows)
