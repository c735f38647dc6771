"""Tests `wardround train` and `wardround model` as called by a person or a script."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wardround.cli.main import wardround
from wardround.errors import ModelError, SourceDataError, SpecError


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def call(tmp_path_factory, models: Path):
    """Runs `wardround` with a store of its own."""
    var = tmp_path_factory.mktemp("var")
    environment = {"WARDROUND_VAR": str(var), "WARDROUND_MODELS": str(models), "USER": "ann"}

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(wardround, list(arguments), env=environment)

    return run


def _json(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def versions(call, small_mimic: Path) -> list[str]:
    """Two versions of a sepsis model; the first is live."""
    arguments = ("train", "sepsis", "--mimic", str(small_mimic), "--json", "--seed")
    trained = [_json(call(*arguments, seed)) for seed in ("1", "2")]
    assert [each["live"] for each in trained] == [True, False]
    return [each["version"] for each in trained]


def test_train_prints_one_json_object_on_stdout_and_progress_on_stderr(call, small_mimic: Path, versions) -> None:
    result = call("train", "sepsis", "--mimic", str(small_mimic), "--json", "--at", "6h", "--label", "icd")
    trained = json.loads(result.stdout)
    assert (trained["version"], trained["card"]["cohort"]["found"]) == (versions[0], 60)
    assert (trained["live"], trained["gates"]) == (True, "not_judged")
    assert "fit candidate: 3 of 3" in result.stderr


def test_train_shows_a_table_and_how_to_make_the_model_live(call, small_mimic: Path, versions) -> None:
    shown = call("train", "sepsis", "--mimic", str(small_mimic), "--seed", "2").stdout
    assert f"{versions[1]} is not live; `wardround model promote sepsis {versions[1]} --why TEXT`" in shown
    assert "not judged: too few to judge" in " ".join(shown.split())
    assert "No promotion gate could judge it." in shown
    assert "Adjunct only" in shown


def test_a_run_is_resumed_as_it_began(call, small_mimic: Path, versions) -> None:
    begun = call("train", "sepsis", "--mimic", str(small_mimic), "--json")
    run = json.loads(begun.stdout)["run"]
    assert f"wardround train --resume {run}" in begun.stderr
    assert _json(call("train", "--resume", run, "--json"))["version"] == versions[0]
    changed = call("train", "--resume", run, "--seed", "2")
    assert (changed.exit_code, "keeps the run's own seed" in changed.stderr) == (2, True)
    nothing = call("train", "sepsis")
    assert (nothing.exit_code, "mimic is missing" in nothing.stderr) == (2, True)


@pytest.mark.parametrize(
    ("mistyped", "said"),
    [
        (("--label", "icd11"), "--label: got 'icd11', expected one of the labels of sepsis: icd, sepsis3"),
        (("--candidates", "xgbost"), "--candidates: got 'xgbost', expected some of: logistic_regression"),
        (("--candidates", "xgboost,xgboost"), "--candidates: got xgboost, xgboost"),
    ],
)
def test_a_mistyped_name_is_a_usage_error_and_begins_nothing(call, small_mimic: Path, mistyped, said) -> None:
    result = call("train", "sepsis", "--mimic", str(small_mimic), *mistyped)
    assert (result.exit_code, said in result.stderr) == (2, True)
    assert "--resume" not in result.stderr


def test_a_training_that_could_not_begin_leaves_nothing_to_resume(call, tmp_path: Path) -> None:
    result = call("train", "sepsis", "--mimic", str(tmp_path))
    assert isinstance(result.exception, SourceDataError)
    assert "--resume" not in result.stderr


def test_list_tells_live_from_stored(call, versions) -> None:
    models = _json(call("model", "list", "--json"))["models"]
    assert [(model["version"], model["state"]) for model in models] == [(versions[0], "live"), (versions[1], "stored")]
    assert [(model["gates"], model["withdrawn"]) for model in models] == [("not_judged", False)] * 2
    listed = call("model", "list", "sepsis").stdout
    assert versions[0] in listed
    assert "judged" in listed


def test_show_gives_the_live_card_or_the_one_asked_for(call, versions) -> None:
    assert _json(call("model", "show", "sepsis", "--json"))["version"] == versions[0]
    assert _json(call("model", "show", "sepsis", versions[1], "--json"))["version"] == versions[1]
    said = " ".join(call("model", "show", "sepsis").stdout.replace("│", " ").split())
    assert "stay over before its first prediction: 1" in said


def test_show_writes_the_card_as_a_page_with_its_comparison(call, versions, models: Path, tmp_path: Path) -> None:
    page = tmp_path / "card.html"
    assert call("model", "show", "sepsis", versions[1], "--html", str(page)).exit_code == 0
    assert f"The live model was {versions[0]}." in page.read_text(encoding="utf-8")
    assert versions[1] in (models / "sepsis" / versions[1] / "card.html").read_text(encoding="utf-8")
    attributes = _json(call("model", "show", "sepsis", versions[1], "--json"))["source_attributes"]["attributes"]
    assert len(attributes) == 31


def test_promote_and_rollback_record_who_and_why(call, versions) -> None:
    first, second = versions
    live = _json(call("model", "promote", "sepsis", second, "--why", "better", "--json"))
    assert (live["version"], live["previous"], live["by"], live["why"]) == (second, first, "ann", "better")
    back = call("model", "rollback", "sepsis", "--by", "bob", "--why", "too many alarms")
    assert f"sepsis: {first} is live since " in back.stdout
    assert " by bob; previously nothing.\n" in back.stdout
    again = call("model", "rollback", "sepsis", "--by", "cat", "--why", "me too")
    assert again.stdout == back.stdout
    last = {model["version"]: model["decision"] for model in _json(call("model", "list", "sepsis", "--json"))["models"]}
    assert (last[first]["what"], last[first]["by"], last[second]["what"]) == ("rolled_back", "bob", "promoted")
    decisions = _json(call("model", "show", "sepsis", second, "--json"))["decisions"]
    assert [(each["by"], each["why"]) for each in decisions if each["what"] == "promoted"] == [("ann", "better")]
    shown = call("model", "show", "sepsis", second).stdout
    assert "promoted by ann" in shown
    assert "Withdrawn: rolled back by bob" in shown
    assert "Promotion gates: not judged." in shown
    states = {model["version"]: model["withdrawn"] for model in _json(call("model", "list", "--json"))["models"]}
    assert states == {first: False, second: True}
    assert _json(call("model", "show", "sepsis", second, "--json"))["promotion_gates"] == "not_judged"


def test_a_reason_is_shown_as_it_is_whatever_it_holds(call, versions) -> None:
    odd = "[/b] [red]worse[/red] [link=x]y"
    assert call("model", "promote", "sepsis", versions[1], "--why", odd, "--by", "[/ann]").exit_code == 0
    listed, shown = (call("model", *words) for words in (("list",), ("show", "sepsis", versions[1])))
    assert "[/ann]" in "".join(listed.stdout.split())
    assert odd in shown.stdout
    assert call("model", "rollback", "sepsis", "--why", odd).exit_code == 0


@pytest.mark.parametrize(
    "words", [("promote", "sepsis", "1.0.0-x"), ("rollback", "sepsis"), ("suspend", "sepsis"), ("resume", "sepsis")]
)
def test_who_decides_must_say_why(call, words) -> None:
    result = call("model", *words)
    assert result.exit_code == 2
    assert "--why" in result.stderr


def test_suspend_and_resume_say_and_record_who_and_why_and_the_store_shows_it_first(call, versions) -> None:
    off = call("model", "suspend", "sepsis", "--why", "alerts for [b]everybody")
    shown = "sepsis: SUSPENDED by ann since 20"
    for result in (off, call("model", "list"), call("model", "show", "sepsis")):
        assert result.stdout.startswith(shown)
        assert "alerts for [b]everybody" in result.stdout.splitlines()[0]
    said = _json(call("model", "list", "--json"))["suspended"]["sepsis"]
    assert (said["by"], said["why"]) == ("ann", "alerts for [b]everybody")
    assert _json(call("model", "show", "sepsis", "--json"))["suspended"] == said
    states = {row["condition"]: row for row in _json(call("check", "--json"))["conditions"]}
    assert (states["sepsis"]["state"], states["mortality"]["state"]) == ("suspended", "no model")
    assert call("model", "resume", "sepsis", "--why", "mended").stdout == "sepsis is active again.\n"
    assert call("model", "resume", "sepsis", "--why", "m").stdout == "sepsis is active; it was not suspended.\n"
    assert _json(call("model", "list", "--json"))["suspended"] == {}


def test_a_challenger_is_named_where_models_are_shown_until_it_is_ended(call, versions) -> None:
    other = _stored(call)
    begun = call("model", "challenge", "sepsis", other, "--until", "2100-01-01")
    assert begun.stdout == f"sepsis: {other} is scored beside the live one until 2100-01-01T00:00:00Z.\n"
    listed = _json(call("model", "list", "--json"))
    assert listed["challengers"]["sepsis"]["version"] == other
    assert {model["state"] for model in listed["models"] if model["version"] == other} == {"challenger"}
    assert f"{other} is scored beside the live one" in call("model", "list").stdout
    assert f"Challenger: {other} until 2100" in call("model", "show", "sepsis").stdout
    ended = _json(call("model", "challenge", "sepsis", "--end", "--json"))
    assert ended == {"condition": "sepsis", "challenger": None}
    assert call("model", "challenge", "sepsis", "--end").stdout == "sepsis: there was no challenger.\n"
    assert _json(call("model", "list", "--json"))["challengers"] == {}


@pytest.mark.parametrize(
    "words", [(), ("1.0.0-x", "--end"), ("--end", "--until", "2100-01-01"), ("x", "--until", "soon")]
)
def test_a_challenge_names_a_version_or_its_end(call, words) -> None:
    assert call("model", "challenge", "sepsis", *words).exit_code == 2


def _stored(call) -> str:
    models = _json(call("model", "list", "sepsis", "--json"))["models"]
    return next(model["version"] for model in models if model["state"] == "stored")


def test_a_name_that_is_no_condition_is_an_error_and_not_a_switch_of_nothing(call, versions) -> None:
    result = call("model", "suspend", "sepsi", "--why", "a")
    assert isinstance(result.exception, SpecError)
    assert "expected one of: mortality, sepsis" in str(result.exception)


def test_errors_reach_the_entry_point_as_what_they_are(call, small_mimic: Path, versions) -> None:
    assert isinstance(call("model", "show", "sepsis", "9.9.9").exception, ModelError)
    assert isinstance(call("model", "rollback", "gout", "--why", "a").exception, SpecError)
    assert isinstance(call("train", "gout", "--mimic", str(small_mimic)).exception, SpecError)
    assert call("train", "sepsis", "--mimic", str(small_mimic), "--at", "soon").exit_code == 2


def test_a_changed_model_is_listed_as_refused(call, versions, models: Path) -> None:
    path = models / "sepsis" / versions[1] / "card.json"
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    states = {model["version"]: model["state"] for model in _json(call("model", "list", "--json"))["models"]}
    path.write_bytes(content)
    assert states[versions[1]] == "refused"


def test_an_empty_store_is_said_to_be_empty(tmp_path: Path) -> None:
    listed = CliRunner().invoke(wardround, ["model", "list"], env={"WARDROUND_MODELS": str(tmp_path)})
    assert listed.stdout == f"No model is stored in {tmp_path}.\n"
