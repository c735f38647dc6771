"""A bedside door in front of a small ICU, and where it keeps and writes what it says."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cds.ehr import Ehr, keeping_in
from tests.cds.kept import Kept
from tests.cds.line import Line, line_in
from tests.cds.site import Site, site_at
from tests.cds.store import Store
from tests.fixtures.icu import Icu

from wardround.cds.door import Door
from wardround.cds.http import app
from wardround.cds.keeping import Keeping
from wardround.demo.fhir_server.running import running_server
from wardround.settings import Settings, database_in, settings_from


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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as stack:
        yield Store(database_in(tmp_path), stack)


@pytest.fixture
def at(ehr: Ehr, door: Door) -> Callable[[Keeping], Ehr]:
    """at(keeping) is the EHR in front of a door that keeps its calls there."""

    def in_front(keeping: Keeping) -> Ehr:
        return ehr.before(replace(door, means=replace(door.means, keeping=keeping)))

    return in_front


@pytest.fixture(scope="session")
def record_server() -> Iterator[str]:
    with running_server() as running:
        yield running.base_url


@pytest.fixture
def site(record_server: str, icu: Icu, ehr: Ehr, bedside: Settings, tmp_path: Path) -> Site:
    return site_at(record_server, icu, ehr, bedside, tmp_path)
