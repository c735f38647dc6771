"""A bedside door in front of a small ICU, and the calls that an EHR makes."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import yaml
from tests.cds.kept import Kept
from tests.cds.line import ISSUERS, Line, line_in
from tests.cds.rules import require
from tests.fixtures.icu import AS_OF, Icu

from wardround.cds.door import Door
from wardround.cds.exchange import Answer, Request
from wardround.cds.http import app
from wardround.settings import Settings, settings_from

RISK = "com.wardround.risk"


class Ehr:
    """An EHR that knows the resources of an ICU and calls a door with them over HTTP, as its templates ask."""

    def __init__(self, icu: Icu, door: Door, line: Line) -> None:
        self.icu = icu
        self.door = door
        self.issuer = ISSUERS[0]
        self._line = line

    def before(self, door: Door) -> "Ehr":
        """Returns the same EHR before another door."""
        return Ehr(self.icu, door, self._line)

    def prefetch(self, patient: str) -> dict[str, Any]:
        """Returns what the templates of sepsis ask for."""
        return {
            "patient": next(one for one in self.icu.resources if one["id"] == patient),
            "encounters": searchset(self._of(patient, "Encounter")),
            "observations": searchset(self._of(patient, "Observation")),
        }

    def call(self, patient: str = "p-a", hook: str = "patient-view", **changed: Any) -> dict[str, Any]:
        """Returns a call about the patient; what is `changed` replaces the key of the body, or removes it if None."""
        body = {
            "hook": hook,
            "hookInstance": str(uuid4()),
            "context": {"userId": "Practitioner/one", "patientId": patient},
            "prefetch": self.prefetch(patient),
        }
        return {key: value for key, value in {**body, **changed}.items() if value is not None}

    def send(
        self, body: Any, service: str = "sepsis-risk", after: timedelta = timedelta(), at: datetime = AS_OF
    ) -> Answer:
        """Sends a body to a service, some time after AS_OF; bytes go as they are. Every answer keeps to `rules`."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        asked = Request("POST", f"/cds-services/{service}", at + after, content, self.issuer)
        answer = self._line.answer(self.door, asked)
        if answer.body:
            require("answer" if answer.status == 200 else "outcome", orjson.loads(answer.body))
        return answer

    def ask(self, patient: str = "p-a", after: timedelta = timedelta(), **changed: Any) -> dict[str, Any]:
        """Returns what the door answers to a call about the patient, which keeps to `rules` and must not be refused."""
        body = self.call(patient, **changed)
        require("request", body)
        answer = self.send(body, after=after)
        assert answer.status == 200, answer.body
        return dict(orjson.loads(answer.body))

    def card(self, patient: str = "p-a", after: timedelta = timedelta(), **changed: Any) -> dict[str, Any]:
        """Returns the one card of that answer."""
        (card,) = self.ask(patient, after, **changed)["cards"]
        return dict(card)

    def _of(self, patient: str, kind: str) -> list[dict[str, Any]]:
        mine = {"reference": f"Patient/{patient}"}
        return [one for one in self.icu.resources if one["resourceType"] == kind and one["subject"] == mine]


def searchset(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the Bundle that answers a search."""
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", **({"entry": entries} if entries else {})}


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="session")
def _line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with line_in(tmp_path_factory.mktemp("line")) as line:
        yield line


@pytest.fixture(scope="session")
def bedside(tmp_path_factory: pytest.TempPathFactory, small_home: Path, lactate_models: Path) -> Settings:
    """The installation of `settings`, made once for all calls that change nothing in it."""
    environment = {"WARDROUND_VAR": str(tmp_path_factory.mktemp("var")), "WARDROUND_MODELS": str(lactate_models)}
    return settings_from({"WARDROUND_HOME": str(small_home), **environment})


@pytest.fixture(scope="session")
def prepared(bedside: Settings) -> Door:
    return Door.of(bedside, Kept(), base_url="https://cds.example.org")


@pytest.fixture
def door(prepared: Door, kept: Kept) -> Door:
    """A door that has been prepared before, and that keeps what this test sees."""
    return keeping_in(prepared, kept)


@pytest.fixture(scope="session")
def home_with(bedside: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """home_with(**spec) is an installation whose sepsis has these keys of its file, beside its own."""

    def home(**spec: Any) -> Settings:
        folder = tmp_path_factory.mktemp("home")
        shutil.copytree(bedside.schemas, folder / "include" / "schemas")
        file = folder / "include" / "schemas" / "conditions" / "sepsis.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **spec}, sort_keys=False))
        return replace(bedside, home=folder)

    return home


@pytest.fixture
def ehr(icu: Icu, door: Door, _line: Line, monkeypatch: pytest.MonkeyPatch) -> Ehr:
    """An EHR whose patient p-a has a lactate of 6.0, and so a high risk, p-mid one of 2.5, and p-low one of 0.6."""
    for name, lactate in (("a", 6.0), ("mid", 2.5), ("low", 0.6)):
        icu.stay(name, lactate=lactate)
    monkeypatch.setattr(app, "ANSWER_SECONDS", 3_600)  # however busy this machine is
    return Ehr(icu, door, _line)


def keeping_in(door: Door, kept: Kept) -> Door:
    """Returns the door with another place where its calls are kept."""
    return replace(door, means=replace(door.means, keeping=kept))
