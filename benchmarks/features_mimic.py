"""Compares `wardround features sepsis --mimic` with DuckDB's bare count(*) over the same two files."""

import statistics
import sys

from benchmarks.measure import DATA, WARDROUND, run, table
from benchmarks.population import repeated_mimic

ROUNDS = 3
_COUNT = """
import sys, time, duckdb
duckdb.execute("SET enable_progress_bar = false")
started = time.monotonic()
rows = [duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchone()[0] for path in sys.argv[1:]]
print(time.monotonic() - started, *rows)
"""


def main(times: int = 20) -> None:
    """Runs both alternately, so that a drift of the machine's speed affects both."""
    folder = repeated_mimic(times)
    files = [str(folder / "icu" / "chartevents.csv.gz"), str(folder / "hosp" / "labevents.csv.gz")]
    features = [WARDROUND, "features", "sepsis", "--mimic", str(folder), "--at", "24h"]
    counts, runs, rows = [], [], ["0", "0"]
    for _ in range(ROUNDS):
        seconds, *rows = run([sys.executable, "-c", _COUNT, *files]).output.split()
        counts.append(float(seconds))
        runs.append(run([*features, "--out", str(DATA / "features.parquet")]))
    count, wall = statistics.median(counts), statistics.median(one.wall for one in runs)
    bound, peak = 2 * count + 3, max(one.peak for one in runs)
    events = f"{int(rows[0]):,} chartevents and {int(rows[1]):,} labevents"
    table(
        f"Features of {140 * times:,} stays from {events} (median of {ROUNDS})",
        ["what", "seconds", "ratio to count(*)", "peak MiB"],
        [
            ["DuckDB count(*) of both files", f"{count:.1f}", "1.0", ""],
            ["wardround features, whole process", f"{wall:.1f}", f"{wall / count:.1f}", f"{peak:.0f}"],
            ["the bound: 2 x count(*) + 3 s", f"{bound:.1f}", f"{bound / count:.1f}", "1024"],
        ],
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
