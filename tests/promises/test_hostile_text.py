"""Tests text from people, files and servers: no output interprets it or breaks on it, and each shows what it is."""

import csv
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
import yaml
from tests.loopback import Line, serving

from wardround.adapters.html.model_card import render_card
from wardround.adapters.html.report import environment
from wardround.adapters.models.store import ModelStore
from wardround.cli.main import run
from wardround.cli.streams import SafeStream
from wardround.demo.fhir_server.running import running_server
from wardround.evaluation.comparison import Comparison

# A terminal's colour, title and cursor, a C1 control, rich's markup (right and wrong), HTML, a formula, letters in
# reverse, a forged line of a log, and separators of lines.
HOSTILE = (
    "=1+1 \x1b[31mred\x1b]0;mine\x07\x1b[2J\x9b1m [red]x[/] [/] [/b] <script>alert(1)</script> =1+1 "
    "\u202egnp\u2066\n2026 ERROR x\u2028y"
)
UNSEEN = "\x1b\x07\x9b\u202e\u2066\u2028"
AS_OF = "2026-01-02T05:00:00Z"
Command = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path, lactate_models: Path) -> ModelStore:
    return ModelStore(Path(shutil.copytree(lactate_models, tmp_path / "models")))


@pytest.fixture
def command(monkeypatch, capsys, tmp_path: Path, small_home: Path, store: ModelStore) -> Command:
    """Runs a command as a process; returns what it printed on both streams, which contains no control characters."""
    places = {"HOME": small_home, "VAR": tmp_path / "var", "RUNS": tmp_path / "runs", "MODELS": store.root}
    for name, place in places.items():
        monkeypatch.setenv(f"WARDROUND_{name}", str(place))
    monkeypatch.setenv("COLUMNS", "4000")

    def command(*arguments: str, code: int | None = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["wardround", *arguments])
        try:
            run()
            ended = 0
        except SystemExit as end:
            ended = int(end.code or 0)
        out, err = capsys.readouterr()
        assert code is None or ended == code, err
        assert [letter for letter in UNSEEN if letter in out + err] == []
        assert "Traceback" not in err
        return str(out + err)

    return command


def _is_shown(text: str) -> bool:
    return "[red]x[/] [/] [/b] <script>alert(1)</script> =1+1" in text


def test_the_reason_and_the_name_of_who_decides_are_shown_by_every_command_that_shows_them(command, store) -> None:
    version = store.versions("sepsis")[0]
    said = ["--by", HOSTILE, "--why", HOSTILE]
    store.save("sepsis", store.card("sepsis", version).model_copy(update={"version": "2"}), {
        name: (store.root / "sepsis" / version / name).read_bytes() for name in store.card("sepsis", version).files
    })  # fmt: skip
    command("model", "suspend", "sepsis", *said)
    assert _is_shown(command("model", "list"))
    assert _is_shown(command("model", "show", "sepsis"))
    assert _is_shown(command("screen", "sepsis", "--source", "http://127.0.0.1:9", "--as-of", AS_OF, code=14))
    command("model", "resume", "sepsis", *said)
    command("model", "challenge", "sepsis", "2", *said)
    command("model", "promote", "sepsis", "2", *said)
    assert _is_shown(command("model", "show", "sepsis", "2"))
    command("model", "rollback", "sepsis", *said)
    listed = json.loads(command("model", "list", "sepsis", "--json"))
    assert listed["models"][0]["decision"]["why"] == HOSTILE.strip()
    assert command("check")


def test_printed_text_cannot_set_colours_on_a_terminal(command, faulty, monkeypatch, store) -> None:
    command("model", "suspend", "sepsis", "--by", HOSTILE, "--why", HOSTILE)
    for arguments in (["model", "list"], ["model", "show", "sepsis"], ["check-source", faulty]):
        shown = Terminal()
        monkeypatch.setattr(sys, "stdout", shown)
        monkeypatch.setattr(sys, "argv", ["wardround", *arguments])
        with suppress(SystemExit):
            run()
        assert "31mred" in shown.getvalue()
        assert "\x1b[31mred" not in shown.getvalue()


