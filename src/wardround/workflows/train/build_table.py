"""Builds a run's table (outcomes, features, folds) from its stays, and returns the names of the candidates to fit.

Only the features of some patients are in memory at a time: they are appended to features.parquet as they are built.
Folds need all outcomes, so the table is a copy of that file with one more column. A run that was stopped continues
after the features, if they are complete.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from wardround.adapters.files.parquet import batches_in, schema_of
from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files
from wardround.core.events import empty_readings
from wardround.evaluation.results import Task
from wardround.features.minimum_data import enough_data
from wardround.features.subjects import Subjects
from wardround.settings import Settings
from wardround.sources.mimic.folder import MimicFolder
from wardround.training.cohort import TrainingCohort, leave_out_too_little_data, remedy
from wardround.training.splits import grouped_folds, latest_patients, patients_to_test
from wardround.training.tasks import ROW_COLUMNS, predictions_of, rows_of, spans_of
from wardround.workflows.features import features_from
from wardround.workflows.train.request import TrainingRequest
from wardround.workflows.train.run import Run, load_run, step_of
from wardround.workflows.train.table import TEST

ROWS_AT_ONCE: Final = 20_000
"""How many predictions may have their readings in memory at a time."""


def build_table(run: str, settings: Settings) -> list[str]:
    """Returns the candidates' names. Writes table.parquet, excluded.parquet (every stay that is not in the table),
    set_aside.json (counts of readings that did not become events), rows.json (counts of predictions) and
    candidates.json.

    Raises TrainingError if there are too few patients, and SourceDataError.
    """
    with step_of(run, "build_table", settings) as step:
        opened = load_run(run, settings)
        folder = opened.folder
        if not folder.exists(run_files.FEATURES):
            _write_features(opened, settings)
        keys = folder.read_frame(run_files.FEATURES, ["stay_id", "patient_id", "outcome", "anchor_year_group"])
        cohort = TrainingCohort(
            folder.read_frame(run_files.STAYS), folder.read_frame(run_files.LEFT_OUT), opened.training_hours
        )
        left_out = leave_out_too_little_data(cohort, set(keys["stay_id"])).excluded
        folder.write_frame(run_files.NOT_IN_TABLE, left_out)
        _write_table(folder, _folds(keys, opened.request, remedy(left_out, opened.task)))
        folder.clear(run_files.FEATURES)
        names = list(opened.candidates)
        folder.write_json(run_files.CANDIDATES, names)
        step.count(**folder.read_json(run_files.ROWS), candidates=len(names))
        step.count_reasons("set aside", {name: sum(of.values()) for name, of in opened.set_aside().items()})
    return names


def _write_features(run: Run, settings: Settings) -> None:
    """Writes features.parquet: ROW_COLUMNS and the condition's columns of all predictions with enough data."""
    set_aside: Counter[str] = Counter()
    counts = Counter(used=0, below_minimum_data=0)
    with run.folder.writing(run_files.FEATURES) as file, ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        subjects, columns = Subjects.of(run.condition), list(run.condition.columns)
        for rows in _predictions(run, settings, set_aside):
            enough = enough_data(rows[columns].to_numpy(dtype=float), subjects)
            counts.update(used=int(enough.sum()), below_minimum_data=int((~enough).sum()))
            content = pa.Table.from_pandas(rows[enough], preserve_index=False)
            writer = writer or stack.enter_context(pq.ParquetWriter(file, content.schema))
            writer.write_table(content)
    run.folder.write_json(run_files.SET_ASIDE, dict(sorted(set_aside.items())))
    run.folder.write_json(run_files.ROWS, dict(counts))


def _predictions(run: Run, settings: Settings, set_aside: Counter[str]) -> Iterator[pd.DataFrame]:
    """Yields the predictions with their features, some patients at a time; the first frame is empty."""
    stays = run.folder.read_frame(run_files.STAYS)
    yield _with_features(empty_readings(), stays.head(0), run, set_aside)
    spans = spans_of(stays, run.condition.longest_window)
    at_once = _patients_at_once(stays, run.task)
    source = MimicFolder(run.request.mimic, patients_at_once=at_once, memory=settings.memory)
    for patients, readings in source.readings_in(spans, run.condition.variables):
        yield _with_features(readings, stays[stays["patient_id"].isin(patients)], run, set_aside)


def _with_features(readings: pd.DataFrame, stays: pd.DataFrame, run: Run, set_aside: Counter[str]) -> pd.DataFrame:
    rows = rows_of(stays, run.task)
    features = features_from(readings, rows, run.condition, set_aside)
    return pd.concat([rows[list(ROW_COLUMNS)], features[list(run.condition.columns)]], axis=1)


def _patients_at_once(stays: pd.DataFrame, task: Task) -> int:
    rows = predictions_of(stays, task).sum() / max(stays["patient_id"].nunique(), 1)
    return max(1, int(ROWS_AT_ONCE / max(rows, ROWS_AT_ONCE / MimicFolder.patients_at_once)))


def _folds(keys: pd.DataFrame, request: TrainingRequest, remedy: str) -> np.ndarray:
    """Returns each row's fold in cross-validation, or TEST for the test set."""
    by_calendar = request.split == "calendar"
    test = latest_patients(keys, remedy) if by_calendar else patients_to_test(keys, request.seed, remedy)
    train = ~keys["patient_id"].isin(test).to_numpy()
    fold = np.full(len(keys), TEST)
    fold[train] = grouped_folds(keys[train], request.seed)
    return fold


def _write_table(folder: RunFolder, fold: np.ndarray) -> None:
    """Writes table.parquet: features.parquet with the column `fold` after `outcome`."""
    with folder.reading(run_files.FEATURES) as source, folder.writing(run_files.TABLE) as target:
        features = schema_of(source)
        place = features.get_field_index("outcome") + 1
        schema = features.insert(place, pa.field("fold", pa.int64()))
        done = 0
        with pq.ParquetWriter(target, schema) as writer:
            for batch in batches_in(source, ROWS_AT_ONCE):
                mine = pa.array(fold[done : done + len(batch)])
                writer.write_table(pa.Table.from_batches([batch]).add_column(place, "fold", mine).cast(schema))
                done += len(batch)
