"""Fixtures that every room of the tests may use."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from wardround.adapters.models.store import ModelStore
from wardround.airflow.environment import local_environment
from wardround.evaluation.gates import GateResult
from wardround.evaluation.metrics import METRICS, Metric
from wardround.evaluation.results import (
    Calibration,
    CalibrationBin,
    CalibrationOnTest,
    Cell,
    ColumnImportance,
    Curves,
    DecisionPoint,
    Evaluation,
    Importance,
    LeadTime,
    OtherOnset,
    Policy,
    PrecisionRecallPoint,
    RocPoint,
    ShownReasons,
    Subgroups,
    Task,
)
from wardround.fhir.auth import SIGN_INS
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.imported.about import Imported
from wardround.settings import PROJECT, Settings, database_in, settings_from
from wardround.spec.conditions import Label
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition
from wardround.training.about import About
from wardround.training.fitting import CandidateResult, FoldResult
from wardround.training.model import Flow, ModelCard, Side, Split

# Airflow reads its settings when it is first imported, which any test module may do.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="wardround-tests-airflow-"))
os.environ.update(local_environment(settings_from(), AIRFLOW_HOME, "http://127.0.0.1:9/fhir"))
# What no test names itself must not lie in the project.
os.environ["WARDROUND_DATABASE"] = database_in(AIRFLOW_HOME)
SHARED = Path(os.environ.get("WARDROUND_SHARED", PROJECT.parent / "shared"))
# Of the small MIMIC folder.
START = datetime(2150, 1, 1, 8)  # noqa: DTZ001 - MIMIC's times have no zone
HOURS = 6
# Item ids of heart rate, respiratory rate, saturation, systolic and mean pressure; lactate, creatinine: usual values.
VITALS = {220045: 90, 220210: 20, 220277: 96, 220050: 110, 220052: 75}
LABS = {50813: 2, 50912: 1}
# Of the made-up evaluation: hours before onset.
LEAD_QUARTILES = {"lower_quartile": 2.0, "median": 4.5, "upper_quartile": 9.0}


@pytest.fixture(scope="session")
def mimic_demo() -> Path:
    """The MIMIC-IV demo's folder of CSVs; skips where it is not beside the project."""
    folder = SHARED / "data" / "mimic-iv-demo-2.2"
    if not folder.is_dir():
        pytest.skip(f"the MIMIC-IV demo is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def shared_case() -> Callable[[str], Path]:
    """shared_case(name) is the folder of a small foreign input; skips where these are not beside the project."""

    def folder(name: str) -> Path:
        found = SHARED / "cases" / name
        if not found.is_dir():
            pytest.skip(f"the foreign case {name} is not at {found}")
        return found

    return folder


@pytest.fixture(scope="session")
def schemas() -> Path:
    """The project's own spec files."""
    return PROJECT / "include" / "schemas"


@pytest.fixture(scope="session", autouse=True)
def _airflow_home() -> Iterator[None]:
    yield
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_tokens() -> None:
    """What a process keeps for its next client is no matter of the next test, whose server may have the same port."""
    SIGN_INS.forget()


@pytest.fixture(autouse=True)
def _log_as_found() -> Iterator[None]:
    """Takes away what a command under test did to Wardround's log, which is the process's: its handler and level."""
    log = logging.getLogger("wardround")
    handlers, level = list(log.handlers), log.level
    yield
    log.handlers[:] = handlers
    log.setLevel(level)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own database, migrated, with the pools that the DAGs name."""
    from wardround.demo.in_process import migrate

    migrate()


class SimulatedWard(NamedTuple):
    """A small simulated ward: its CSVs, its NDJSON, and its present."""

    mimic: Path
    fhir: Path
    now: pd.Timestamp


@pytest.fixture(scope="session")
def simulated_ward(tmp_path_factory: pytest.TempPathFactory, schemas: Path) -> SimulatedWard:
    """8 stays in progress, and 150 that have ended, to train on."""
    from wardround.demo.simulate import Plan, simulate
    from wardround.spec.loading import load_variables

    folder, now = tmp_path_factory.mktemp("simulated"), pd.Timestamp("2026-01-02T05:00:00Z")
    simulate(Plan(8, 150, 1, now), folder, load_variables(schemas), print)
    return SimulatedWard(folder / "mimic", folder / "fhir", now)


@pytest.fixture(scope="session")
def trained_models(simulated_ward: SimulatedWard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with a live model for sepsis, trained on the simulated ward."""
    from wardround.workflows.train import TrainingRequest, train

    folder = tmp_path_factory.mktemp("trained")
    settings = replace(settings_from(), runs=str(folder / "runs"), models=folder / "models")
    request = TrainingRequest(condition="sepsis", mimic=simulated_ward.mimic, created=simulated_ward.now)
    train(request, settings, "tests", print)
    return settings.models


@pytest.fixture(scope="session")
def make_mimic():
    """Writes a folder with `patients` stays of 30 hours, one per patient, of which every third has both outcomes."""

    def make(folder: Path, patients: int = 60, positive_every: int = 3) -> Path:
        numbers = np.arange(patients)
        positive = numbers % positive_every == 0
        times = {
            "intime": START,
            "outtime": START + timedelta(hours=30),
            "admittime": START,
            "dischtime": START + timedelta(days=5),
        }
        base = pd.DataFrame({"subject_id": 1000 + numbers, "hadm_id": 2000 + numbers, "stay_id": 3000 + numbers})
        base = base.assign(**times, first_careunit="MICU", last_careunit="MICU", race="UNKNOWN", gender="F")
        base = base.assign(anchor_age=40 + numbers % 40, anchor_year_group="2014 - 2016", icd_version=10)
        base = base.assign(
            deathtime=[START + timedelta(days=5) if sick else None for sick in positive],
            hospital_expire_flag=positive.astype(int),
            icd_code=np.where(positive, "A419", "I10"),
        )
        # Two stays that no model may learn from: one too short, one still open.
        base.loc[patients - 1, "outtime"] = START + timedelta(hours=23)
        base.loc[patients - 2, "outtime"] = None
        _write(folder, base)
        _write_events(folder, base, positive)
        return folder

    return make


@pytest.fixture(scope="session")
def small_mimic(make_mimic, tmp_path_factory) -> Path:
    return make_mimic(tmp_path_factory.mktemp("mimic"))


def _write(folder: Path, base: pd.DataFrame) -> None:
    (folder / "hosp").mkdir(parents=True)
    (folder / "icu").mkdir()
    tables = {
        "icu/icustays": ["subject_id", "hadm_id", "stay_id", "first_careunit", "last_careunit", "intime", "outtime"],
        "hosp/patients": ["subject_id", "gender", "anchor_age", "anchor_year_group"],
        "hosp/transfers": ["subject_id", "intime"],
        "hosp/admissions": ["hadm_id", "admittime", "dischtime", "deathtime", "hospital_expire_flag", "race"],
        "hosp/diagnoses_icd": ["hadm_id", "icd_code", "icd_version"],
    }
    for name, columns in tables.items():
        base[columns].to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d %H:%M:%S")


def _write_events(folder: Path, base: pd.DataFrame, positive: np.ndarray) -> None:
    generator = np.random.default_rng(4)
    rows = pd.DataFrame(
        [
            (subject, stay, itemid, centre * (1.25 if sick else 1.0), START + timedelta(hours=3 * hour))
            for subject, stay, sick in zip(base["subject_id"], base["stay_id"], positive, strict=True)
            for itemid, centre in {**VITALS, **LABS}.items()
            for hour in range(HOURS)
        ],
        columns=["subject_id", "stay_id", "itemid", "centre", "charttime"],
    )
    number = (rows["centre"] * generator.normal(1, 0.1, size=len(rows))).round(2)
    rows = rows.assign(valuenum=number, value=number, storetime=rows["charttime"], labevent_id=range(len(rows)))
    rows["valueuom"] = rows["itemid"].map(
        {220045: "bpm", 220210: "insp/min", 220277: "%", 50813: "mmol/L", 50912: "mg/dL"}
    )
    rows["valueuom"] = rows["valueuom"].fillna("mmHg")
    shared = ["subject_id", "charttime", "storetime", "itemid", "value", "valuenum", "valueuom"]
    lab = rows["itemid"].isin(LABS)
    rows.loc[~lab, ["stay_id", *shared]].to_csv(folder / "icu" / "chartevents.csv", index=False)
    rows.loc[lab, ["labevent_id", *shared]].to_csv(folder / "hosp" / "labevents.csv", index=False)


AS_OF = datetime(2026, 1, 2, 5, tzinfo=UTC)


class Icu:
    """A small ICU as FHIR resources, to be put on a server; every stay has enough data for a score unless told not."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []

    def stay(
        self, name: str, lactate: float | None = 1.5, patient: str = "", vitals: bool = True, **encounter: Any
    ) -> str:
        """Adds Encounter e-<name> of Patient p-<patient or name>, with Observations once a patient; gives its id."""
        who = f"p-{patient or name}"
        new = not any(resource["id"] == who for resource in self.resources)
        self.resources.append(
            {
                "resourceType": "Encounter",
                "id": f"e-{name}",
                "status": "in-progress",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "ACUTE"},
                "subject": {"reference": f"Patient/{who}"},
                "period": {"start": "2026-01-01T01:00:00Z"},
                **encounter,
            }
        )
        if new:
            self.resources.append({"resourceType": "Patient", "id": who, "gender": "male", "birthDate": "1960-05-01"})
            self._observe(who, lactate, vitals)
        return f"e-{name}"

    def observation(self, who: str, name: str, hours: float, **content: Any) -> None:
        """Adds Observation o-<who>-<name> of so many hours before AS_OF."""
        time = (AS_OF - timedelta(hours=hours)).isoformat()
        self.resources.append(
            {
                "resourceType": "Observation",
                "id": f"o-{who}-{name}",
                "status": "final",
                "subject": {"reference": f"Patient/{who}"},
                "effectiveDateTime": time,
                "issued": time,
                **content,
            }
        )

    def lactate(self, who: str, name: str, value: float, hours: float, **content: Any) -> None:
        """Adds a lactate in mmol/L of so many hours before AS_OF."""
        self.observation(who, name, hours, **{**loinc("2524-7", value, "mmol/L"), **content})

    def upload(self, base_url: str, **source: Any) -> None:
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in self.resources
        ]
        with FhirClient(FhirEndpoint(base_url, **source)) as client:
            answers = client.batch(entries)
        assert {answer["response"]["status"][:1] for answer in answers} == {"2"}

    def _observe(self, who: str, lactate: float | None, vitals: bool) -> None:
        for hours in (1.0, 2.5, 6.0) if vitals else ():
            self.observation(who, f"hr{hours}", hours, **loinc("8867-4", 80 + hours, "/min"))
            self.observation(who, f"rr{hours}", hours, **loinc("9279-1", 16, "/min"))
            pressures = [loinc("8480-6", 120, "mm[Hg]"), loinc("8478-0", 85, "mm[Hg]")]
            self.observation(who, f"bp{hours}", hours, code=coded("85354-9"), component=pressures)
        if lactate is not None:
            self.lactate(who, "lactate", lactate, hours=2.3)


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def loinc(code: str, value: float, unit: str) -> dict[str, Any]:
    quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {"code": coded(code), "valueQuantity": quantity}


@pytest.fixture
def stay() -> dict[str, Any]:
    """Encounter e1 of Patient a: in Location icu since midnight of 2 January 2026, in progress."""
    return {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "in-progress",
        "class": {"code": "ACUTE"},
        "subject": {"reference": "Patient/a"},
        "period": {"start": "2026-01-02T00:00:00Z"},
        "location": [{"location": {"reference": "Location/icu"}}],
    }


@pytest.fixture
def pulse() -> dict[str, Any]:
    """Observation o1 of Patient a: a heart rate at five o'clock on 2 January 2026."""
    return {
        "id": "o1",
        "status": "final",
        **loinc("8867-4", 80, "/min"),
        "subject": {"reference": "Patient/a"},
        "effectiveDateTime": "2026-01-02T05:00:00Z",
        # A line of NDJSON may name its type last.
        "resourceType": "Observation",
    }


class KeyPair(NamedTuple):
    """A client's keys for signed assertions, as PEM."""

    private: str
    public: str


@pytest.fixture(scope="session")
def key_pair() -> KeyPair:
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())


