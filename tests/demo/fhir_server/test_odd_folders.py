"""Tests that reading any folder ends with resources and a list of unusable places, whatever is in it."""

import random
from pathlib import Path

import pytest
from tests.demo.fhir_server.odd_requests import Drawn

from wardround.demo.fhir_server.loading import open_store
from wardround.errors import SourceDataError
from wardround.sources.fhir_folder.resources import FhirFolder, Unread
from wardround.sources.fhir_folder.source import FhirFolderSource


def odd_folder(folder: Path, seed: int, files: int) -> Path:
    """Writes files of request bodies, intact and damaged, one or several per file."""
    bodies = [request.body for request in Drawn(seed).requests(files * 6) if request.body.startswith(b"{")]
    drawn = random.Random(seed)
    folder.mkdir()
    for number in range(files):
        some = drawn.sample(bodies, 1 if number % 3 else 4)
        ending = "json" if number % 3 else "ndjson"
        place = folder / drawn.choice(["", "deleted", "a/b"])
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.{ending}").write_bytes(b"\n".join(some))
    return folder


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_odd_folder_is_loaded_as_far_as_it_can_be(tmp_path: Path, seed: int) -> None:
    folder = odd_folder(tmp_path / "data", seed, 150)
    refused: list[Unread] = []
    store, loaded = open_store(None, folder, refuse=refused.append)
    store.close()
    assert loaded.stored.total() > 10
    assert len(refused) == loaded.refused > 20
    assert all(str(one).startswith(f"{folder}/") for one in refused)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_features_from_an_odd_folder_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    folder = odd_folder(tmp_path / "data", seed, 60)
    read = 0
    for file in sorted(folder.rglob("*json")):
        alone = tmp_path / "alone"
        alone.mkdir(exist_ok=True)
        (alone / file.name).write_bytes(file.read_bytes())
        try:
            FhirFolderSource(alone).find_stays()
            read += 1
        except SourceDataError:
            pass
        (alone / file.name).unlink()
    assert 10 < read < 60


@pytest.mark.parametrize("seed", [1, 2])
def test_an_odd_folder_gives_the_same_result_each_time(tmp_path: Path, seed: int) -> None:
    folder = FhirFolder(odd_folder(tmp_path / "data", seed, 100))
    first, again = ([line[3] for line in folder.lines(lambda _: None)] for _ in "ab")
    assert first == again
