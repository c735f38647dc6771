"""A file of Patient ids in, its ids one by one out: a CSV, NDJSON or one id a line, at a path or an fsspec URL.

These functions see record numbers; they never log, and their errors name lines.
"""

import csv
from collections.abc import Iterator
from typing import Any, Final

import fsspec
import orjson

from wardround.errors import SourceDataError

_DEFAULT_COLUMN: Final = "patient_id"


def patient_ids_in(path: str, column: str | None = None) -> Iterator[str]:
    """Every line's id as it is written, `Patient/` before it or not; blank lines are passed over.

    Args:
        path: what it is follows from its name: *.csv, *.ndjson or *.jsonl, else one id a line; each may be *.gz.
        column: of the CSV, or key of the NDJSON; without, `patient_id`, or the `id` of Patient resources.

    Raises:
        SourceDataError: the file cannot be read, or a line is not what the name says.
    """
    name = path.removesuffix(".gz")
    read = _of_csv if name.endswith(".csv") else _of_ndjson if name.endswith((".ndjson", ".jsonl")) else _of_lines
    try:
        with fsspec.open(path, "rt", compression="infer", encoding="utf-8-sig") as lines:
            yield from read(lines, path, column)
    except (OSError, EOFError, ValueError, ImportError) as error:
        # Not the error's own text: it may quote the file.
        raise SourceDataError(
            f"{path}: cannot be read ({type(error).__name__}), expected a file of Patient ids; check the cohort's path"
        ) from None


def _of_lines(lines: Iterator[str], _path: str, _column: str | None) -> Iterator[str]:
    return (text for line in lines if (text := line.strip()))


def _of_csv(lines: Iterator[str], path: str, column: str | None) -> Iterator[str]:
    rows = csv.reader(lines)
    header = [name.strip() for name in next(rows, [])]
    wanted = column or (header[0] if len(header) == 1 else _DEFAULT_COLUMN)
    if wanted not in header:
        raise SourceDataError(f"{path}: has no column {wanted!r}; name the column of the ids in cohort.source.column")
    place = header.index(wanted)
    for row in rows:
        text = row[place].strip() if len(row) > place else ""
        if text:
            yield text


def _of_ndjson(lines: Iterator[str], path: str, column: str | None) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _id_of(orjson.loads(line), f"{path}, line {number}", column)


def _id_of(entry: Any, where: str, column: str | None) -> str:
    is_patient = isinstance(entry, dict) and entry.get("resourceType") == "Patient"
    key = column or ("id" if is_patient else _DEFAULT_COLUMN)
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise SourceDataError(f"{where}: has no id under {key!r}; name the key of the ids in cohort.source.column")
    return str(value)
