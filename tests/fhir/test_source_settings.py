"""Tests that every setting of a source is declared completely."""

from wardround.fhir.source_settings import SourceSettings, label, meaning


def test_every_setting_has_a_label_and_a_meaning() -> None:
    assert [one for one in SourceSettings.model_fields if not (label(one) and meaning(one))] == []
