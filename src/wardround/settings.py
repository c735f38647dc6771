"""The environment, read once at an entry point (CLI, DAG, plugin) into a frozen object that is passed on."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from wardround.errors import SettingsError
from wardround.spec.base import parse_duration

# The wheel carries a home beside this file (setup.py); else this is a checkout, or an editable install of one.
_CARRIED = Path(__file__).resolve().parent / "home"
PROJECT = _CARRIED if _CARRIED.is_dir() else _CARRIED.parents[2]


@dataclass(frozen=True)
class Settings:
    """Where things are, and the few switches that belong to an installation and not to a condition.

    Attributes:
        home: the folder with include/ and dags/ (WARDROUND_HOME; default: the project, or what the wheel carries).
        var: what the software writes (WARDROUND_VAR; default: home/var, of a wheel var in the working directory).
        runs: fsspec URL of the run folders (WARDROUND_RUNS; default: var/runs).
        database: URL of Wardround's own database, which may hold a password and is never shown (WARDROUND_DATABASE;
            default: a SQLite file, var/wardround.sqlite).
        models: the model store (WARDROUND_MODELS; default: home/include/models, of a wheel var/models).
        percent: write probabilityDecimal as a percentage instead of a fraction (WARDROUND_PROBABILITY=percent).
        fhir_token: bearer token of the FHIR server that the CLI talks to, never shown (WARDROUND_FHIR_TOKEN).
        fhir_token_file: a file with it instead, as Docker hands over secrets (WARDROUND_FHIR_TOKEN_FILE).
        fhir_page_size: `_count` of the CLI's searches; servers may give less (WARDROUND_FHIR_PAGE_SIZE; default 5000).
        fhir_retries: requests that one run of the CLI may repeat, in all (WARDROUND_FHIR_RETRIES; default 500).
        fhir_aliases: other base URLs of that server, comma-separated: absolute references under them are to its own
            resources; of a folder of NDJSON those of the server that wrote it (WARDROUND_FHIR_ALIASES; default none).
        source_map: what the codes and units of that server, or of a folder of NDJSON, mean (WARDROUND_SOURCE_MAP).
        icu_classes: Encounter.class codes of an ICU stay, comma-separated (WARDROUND_ICU_CLASSES; default ACUTE).
        pages: URL of the pages in Airflow's UI, for what is logged to lead there (WARDROUND_PAGES; default none).
        memory: what DuckDB may hold while it reads MIMIC-IV (WARDROUND_MEMORY; default 512MB).
        icu_locations: names or ids of ICU Locations, comma-separated (WARDROUND_ICU_LOCATIONS; default none).
        screening_task, training_task, deciding_task: how long one task of Airflow's may take, of a screening, of a
            training, and of what somebody decided (WARDROUND_SCREENING_TASK, default 2h; WARDROUND_TRAINING_TASK,
            default 12h; WARDROUND_DECIDING_TASK, default 15m).
    """

    home: Path
    var: Path
    runs: str
    models: Path
    percent: bool
    database: str = field(repr=False)
    fhir_token: str | None = field(default=None, repr=False)
    fhir_token_file: Path | None = None
    fhir_page_size: int = 5_000
    fhir_retries: int = 500
    fhir_aliases: tuple[str, ...] = ()
    source_map: Path | None = None
    icu_classes: tuple[str, ...] = ("ACUTE",)
    icu_locations: tuple[str, ...] = ()
    memory: str = "512MB"
    pages: str | None = None
    screening_task: timedelta = timedelta(hours=2)
    training_task: timedelta = timedelta(hours=12)
    deciding_task: timedelta = timedelta(minutes=15)

    @property
    def schemas(self) -> Path:
        return self.home / "include" / "schemas"

    @property
    def demo(self) -> Path:
        """What `make demo` leaves, its models too; it begins there anew each time."""
        return self.var / "demo"

    @property
    def demo_models(self) -> Path:
        return self.demo / "models"


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from environment variables; raises SettingsError for a value it does not know."""
    home = Path(environment.get("WARDROUND_HOME", PROJECT)).absolute()
    # Nothing is written into an installed package.
    carried = home == _CARRIED
    var = Path(environment.get("WARDROUND_VAR", Path("var") if carried else home / "var")).absolute()
    models = environment.get("WARDROUND_MODELS", var / "models" if carried else home / "include" / "models")
    probability = environment.get("WARDROUND_PROBABILITY", "fraction")
    if probability not in ("fraction", "percent"):
        raise SettingsError(f"WARDROUND_PROBABILITY: is {probability!r}, expected fraction or percent; correct it")
    return Settings(
        home=home,
        var=var,
        runs=environment.get("WARDROUND_RUNS", str(var / "runs")),
        models=Path(models).absolute(),
        percent=probability == "percent",
        database=environment.get("WARDROUND_DATABASE") or database_in(var),
        fhir_token=environment.get("WARDROUND_FHIR_TOKEN") or None,
        fhir_token_file=_file(environment, "WARDROUND_FHIR_TOKEN_FILE"),
        fhir_page_size=_whole(environment, "WARDROUND_FHIR_PAGE_SIZE", "5000"),
        fhir_retries=_whole(environment, "WARDROUND_FHIR_RETRIES", "500"),
        fhir_aliases=listed(environment.get("WARDROUND_FHIR_ALIASES", "")),
        source_map=_file(environment, "WARDROUND_SOURCE_MAP"),
        icu_classes=listed(environment.get("WARDROUND_ICU_CLASSES", "ACUTE")),
        icu_locations=listed(environment.get("WARDROUND_ICU_LOCATIONS", "")),
        pages=environment.get("WARDROUND_PAGES", "").rstrip("/") or None,
        memory=_memory(environment.get("WARDROUND_MEMORY", "512MB")),
        screening_task=_duration(environment, "WARDROUND_SCREENING_TASK", "2h"),
        training_task=_duration(environment, "WARDROUND_TRAINING_TASK", "12h"),
        deciding_task=_duration(environment, "WARDROUND_DECIDING_TASK", "15m"),
    )


def database_in(var: Path) -> str:
    """Returns the URL of the database that lies in a folder of its own, as none was named."""
    return f"sqlite:///{quote(str(var / 'wardround.sqlite'))}"


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    path = environment.get(name)
    return Path(path).absolute() if path else None


def _whole(environment: Mapping[str, str], name: str, default: str) -> int:
    text = environment.get(name, default)
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{name}: is {text!r}, expected a whole number above 0; correct it")
    return int(text)


def _duration(environment: Mapping[str, str], name: str, default: str) -> timedelta:
    text = environment.get(name, default)
    try:
        return parse_duration(text)
    except ValueError:
        raise SettingsError(f"{name}: is {text!r}, expected a time such as 90m, 2h or 1d; correct it") from None


def _memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(MB|GB)", text):
        raise SettingsError(f"WARDROUND_MEMORY: is {text!r}, expected a size such as 512MB or 4GB; correct it")
    return text


def listed(text: str) -> tuple[str, ...]:
    """The values of a list with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