def test_half_letters_of_a_terminal_are_kept_as_marks_and_spoil_no_list(command, store) -> None:
    command("model", "suspend", "sepsis", "--by", "a\udcffb", "--why", "\udc80 [/]")
    assert "a?b" in command("model", "list")


@pytest.mark.parametrize(
    "arguments",
    [
        ["model", "show", "sepsis", HOSTILE],
        ["model", "list", HOSTILE],
        ["train", HOSTILE, "--mimic", "/nowhere"],
        ["train", "sepsis", "--mimic", f"/nowhere/{HOSTILE}"],
        ["train", "sepsis", "--mimic", "/nowhere", "--label", HOSTILE],
        ["train", "sepsis", "--mimic", "/nowhere", "--candidates", HOSTILE],
        ["labels", "sepsis", "--mimic", f"/nowhere/{HOSTILE}", "--out", "/nowhere/x"],
        ["features", "sepsis", "--fhir", f"/nowhere/{HOSTILE}", "--as-of", AS_OF, "--out", f"/nowhere/{HOSTILE}"],
        ["report", HOSTILE],
        ["retract", HOSTILE, "--why", HOSTILE],
        ["screen", "--resume", HOSTILE],
        ["screen", "sepsis", "--source", HOSTILE, "--as-of", AS_OF],
        ["screen", "sepsis", "--source", "http://127.0.0.1:9/fhir", "--as-of", AS_OF, "--cohort", HOSTILE],
        ["check-source", f"http://127.0.0.1:9/{HOSTILE}"],
        ["seed", "--source", "http://127.0.0.1:9/fhir", "--data", f"/nowhere/{HOSTILE}"],
        ["fhir-server", "--port", "0", "--data", f"/nowhere/{HOSTILE}"],
        ["model", "import", "--condition", "sepsis", f"/nowhere/{HOSTILE}"],
        ["mimic2fhir", "--mimic", f"/nowhere/{HOSTILE}", "--out", "/nowhere"],
        ["sandbox", f"/nowhere/{HOSTILE}"],
        ["sandbox", "--hook", HOSTILE, "--url", f"http://127.0.0.1:9/{HOSTILE}", f"/nowhere/{HOSTILE}"],
        ["demo-patients", "--condition", HOSTILE, "--fhir", "http://127.0.0.1:9/fhir", "--out", f"/nowhere/{HOSTILE}"],
        [HOSTILE],
        ["model", HOSTILE],
        ["check", f"--{HOSTILE}"],
    ],
)
def test_names_and_paths_that_are_wrong_are_named_as_what_they_are(command, arguments) -> None:
    assert command(*arguments, code=None)


def test_titles_of_a_condition_are_shown_as_they_are_and_what_is_not_seen_is_refused(
    command, monkeypatch, tmp_path, small_home, evaluated_card
) -> None:
    title = "[red]x[/] [/] <script>alert(1)</script> `x` =1+1"
    home = Path(shutil.copytree(small_home, tmp_path / "home"))
    monkeypatch.setenv("WARDROUND_HOME", str(home))
    path = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    content = {**yaml.safe_load(path.read_text()), "title": title}
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    assert command("check", code=None)
    page = render_card(evaluated_card.model_copy(update={"title": title}))
    assert "<script>" not in page
    path.write_text(yaml.safe_dump({**content, "title": "Sepsis \u202e"}, allow_unicode=True))
    assert r"'Sepsis \u202e' contains an invisible character; remove it" in command("check", code=3)


def introduces_itself_and_refuses(line: Line) -> None:
    """With hostile words."""
    if line.path.partition("?")[0].endswith("/metadata"):
        software = {"name": HOSTILE, "version": HOSTILE}
        rest = [{"mode": "server", "resource": []}]
        own = {"fhirVersion": "4.0.1", "software": software, "rest": rest}
        line.say({"resourceType": "CapabilityStatement", **own})
    else:
        issue = {"severity": "error", "code": HOSTILE, "diagnostics": HOSTILE, "details": {"text": HOSTILE}}
        line.say({"resourceType": "OperationOutcome", "issue": [issue]}, 400)


