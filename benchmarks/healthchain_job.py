"""The stored model that Wardround uses, in the form in which HealthChain gets it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from wardround.adapters.models.store import ModelStore
from wardround.settings import PROJECT
from wardround.spec.loading import load_variables


@dataclass(frozen=True)
class Model:
    """The model's file, its columns and what replaces an unknown one, and where its bands begin."""

    file: Path
    columns: list[str]
    imputation: dict[str, float]
    threshold: float
    moderate: float
    schema: Path

    @classmethod
    def live(cls, models: Path, folder: Path) -> Self:
        """Returns the live sepsis model of a store; writes a feature schema for HealthChain into the folder."""
        store = ModelStore(models)
        version = store.live_version("sepsis")
        card = store.card("sepsis", version)
        (file,) = (name for name in card.files if name.startswith("model."))
        schema = folder / "features.yaml"
        schema.write_text(yaml.safe_dump(_schema(list(card.columns))))
        place, bands = Path(store.root) / "sepsis" / version / file, card.thresholds
        return cls(place, list(card.columns), dict(card.imputation), bands["high"], bands["moderate"], schema)

    def job(self) -> dict[str, Any]:
        """Returns what HealthChain's part is told of the model."""
        about = {"columns": self.columns, "imputation": self.imputation, "threshold": self.threshold}
        return {"model": str(self.file), "schema": str(self.schema), **about}


def _schema(columns: list[str]) -> dict[str, Any]:
    """Returns a HealthChain feature schema: the model's first column of each variable, by its first MIMIC code."""
    features: dict[str, Any] = {}
    for variable in load_variables(PROJECT / "include" / "schemas").values():
        column = next((name for name in columns if name.startswith(f"{variable.name}__")), None)
        code = next((code for system, code in variable.all_codes() if "mimic" in system), None)
        if column and code:
            features[column] = {"fhir_resource": "Observation", "code": code, "code_system": "mimic"}
    features["age"] = {"fhir_resource": "Patient", "field": "birthDate", "transform": "calculate_age"}
    features["sex"] = {"fhir_resource": "Patient", "field": "gender", "transform": "encode_gender"}
    return {"name": "sepsis", "version": "1", "metadata": {"age_calculation": "event_date"}, "features": features}
