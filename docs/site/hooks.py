"""Gives the site the folders of the repository, so that a link which works in the one works in the other.

MkDocs builds what lies in one folder. The documents lie in several, beside what they are about.
"""

from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PROJECT: Final = Path(__file__).parents[2]
SHOWN: Final = (
    "*.md",
    "docs/**/*.md",
    "docs/examples/*",
    "docs/images/*",
    "docs/site/*.css",
    "include/*/README.md",
    "plugins/README.md",
    "tests/**/README.md",
    "benchmarks/README.md",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Returns the theme's own files, and the documents and what they show, each under its path in the repository."""
    of_the_theme = [file for file in files if file.src_dir != config.docs_dir]
    paths = sorted({path for pattern in SHOWN for path in PROJECT.glob(pattern) if path.is_file()})
    ours = [
        File(str(path.relative_to(PROJECT)), str(PROJECT), config.site_dir, config.use_directory_urls) for path in paths
    ]
    return Files([*of_the_theme, *ours])
