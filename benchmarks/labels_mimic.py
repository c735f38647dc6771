"""Compares Sepsis-3 labels and hourly features of MIMIC-IV CSVs with DuckDB's bare scan and the tutorial's approach.

`python -m benchmarks.labels_mimic [TIMES …]` repeats the demo that many times (20); 100 takes a quarter of an hour.
"""

import sys
from pathlib import Path

from benchmarks.measure import DATA, WARDROUND, Run, run, table
from benchmarks.population import repeated_mimic

_READ = (
    "icu/icustays", "icu/chartevents", "icu/inputevents", "icu/outputevents",
    "hosp/patients", "hosp/admissions", "hosp/transfers", "hosp/diagnoses_icd", "hosp/labevents", "hosp/prescriptions",
    "hosp/microbiologyevents",
)  # fmt: skip
"""The tables that labels and features read."""

_COUNT = """
import sys, duckdb
duckdb.execute("SET enable_progress_bar = false")
print(*(duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchone()[0] for path in sys.argv[1:]))
"""
# Sepsis-3, and the features of every full hour of every stay. A training keeps fewer rows, since it stops at onset.
_HOURLY = """
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
import numpy as np
import pandas as pd
from wardround.sources.mimic import MimicFolder
from wardround.training.labels import sepsis3_rows
from wardround.training.tasks import hours_of, predictions_of, rows_of, spans_of, task_of
from wardround.settings import settings_from
from wardround.spec.loading import load_condition
from wardround.workflows.features import features_from
from wardround.workflows.train.build_table import ROWS_AT_ONCE
folder, out = map(Path, sys.argv[1:])
out.mkdir(parents=True, exist_ok=True)
condition = load_condition("sepsis", settings_from().schemas)
label = condition.other_labels[0]
task = task_of(label, timedelta(hours=1), timedelta(hours=6))
stays = MimicFolder(folder).stays()
last = np.ceil(hours_of(stays, stays["outtime"])) - 1
stays = stays.assign(first_hour=1.0, last_hour=last, matched_until=last)
found = sepsis3_rows(MimicFolder(folder).sepsis3(), label)
stays = stays[stays["last_hour"] >= 1].merge(found[["stay_id", "sepsis3", "sofa_time"]])
stays = stays.assign(outcome=stays["sepsis3"].fillna(False), onset=stays["sofa_time"])
each = max(1, int(ROWS_AT_ONCE / (predictions_of(stays, task).sum() / stays["patient_id"].nunique())))
spans, made = spans_of(stays, condition.longest_window), 0
source = MimicFolder(folder, patients_at_once=each)
for number, (patients, readings) in enumerate(source.readings_in(spans, condition.variables)):
    rows = rows_of(stays[stays["patient_id"].isin(patients)], task)
    features_from(readings, rows, condition, Counter()).to_parquet(out / f"{number}.parquet")
    made += len(rows)
print(made)
"""
# Whole tables, a loop over stays, the first day, ICD codes: the tutorial's approach, in our own code.
_WHOLE_TABLES = """
import sys
import pandas as pd
folder = sys.argv[1]
charted = {220045, 220210, 223762, 220050, 220052, 220277}
measured = {50813, 50912, 51265, 51301, 50885}
stays = pd.read_csv(f"{folder}/icu/icustays.csv.gz", parse_dates=["intime", "outtime"])
events = pd.read_csv(f"{folder}/icu/chartevents.csv.gz", parse_dates=["charttime"], low_memory=False)
results = pd.read_csv(f"{folder}/hosp/labevents.csv.gz", parse_dates=["charttime"], low_memory=False)
codes = pd.read_csv(f"{folder}/hosp/diagnoses_icd.csv.gz", dtype={"icd_code": str})
events, results = events[events["itemid"].isin(charted)], results[results["itemid"].isin(measured)]
septic = set(codes.loc[codes["icd_code"].str.startswith(("A40", "A41", "R652", "99591", "99592")), "hadm_id"])
rows = []
for stay in stays.itertuples():
    row = {"stay_id": stay.stay_id, "sepsis": stay.hadm_id in septic}
    until = stay.intime + pd.Timedelta(hours=24)
    mine = [events[events["stay_id"] == stay.stay_id], results[results["subject_id"] == stay.subject_id]]
    for frame in mine:
        first_day = frame[(frame["charttime"] >= stay.intime) & (frame["charttime"] <= until)]
        for itemid, values in first_day.groupby("itemid")["valuenum"]:
            row |= {f"{itemid}_{name}": getattr(values, name)() for name in ("mean", "min", "max", "std")}
    rows.append(row)
print(len(pd.DataFrame(rows)))
"""


def main(*repetitions: int) -> None:
    """Prints a table for each number of repetitions; Wardround's memory must not grow from one to the next."""
    for times in repetitions or (20,):
        folder = repeated_mimic(times)
        files = [str(folder / f"{name}.csv.gz") for name in _READ]
        bare = run([sys.executable, "-c", _COUNT, *files])
        rows = dict(zip(_READ, map(int, bare.output.split()), strict=True))
        events = f"{rows['icu/chartevents']:,} chartevents and {rows['hosp/labevents']:,} labevents"
        table(
            f"Labels and hourly features of {rows['icu/icustays']:,} stays from {events}",
            ["what", "rows", "seconds", "ratio", "CPU seconds", "ratio", "peak MiB"],
            [
                _row("DuckDB count(*) of the files read", "", bare, bare),
                *_ours(folder, bare),
                *_theirs(folder, bare, times),
            ],
        )


def _ours(folder: Path, bare: Run) -> list[list[str]]:
    labels = [WARDROUND, "labels", "sepsis", "--label", "sepsis3", "--mimic", str(folder)]
    written = ["--out", str(DATA / "labels.parquet"), "--detail", str(DATA / "sofa.parquet")]
    done = run([*labels, *written])
    hourly = run([sys.executable, "-c", _HOURLY, str(folder), str(DATA / "hourly")])
    return [
        _row("wardround labels sepsis3 with hourly SOFA", "", done, bare),
        _row("labels, and features of every hour of every stay", hourly.output.strip(), hourly, bare),
    ]


def _theirs(folder: Path, bare: Run, times: int) -> list[list[str]]:
    """Measures the tutorial's approach, up to 20 repetitions, because its memory grows with the tables."""
    if times > 20:
        return []
    done = run([sys.executable, "-c", _WHOLE_TABLES, str(folder)])
    return [_row("pandas, whole tables, a loop over stays: first day, ICD codes", done.output.strip(), done, bare)]


def _row(what: str, rows: str, done: Run, bare: Run) -> list[str]:
    """Returns a row for a whole process, imports included. Other load on the machine changes CPU seconds least."""
    count = f"{int(rows):,}" if rows else ""
    times = [f"{done.wall:.1f}", f"{done.wall / bare.wall:.1f}", f"{done.cpu:.1f}", f"{done.cpu / bare.cpu:.1f}"]
    return [what, count, *times, f"{done.peak:.0f}"]


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
