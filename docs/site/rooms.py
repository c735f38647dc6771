"""Draws the picture of the rooms in docs/architecture.md from the imports of the code.

`python docs/site/rooms.py` renews it, and `make docs` too. tests/promises/test_site.py fails if it is old.
"""

import tomllib
from pathlib import Path
from typing import Final

import grimp

from wardround.spec.schema import renewed

PROJECT: Final = Path(__file__).parents[2]
PAGE: Final = PROJECT / "docs" / "architecture.md"
BEGIN: Final = "<!-- begin: rooms -->"
END: Final = "<!-- end: rooms -->"

# What every room may use; an arrow to these would say nothing.
_EVERYWHERE: Final = {"errors", "escaping", "settings", "__main__"}


def room_imports() -> dict[str, set[str]]:
    """Returns, for every room of src/wardround, the rooms that its files import."""
    graph = grimp.build_graph("wardround", cache_dir=None)
    modules = sorted(graph.find_children("wardround") - {f"wardround.{name}" for name in _EVERYWHERE})
    return {
        one.split(".")[1]: {
            other.split(".")[1]
            for other in modules
            if one != other and graph.direct_import_exists(importer=one, imported=other, as_packages=True)
        }
        for one in modules
    }


def without_detours(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Returns the imports without those that a longer way shows too: a to c, where a imports b, which imports c."""
    reached: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in reached:
            reached[room] = imports[room].union(*map(reach, imports[room]))
        return reached[room]

    return {
        room: {other for other in others if not any(other in reach(between) for between in others - {other})}
        for room, others in imports.items()
    }


def pure_rooms() -> set[str]:
    """Returns the rooms that pyproject.toml keeps from network, web and files."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    pure = next(one for one in contracts["contracts"] if one["name"].startswith("The pure rooms"))
    return {module.split(".")[1] for module in pure["source_modules"]}


def picture() -> str:
    """Returns the Mermaid flowchart of the rooms."""
    imports = without_detours(room_imports())
    pure = pure_rooms()
    lines = ["```mermaid", "flowchart TD", '    subgraph outside["may use network, files and clock"]']
    lines += [f"        {room}" for room in imports if room not in pure]
    lines += ["    end", '    subgraph pure["pure: no network, files, environment or clock"]']
    lines += [f"        {room}" for room in imports if room in pure]
    lines += ["    end"]
    lines += [f"    {room} --> {other}" for room, others in imports.items() for other in sorted(others)]
    return "\n".join([*lines, "```"])


def with_picture(page: str) -> str:
    """Returns the page's text with the picture between its markers renewed."""
    return renewed(page, BEGIN, END, picture())


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