@pytest.fixture
def icu() -> Icu:
    return Icu()


# The project's sepsis with fewer columns, which Great Expectations checks in a tenth of the time.
FEW_FEATURES = """\
  demographics: [age, sex]
  groups:
    - variables: [heart_rate, respiratory_rate, systolic_pressure, mean_pressure, creatinine]
      summaries: [last]
      window: 24h
    - variables: [lactate]
      summaries: [max, count, hours_since_last]
      window: 24h
"""


@pytest.fixture(scope="session")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose one condition is a small sepsis."""
    home, theirs = tmp_path_factory.mktemp("home"), PROJECT / "include" / "schemas"
    (home / "include" / "schemas" / "conditions").mkdir(parents=True)
    shutil.copy(theirs / "variables.yaml", home / "include" / "schemas")
    shutil.copytree(theirs / "servers", home / "include" / "schemas" / "servers")
    whole = yaml.safe_load((theirs / "conditions" / "sepsis.yaml").read_text())
    minimum = {"at_least": 4, "of": ["heart_rate", "respiratory_rate", "systolic_pressure", "mean_pressure", "lactate"]}
    small = {**whole, "features": yaml.safe_load(FEW_FEATURES), "minimum_data": minimum}
    (home / "include" / "schemas" / "conditions" / "sepsis.yaml").write_text(yaml.safe_dump(small, sort_keys=False))
    return home


@pytest.fixture
def settings(tmp_path: Path, small_home: Path, lactate_models: Path) -> Settings:
    """Settings of an installation with a small sepsis, its live model, and folders of its own."""
    environment = {"WARDROUND_VAR": str(tmp_path / "var"), "WARDROUND_MODELS": str(lactate_models)}
    return settings_from({"WARDROUND_HOME": str(small_home), **environment})


@pytest.fixture
def keeping(settings: Settings, tmp_path: Path) -> Settings:
    """The same installation, whose condition keeps a Group of the high band."""
    home = tmp_path / "keeping"
    shutil.copytree(settings.schemas, home / "include" / "schemas")
    spec = home / "include" / "schemas" / "conditions" / "sepsis.yaml"
    content = {**yaml.safe_load(spec.read_text()), "high_band_group": True}
    spec.write_text(yaml.safe_dump(content, sort_keys=False))
    return replace(settings, home=home)


@pytest.fixture(scope="session")
def lactate_models(tmp_path_factory: pytest.TempPathFactory, small_home: Path) -> Path:
    """A model store whose live sepsis model knows one thing: the higher the lactate, the higher the risk."""
    from wardround.candidates.registry import CANDIDATES

    root = tmp_path_factory.mktemp("models")
    sepsis = load_condition("sepsis", small_home / "include" / "schemas")
    columns = sepsis.columns
    inputs = np.zeros((200, len(columns)))
    inputs[:, columns.index("lactate__max_24h")] = np.linspace(0.5, 8.0, 200)
    fitted = CANDIDATES["logistic_regression"].fit(inputs, (np.linspace(0.5, 8.0, 200) > 3.0).astype(int), seed=1)
    side = Side(patients=100, stays=100, positives=50)
    card = ModelCard(
        condition=sepsis.id,
        title=sepsis.title,
        version="1.0.0-0123456789ab",
        created=AS_OF,
        columns=columns,
        spec_digest=spec_digest(sepsis),
        data_digest="0" * 64,
        label=sepsis.label,
        horizon="hospital_stay",
        prediction_time=timedelta(hours=24),
        cohort=Flow(found=200, excluded={}, used=200),
        split=Split(train=side, test=side, test_share=0.5, folds=5),
        candidates={"logistic_regression": CandidateResult(title=fitted.title, threshold=0.5, metrics={})},
        chosen="logistic_regression",
        metrics={},
        thresholds={"moderate": 0.25, "high": 0.5},
        contributions_unit="log-odds",
        imputation={**dict.fromkeys(columns, 0.0), "lactate__max_24h": 1.0},
        seed=1,
        libraries={name: version(name) for name in ("scikit-learn", "xgboost-cpu")},
        files={fitted.file_name: "0" * 64},
    )
    store = ModelStore(root)
    store.save(sepsis.id, card, {fitted.file_name: fitted.dump()})
    store.promote(sepsis, card.version, by="tests", why="tests")
    return root


@pytest.fixture(scope="session")
def evaluation() -> Evaluation:
    """A small evaluation with every part filled, and one of each kind of figure that cannot be given."""
    metric = Metric(value=0.812, low=0.741, high=0.876)
    missing = Metric(value=None, reason="no stay with the outcome")
    metrics = dict.fromkeys(METRICS, metric)
    hours = {name: Metric(value=hour, low=hour - 1, high=hour + 1) for name, hour in LEAD_QUARTILES.items()}
    cells = tuple(
        Cell(group=group, rows=120, stays=120, patients=90, positives=21, metrics={**metrics, "ppv": missing})
        for group in ("female", "male")
    )
    return Evaluation(
        policy=Policy(name="sensitivity", target=0.8, reached=0.804),
        calibration=CalibrationOnTest(
            slope=Metric(value=0.96, low=0.81, high=1.12),
            intercept=Metric(value=-0.04, low=-0.21, high=0.14),
            brier=metric,
            bins=tuple(CalibrationBin(mean_predicted=p, observed=p * 0.9, rows=60) for p in (0.05, 0.2, 0.5, 0.8)),
        ),
        curves=Curves(
            roc=tuple(RocPoint(false_positive_rate=x, sensitivity=x**0.3) for x in (0.0, 0.2, 0.6, 1.0)),
            precision_recall=tuple(PrecisionRecallPoint(recall=x, precision=1 - 0.7 * x) for x in (0.1, 0.5, 1.0)),
        ),
        decision_curve=tuple(
            DecisionPoint(threshold=t, net_benefit=0.2 - 0.2 * t, treat_all=0.2 - t) for t in (0.05, 0.2, 0.5)
        ),
        alerts_per_100_patient_days=Metric(value=41.5, low=33.1, high=50.2),
        lead_time=LeadTime(stays_with_onset=42, stays_alerted=31, **hours),
        subgroups=(
            Subgroups(attribute="sex", cells=cells, suppressed=0),
            Subgroups(attribute="age_band", cells=cells[:1], suppressed=3),
            Subgroups(attribute="race", cells=(), suppressed=0, reason="the source does not say"),
        ),
        importance=Importance(
            method="shap",
            unit="log-odds",
            rows=240,
            columns=(
                ColumnImportance(column="lactate__max_24h", mean_absolute=0.62),
                ColumnImportance(column="age", mean_absolute=0.11),
            ),
            reasons=ShownReasons(rows=240, shown=1140, left_out=60),
        ),
        sensitivity_to_onset=OtherOnset(
            definition="suspected_infection_time", rows=231, positives=38, metrics={**metrics, "ppv": missing}
        ),
    )


@pytest.fixture(scope="session")
def hourly_task() -> Task:
    """Onset within the next 6 hours, each full hour from the fourth."""
    return Task(
        task="hourly",
        horizon=timedelta(hours=6),
        at=timedelta(hours=4),
        hours_per_row=1,
        label="sepsis3",
        onset_definition="sofa_time",
    )


@pytest.fixture(scope="session")
def gates() -> tuple[GateResult, ...]:
    """What the gates found for a model that may go on."""
    return (
        GateResult(name="patient_overlap", passed=True, found=0, limit=0, message="no patient is on both sides"),
        GateResult(name="permuted_labels", passed=None, found=0.43, limit=0.5, message="too few patients to judge"),
        GateResult(
            name="dominant_feature",
            passed=True,
            found=0.07,
            limit=0.05,
            message="without lactate__max_24h the AUROC falls by 0.07",
            columns=("lactate__max_24h",),
        ),
        GateResult(name="too_good", passed=True, found=0.81, limit=0.95, message="AUROC on the test patients"),
    )


@pytest.fixture(scope="session")
def evaluated_card(
    evaluation: Evaluation, hourly_task: Task, gates: tuple[GateResult, ...], schemas: Path
) -> ModelCard:
    """The card of a sepsis model that was trained and evaluated here, with every part filled."""
    sepsis = load_condition("sepsis", schemas)
    metrics = evaluation.subgroups[0].cells[1].metrics
    folds = tuple(FoldResult(fold=fold, settings={"max_depth": 2 + fold}, metrics=metrics) for fold in range(5))
    result = CandidateResult(title="XGBoost", threshold=0.31, metrics=metrics, settings={"max_depth": 3}, folds=folds)
    return ModelCard(
        condition=sepsis.id,
        title=sepsis.title,
        version="1.0.0-0123456789ab",
        created=AS_OF,
        about=About.of(sepsis),
        columns=sepsis.columns,
        spec_digest=spec_digest(sepsis),
        data_digest="0" * 64,
        label=Label(rule="sepsis3", onset="sofa_time"),
        horizon="6h",
        prediction_time=hourly_task.at,
        cohort=Flow(found=500, excluded={"under_age": 7, "shorter_than_4h": 13}, used=480),
        readings_set_aside={"lactate": {"comparator": 29}},
        split=Split(
            train=Side(patients=330, stays=360, positives=63),
            test=Side(patients=110, stays=120, positives=21),
            test_share=0.25,
            folds=5,
        ),
        candidates={
            "xgboost": result,
            "logistic_regression": result.model_copy(update={"title": "Logistic regression"}),
        },
        chosen="xgboost",
        metrics={name: Metric(value=0.7, low=0.6, high=0.8) for name in METRICS},
        task=hourly_task,
        evaluation=evaluation,
        gates=gates,
        thresholds={"moderate": 0.155, "high": 0.31},
        calibration=Calibration(method="platt", slope=1.07, intercept=0.13),
        contributions_unit="log-odds",
        imputation=dict.fromkeys(sepsis.columns, 1.5),
        seed=1,
        libraries={"wardround": "0.1.0", "xgboost-cpu": version("xgboost-cpu")},
        files={"model.ubj": "1" * 64},
    )


@pytest.fixture(scope="session")
def elsewhere(evaluated_card: ModelCard) -> ModelCard:
    """The card of a model that was trained elsewhere: nothing of it was measured here."""
    none = Side(patients=0, stays=0, positives=0)
    return evaluated_card.model_copy(
        update={
            "label": None,
            "horizon": "not stated",
            "prediction_time": None,
            "cohort": Flow(found=0, excluded={}, used=0),
            "readings_set_aside": {},
            "split": Split(train=none, test=none, test_share=0, folds=0),
            "metrics": {},
            "task": None,
            "evaluation": None,
            "gates": (),
            "calibration": Calibration(),
            "imported": Imported(
                file="theirs.joblib",
                digest="2" * 64,
                schema_digest=None,
                trusted_by="ann",
                kind="sklearn.linear_model.LogisticRegression",
                inputs=(),
                typical={},
                takes="frame",
                takes_unknown=False,
                positive=1,
                libraries=(),
            ),
        }
    )
