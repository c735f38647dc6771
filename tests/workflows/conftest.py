"""A made-up run's folder, as screening leaves it for a ward of any size; and questions to real servers."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from tests.fixtures.cards import card_of

from wardround.adapters.files.run_folder import RunFolder
from wardround.adapters.models.store import ModelStore
from wardround.core.events import frame_of
from wardround.core.ledger import LEDGER_COLUMNS
from wardround.evaluation.metrics import Metric
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.quality.suite import Checked, QualityResult, suite
from wardround.results.bands import band_of
from wardround.settings import settings_from
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition
from wardround.training.fitting import CandidateResult
from wardround.training.model import Flow, ModelCard, Side, Split

RUN = "sepsis-20260102T050000Z-a1b2c3"
UNITS = ("Medical Intensive Care Unit (MICU)", "Surgical Intensive Care Unit (SICU)", "Coronary Care Unit (CCU)", "")
REASONS = (
    "Lactate, latest of the last 24 h: 4.2 mmol/L (1.3 h before); raises the risk",
    "Mean blood pressure, lowest of the last 24 h: 58 mmHg (3.0 h before); raises the risk",
    "Body temperature, trend over the last 24 h: +0.12 °C per hour (14 values, latest 0.6 h before); raises the risk",
    "White blood cells, highest of the last 24 h: 17.4 10³/µL (5.1 h before); raises the risk",
    "Oxygen saturation, mean of the last 24 h: 97.3 % (22 values, latest 0.2 h before); lowers the risk",
    "Age: 67 years; raises the risk",
    "Heart rate, latest of the last 24 h: 118 /min (0.4 h before); raises the risk",
)
MISSING = ("Lactate", "Bilirubin, total", "White blood cells", "Creatinine", "Mean blood pressure", "Heart rate")
EXCLUSIONS = ("discharged", "under_age", "no_birth_date", "not_yet_admitted")


def model_card(condition: Condition) -> ModelCard:
    """A card such as training writes."""
    metric = Metric(value=0.812, low=0.741, high=0.876)
    metrics = {
        "auroc": metric,
        "auprc": Metric(value=0.564, low=0.438, high=0.681),
        "f1": Metric(value=0.571, low=0.462, high=0.667),
        "sensitivity": Metric(value=0.702, low=0.571, high=0.826),
        "specificity": Metric(value=0.781, low=0.724, high=0.834),
        "ppv": Metric(value=0.481, low=0.372, high=0.591),
        "brier": Metric(value=0.131, low=0.108, high=0.156),
    }
    return card_of(
        condition,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        cohort=Flow(found=1480, excluded={"left before the prediction time": 274}, used=1206),
        split=Split(
            train=Side(patients=760, stays=964, positives=171),
            test=Side(patients=190, stays=242, positives=45),
            test_share=0.2,
            folds=5,
        ),
        candidates={"xgboost": CandidateResult(title="XGBoost", threshold=0.32, metrics=metrics)},
        chosen="xgboost",
        metrics=metrics,
        thresholds={"moderate": 0.16, "high": 0.32},
        seed=0,
    )


class Ward:
    """Writes run folders under `home`, for the project's own spec."""

    def __init__(self, home: Path) -> None:
        project = settings_from({})
        self.settings = replace(settings_from({"WARDROUND_VAR": str(home)}), home=project.home, models=home / "models")
        self.condition = load_condition("sepsis", self.settings.schemas)
        self.card = model_card(self.condition)
        ModelStore(self.settings.models).save("sepsis", self.card, {})
        self.run = RUN

    def folder(self, run: str = "") -> RunFolder:
        """The folder of a run, by default of the run that was screened last."""
        return RunFolder.of(self.settings.runs, run or self.run)

    def screen(self, stays: int, units: tuple[str, ...] = UNITS, seed: int = 0, run: str = RUN, **request: Any) -> str:
        """A finished run of the given number of stays, with all outcomes among them if possible; returns its id.

        Runs of as many stays have the same stays, and those of another seed other scores for them.
        """
        self.run = run
        ledger, admitted = self._ledger(stays, units, np.random.default_rng(seed))
        if request.get("mode") == "shadow" or request.get("dry_run"):
            ledger["written"] = False
        self._request(**request)
        self._stays(ledger, admitted)
        self._chunks(ledger, np.random.default_rng(seed))
        self._account(ledger)
        return run

    @staticmethod
    def text_of(page: str) -> str:
        """What a reader sees of a page, in one line."""
        body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", " ", body).split())

    def _ledger(
        self, stays: int, units: tuple[str, ...], random: np.random.Generator
    ) -> tuple[pd.DataFrame, pd.Series]:
        score = random.beta(1.1, 5.5, stays).round(4)
        lot = random.permutation(stays) / max(stays, 1)
        outcome = np.select([lot < 0.11, lot < 0.15, lot < 0.17], ["excluded", "indeterminate", "failed"], "scored")
        scored = outcome == "scored"
        reason = np.select(
            [outcome == "excluded", outcome == "indeterminate", outcome == "failed"],
            [random.choice(EXCLUSIONS, stays), np.full(stays, "minimum_data"), np.full(stays, "write:http_422")],
            "",
        )
        identifiers = [f"{number:08x}-5c1d-5f0e-9a77-3b2f5d6e7a80" for number in random.permutation(stays)]
        bands = [
            band_of(one, self.card.thresholds) if is_scored else ""
            for one, is_scored in zip(score, scored, strict=True)
        ]
        ledger = frame_of(
            LEDGER_COLUMNS,
            {
                "stay_id": [f"stay-{identifier}" for identifier in identifiers],
                "patient_id": [f"patient-{identifier}" for identifier in identifiers],
                "unit": random.choice(units, stays),
                "chunk": np.where(outcome == "excluded", 0, 1 + np.arange(stays) // 100),
                "outcome": outcome,
                "reason": reason,
                "score": np.where(scored, score, np.nan),
                "band": bands,
                "written": scored,
            },
        )
        hours = pd.Series(pd.to_timedelta(random.gamma(1.4, 50, stays).round(2), unit="h"))
        return ledger, pd.Timestamp("2026-01-02T05:00Z") - hours

    def _request(self, **request: Any) -> None:
        content = {
            "run": self.run,
            "condition": "sepsis",
            "source_url": "http://127.0.0.1:8080/fhir",
            "as_of": "2026-01-02T05:00:00Z",
            "look_back": None,
            "mode": "live",
            "condition_version": self.condition.version,
            "spec_digest": spec_digest(self.condition),
            "model_version": self.card.version,
            "software_version": "0.1.0",
        }
        self.folder().write_json("request.json", {**content, **request})

    def _stays(self, ledger: pd.DataFrame, admitted: pd.Series) -> None:
        stays = ledger[["stay_id", "patient_id", "unit", "chunk"]].assign(
            intime=admitted, excluded=ledger["reason"].where(ledger["outcome"] == "excluded", "")
        )
        self.folder().write_frame("stays.parquet", stays)

    def _chunks(self, ledger: pd.DataFrame, random: np.random.Generator) -> None:
        for chunk, mine in ledger[ledger["chunk"] > 0].groupby("chunk"):
            scores = mine[["stay_id", "patient_id", "score", "band"]].assign(
                reasons=[
                    list(random.permutation(REASONS)[:5]) if scored else [] for scored in mine["outcome"] == "scored"
                ],
                missing=[
                    list(MISSING) if outcome == "indeterminate" else list(MISSING[: random.integers(0, 3)])
                    for outcome in mine["outcome"]
                ],
            )
            self.folder().write_frame(f"chunk-{chunk:04d}/scores.parquet", scores)
            features = pd.DataFrame(
                np.where(random.random((len(mine), len(self.condition.columns))) < self._rarity(), np.nan, 1.0),
                columns=list(self.condition.columns),
            )
            features.insert(0, "stay_id", mine["stay_id"].to_numpy())
            self.folder().write_frame(f"chunk-{chunk:04d}/features.parquet", features)

    def _rarity(self) -> np.ndarray:
        """How often each column is unknown: demographics and vital signs rarely, laboratory results more often."""
        rare = {"lactate": 0.58, "bilirubin": 0.44, "white_cells": 0.12, "creatinine": 0.09, "platelets": 0.13}
        counts = [column.split("__")[0] if "__count_" not in column else "" for column in self.condition.columns]
        return np.array([0.0 if name in ("", "age", "sex") else rare.get(name, 0.03) for name in counts])

    def _account(self, ledger: pd.DataFrame) -> None:
        folder = self.folder()
        folder.write_json("census.json", {"of": {"condition": "sepsis", "source": "ward"}, "found": len(ledger)})
        folder.write_frame("ledger.parquet", ledger)
        folder.write_json("quality.json", self.quality(len(ledger), broken=min(2, len(ledger))).model_dump(mode="json"))
        some = {"lactate": {"comparator": 14, "unknown_unit": 2}, "heart_rate": {"implausible_value": 31}}
        folder.write_json("set_aside.json", some if len(ledger) else {})
        outcomes = ("scored", "indeterminate", "excluded", "failed")
        folder.write_json(
            "summary.json",
            {
                "found": len(ledger),
                **{outcome: int((ledger["outcome"] == outcome).sum()) for outcome in outcomes},
                "written": int(ledger["written"].sum()),
                "complete": True,
                "durations": {
                    "find_stays": 0.42,
                    "extract": 6.31,
                    "check_quality": 4.9,
                    "score": 2.84,
                    "publish": 3.77,
                    "reconcile": 0.61,
                },
                "http_requests": len(ledger) // 20,
            },
        )

    def quality(self, rows: int, broken: int) -> QualityResult:
        """The suite's result for the given number of rows, of which `broken` broke the rule about age."""
        expectations = tuple(
            Checked(
                type="expect_column_values_to_be_between",
                column=rule.column,
                rule=rule.text,
                success=rule.kind != "between" or rule.column != "age" or not broken,
                checked=rows,
                unexpected=broken if rule.kind == "between" and rule.column == "age" else 0,
            )
            for rule in suite(self.condition)
        )
        return QualityResult(condition="sepsis", rows=rows, set_aside=broken, expectations=expectations)


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    """A place to screen made-up wards in."""
    return Ward(tmp_path)


Refused = Callable[[requests.PreparedRequest, int], requests.Response]


@pytest.fixture(scope="session")
def refused() -> Refused:
    """refused(request, status) is an answer with that status, as if the server had sent it."""

    def answer(request: requests.PreparedRequest, status: int) -> requests.Response:
        response = requests.Response()
        response.status_code = status
        response.headers["Content-Type"] = "application/fhir+json"
        response._content = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}'
        response.request = request
        response.url = str(request.url)
        return response

    return answer


@pytest.fixture(scope="session")
def held_at() -> Callable[[str, str], list[dict[str, Any]]]:
    """held_at(base_url, type) returns all resources of a type that a server holds, by id."""

    def read(base_url: str, resource_type: str) -> list[dict[str, Any]]:
        with FhirClient(FhirEndpoint(base_url)) as client:
            return sorted(client.search(resource_type, {}), key=lambda resource: str(resource["id"]))

    return read
