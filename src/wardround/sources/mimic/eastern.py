"""MIMIC's local times to UTC: one conversion, in DuckDB's SQL, for the CSVs and for mimic2fhir.

MIMIC's clocks are US Eastern, daylight saving included, also after 2037, where some libraries stop. The hour that a
clock passes twice in autumn is read as standard time; the one it skips in spring is shifted forward.
"""

import pandas as pd

ZONE = "America/New_York"


def utc_micros(local: str) -> str:
    """SQL for microseconds since 1970 in UTC of the SQL expression `local`, a text or timestamp; NULL if it is no time.

    Micros and not a TIMESTAMPTZ, because DuckDB hands those to Python only where pytz is installed.
    """
    return f"epoch_us(timezone('{ZONE}', try_cast({local} AS TIMESTAMP)))"


def utc_times(micros: pd.Series) -> pd.Series:
    """The column that `utc_micros` gave as times: datetime64[us, UTC], NaT where it is empty."""
    return pd.to_datetime(micros.astype("Int64"), unit="us", utc=True).astype("datetime64[us, UTC]")
