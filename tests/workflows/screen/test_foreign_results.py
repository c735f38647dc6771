"""Results in shapes that FHIR does not know, which other software left on the server: each costs its own stay alone."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.demo.fhir_server.running import running_server
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import Settings
from wardround.workflows.retract import retract

GONE = object()
# What a result says in the place of what it should.
UNUSABLE: dict[str, dict[str, Any]] = {
    "no id": {"id": GONE},
    "id null": {"id": None},
    "id a number": {"id": 7},
    "note a text": {"note": "see chart"},
    "note null": {"note": None},
    "note of null": {"note": [None]},
    "meta a text": {"meta": "v1"},
    "meta null": {"meta": None},
    "version an object": {"meta": {"versionId": {"value": 1}}},
    "version with a line end": {"meta": {"versionId": "1\r\nX-Admin: 1"}},
    "probability a text": {"prediction": [{"probabilityDecimal": "0.5"}]},
    "probability null": {"prediction": [{"probabilityDecimal": None}]},
    "probability true": {"prediction": [{"probabilityDecimal": True}]},
    "prediction an object": {"prediction": {"probabilityDecimal": 0.5}},
    "prediction null": {"prediction": None},
    "prediction of null": {"prediction": [None]},
    "status missing": {"status": GONE},
    "status null": {"status": None},
    "status an object": {"status": {"coding": []}},
    "subject a text": {"subject": "Patient/p-a"},
    "encounter of texts": {"encounter": ["Encounter/e-a"]},
}
# What reads like a result that is out of date, and is written over as that is.
OUT_OF_DATE: dict[str, dict[str, Any]] = {
    "lastUpdated a number": {"meta": {"lastUpdated": 1767330000}},
    "lastUpdated too early": {"meta": {"lastUpdated": "0001-01-01T00:00:00+14:00"}},
    "version a number": {"meta": {"versionId": 1}},
    "identifier a text": {"identifier": "ours"},
    "identifier an object": {"identifier": {"system": "urn:wardround:risk-assessment"}},
    "basis null": {"basis": None},
    "basis a text": {"basis": "Observation/o"},
    "performer missing": {"performer": GONE},
    "prediction missing": {"prediction": GONE},
    "extension a text": {"extension": "x"},
    "time an object": {"occurrenceDateTime": {"value": "2026-01-02"}},
    "time too early": {"occurrenceDateTime": "0001-01-01T00:00:00+14:00"},
    "period a text": {"prediction": [{"whenPeriod": "soon"}]},
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd") / "fhir.sqlite"


@pytest.fixture(scope="module")
def running(database: Path) -> Iterator[str]:
    with running_server(db=database) as server:
        yield server.base_url


Spoil = Callable[..., None]


@pytest.fixture
def spoil(server: str, database: Path) -> Iterator[Spoil]:
    """spoil(type, {mark: content}) puts content into the one resource that holds the mark, past the server's checks."""
    sound: list[tuple[bytes, int]] = []

    def write(bodies: list[tuple[bytes, int]]) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.executemany("UPDATE resource SET body = ? WHERE pk = ?", bodies)

    def change(kind: str, contents: dict[str, dict[str, Any]]) -> None:
        with closing(sqlite3.connect(database)) as connection:
            sql = "SELECT pk, body FROM resource WHERE type = ? AND body IS NOT NULL"
            rows = connection.execute(sql, (kind,)).fetchall()
        for mark, content in contents.items():
            ((pk, body),) = [row for row in rows if f'"{mark}"'.encode() in row[1]]
            sound.append((body, pk))
            changed = {**json.loads(body), **content}
            whole = json.dumps({name: value for name, value in changed.items() if value is not GONE})
            write([(whole.encode(), pk)])

    yield change
    write(sound)


def reasons(settings: Settings, run: str) -> dict[str, str]:
    """Why each stay failed, by the end of its id; empty for one that was scored."""
    ledger = RunFolder.existing(settings.runs, run).read_frame("ledger.parquet")
    return dict(zip(ledger["stay_id"].str.removeprefix("e-"), ledger["reason"], strict=True))


def test_a_result_in_an_odd_shape_fails_its_stay_alone_and_is_left_as_it_is(
    icu, server, screened, spoil, settings
) -> None:
    odd = {**UNUSABLE, **OUT_OF_DATE}
    shapes = {f"s{place}": shape for place, shape in enumerate(odd)}
    for name in (*shapes, "sound"):
        icu.stay(name)
    icu.upload(server)
    assert screened(chunk_size=100)["failed"] == 0
    for name in (*shapes, "sound"):
        icu.lactate(f"p-{name}", "late", 6.0, hours=0.5)
    icu.upload(server)
    spoil("RiskAssessment", {f"Encounter/e-{name}": odd[shape] for name, shape in shapes.items()})
    summary = screened(chunk_size=100)
    said = reasons(settings, summary["run"])
    assert said.pop("sound") == ""
    assert {shape: said[name] for name, shape in shapes.items()} == {
        **dict.fromkeys(UNUSABLE, "write:malformed"),
        **dict.fromkeys(OUT_OF_DATE, ""),
    }
    with FhirClient(FhirEndpoint(server)) as client:
        taken = retract(summary["run"], client, settings, "why", datetime(2026, 1, 2, 9, tzinfo=UTC)).as_json()
    assert (taken["retracted"], taken["failed"]) == (1 + len(OUT_OF_DATE), len(UNUSABLE))


def test_a_provenance_in_an_odd_shape_costs_nobody_anything(icu, server, screened, spoil, held) -> None:
    shapes = ({"target": GONE}, {"target": None}, {"target": [None]}, {"target": {}}, {"target": [{"reference": 7}]})
    for place, _ in enumerate(shapes):
        icu.stay(f"s{place}", lactate=1.0)
    icu.upload(server)
    screened(chunk_size=100)
    for place, _ in enumerate(shapes):
        icu.lactate(f"p-s{place}", "late", 6.0, hours=0.5)
    icu.upload(server)
    spoil("Provenance", {f"Encounter/e-s{place}": content for place, content in enumerate(shapes)})
    summary = screened(chunk_size=100)
    assert (summary["written"], summary["failed"]) == (len(shapes), 0)
    assert len(held("Provenance")) == len(shapes)
