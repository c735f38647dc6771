"""The hook and the operators for DAGs that have nothing to do with Wardround: their page, and what they load."""

import importlib
import json
import os
import re
import subprocess
import sys

import pytest

from wardround.airflow import operators
from wardround.airflow.provider import get_provider_info
from wardround.demo.fhir_server.running import running_server
from wardround.settings import PROJECT

PAGE = (PROJECT / "docs" / "provider.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
NAMES = [name for one in EXAMPLES for name in re.findall(r"^def (\w+)\(\):$", one, flags=re.MULTILINE)]
DATA = [
    {"resourceType": "Patient", "id": "a", "gender": "female"},
    {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2524-7"}]},
        "subject": {"reference": "Patient/a"},
    },
]
# What models, labels and data quality need, and a provider does not.
NOT_NEEDED = ["great_expectations", "xgboost", "sklearn", "scipy", "duckdb", "fhir.resources", "alembic", "joblib"]
ALONE = f"""
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in {NOT_NEEDED}):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from wardround.airflow.hook import FhirHook
from wardround.airflow.operators import *
folder = sys.argv[1]
work = [
    FhirUploadOperator(task_id="u", data=folder + "/lactates"),
    FhirSearchToNdjsonOperator(task_id="s", resource_type="Patient", query={{}}, path=folder + "/found/a.ndjson"),
    FhirBulkExportOperator(task_id="e", folder=folder + "/export", types=["Patient"]),
    FhirValidateOperator(task_id="v", data=folder + "/found", report=folder + "/report.ndjson"),
]
with FhirHook().get_conn() as client:
    print(json.dumps([one.work(client) for one in work]))
"""


# What `airflow dags test` does for each DAG, in an Airflow whose folder of DAGs has nothing of Wardround.
EACH = """
import json, sys
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1] + "/dags")
ended = {name: str(dag.test(run_conf={"folder": sys.argv[1]}).state) for name, dag in sorted(bag.dags.items())}
print(json.dumps([ended, bag.import_errors]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the examples as DAGs, and data to upload."""
    place = tmp_path_factory.mktemp("alone")
    for name in ("dags", "lactates"):
        (place / name).mkdir()
    for number, example in enumerate(EXAMPLES):
        (place / "dags" / f"example_{number}.py").write_text(example)
    (place / "lactates" / "data.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in DATA))
    return place


@pytest.fixture(scope="module")
def alone(folder):
    """Runs a program in an Airflow of its own, with the embedded server as the connection fhir_default."""
    with running_server(data=folder / "lactates") as server:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WARDROUND_")},
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW_CONN_FHIR_DEFAULT": f"fhir://{server.base_url}",
        }

        def last_line(program):
            command = [sys.executable, "-c", program, folder]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return json.loads(done.stdout.splitlines()[-1])

        yield last_line


def test_each_operator_has_an_example():
    assert {name for name in operators.__all__ if any(f"{name}(" in one for one in EXAMPLES)} == set(operators.__all__)


def test_each_example_of_the_page_runs(alone):
    ended, errors = alone(EACH)

    assert errors == {}
    assert ended == dict.fromkeys(NAMES, "success")


def test_airflow_is_told_of_hook_and_operators_where_they_are():
    told = get_provider_info()
    modules = [name for kind in ("hooks", "operators") for one in told[kind] for name in one["python-modules"]]

    assert {one["integration-name"] for kind in ("hooks", "operators") for one in told[kind]} == {"FHIR"}
    assert set(operators.__all__) <= {name for module in modules for name in vars(importlib.import_module(module))}


def test_the_operators_need_nothing_of_models_and_data_quality(alone):
    upload, search, export, validated = alone(ALONE)

    assert upload["written"] == {"Observation": 1, "Patient": 1}
    assert search["resources"] == {"Patient": 1}
    assert export["files"] == ["00000-Patient.ndjson"]
    assert (validated["resources"], validated["invalid"]) == (1, 0)


@pytest.mark.parametrize("heavy", ["pandas", "pyarrow", *NOT_NEEDED])
def test_a_dag_file_with_the_operators_loads_no_heavy_library(heavy, loaded_by_a_dag_file):
    assert heavy not in loaded_by_a_dag_file


@pytest.fixture(scope="module")
def loaded_by_a_dag_file():
    program = "import airflow.sdk, sys; before = set(sys.modules); import wardround.airflow.operators;"
    program += "print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())
