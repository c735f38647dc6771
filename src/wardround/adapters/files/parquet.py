"""Reads parquet files without Arrow's threads.

A process that ends while one of them still lets go of a Python file hangs or is aborted (apache/arrow#50482). What we
read is small, or read some rows at a time, so that threads would hardly help.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd
from pyarrow import BufferReader, RecordBatch, Schema
from pyarrow.parquet import ParquetFile

Parquet = Path | BinaryIO | bytes
"""Where a file lies on this machine, the open file, or what it holds."""


def frame_in(parquet: Parquet, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Returns all rows of a file, with all columns or only these. Raises what Arrow raises for another content."""
    return _opened(parquet).read(columns, use_threads=False).to_pandas(use_threads=False)


def schema_of(parquet: Parquet) -> Schema:
    """Returns the names and types of a file's columns."""
    return _opened(parquet).schema_arrow


def batches_in(parquet: Parquet, rows: int, columns: Sequence[str] | None = None) -> Iterator[RecordBatch]:
    """Yields so many rows of a file at a time, with all columns or only these."""
    yield from _opened(parquet).iter_batches(rows, columns=columns, use_threads=False)


def _opened(parquet: Parquet) -> ParquetFile:
    # To read ahead would start a thread too.
    return ParquetFile(BufferReader(parquet) if isinstance(parquet, bytes) else parquet, pre_buffer=False)
