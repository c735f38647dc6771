"""Tests which files of a folder are read, how, and what is reported about the others."""

import gzip
import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import fsspec
import pytest

from wardround.errors import SourceDataError
from wardround.sources.fhir_folder.resources import Current, FhirFolder, Unread

Resource = dict[str, Any]
T1, T2 = "2026-03-10T01:00:00Z", "2026-03-10T02:00:00Z"


def patient(key: Any, **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": key, **more}


def bundle(*resources: Resource, **more: Any) -> Resource:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources], **more}


def deleted(reference: str, **more: Any) -> Resource:
    return {"resourceType": "Bundle", "entry": [{"request": {"method": "DELETE", "url": reference}}], **more}


def write(folder: Path, name: str, *contents: Any) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    text = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in contents)
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return folder


def ids(folder: FhirFolder) -> list[str]:
    return [resource["id"] for _, resource in folder.resources()]


def said(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the usable ids, and what is reported about the rest, without the folder."""
    refused: list[Unread] = []
    found = [resource["id"] for _, resource in FhirFolder(folder).resources(refused.append)]
    return found, [str(one).removeprefix(f"{folder}/") for one in refused]


def test_every_form_is_read_in_order_of_name_including_subfolders(tmp_path: Path) -> None:
    write(tmp_path, "a.ndjson", patient("1"), b"  ", patient("2"))
    write(tmp_path, "b/z.ndjson.gz", patient("3"))
    write(tmp_path, "c.json", bundle(patient("4"), patient("5"), type="collection"))
    write(tmp_path, "d.json", patient("6"))
    write(tmp_path, "e_patient.json", {"patient": patient("7"), "none": None, "all": bundle(patient("8"))})
    write(tmp_path, "f.ndjson", bundle(patient("9")), patient("10"))
    write(tmp_path, "g.ndjson", BOM_UTF8 + json.dumps(patient("11")).encode())
    folder = FhirFolder(tmp_path)
    assert ids(folder) == [str(number) for number in range(1, 12)]
    places = [str(place).removeprefix(f"{tmp_path}/") for place, _ in folder.resources()]
    assert places[1:9] == [
        *("a.ndjson, line 3", "b/z.ndjson.gz, line 1", "c.json, entry 1", "c.json, entry 2", "d.json"),
        *("e_patient.json, entry 1", "e_patient.json, entry 2", "f.ndjson, line 1"),
    ]


def test_a_folder_may_be_at_a_url() -> None:
    fsspec.filesystem("memory").pipe("/a-folder/in/a.ndjson", json.dumps(patient("1")).encode())
    assert ids(FhirFolder("memory://a-folder")) == ["1"]


class Buffered(fsspec.get_filesystem_class("memory")):
    """An object store whose files are read by blocks, as fsspec reads those of S3; counts what it hands out."""

    protocol = "buffered"
    handed_out = 0

    def _open(self, path, mode="rb", **_options):
        content = self.cat_file(path)

        class File(fsspec.spec.AbstractBufferedFile):
            def _fetch_range(self, start, end):
                return content[start:end]

            def read(self, length=-1):
                part = super().read(length)
                Buffered.handed_out += len(part)
                return part

        return File(self, path, mode)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("buffered://", "memory://"))


fsspec.register_implementation("buffered", Buffered, clobber=True)


def test_each_byte_of_a_file_in_object_storage_is_read_once_and_not_once_a_line() -> None:
    lines = [json.dumps(patient(str(number))) for number in range(5000)]
    content = "\n".join(lines).encode()
    fsspec.filesystem("memory").pipe_file("/once/a.ndjson", content)
    Buffered.handed_out = 0
    assert len(ids(FhirFolder("buffered://once"))) == len(lines)
    assert Buffered.handed_out == len(content)


def test_an_exports_log_manifest_and_errors_are_not_data(tmp_path: Path) -> None:
    write(tmp_path, "Patient.ndjson", patient("1"))
    write(tmp_path, "log.ndjson", {"eventId": "kickoff"})
    write(tmp_path, "manifest.json", {"output": []})
    write(tmp_path, "error.ndjson", {"resourceType": "OperationOutcome"}, {"resourceType": "OperationOutcome"})
    write(tmp_path, "attachments/scan.pdf", b"%PDF")
    write(tmp_path, ".cache/a.ndjson", patient("2"))
    folder = FhirFolder(tmp_path)
    assert ids(folder) == ["1"]
    assert folder.account.passed_over == [".cache/a.ndjson", "attachments/scan.pdf", "log.ndjson", "manifest.json"]
    assert folder.account.counts == {"operation_outcomes": 2, "files_passed_over": 4}


def test_deleted_resources_do_not_count_wherever_the_deletion_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "Patient.ndjson", *(patient(key, meta={"lastUpdated": T1}) for key in "123"))
    write(tmp_path, "deleted/Patient.ndjson", deleted("Patient/1"), deleted("Patient/2", timestamp=T2))
    write(tmp_path, "zz.json", deleted("Patient/3", timestamp="2026-03-10T00:00:00Z"))
    current = Current(FhirFolder(tmp_path), lambda resource: resource["resourceType"])
    assert [resource["id"] for _, resource in current.resources()] == ["3"]
    assert [dict(groups) for groups in current.counts.values()] == [{"Patient": 1}]
    assert current.account.counts == {"resources_deleted": 3}


def test_a_resource_in_a_deleted_file_is_not_restored(tmp_path: Path) -> None:
    write(tmp_path, "a.ndjson", patient("1"))
    write(tmp_path, "deleted/Patient.ndjson", patient("2"))
    found, refused = said(tmp_path)
    assert found == ["1"]
    assert refused == [
        "deleted/Patient.ndjson, line 1: among the deleted resources, expected Bundles of DELETE entries"
    ]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.ndjson", b"{", "a.ndjson, line 2"),
        ("a.ndjson", b"[]", "a.ndjson, line 2"),
        ("a.ndjson", b'{"id": "a"}', "a.ndjson, line 2"),
        ("a.ndjson", b'{"resourceType": "Patient"}', "a.ndjson, line 2"),
        ("a.ndjson", b'{"resourceType": "sec\xed\xa0\x80ret", "id": "a"}', "a.ndjson, line 2"),
        ("a.ndjson", b'{"resourceType": "Patient", "id": "zz secret"}', "a.ndjson, line 2"),
        ("a.ndjson", b'{"resourceType":"Patient","id":"secret","x":NaN}', "a.ndjson, line 2"),
        ("a.ndjson", b'{"resourceType":"Patient","id":"secret","x":"\xff"}', "a.ndjson, line 2"),
        ("a.ndjson.gz", b'{"resourceType":"Patient","id":"secret"', "a.ndjson.gz, line 2"),
        ("a.ndjson", json.dumps(bundle({"id": "secret"})).encode(), "a.ndjson, line 2"),
        ("a.json", b"{", "a.json"),
        ("a.json", b'{"name": "secret"}', "a.json"),
        ("a.json", json.dumps(bundle(patient("0"), {"id": "secret"})).encode(), "a.json, entry 2"),
        ("a.json", b'{"resourceType": "Bundle", "entry": {"secret": 5}}', "a.json"),
    ],
)
def test_an_unusable_resource_is_named_by_its_place_and_affects_no_other(
    tmp_path: Path, name: str, content: bytes, place: str
) -> None:
    lines = [patient("0"), content, patient("1")] if ".ndjson" in name else [content]
    write(write(tmp_path, name, *lines), "z.ndjson", patient("2"))
    found, (refused,) = said(tmp_path)
    assert set(found) >= ({"0", "1", "2"} if ".ndjson" in name else {"2"})
    assert refused.startswith(f"{place}: ")
    assert "secret" not in refused
    with pytest.raises(SourceDataError, match=place):
        ids(FhirFolder(tmp_path))


def test_the_lines_before_the_end_of_a_truncated_file_count(tmp_path: Path) -> None:
    write(tmp_path, "a.ndjson.gz", *(patient(str(number)) for number in range(20_000)))
    whole = (tmp_path / "a.ndjson.gz").read_bytes()
    (tmp_path / "a.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    found, refused = said(tmp_path)
    assert len(found) > 5_000
    assert refused[-1].startswith("a.ndjson.gz: cannot be read")


@pytest.mark.parametrize("name", ["a.txt", "log.ndjson"])
def test_a_folder_without_fhir_files_is_an_error(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, name, patient("1"))
    with pytest.raises(SourceDataError, match=r"no \*\.ndjson, \*\.ndjson\.gz or \*\.json"):
        ids(FhirFolder(folder))


def test_the_type_of_a_line_is_found_in_any_order_of_elements(tmp_path: Path) -> None:
    lines = [b'{"id":"1","resourceType":"Patient"}', b'{"resourceType":"Group","id":"2"}']
    mixed = [lines[0], lines[1], lines[1], lines[0], b'{"resourceType": "Groups", "id": "3"}', lines[1]]
    write(tmp_path, "a.ndjson", *mixed)
    kinds = [kind for _, _, kind, _ in FhirFolder(tmp_path).lines()]
    assert kinds == ["Patient", "Group", "Group", "Patient", "Groups", "Group"]


def test_the_latest_of_several_versions_counts_across_files_and_forms(tmp_path: Path) -> None:
    def version(key: str, updated: str, gender: str) -> Resource:
        return patient(key, meta={"lastUpdated": updated}, gender=gender)

    write(tmp_path, "a.ndjson", version("1", T2, "female"), version("2", T1, "male"), patient("3"))
    write(tmp_path, "b.json", bundle(version("1", T1, "male"), version("2", T2, "female")))
    current = Current(FhirFolder(tmp_path), lambda resource: resource.get("gender"))
    kept = [(resource["id"], resource.get("gender")) for _, resource in current.resources()]
    assert kept == [("1", "female"), ("3", None), ("2", "female")]
    alone = [resource["id"] for _, resource in current.resources(lambda gender: gender == "female")]
    assert alone == ["1", "2"]


def test_files_added_after_the_survey_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, "a.ndjson", patient("1"))
    current = Current(FhirFolder(tmp_path), lambda resource: resource["resourceType"])
    write(tmp_path, "a.ndjson", patient("1"), patient("2"))
    write(tmp_path, "b.ndjson", patient("3"))
    assert [resource["id"] for _, resource in current.resources()] == ["1"]


def test_a_missing_folder_is_distinguished_from_one_without_fhir_files(tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match="there is no such folder; give a folder of FHIR files"):
        ids(FhirFolder(tmp_path / "misspelt"))
