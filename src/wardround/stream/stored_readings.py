"""Keeps the readings of one stay as parquet, so that they can be scored again without the server, bit for bit."""

from io import BytesIO

from wardround.adapters.files.parquet import frame_in
from wardround.core.readings import Readings


def as_parquet(readings: Readings) -> bytes:
    """Returns the readings as a parquet file; equal readings give equal bytes."""
    kept = BytesIO()
    readings.frame().to_parquet(kept, engine="pyarrow", index=False, compression="zstd")
    return kept.getvalue()


def of_parquet(body: bytes) -> Readings:
    """Returns the readings that `as_parquet` kept."""
    return Readings.of_frame(frame_in(body))
