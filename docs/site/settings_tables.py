"""Writes the tables of settings in docs/operations from what the code declares.

`python docs/site/settings_tables.py` and `make docs` renew them. tests/promises/test_site.py fails if they are old.
"""

from datetime import timedelta
from typing import Final

from wardround.escaping import markdown
from wardround.fhir.source_settings import SourceSettings, form_field, label, meaning, schema
from wardround.settings import PROJECT, VARIABLES, Settings
from wardround.spec.base import format_duration
from wardround.spec.schema import renewed
from wardround.workflows.servers import OF_ALL
from wardround.workflows.source_variables import IN_FILES, SET_BY_VARIABLE

MANUAL: Final = PROJECT / "docs" / "operations"
BEGIN: Final = "<!-- begin: settings -->"
END: Final = "<!-- end: settings -->"
# Where the manual says more about a setting.
_MORE: Final = {
    "profile": "see [server profiles](../servers.md)",
    "icu_classes": "see [whom to screen](whom-to-screen.md)",
    "icu_locations": "see [whom to screen](whom-to-screen.md)",
    "source_map": "see [how](codes-and-units.md)",
    "write_to": "see [how](#results-on-another-server)",
    "chart_url": "see [how](reports.md#the-report-of-a-run)",
    "aliases": "see [why](#whose-a-resource-is)",
}


def of_source() -> list[str]:
    """Returns the table of a source's settings: variable, field of Airflow's form, meaning, default."""
    rows = [
        f"| {_variables(setting)} | {label(setting) if form_field(setting) else 'none: the slots of its pool'} |"
        f" {_text(meaning(setting))}{f' ({_MORE[setting]})' if setting in _MORE else ''} | {_default(setting)} |"
        for setting in SourceSettings.model_fields
    ]
    return ["| variable | Airflow's field | meaning | default |", "| --- | --- | --- | --- |", *rows]


def of_installation() -> list[str]:
    """Returns the table of the variables that `Settings` reads: variable, meaning, default."""
    rows = [
        f"| `{variable.name}` | {variable.meaning} | {variable.default or _shown(getattr(Settings, field))} |"
        for field, variable in VARIABLES.items()
    ]
    return ["| variable | meaning | default |", "| --- | --- | --- |", *rows]


TABLES: Final = {MANUAL / "connect-a-server.md": of_source, MANUAL / "settings.md": of_installation}


def with_table(page: str, rows: list[str]) -> str:
    """Returns the page's text with the table between its markers renewed."""
    return renewed(page, BEGIN, END, "\n".join(rows))


def _text(words: str) -> str:
    """Returns the words as Markdown; MkDocs knows no backslash before < and >."""
    return markdown(words).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _variables(setting: str) -> str:
    if setting not in SET_BY_VARIABLE:
        return "follows from the others"
    name = f"…_{setting.upper()}"
    return f"`{name}`, `{name}_FILE`" if setting in IN_FILES else f"`{name}`"


def _default(setting: str) -> str:
    if SourceSettings.model_fields[setting].is_required():
        return "required"
    of_all = f", or `{VARIABLES[OF_ALL[setting]].name}`" if setting in OF_ALL else ""
    return f"{_shown(schema(setting)['default'])}{of_all}"


def _shown(value: object) -> str:
    match value:
        case None | "" | () | []:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"`{value:g}`"
        case list() | tuple():
            return f"`{','.join(value)}`"
        case timedelta():
            return f"`{format_duration(value)}`"
    return f"`{value}`"


if __name__ == "__main__":
    for path, rows in TABLES.items():
        path.write_text(with_table(path.read_text(encoding="utf-8"), rows()), encoding="utf-8")
