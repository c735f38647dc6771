"""Lists the decision records in docs/decisions/README.md, by number and title.

`python docs/site/decisions.py` renews the list, and `make docs` too. tests/promises/test_site.py fails if it is old.
"""

from pathlib import Path
from typing import Final

from wardround.spec.schema import renewed

FOLDER: Final = Path(__file__).parents[1] / "decisions"
PAGE: Final = FOLDER / "README.md"
BEGIN: Final = "<!-- begin: decisions -->"
END: Final = "<!-- end: decisions -->"


def decisions() -> str:
    """Returns the list as Markdown: a link for each record, with its title."""
    records = sorted(path for path in FOLDER.glob("*.md") if path != PAGE)
    titles = (path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for path in records)
    return "\n".join(f"* [{title}]({path.name})" for path, title in zip(records, titles, strict=True))


def with_decisions(page: str) -> str:
    """Returns the page's text with the list between its markers renewed."""
    return renewed(page, BEGIN, END, decisions())


if __name__ == "__main__":
    PAGE.write_text(with_decisions(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
