"""Generates the JSON schemas of the spec's files and the README's tables of keys from the models.

`python -m wardround.spec.schema include/schemas` writes both.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wardround.spec.base import SpecModel, format_duration
from wardround.spec.conditions import ConditionFile
from wardround.spec.servers import ServerProfile
from wardround.spec.source_maps import SourceMap
from wardround.spec.stream import StreamSettings
from wardround.spec.variables import VariablesFile

FILES: dict[str, type[SpecModel]] = {
    "variables": VariablesFile,
    "condition": ConditionFile,
    "server": ServerProfile,
    "source_map": SourceMap,
    "stream": StreamSettings,
}
_BEGIN, _END = "<!-- keys of {name}: generated -->", "<!-- end of {name} -->"


def json_schema(name: str) -> str:
    """Returns the JSON schema of a file's model, as the text of `<name>.schema.json`."""
    schema = FILES[name].model_json_schema()
    if name == "variables":
        # A variable's name is its key, so editors must not ask for it again inside.
        schema["$defs"]["Variable"]["required"].remove("name")
        del schema["$defs"]["Variable"]["properties"]["name"]
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def key_rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yields (key, default or "required", meaning) for every key of a model and of the models inside it."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        if not (prefix.endswith("<name>.") and name == "name"):
            yield key, _default(field), field.description or ""
            inner, mark = _inner(field.annotation)
            if inner:
                yield from key_rows(inner, f"{key}{mark}.")


def _key_table(name: str) -> str:
    """Returns a Markdown table of every key of a file."""
    rows = [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in key_rows(FILES[name])]
    return "\n".join(["| key | default | meaning |", "| --- | --- | --- |", *rows])


def with_tables(readme: str) -> str:
    """Returns the README's text with its generated tables renewed."""
    for name in FILES:
        readme = renewed(readme, _BEGIN.format(name=name), _END.format(name=name), _key_table(name))
    return readme


def renewed(page: str, begin: str, end: str, content: str) -> str:
    """Returns a page's text with what lies between the markers `begin` and `end` replaced by `content`."""
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{content}\n{end}{tail}"


def write(schemas: Path) -> None:
    """Writes the JSON schemas beside the YAML and renews the README's tables."""
    for name in FILES:
        (schemas / f"{name}.schema.json").write_text(json_schema(name), encoding="utf-8")
    readme = schemas / "README.md"
    readme.write_text(with_tables(readme.read_text(encoding="utf-8")), encoding="utf-8")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, SpecModel):
        return "none"
    return f"`{json.dumps(field.default, default=format_duration)}`"


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """Returns the model inside an annotation, and how its keys join the outer key: `[]` in lists, `.<name>` in maps."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    arguments = getattr(annotation, "__args__", ())
    origin = getattr(annotation, "__origin__", None)
    mark = "[]" if origin is tuple else ".<name>" if origin is dict else ""
    found = next((inner for inner, _ in map(_inner, arguments) if inner), None)
    return found, mark


if __name__ == "__main__":
    write(Path(sys.argv[1]))
