"""Tests import rules that import-linter does not check in the package."""

import ast
import subprocess
import sys

import numpy as np
import pytest

from wardround.candidates.registry import CANDIDATES
from wardround.settings import PROJECT

HEAVY = {"duckdb", "fhir", "great_expectations", "joblib", "numpy", "pandas", "pyarrow", "sklearn", "xgboost"}


def top_imports(path):
    """Returns the names of the packages that a file imports when it is loaded."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def dag_files():
    return sorted((PROJECT / "dags").glob("*.py"))


@pytest.mark.parametrize("path", dag_files(), ids=lambda path: path.name)
def test_a_dag_file_only_says_when_and_in_what_order(path):
    assert set(top_imports(path)) <= {"airflow", "wardround", "typing", "datetime"}
    assert len(path.read_text().splitlines()) <= 120


def test_parsing_the_dags_imports_nothing_heavy():
    code = (
        "import sys, runpy\n"
        f"for path in {[str(path) for path in dag_files()]!r}: runpy.run_path(path)\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stdout + done.stderr


def imported_by(code: str) -> set[str]:
    """Returns the modules that a new process has imported after this code."""
    asked = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", asked], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_gates_process_imports_nothing_of_the_screening_beside_it():
    own = "from wardround.workflows import gate_process\nfrom wardround.adapters import expectations"
    sent = "from wardround.adapters.files import frame_files\nfrom wardround.spec import conditions"
    imported = imported_by(f"{own}\n{sent}")
    assert {"wardround.quality.suite", "pandas"} <= imported
    assert not imported & {
        "wardround.workflows.screen",
        "wardround.sources",
        "jinja2",
        "requests",
        "sklearn",
        "sqlalchemy",
    }


def test_stored_models_score_without_the_libraries_that_fitted_them(tmp_path):
    inputs, outcome = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    for name, candidate in CANDIDATES.items():
        (tmp_path / name).write_bytes(candidate.fit(inputs, outcome, seed=1).dump())
    imported = imported_by(
        "from pathlib import Path\n"
        "import numpy\n"
        "from wardround.candidates.registry import CANDIDATES\n"
        f"for file in Path({str(tmp_path)!r}).iterdir():\n"
        "    for rows in (1, 200):\n"
        "        CANDIDATES[file.name].parse(file.read_bytes()).explained(numpy.ones((rows, 2)))"
    )
    assert {f"wardround.candidates.{name}" for name in ("boosted_trees", "random_forest")} <= imported
    assert not imported & {"sklearn", "xgboost", "scipy", "pandas"}


def test_a_candidate_is_imported_when_it_is_looked_up_and_no_other():
    imported = imported_by("from wardround.candidates.registry import CANDIDATES\nCANDIDATES['logistic_regression']")
    assert "wardround.candidates.logistic_regression" in imported
    assert not imported & {"wardround.candidates.boosted_trees", "wardround.candidates.random_forest"}


def test_nothing_imports_from_the_dags():
    for path in (PROJECT / "src").rglob("*.py"):
        assert "dags" not in set(top_imports(path)), path


def test_include_holds_no_python():
    assert not list((PROJECT / "include").rglob("*.py"))


def test_plugins_shadow_no_library():
    stems = {path.stem for path in (PROJECT / "plugins").rglob("*.py")}

    assert not stems & set(sys.stdlib_module_names)
    assert not [stem for stem in stems if stem in {"http", "fhir", "airflow", "wardround"}]
