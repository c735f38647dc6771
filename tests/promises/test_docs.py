"""Tests that the documents match the code: commands, options, settings, exit codes, paths and links."""

import re
import shlex

import click
import pytest

from wardround import errors
from wardround.airflow.provider import CONNECTION_FIELDS
from wardround.cli.main import COMMANDS, wardround
from wardround.report.report_words import STAY_REASONS
from wardround.settings import PROJECT
from wardround.workflows.source_variables import IN_FILES, SET_BY_VARIABLE

DOCUMENTS = [
    *PROJECT.glob("*.md"),
    *(PROJECT / "docs").rglob("*.md"),
    *(PROJECT / "include").rglob("README.md"),
    *(PROJECT / "tests").rglob("README.md"),
    *(PROJECT / "benchmarks").glob("README.md"),
]
TEXTS = {str(path.relative_to(PROJECT)): path.read_text(encoding="utf-8") for path in DOCUMENTS}
OPERATIONS = {name: text for name, text in TEXTS.items() if name.startswith("docs/operations/")}
SOURCES = [path for folder in ("src", "dags", "plugins", "config") for path in (PROJECT / folder).rglob("*.py")]


def section_of(document: str, heading: str) -> str:
    """Returns the text under a heading of the second level, up to the next one."""
    _, found, rest = TEXTS[document].partition(f"\n## {heading}\n")
    assert found, f"{document}: no heading {heading!r}"
    return rest.partition("\n## ")[0]


def anchors_of(text: str) -> set[str]:
    """Returns the anchors that GitHub and the built pages give to a document's headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    headings = re.findall(r"^#{1,6} (.+)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_in(text: str) -> list[list[str]]:
    """Yields the words of every `wardround …` line in the code of a document; placeholders stay as they are."""
    lines = re.findall(r"^ {4,}(?:\w+=\S+ )*wardround ([^#\n]+)", text, re.M) + re.findall(r"`wardround ([^`]+)`", text)
    return [shlex.split(line.replace("…", "")) for line in lines]


@pytest.mark.parametrize("document", TEXTS)
def test_a_walk_through_the_sandbox_names_the_condition_that_its_patients_are_for(document):
    """The service has a condition for each file, and a new installation a live model for one of them."""
    walks = [words for words in commands_in(TEXTS[document]) if words[:1] == ["sandbox"] and "--serve" in words]
    for words in walks:
        assert "--condition" in words or not words[-1].endswith(".json"), words


@pytest.mark.parametrize("document", TEXTS)
def test_every_command_and_option_in_a_document_exists(document):
    for words in commands_in(TEXTS[document]):
        context = click.Context(wardround)
        command: click.Command = wardround
        for word in [re.split(r"[|]", word)[0] for word in words]:
            if isinstance(command, click.Group):
                found = command.get_command(context, word)
                assert found is not None or word.startswith("-"), f"wardround {' '.join(words)}: no command {word}"
                command = found or command
            elif word.startswith("--"):
                options = {name for parameter in command.params for name in parameter.opts}
                assert word.split("=")[0] in options, f"wardround {' '.join(words)}: no option {word}"


@pytest.mark.parametrize("document", TEXTS)
def test_every_link_leads_somewhere(document):
    """Linked files must exist, and a heading that a link names must be in the document."""
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[document]) if "://" not in link]
    assert [link for link in links if not leads_somewhere(document, link)] == []


def leads_somewhere(document: str, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = ((PROJECT / document).parent / path).resolve() if path else PROJECT / document
    if not target.exists():
        return False
    return not anchor or anchor in anchors_of(TEXTS.get(str(target.relative_to(PROJECT)), ""))


@pytest.mark.parametrize("document", TEXTS)
def test_every_file_that_a_document_names_is_there(document):
    """Paths such as `core/events.py` may start at the project's root or at src/wardround."""
    named = re.findall(r"`((?:[a-z_\d]+/)+[a-z_\d]+\.(?:py|yaml|md|json))`", TEXTS[document])
    roots = (PROJECT, PROJECT / "src" / "wardround", (PROJECT / document).parent)
    # What a run or the model store holds is made later.
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []


def test_every_folder_that_the_architecture_names_is_there():
    named = re.findall(r"`((?:[a-z_\d]+/)+)`", TEXTS["docs/architecture.md"])
    roots = (PROJECT, PROJECT / "src" / "wardround")
    assert len(named) > 20
    assert [name for name in named if not any((root / name).is_dir() for root in roots)] == []