@pytest.fixture
def faulty() -> Iterator[str]:
    with serving(introduces_itself_and_refuses) as url:
        yield url


def test_what_a_server_calls_itself_and_why_it_refuses_is_shown_and_not_obeyed(command, faulty) -> None:
    assert _is_shown(command("check-source", faulty, code=None))
    assert json.loads(command("check-source", faulty, "--json", code=None).splitlines()[0])
    assert command("-v", "screen", "sepsis", "--source", faulty, "--as-of", AS_OF, code=5)


def test_names_of_units_reach_table_log_and_report_as_what_they_are(command, icu, tmp_path) -> None:
    with running_server() as server:
        unit = [{"location": {"reference": "Location/x", "display": HOSTILE}}]
        icu.resources.append({"resourceType": "Location", "id": "x", "name": HOSTILE})
        for name, lactate in (("a", 1.0), ("b", 7.9)):
            icu.stay(name, lactate=lactate, location=unit)
        icu.upload(server.base_url)
        command("-v", "screen", "sepsis", "--source", server.base_url, "--as-of", AS_OF)
    (report,) = (tmp_path / "runs").glob("*/report.html")
    page = report.read_text()
    assert [letter for letter in UNSEEN if letter in page] == []
    assert "<script" not in page
    cells = []
    for name in ("worklist.csv", "aggregates.csv"):
        with (report.parent / name).open(newline="", encoding="utf-8-sig") as file:
            cells += [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if set(cell) & set(UNSEEN) or cell.startswith(("=", "+", "@"))] == []
    assert any(cell.startswith("'=1+1 \\x1b[31mred") for cell in cells)
    assert "[red]x[/] [/] [/b] &lt;script&gt;" in page


def test_every_page_shows_a_value_without_what_is_not_seen() -> None:
    page = environment().from_string("{{ text }} {{ number }} {{ html }}").render(text=HOSTILE, number=7, html=None)
    assert [letter for letter in UNSEEN if letter in page] == []
    assert page.endswith(" 7 None")


def test_what_is_shown_for_approval_is_text(evaluated_card) -> None:
    from wardround.evaluation.comparison_text import as_markdown

    text = as_markdown(
        Comparison.model_validate(
            {
                "condition": "sepsis", "version": HOSTILE, "live": "1", "not_scored": HOSTILE, "notes": [HOSTILE],
                "test": {"rows": 1, "patients": 1, "patients_with_outcome": 1},
                "metrics": {name: {"candidate": {"value": None, "reason": HOSTILE}} for name in (
                    "auroc", "auprc", "f1", "sensitivity", "ppv", "brier", "calibration_slope")},
                "gates": [{"name": "ppv", "passed": False, "message": HOSTILE}],
            }
        )
    )  # fmt: skip
    assert [letter for letter in UNSEEN if letter in text] == []
    outside = "".join(text.split("`")[::2])
    assert "<script" not in outside.replace("\\<", "")
    assert "\n2026" not in text


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_the_colours_of_our_tables_and_nothing_else_that_it_would_obey() -> None:
    shown = Terminal()
    stream = SafeStream(shown)
    stream.write("\x1b[1;31mbold\x1b[0m \x1b[2K\r\x1b[8mhidden \x1b]0;title\x07 \x1b[2J\x1b[5;5H\u202e\n")
    assert shown.getvalue() == (
        "\x1b[1;31mbold\x1b[0m \x1b[2K\r\\x1b[8mhidden \\x1b]0;title\\x07 \\x1b[2J\\x1b[5;5H\\u202e\n"
    )
    stream.writelines(["a\x1b[2J", "b"])
    assert shown.getvalue().endswith("a\\x1b[2Jb")
