"""Tests `wardround model import`: no untrusted file is opened, and an imported model is used like any other."""

import hashlib
import json
import os
import pickle
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result
from sklearn.linear_model import LogisticRegression
from tests.fixtures.icu import AS_OF

from wardround.adapters.models.store import ModelStore
from wardround.cli.main import wardround
from wardround.demo.fhir_server.running import running_server
from wardround.errors import ModelError, SpecError
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import PROJECT
from wardround.spec.loading import load_condition

EXAMPLES = PROJECT / "docs" / "examples"
SCHEMA = EXAMPLES / "own_model.yaml"
Call = Callable[..., Result]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def own_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file that the example script writes when run on its own, with only scikit-learn."""
    file = tmp_path_factory.mktemp("own") / "sepsis_model.joblib"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, EXAMPLES / "own_model.py", file], check=True, env=environment)
    return file


# The project's sepsis with fewer columns, which Great Expectations checks in a tenth of the time.
FEW_FEATURES = """\
  demographics: [age, sex]
  groups:
    - variables: [heart_rate, body_temperature, respiratory_rate, white_cells, lactate, creatinine]
      summaries: [mean, last]
      window: 24h
"""
MINIMUM = {"at_least": 2, "of": ["heart_rate", "respiratory_rate", "lactate"]}


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """An installation of its own: spec, runs and models."""
    home = tmp_path / "home"
    shutil.copytree(PROJECT / "include" / "schemas", home / "include" / "schemas")
    file = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    small = {**yaml.safe_load(file.read_text()), "features": yaml.safe_load(FEW_FEATURES), "minimum_data": MINIMUM}
    file.write_text(yaml.safe_dump(small, sort_keys=False))
    folders = {"HOME": home, "VAR": tmp_path / "var", "MODELS": tmp_path / "models"}
    return {**{f"WARDROUND_{name}": str(folder) for name, folder in folders.items()}, "USER": "dr.weber"}


@pytest.fixture
def call(places: dict[str, str]) -> Call:
    return lambda *words: CliRunner(env=places).invoke(wardround, [str(word) for word in words])


def imported(call: Call, file: Path, *options: Any) -> dict[str, Any]:
    given = ("--condition", "sepsis", "--trust", sha256(file), "--json", *options)
    result = call("model", "import", file, *given)
    assert result.exit_code == 0, result.output + str(result.exception)
    return dict(json.loads(result.stdout))


def test_a_model_trained_by_a_separate_script_screens_the_ward(own_model, call, simulated_ward, icu) -> None:
    model = imported(call, own_model, "--schema", SCHEMA)
    assert (model["live"], model["digest"]) == (True, sha256(own_model))
    icu.stay("no-temperature")
    with running_server(data=simulated_ward.fhir) as server:
        icu.upload(server.base_url)
        words = ("--source", server.base_url, "--as-of", simulated_ward.now.isoformat(), "--json")
        result = call("screen", "sepsis", *words)
        assert result.exit_code == 0, result.output + str(result.exception)
        summary = json.loads(result.stdout)
        with FhirClient(FhirEndpoint(server.base_url)) as client:
            written = list(client.search("RiskAssessment", {}))
    assert summary["scored"] == summary["written"] == len(written) > 0
    assert summary["model_version"] == model["version"]
    assert {one["method"]["coding"][0]["version"] for one in written} == {model["version"]}
    scores = [one["prediction"][0]["probabilityDecimal"] for one in written]
    assert all(0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 1
    assert all("raises the risk" in str(one) or "lowers the risk" in str(one) for one in written)
    ledger = pd.read_parquet(Path(summary["report"]).parent / "ledger.parquet").set_index("stay_id")
    assert ledger.loc["e-no-temperature", ["outcome", "reason"]].tolist() == ["indeterminate", "required_input"]
    assert "An input that the imported model requires is unknown" in Path(summary["report"]).read_text()
    assert call("check").exit_code == 0


class Mark:
    """Unpickling it creates a file, which shows that code in a joblib file has run."""

    def __init__(self, left: Path) -> None:
        self.left = left

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.left,)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    file = tmp_path / "trap.joblib"
    file.write_bytes(pickle.dumps({"model": Mark(tmp_path / "it ran"), "metadata": {}}))
    return file


@pytest.mark.parametrize("trust", [(), ("--trust", "0" * 64), ("--trust", "no digest")])
def test_no_code_of_an_untrusted_file_runs(trap, call, trust) -> None:
    result = call("model", "import", trap, "--condition", "sepsis", *trust)
    assert isinstance(result.exception, ModelError)
    assert "was not opened" in str(result.exception)
    assert not (trap.parent / "it ran").exists()


def test_wrong_arguments_are_found_before_the_files_code_runs(trap, call, tmp_path) -> None:
    schema = tmp_path / "own.yaml"
    schema.write_text("features: {}")
    result = call("model", "import", trap, "--condition", "sepsis", "--trust", sha256(trap), "--schema", schema)
    assert isinstance(result.exception, SpecError)
    assert not (trap.parent / "it ran").exists()


def test_the_trap_would_have_run(trap, call) -> None:
    result = call("model", "import", trap, "--condition", "sepsis", "--trust", sha256(trap))
    assert isinstance(result.exception, (ModelError, SpecError))
    assert (trap.parent / "it ran").exists()


@pytest.mark.parametrize(("answer", "live"), [("y", True), ("n", False)])
def test_at_a_terminal_a_person_is_asked(own_model, places, answer, live) -> None:
    person, terminal = pty.openpty()
    words = ("model", "import", own_model, "--condition", "sepsis", "--schema", SCHEMA, "--json")
    os.write(person, f"{answer}\n".encode())
    ended = subprocess.run(
        [sys.executable, "-m", "wardround", *words],
        stdin=terminal,
        capture_output=True,
        text=True,
        env={**os.environ, **places},
    )
    os.close(person)
    os.close(terminal)
    assert sha256(own_model) in ended.stderr
    assert "runs any code in it" in ended.stderr
    assert (ended.returncode == 0) == live, ended.stderr
    assert (Path(places["WARDROUND_MODELS"]) / "sepsis" / "live.json").exists() == live


def test_the_card_of_an_imported_model_says_what_is_known_and_who_trusted_it(own_model, call, tmp_path) -> None:
    imported(call, own_model, "--schema", SCHEMA)
    card = json.loads(call("model", "show", "sepsis", "--json").stdout)
    source = card["imported"]
    assert (source["digest"], source["trusted_by"], source["file"]) == (
        sha256(own_model),
        "dr.weber",
        "sepsis_model.joblib",
    )
    assert (card["label"], card["prediction_time"], card["evaluation"]) == (None, None, None)
    assert (card["horizon"], card["data_digest"]) == ("not stated", "not stated")
    assert {metric["reason"] for metric in card["metrics"].values()} == {"not performed here: imported"}
    assert card["thresholds"] == {"moderate": 0.2, "high": 0.4}
    assert card["libraries"]["scikit-learn"] == library_version("scikit-learn")
    assert source["libraries"] == ["scikit-learn"]
    assert "Trained elsewhere" in (tmp_path / "models" / "sepsis" / card["version"] / "card.html").read_text()
    shown = call("model", "show", "sepsis").stdout
    assert "Imported model (Pipeline)" in shown
    assert "dr.weber" in shown
    listed = json.loads(call("model", "list", "--json").stdout)["models"]
    assert [(row["model"], row["state"], row["auroc"]) for row in listed] == [("imported", "live", None)]


def test_a_second_model_is_stored_and_not_live(own_model, call) -> None:
    first = imported(call, own_model, "--schema", SCHEMA)
    second = imported(call, own_model, "--schema", SCHEMA, "--threshold", "0.3")
    again = imported(call, own_model, "--schema", SCHEMA, "--by", "somebody else")
    assert (first["live"], second["live"], again["live"]) == (True, False, True)
    assert first["version"] == again["version"] != second["version"]


def dumped(file: Path, names: list[str], model: Any = None, **metadata: Any) -> Path:
    """A file with a model of these inputs, and this metadata."""
    rows = np.random.default_rng(1).normal(size=(40, len(names)))
    fitted = model or LogisticRegression().fit(pd.DataFrame(rows, columns=names), (rows[:, 0] > 0).astype(int))
    stated = {"feature_names": names, "metrics": {"optimal_threshold": 0.5}, **metadata}
    joblib.dump({"model": fitted, "metadata": stated}, file)
    return file


NAMES = ["heart_rate__last_24h", "respiratory_rate__last_24h", "lactate__last_24h"]


@pytest.mark.parametrize(
    ("metadata", "options", "message"),
    [
        ({"feature_names": None}, (), "metadata.feature_names: expected the model's inputs"),
        ({"feature_names": ["pulse", *NAMES[1:]]}, (), "got 'pulse', expected columns of sepsis"),
        ({"metrics": {}}, (), "optimal_threshold is missing; give --threshold"),
        ({"metrics": {"optimal_threshold": 1.5}}, (), "expected a probability above 0 and below 1"),
        ({}, ("--threshold", "0"), "expected a probability above 0 and below 1"),
        ({"itemid_mappings": {"chartevents": {NAMES[0]: 220050}}}, (), "trained on MIMIC item 220050"),
        ({"medians": {"lactate__last_24h": "high"}}, (), "metadata.medians: expected a number"),
        ({"medians": {"lactate__last_24h": 500.0}}, (), "lactate__last_24h: the value given for it is not plausible"),
    ],
)
def test_the_message_says_what_is_wrong_with_a_file(tmp_path, call, metadata, options, message) -> None:
    file = dumped(tmp_path / "own.joblib", NAMES, **metadata)
    result = call("model", "import", file, "--condition", "sepsis", "--trust", sha256(file), *options)
    assert isinstance(result.exception, (ModelError, SpecError))
    assert message in str(result.exception)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no pickle", "not a joblib file"),
        (pickle.dumps([1]), "got a list, expected"),
        (pickle.dumps({"model": 1, "metadata": 2}), "expected a mapping"),
        (pickle.dumps({"model": 1, "metadata": {}, "imputer": 2}), "contains 'imputer' beside the model"),
        (b"cno_such_module\nModel\n.", "needs the module no_such_module"),
        (b"c__main__\nModel\n.", "needs a class that is not available here"),
    ],
)
def test_a_file_of_another_kind_is_named_as_such(tmp_path, call, content, message) -> None:
    file = tmp_path / "own.joblib"
    file.write_bytes(content)
    result = call("model", "import", file, "--condition", "sepsis", "--trust", sha256(file))
    assert isinstance(result.exception, ModelError)
    assert message in str(result.exception)


def test_another_release_of_scikit_learn_is_refused_at_import(tmp_path, call) -> None:
    file = dumped(tmp_path / "own.joblib", NAMES)
    here = library_version("scikit-learn")
    file.write_bytes(file.read_bytes().replace(here.encode(), b"0" * (len(here) - 2) + b".1"))
    result = call("model", "import", file, "--condition", "sepsis", "--trust", sha256(file))
    assert isinstance(result.exception, ModelError)
    assert f"but {here} is installed; dump it again" in str(result.exception)


# Of a model whose log-odds are the lactate less 4: the tutorial's three patients, and scores around its thresholds.
TUTORIAL = {"sick": (0.86, "high"), "stable": (0.39, "low"), "well": (0.21, "low")}
AT_THE_EDGES = {"a": (0.3999, "low"), "b": (0.4001, "moderate"), "c": (0.6999, "moderate"), "d": (0.7001, "high")}


@pytest.fixture
def of_lactate(tmp_path: Path) -> Path:
    name = "lactate__last_24h"
    rows = pd.DataFrame({name: np.linspace(0, 8, 40)})
    fitted = LogisticRegression().fit(rows, (rows[name] > 4).astype(int))
    fitted.coef_, fitted.intercept_ = np.array([[1.0]]), np.array([-4.0])
    return dumped(tmp_path / "lactate.joblib", [name], fitted)


def test_with_the_tutorials_thresholds_its_three_patients_are_in_the_bands_of_its_page(of_lactate, call, icu) -> None:
    imported(call, of_lactate, "--threshold", 0.7, "--moderate-from", 0.4)
    expected = TUTORIAL | AT_THE_EDGES
    for name, (probability, _) in expected.items():
        icu.stay(name, lactate=4 + float(np.log(probability / (1 - probability))))
    with running_server() as server:
        icu.upload(server.base_url)
        result = call("screen", "sepsis", "--source", server.base_url, "--as-of", AS_OF.isoformat(), "--json")
        assert result.exit_code == 0, result.output + str(result.exception)
        with FhirClient(FhirEndpoint(server.base_url)) as client:
            written = list(client.search("RiskAssessment", {}))
    predicted = {one["encounter"]["reference"].removeprefix("Encounter/e-"): one["prediction"][0] for one in written}
    found = {
        name: (one["probabilityDecimal"], one["qualitativeRisk"]["coding"][0]["code"])
        for name, one in predicted.items()
    }
    assert found == {
        name: (pytest.approx(probability, abs=1e-6), band) for name, (probability, band) in expected.items()
    }


def test_the_bands_of_an_imported_model_start_where_the_import_says(of_lactate, call) -> None:
    given = imported(call, of_lactate, "--threshold", 0.7, "--moderate-from", 0.4)
    assert given["thresholds"] == {"moderate": 0.4, "high": 0.7}
    card = json.loads(call("model", "show", "sepsis", given["version"], "--json").stdout)
    assert card["thresholds"] == {"moderate": 0.4, "high": 0.7}
    assert card["candidates"]["imported"]["policy"]["name"] == "fixed"
    assert "came with the model" in call("model", "show", "sepsis", given["version"]).stdout
    # Without them: where the file says, and at the condition's part of it.
    assert imported(call, of_lactate)["thresholds"] == {"moderate": 0.25, "high": 0.5}
    words = ("--condition", "sepsis", "--trust", sha256(of_lactate), "--moderate-from", 0.4)
    assert "Bands: moderate from 0.400, high from 0.500." in call("model", "import", of_lactate, *words).stdout


@pytest.mark.parametrize("moderate", [0, 0.7, 0.9, -0.1])
def test_a_moderate_band_that_does_not_begin_below_the_high_one_is_refused(of_lactate, call, moderate) -> None:
    words = ("--condition", "sepsis", "--trust", sha256(of_lactate), "--threshold", 0.7, "--moderate-from", moderate)
    refused = call("model", "import", of_lactate, *words)
    assert isinstance(refused.exception, ModelError)
    assert "expected a probability above 0 and below 0.7, where the high band begins" in str(refused.exception)


def test_imputed_values_replace_unknown_ones_and_other_inputs_are_required(tmp_path, call) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("lactate__last_24h: 1.5")
    imported(call, dumped(tmp_path / "own.joblib", NAMES, medians={"heart_rate__last_24h": 82}), "--impute", values)
    card = json.loads(call("model", "show", "sepsis", "--json").stdout)
    assert card["imputation"] == {"heart_rate__last_24h": 82.0, "lactate__last_24h": 1.5}
    assert all(one["required"] for one in card["imported"]["inputs"])  # a regression takes no unknown value


def test_a_changed_file_is_refused_and_so_is_a_changed_spec(tmp_path, own_model, call, places) -> None:
    model = imported(call, own_model, "--schema", SCHEMA)
    sepsis = Path(places["WARDROUND_HOME"]) / "include" / "schemas" / "conditions" / "sepsis.yaml"
    sepsis.write_text(sepsis.read_text().replace("24h", "12h"))
    refused = call("screen", "sepsis", "--source", "http://127.0.0.1:9/fhir", "--as-of", "2026-01-02T05:00:00Z")
    assert "trained for another spec" in str(refused.exception)
    file = tmp_path / "models" / "sepsis" / model["version"] / "model.joblib"
    file.write_bytes(file.read_bytes() + b" ")
    assert "the file was changed" in str(call("model", "show", "sepsis").exception)


def test_a_library_that_is_missing_or_of_another_release_is_refused_at_load(own_model, call, places) -> None:
    version = imported(call, own_model, "--schema", SCHEMA)["version"]
    sepsis = load_condition("sepsis", Path(places["WARDROUND_HOME"]) / "include" / "schemas")
    store = ModelStore(Path(places["WARDROUND_MODELS"]))
    card = store.card("sepsis", version)
    for library, released, message in (("scikit-learn", "0.9.1", "trained with"), ("no-such", "1.0", "not installed")):
        assert card.imported
        source = card.imported.model_copy(update={"libraries": (library,)})
        changes = {"version": f"1.0.0-{library}", "imported": source, "libraries": {library: released}}
        other = store.save("sepsis", card.model_copy(update=changes), {"model.joblib": own_model.read_bytes()})
        with pytest.raises(ModelError, match=message):
            store.load(sepsis, other)
