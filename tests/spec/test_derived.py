"""Values derived from a condition's fields are cached, and computed anew for a copy with other fields."""

from pathlib import Path

from wardround.spec.loading import load_condition


def test_a_copy_with_other_features_has_other_columns(schemas: Path) -> None:
    sepsis = load_condition("sepsis", schemas)
    assert sepsis.columns is sepsis.columns
    group = sepsis.features.groups[0]
    narrower = sepsis.features.model_copy(update={"groups": (group,), "demographics": ()})
    copy = sepsis.model_copy(update={"features": narrower})
    assert len(copy.feature_list) == len(group.variables) * len(group.summaries)
    assert copy.columns == tuple(feature.name for feature in copy.feature_list)
    assert copy.longest_window == group.window
    assert copy != sepsis
    assert sepsis.model_copy() == sepsis
    assert len(sepsis.columns) > len(copy.columns)
