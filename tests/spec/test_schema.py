"""The generated JSON schemas and the README's tables match the models."""

import pytest

from wardround.spec.schema import FILES, json_schema, key_rows, with_tables

RENEW = "run python -m wardround.spec.schema include/schemas"


@pytest.mark.parametrize("name", FILES)
def test_the_json_schema_is_that_of_the_model(schemas, name):
    assert (schemas / f"{name}.schema.json").read_text() == json_schema(name), RENEW


def test_the_readme_lists_every_key_as_the_models_have_it(schemas):
    readme = (schemas / "README.md").read_text()
    assert with_tables(readme) == readme, RENEW


@pytest.mark.parametrize("name", FILES)
def test_every_key_has_a_meaning(name):
    assert [key for key, _, meaning in key_rows(FILES[name]) if not meaning] == []
