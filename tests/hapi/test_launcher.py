"""What is said where HAPI FHIR cannot be built, and that the documents name the version that is run. Needs no Java."""

import pytest
from tests.hapi.launcher import VERSION, NotBuilt, built

from wardround.settings import PROJECT


def test_without_java_and_maven_it_says_what_to_install(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotBuilt, match=r"java, javac, mvn not found, expected Java 17 .*\(Debian: .* maven\)"):
        built()


def test_the_documents_name_the_version_that_the_tests_run() -> None:
    assert f"HAPI FHIR {VERSION}" in (PROJECT / "docs" / "servers.md").read_text()
