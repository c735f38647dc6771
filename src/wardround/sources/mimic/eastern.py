"""Converts MIMIC's local times to UTC, in DuckDB's SQL: one conversion for the CSVs and for mimic2fhir.

MIMIC's times are US Eastern with daylight saving, also after 2037, where some libraries stop. The hour that occurs
twice in autumn is read as standard time; the one that is skipped in spring is shifted forward.
"""

import pandas as pd

ZONE = "America/New_York"


def utc_micros(local: str) -> str:
    """Returns SQL for UTC microseconds since 1970 of the SQL expression `local`, a text or timestamp; NULL if invalid.

    It is not a TIMESTAMPTZ, because DuckDB passes those to Python only if pytz is installed.
    """
    return f"epoch_us(timezone('{ZONE}', try_cast({local} AS TIMESTAMP)))"


def utc_times(micros: pd.Series) -> pd.Series:
    """Converts a column from `utc_micros` to datetime64[us, UTC]; NaT if empty."""
    return pd.to_datetime(micros.astype("Int64"), unit="us", utc=True).astype("datetime64[us, UTC]")
