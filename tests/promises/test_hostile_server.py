"""Tests that a screening ends as the table in hostile.py says, and completely once the server is sound.

`python -m pytest -v tests/promises/test_hostile_server.py` ends with the table: what the server did, what had to come
of it, and what was seen. docs/servers.md has its first two columns.
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from tests.promises.hostile import CHUNK, PRIVATE, STAYS, TIMEOUT, WHERE, Hostile, hostile_server, rows

from wardround.adapters.files.run_folder import RunFolder, runs_in
from wardround.demo.fhir_server.running import running_server
from wardround.errors import RunIncomplete, WardroundError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.fhir.patience import Patience
from wardround.fhir.sign_in import BearerToken
from wardround.settings import PROJECT, Settings
from wardround.workflows.screen import Means, ScreeningRequest, require_complete, resume, screen

PATIENTS = {f"Encounter/e-s{place}": f"Patient/p-s{place}" for place in range(STAYS)}
TABLE = {row.does: row for row in rows(elsewhere=0)}
# One row of each kind: of the rows that concern the same requests, as often, and end alike, the first. `make test-slow`
# goes through the whole table.
_KINDS = {(row.where, row.expected, row.times): does for does, row in reversed(TABLE.items())}
TOKEN = "zz-secret-token"
_MOMENTS = count()
_SOUND: dict[str, tuple[str, float]] = {}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[socket.socket]:
    """A port that must not get a request; a connection to it would wait to be accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    with running_server() as sound, hostile_server(sound.base_url) as hostile:
        yield hostile


@pytest.fixture
def ward(icu, hostile: Hostile) -> None:
    hostile.follow(None)
    for place in range(STAYS):
        icu.stay(f"s{place}", lactate=float(PRIVATE[1]))
    for resource in icu.resources:
        if resource["resourceType"] == "Patient":
            resource["name"] = [{"family": PRIVATE[0]}]
    icu.upload(hostile.url)


@pytest.fixture
def expected(ward, hostile: Hostile, settings, tmp_path) -> dict[str, tuple[str, float]]:
    """Returns what a screening of the sound server writes: the patient and score of each encounter."""
    if not _SOUND:
        screening = Screening(hostile.url, replace(settings, runs=str(tmp_path / "sound")), timeout=60.0)
        assert screening.screen(retries=100) == f"{STAYS} scored and written"
        _SOUND.update(screening.written())
    assert {encounter: patient for encounter, (patient, _) in _SOUND.items()} == PATIENTS
    return _SOUND


class Screening:
    """Screens the ward at its own as_of, without waiting."""

    def __init__(self, url: str, settings: Settings, timeout: float) -> None:
        moment = next(_MOMENTS)
        self.as_of = f"2026-01-02T05:{moment // 60:02}:{moment % 60:02}Z"
        self.sound = FhirEndpoint(url, sign_in=BearerToken(TOKEN), threads=2, page_size=9)
        self.source = replace(self.sound, timeout=timeout)
        self.settings = settings
        self.said: list[str] = []

    def screen(self, retries: int) -> str:
        request = ScreeningRequest(
            condition="sepsis", source_url=self.source.base_url, as_of=self.as_of, chunk_size=CHUNK
        )
        return self._ended(lambda means: screen(request, means).as_json(), retries)

    def resume(self) -> str:
        """Resumes from the sound server, which may take its time."""
        self.source = self.sound
        (run,) = runs_in(self.settings.runs)
        return self._ended(lambda means: resume(run, means).as_json(), retries=100)

    def _ended(self, work: Any, retries: int) -> str:
        """Returns how it ended, in the words of the table."""
        patience = Patience(retries, pause=lambda _seconds: None)
        try:
            summary = work(Means(self.source, self.settings, lambda *_: None, patience=patience))
            require_complete(summary["run"], self.settings)
        except RunIncomplete as error:
            self.said.append(str(error))
            (run,) = runs_in(self.settings.runs)
            summary = RunFolder.existing(self.settings.runs, run).read_json("summary.json")
            return f"{_counts(summary)}; exit code {error.exit_code}"
        except WardroundError as error:
            self.said.append(str(error))
            return f"ends with exit code {error.exit_code}"
        return _counts(summary)

    def written(self) -> dict[str, tuple[str, float]]:
        """Returns the patient and the score of each encounter with a RiskAssessment for this time."""
        with FhirClient(self.sound) as client:
            risks = [one for one in client.search("RiskAssessment", {}) if one["occurrenceDateTime"] == self.as_of]
        found = {
            risk["encounter"]["reference"]: (
                risk["subject"]["reference"],
                risk["prediction"][0]["probabilityDecimal"],
            )
            for risk in risks
        }
        assert len(found) == len(risks), "one a stay"
        return found


def _counts(summary: dict[str, Any]) -> str:
    """`3 scored and written, 1 failed`."""
    parts = [f"{summary['scored']} scored and written"] if summary["written"] == summary["scored"] > 0 else []
    odd = {"scored": summary["scored"], "written": summary["written"]} if not parts and summary["scored"] else {}
    rest = {name: summary[name] for name in ("indeterminate", "excluded", "failed") if summary[name]}
    return ", ".join([*parts, *(f"{number} {name}" for name, number in {**odd, **rest}.items())])


@pytest.mark.parametrize(
    "does", [pytest.param(does, marks=() if does in _KINDS.values() else pytest.mark.long) for does in TABLE]
)
def test_whatever_a_server_does(expected, hostile, elsewhere, settings, caplog, hostile_table, does: str) -> None:
    (row,) = [row for row in rows(elsewhere.getsockname()[1]) if row.does == does]
    caplog.set_level("DEBUG")
    caplog.set_level("INFO", "fsspec.local")
    screening = Screening(hostile.url, settings, TIMEOUT if row.drips else 60.0)
    hostile.follow(row)

    seen = screening.screen(retries=1 if row.drips else 100)

    met = hostile.met
    hostile.follow(None)
    hostile_table.append((row.does, WHERE[row.where], row.expected, seen))
    assert (seen, met > 0) == (row.expected, True), screening.said
    assert screening.written().items() <= expected.items()
    assert (screening.resume(), screening.written()) == (f"{STAYS} scored and written", expected), screening.said
    with pytest.raises(BlockingIOError):  # nobody came
        elsewhere.accept()
    said = caplog.text + "".join(screening.said)
    assert [private for private in (*PRIVATE, TOKEN) if private in said] == []


def test_the_documents_have_the_table() -> None:
    text = (PROJECT / "docs" / "servers.md").read_text(encoding="utf-8")
    section = text.partition("## What a server may do")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", section, re.M)[2:]
    assert documented == [(row.does, WHERE[row.where], row.expected) for row in TABLE.values()]
