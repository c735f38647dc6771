"""Tests loading a folder of NDJSON and Bundles into a store, completely or not at all."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from wardround.demo.fhir_server.loading import load, open_store
from wardround.demo.fhir_server.store import Store
from wardround.errors import SourceDataError


def _patient(resource_id: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": resource_id, **more}


_OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "a"}}


def _write(folder: Path, name: str, *resources: Any) -> Path:
    folder.mkdir(exist_ok=True)
    text = "\n".join(json.dumps(resource) for resource in resources).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return folder


def _body(store: Store, type_name: str, resource_id: str) -> Any:
    with store.reading() as session:
        row = session.row(type_name, resource_id)
    return json.loads(row.body) if row and row.body else None


def test_every_form_of_file_is_loaded_and_foreign_types_are_counted(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "data"
    _write(data, "a.ndjson", _patient("a"), {"resourceType": "Specimen", "id": "s"})
    _write(data, "b.ndjson.gz", _patient("b"), _patient("c"))
    stay = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"}}
    stay["subject"] = {"reference": "urn:uuid:d"}
    entries = [{"fullUrl": "urn:uuid:e", "resource": stay}, {"fullUrl": "urn:uuid:d", "resource": _patient("d")}]
    _write(data, "c.json", {"resourceType": "Bundle", "type": "collection", "entry": entries})
    (data / "README.txt").write_text("not data")
    loaded = load(store, data)
    assert loaded.stored == {"Patient": 4, "Encounter": 1}
    assert loaded.skipped == {"Specimen": 1}
    assert _body(store, "Encounter", "e")["subject"] == {"reference": "Patient/d"}


def test_the_current_version_of_an_id_is_loaded(store: Store, tmp_path: Path) -> None:
    five, six, seven = ({"meta": {"lastUpdated": f"2026-01-02T0{hour}:00:00Z"}} for hour in (5, 6, 7))
    data = _write(tmp_path / "data", "a.ndjson", _patient("a", gender="male", **seven), _patient("a", **five))
    _write(data, "b.ndjson", _patient("b", **five), _patient("b", gender="female"), _patient("a", **six))
    load(store, data)
    assert [_body(store, "Patient", key).get("gender") for key in ("a", "b")] == ["male", "female"]


def test_no_statement_looks_through_a_table_while_resources_come_before_those_they_refer_to(store: Store) -> None:
    """One that did would make filling quadratic: indexes are made when all are in."""
    stated: list[str] = []
    with store.loading() as session:
        session.connection.set_trace_callback(stated.append)
        for number in range(3):
            subject = {"reference": f"Patient/{number}"}
            session.put("Observation", f"o{number}", {**_OBSERVATION, "subject": subject})
        for number in range(3):
            session.put("Patient", str(number), _patient(str(number), identifier=[{"system": "s", "value": "v"}]))
        session.connection.set_trace_callback(None)
        plans = [session.connection.execute(f"EXPLAIN QUERY PLAN {one}").fetchall() for one in stated]
    assert [one for one in stated if one.startswith("UPDATE resource")]  # each Patient had been referred to
    assert [row[3] for plan in plans for row in plan if not row[3].startswith("SEARCH")] == []


def test_loading_again_creates_no_new_versions(store: Store, tmp_path: Path) -> None:
    data = _write(tmp_path / "data", "a.ndjson", _patient("a"), _patient("b"))
    load(store, data)
    _write(data, "b.ndjson", _patient("b", gender="male"), _patient("c"))
    load(store, data)
    load(store, data)
    versions = [_body(store, "Patient", one)["meta"]["versionId"] for one in "abc"]
    assert versions == ["1", "2", "1"]


def test_an_existing_file_is_kept_and_added_to(tmp_path: Path) -> None:
    db = tmp_path / "db.sqlite"
    first = _write(tmp_path / "first", "a.ndjson", _patient("a"))
    second = _write(tmp_path / "second", "b.ndjson", _patient("b"))
    for data in (first, second, None):
        open_store(db, data)[0].close()
    with Store(db) as store:
        assert _body(store, "Patient", "a") is not None
        assert _body(store, "Patient", "b") is not None


BAD = [
    ("a.ndjson", b"{"),
    ("a.ndjson", b'{"resourceType": "Patient"}'),
    ("a.ndjson", b'{"resourceType": "Patient", "id": "a b"}'),
    ("a.ndjson", b'{"resourceType": "Patient", "id": "a", "gender": "zz-secret-zz"}'),
    ("a.ndjson", b'{"resourceType": "Patient", "id": "a", "birthDate": {"zz-secret-zz": 1}}'),
    ("a.ndjson", b'{"resourceType": "Patient", "id": "a", "name": [{"family": ["zz-secret-zz", {}]}]}'),
    ("a.ndjson.gz", b"no gzip"),
    ("a.json", b"[]"),
]


@pytest.mark.parametrize(("name", "content"), BAD)
def test_what_cannot_be_stored_is_named_and_the_rest_is_loaded(tmp_path: Path, name: str, content: bytes) -> None:
    data = _write(tmp_path / "data", "b.ndjson", _patient("b"))
    (data / name).write_bytes(content)
    refused: list[str] = []
    store, loaded = open_store(tmp_path / "db.sqlite", data, refuse=lambda unread: refused.append(str(unread)))
    with store:
        assert _body(store, "Patient", "b") is not None
        assert _body(store, "Patient", "a") is None
    assert (loaded.stored, loaded.refused) == ({"Patient": 1}, 1)
    assert refused[0].startswith(str(data / name))
    assert "secret" not in refused[0]


@pytest.mark.parametrize(("name", "content"), [*BAD, ("c.txt", b"")])
@pytest.mark.parametrize("before", [False, True])
def test_strict_loading_keeps_nothing_of_a_folder_with_errors(
    tmp_path: Path, name: str, content: bytes, before: bool
) -> None:
    data, db = tmp_path / "data", tmp_path / "db.sqlite"
    data.mkdir()
    (data / name).write_bytes(content)
    if name != "c.txt":
        _write(data, "b.ndjson", _patient("b"))
    if before:
        Store(db).close()
    with pytest.raises(SourceDataError) as caught:
        open_store(db, data, strict=True)
    assert str(data) in str(caught.value)
    assert "secret" not in str(caught.value)
    assert [file.name for file in tmp_path.glob("db*")] == (["db.sqlite"] if before else [])
    with Store(db) as store:
        assert _body(store, "Patient", "b") is None


def test_a_refused_resource_leaves_no_trace_in_searches_and_affects_no_other(
    tmp_path: Path,
) -> None:
    bad = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}, "subject": 5}
    data = _write(tmp_path / "data", "a.ndjson", _patient("a"), bad, _patient("b"))
    store, loaded = open_store(None, data)
    with store, store.reading() as session:
        assert (loaded.stored, loaded.refused) == ({"Patient": 2}, 1)
        assert session.connection.execute("SELECT count(*) FROM search_Observation").fetchone() == (0,)
        assert session.connection.execute("SELECT count(*) FROM resource WHERE body NOT NULL").fetchone() == (2,)


def test_a_resource_may_refer_to_itself(store: Store) -> None:
    stay = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "IMP"}}
    with store.writing() as session:
        session.put("Encounter", "e", {**stay, "partOf": {"reference": "Encounter/e"}})
    assert _body(store, "Encounter", "e")["meta"]["versionId"] == "1"


@pytest.mark.mimic
def test_the_demo_s_official_files_load(mimic_demo: Path) -> None:
    folder = mimic_demo.parent / "mimic-iv-fhir-demo-2.1.0"
    if not folder.is_dir():
        pytest.skip("the FHIR form of the demo is not there")
    store, loaded = open_store(None, folder / "fhir" if (folder / "fhir").is_dir() else folder)
    store.close()
    assert loaded.stored["Patient"] == 100
