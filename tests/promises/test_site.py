"""Tests that generated parts of the documents are current, and that the version is the same everywhere."""

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from wardround import __version__
from wardround.cli.main import COMMANDS
from wardround.settings import PROJECT

SITE = PROJECT / "docs" / "site"
RENEW = "run make docs, or python docs/site/{name}.py"


def test_the_picture_of_the_rooms_is_that_of_the_imports():
    page = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(SITE / "rooms.py"))["with_picture"](page) == page, RENEW.format(name="rooms")


def test_the_tables_of_settings_are_what_the_code_declares():
    tables = runpy.run_path(str(SITE / "settings_tables.py"))
    for path, rows in tables["TABLES"].items():
        page = path.read_text(encoding="utf-8")
        assert tables["with_table"](page, rows()) == page, RENEW.format(name="settings_tables")


def test_an_import_is_drawn_only_where_no_other_way_leads_there():
    without_detours = runpy.run_path(str(SITE / "rooms.py"))["without_detours"]
    imports = {"top": {"middle", "base", "other"}, "middle": {"base"}, "other": {"base"}, "base": set()}
    assert without_detours(imports) == {**imports, "top": {"middle", "other"}}


def test_every_room_is_in_the_table_of_rooms():
    tools = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = next(one["layers"] for one in tools["importlinter"]["contracts"] if one["type"] == "layers")
    rooms = {room.strip() for layer in layers for room in re.split(r"[:|]", layer)}
    page = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    assert rooms <= {name for row in rows for name in re.findall(r"`(\w+)/`", row)}


def test_every_decision_is_listed_under_a_number_of_its_own():
    page = (PROJECT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(SITE / "decisions.py"))["with_decisions"](page) == page, RENEW.format(name="decisions")
    links = re.findall(r"^\* \[(\d+)\. .+\]\((\d{4})-[\w-]+\.md\)$", page, re.M)
    assert [int(number) for number, _ in links] == [int(file) for _, file in links]
    assert len({number for number, _ in links}) == len(links) == page.count("\n* [")


def test_every_page_of_the_manual_is_in_the_menu_of_the_site():
    text = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    menu = yaml.safe_load(text.partition("\nnav:")[2])
    listed = set(re.findall(r"[\w/.-]+\.md", json.dumps(menu)))
    pages = {str(path.relative_to(PROJECT)) for path in (PROJECT / "docs").rglob("*.md")}
    assert {page for page in pages if "/decisions/0" not in page} <= listed
    assert [page for page in listed if not (PROJECT / page).is_file()] == []


def test_the_newest_version_of_the_changelog_is_the_version_everywhere():
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.M)[0]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    bill = json.loads((PROJECT / "sbom.cdx.json").read_text(encoding="utf-8"))["metadata"]["component"]["version"]
    image = re.findall(r"image: wardround:(\S+)", (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8"))
    assert {newest, project, bill, __version__, *image} == {newest}


def test_a_section_of_the_changelog_is_one_of_those_of_keep_a_changelog():
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", changelog, re.M)) <= kinds


def test_the_site_is_built_without_a_warning_and_each_page_finds_its_files(tmp_path: Path):
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(PROJECT / "src")}
    built = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = ["index.html", "docs/architecture.html", "docs/operations/when-a-run-fails.html", "docs/reference/cli.html"]
    shown = {page: (tmp_path / page).read_text(encoding="utf-8") for page in pages}
    local = r'(?:src|href)="([^":#]+\.(?:css|js|png))"'
    needed = [(page, link) for page, text in shown.items() for link in re.findall(local, text)]
    assert any(link.endswith(".css") for _, link in needed)
    assert [(page, link) for page, link in needed if not (tmp_path / page).parent.joinpath(link).exists()] == []
    assert [name for name in COMMANDS if f'id="wardround-{name}"' not in shown["docs/reference/cli.html"]] == []