def test_the_maintainer_s_questions_are_answered_with_a_place_each():
    section = TEXTS["docs/architecture.md"].partition("\n## Which file answers")[2].partition("\n## Times")[0]
    rows = re.findall(r"^\| (?!question|what \||---)(.+?) \| (.+) \|$", section, re.M)
    assert len(rows) >= 20
    assert [question for question, answer in rows if "`" not in answer] == []


def test_every_setting_is_documented():
    read = {name for path in SOURCES for name in re.findall(r"\bWARDROUND_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    documented = {name for text in OPERATIONS.values() for name in re.findall(r"\bWARDROUND_[A-Z_]+\b", text)}
    assert read <= documented


def test_every_reason_why_somebody_is_not_screened_is_documented():
    section = section_of("docs/operations/whom-to-screen.md", "Why somebody is not screened")
    reasons = {name for row in re.findall(r"^\| (`.+?) \|", section, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert reasons == set(STAY_REASONS)


def test_every_variable_of_a_named_source_and_every_field_of_its_connection_is_documented():
    read = {setting.upper() for setting in SET_BY_VARIABLE} | {f"{setting.upper()}_FILE" for setting in IN_FILES}
    section = section_of("docs/operations/connect-a-server.md", "Signing in to a FHIR server")
    assert read == set(re.findall(r"`…_([A-Z_]+)`", section))
    assert [name for name, field in CONNECTION_FIELDS.items() if f"| {field['label']} |" not in section] == []


def test_every_command_of_the_table_has_a_module_and_help():
    context = click.Context(wardround)
    for name in COMMANDS:
        command = wardround.get_command(context, name)
        assert command is not None
        assert command.help, name


def test_every_option_has_help():
    context = click.Context(wardround)
    groups = [(name, wardround.get_command(context, name)) for name in COMMANDS]
    commands = [
        (f"{name} {inner_name}".strip(), inner)
        for name, command in groups
        for inner_name, inner in (command.commands.items() if isinstance(command, click.Group) else [("", command)])
    ]
    bare = [
        f"{name} {parameter.opts[0]}"
        for name, command in commands
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert bare == []


def test_exit_codes_are_distinct_and_those_of_the_table():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert len(set(codes.values())) == len(codes)
    table = dict(re.findall(r"(\w+)\s{2,}(\d+)\s", errors.__doc__ or ""))
    assert {name: str(code) for name, code in codes.items()} == table


def test_every_exit_code_is_documented():
    section = section_of("docs/operations/when-a-run-fails.md", "Exit codes")
    rows = re.findall(r"^\| (\d+) \| (?:`(\w+)` )?\|", section, re.M)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert dict(rows) == {"0": "", "2": "", **{str(kind.exit_code): kind.__name__ for kind in kinds}}


@pytest.mark.parametrize("document", TEXTS)
def test_every_test_that_a_document_names_is_there(document):
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXTS[document])
    gone = [
        f"{file}::{test}"
        for file, test in named
        if not (PROJECT / file).is_file()
        or not re.search(rf"^(?:async )?def {test}\(", (PROJECT / file).read_text(encoding="utf-8"), re.M)
    ]
    assert gone == []


@pytest.mark.parametrize(("document", "letter"), [("docs/clinical-safety.md", "H"), ("SECURITY.md", "T")])
def test_every_hazard_and_threat_has_an_id_of_its_own_and_a_test(document, letter):
    lines = re.findall(rf"^\| {letter}\d\d \|.*\|$", TEXTS[document], re.M)
    rows = [line.strip("|").split("|") for line in lines]
    assert len(rows) >= 10
    ids = [row[0].strip() for row in rows]
    assert ids == [f"{letter}{number:02d}" for number in range(1, len(rows) + 1)]
    assert [row[0] for row in rows if not re.search(r"`tests/[\w/]+\.py::\w+`", row[-1])] == []


def test_no_document_names_this_machine():
    suspicious = re.compile(r"/(?:root|tmp|home|work)/\w")
    assert [name for name, text in TEXTS.items() if suspicious.search(text)] == []


def test_the_safety_sentence_is_where_people_look():
    for name in ("README.md", "docs/clinical-safety.md"):
        assert "decision support" in TEXTS[name].lower()
        assert "adjunct" in TEXTS[name].lower()
        assert "validat" in TEXTS[name].lower()
