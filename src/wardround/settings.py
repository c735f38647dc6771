"""The environment, read once at an entry point (CLI, DAG, plugin) into a frozen object that is passed on."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """Where things are, and the few switches that belong to an installation and not to a condition.

    Attributes:
        home: the folder with include/ and dags/ (WARDROUND_HOME; default: the project).
        var: what the software writes (WARDROUND_VAR; default: home/var).
        runs: fsspec URL of the run folders (WARDROUND_RUNS; default: var/runs).
        models: the model store (WARDROUND_MODELS; default: home/include/models).
        percent: write probabilityDecimal as a percentage instead of a fraction (WARDROUND_PROBABILITY=percent).
    """

    home: Path
    var: Path
    runs: str
    models: Path
    percent: bool

    @property
    def schemas(self) -> Path:
        return self.home / "include" / "schemas"


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from environment variables; raises ValueError for a value it does not know."""
    home = Path(environment.get("WARDROUND_HOME", PROJECT)).absolute()
    var = Path(environment.get("WARDROUND_VAR", home / "var")).absolute()
    probability = environment.get("WARDROUND_PROBABILITY", "fraction")
    if probability not in ("fraction", "percent"):
        raise ValueError(f"WARDROUND_PROBABILITY: got {probability!r}, expected fraction or percent")
    return Settings(
        home=home,
        var=var,
        runs=environment.get("WARDROUND_RUNS", str(var / "runs")),
        models=Path(environment.get("WARDROUND_MODELS", home / "include" / "models")).absolute(),
        percent=probability == "percent",
    )
