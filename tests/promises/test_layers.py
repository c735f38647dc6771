"""Who may import what, beyond what import-linter sees in the package."""

import ast
import subprocess
import sys

import pytest

from wardround.settings import PROJECT

HEAVY = {"duckdb", "fhir", "great_expectations", "joblib", "numpy", "pandas", "pyarrow", "sklearn", "xgboost"}


def top_imports(path):
    """Names of the packages that a file imports when it is loaded."""
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


def test_nothing_imports_from_the_dags():
    for path in (PROJECT / "src").rglob("*.py"):
        assert "dags" not in set(top_imports(path)), path


def test_include_holds_no_python():
    assert not list((PROJECT / "include").rglob("*.py"))


def test_plugins_shadow_no_library():
    stems = {path.stem for path in (PROJECT / "plugins").rglob("*.py")}

    assert not stems & set(sys.stdlib_module_names)
    assert not [stem for stem in stems if stem in {"http", "fhir", "airflow", "wardround"}]
