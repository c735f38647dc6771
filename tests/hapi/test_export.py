"""HAPI's bulk export, whose steps begin once a minute."""

import pytest
from tests.hapi.screening import screened

pytestmark = [pytest.mark.hapi, pytest.mark.parametrize("server", ["h2"], indirect=True)]


def test_its_export_gives_the_scores_that_searches_give(source, settings, as_of) -> None:
    searched = screened(source, settings, as_of)
    exported = screened(source, settings, as_of, cohort="export")
    assert exported["unchanged"] == exported["written"] == searched["written"] > 0
    assert exported["found"] == searched["found"]
