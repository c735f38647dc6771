"""What the wheel says of itself: what an installer reads, and what Airflow finds."""

import zipfile
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow


def member(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        [found] = [one for one in archive.namelist() if one.endswith(f".dist-info/{name}")]
        return archive.read(found).decode()


def test_no_package_is_pinned_and_airflow_may_be_any_of_its_range(wheel: Path) -> None:
    metadata = message_from_string(member(wheel, "METADATA"))
    wanted = [Requirement(text) for text in metadata.get_all("Requires-Dist")]
    always = [one for one in wanted if one.marker is None]

    assert [str(one) for one in always if any(each.operator in ("==", "===") for each in one.specifier)] == []
    [airflow] = [one for one in always if one.name == "apache-airflow"]
    # The second is what Google Cloud Composer calls its own.
    assert all(airflow.specifier.contains(version) for version in ("3.3.0", "3.3.1+composer", "3.3.2"))
    assert not any(airflow.specifier.contains(version) for version in ("3.2.2", "3.4.0"))
    assert {"s3", "gcs", "azure"} <= set(metadata.get_all("Provides-Extra"))


def test_airflow_finds_provider_and_pages(wheel: Path) -> None:
    entries = ConfigParser()
    entries.read_string(member(wheel, "entry_points.txt"))

    assert dict(entries["apache_airflow_provider"]) == {"provider_info": "wardround.airflow.provider:get_provider_info"}
    assert dict(entries["console_scripts"]) == {"wardround": "wardround.cli.main:run"}
    assert "wardround" in entries["airflow.plugins"]
