"""The stream door on SQLite and PostgreSQL: the listener, a backlog, and a steady feed through all stages.

`python -m benchmarks.stream [SECONDS] [sqlite|postgresql]`: the feed lasts so many seconds, 600 for the aim. All
processes of the stream share one core. The simulated hospital, its FHIR server and PostgreSQL have the others.
"""

import sys
import tempfile
from pathlib import Path

from benchmarks import stream_backlog, stream_listen, stream_soak
from benchmarks.stream_databases import POSTGRESQL, SQLITE, opened_engine, why_not
from benchmarks.stream_hospital import Hospital, built, stay_off_the_stream_s_core

_ENGINES = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def main(seconds: str = "60", engine: str = "") -> None:
    """Prints all tables, of one engine or, if none is named, of both."""
    stay_off_the_stream_s_core()
    with tempfile.TemporaryDirectory() as folder, built(Path(folder)) as hospital:
        for name in [engine] if engine else _ENGINES:
            _measured(_ENGINES[name], hospital, Path(folder), int(seconds))


def _measured(engine: str, hospital: Hospital, folder: Path, seconds: int) -> None:
    if why := why_not(engine):
        print(f"{engine}: not measured: {why}")
        return
    with opened_engine(engine) as new:
        places = {name: folder / engine / name for name in ("listener", "backlog", "feed")}
        for place in places.values():
            place.mkdir(parents=True)
        urls = {name: new(place) for name, place in places.items()}
        stream_listen.measured(engine, hospital, urls["listener"], places["listener"])
        stream_backlog.measured(engine, hospital, urls["backlog"])
        stream_soak.measured(engine, hospital, urls["feed"], seconds)


if __name__ == "__main__":
    main(*sys.argv[1:3])
