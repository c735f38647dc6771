"""Streams MIMIC's chartevents and labevents, in the order of the CSVs, as rows for Observations."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from wardround.demo.mimic_fhir.observation import ChartRow, LabRow
from wardround.demo.mimic_fhir.tables import Tables, stream
from wardround.demo.mimic_fhir.timeline import date_time
from wardround.spec.variables import Variable

Items = tuple[int, ...] | None
"""Item ids to write, or None for all."""

_CHART: Final = ("subject_id", "stay_id", "itemid", "charttime", "storetime", "value", "valuenum", "valueuom")
_LAB: Final = (
    "subject_id", "hadm_id", "labevent_id", "itemid", "charttime", "storetime", "value", "valuenum", "valueuom",
    "ref_range_lower", "ref_range_upper", "flag",
)  # fmt: skip


def items_of(variables: Mapping[str, Variable], table: Literal["chartevents", "labevents"]) -> tuple[int, ...]:
    """Returns the item ids of `table` that any of the variables uses."""
    return tuple(sorted(i for v in variables.values() if v.mimic.table == table for i in v.mimic.itemids))


def chart_rows(tables: Tables, items: Items) -> Iterator[ChartRow]:
    """Yields the rows of chartevents that have a value and were known by the end of the timeline."""
    sql = f"""
        SELECT subject_id, stay_id, itemid, charttime, {_times(tables)},
            value, try_cast(valuenum AS DOUBLE), valueuom, label, category
        FROM {tables.files.scan("chartevents", _CHART)} JOIN timeline USING (subject_id)
        LEFT JOIN (SELECT itemid, label, category
            FROM {tables.files.scan("d_items", ("itemid", "label", "category"))}) USING (itemid)
        WHERE (value IS NOT NULL OR valuenum IS NOT NULL) AND {_wanted(tables, items)}"""
    return (ChartRow(*row) for row in stream(tables.database, tables.files, "chartevents", sql))


def lab_rows(tables: Tables, items: Items) -> Iterator[LabRow]:
    """Yields the rows of labevents that were known by the end of the timeline."""
    sql = f"""
        SELECT subject_id, hadm_id, labevent_id, itemid, {_times(tables)}, value, try_cast(valuenum AS DOUBLE),
            valueuom, try_cast(ref_range_lower AS DOUBLE), try_cast(ref_range_upper AS DOUBLE), flag, label
        FROM {tables.files.scan("labevents", _LAB)} JOIN timeline USING (subject_id)
        LEFT JOIN (SELECT itemid, label FROM {tables.files.scan("d_labitems", ("itemid", "label"))}) USING (itemid)
        WHERE {_wanted(tables, items)}"""
    return (LabRow(*row) for row in stream(tables.database, tables.files, "labevents", sql))


def _times(tables: Tables) -> str:
    time = tables.timeline
    return f"{date_time(time.at('charttime'))}, {date_time(time.at('storetime'))}"


def _wanted(tables: Tables, items: Items) -> str:
    time = tables.timeline
    available = f"greatest({time.at('charttime')}, {time.at('storetime')})"  # greatest() ignores NULL
    chosen = "true" if items is None else f"itemid IN ({', '.join(map(str, items)) or 'NULL'})"
    return f"{chosen} AND {time.known(available)}"
