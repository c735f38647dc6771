"""The environment, read once at an entry point (CLI, DAG, plugin) into a frozen object that is passed on."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints
from urllib.parse import quote

from wardround.errors import SettingsError
from wardround.fhir.source_settings import DEFAULTS, value_of
from wardround.spec.base import parse_duration

# The wheel carries a home beside this file (setup.py); else this is a checkout, or an editable install of one.
_CARRIED = Path(__file__).resolve().parent / "home"
# Whoever opens a chart waits for it.
_LONGEST_WAIT: Final = 30
PROJECT = _CARRIED if _CARRIED.is_dir() else _CARRIED.parents[2]


@dataclass(frozen=True)
class Variable:
    """A variable of the environment.

    Attributes:
        name: its name.
        meaning: what the documents say about it, as Markdown; links in it lead from docs/operations.
        read: makes the value of its text; raises ValueError, which says what is expected.
        default: what the documents say about the default, where that is not its value.
    """

    name: str
    meaning: str
    read: Callable[[str], Any] = str
    default: str = ""


def _of_source(name: str, setting: str, meaning: str) -> Variable:
    """Returns the variable of what `SourceSettings` declares, for all sources of the command line."""
    return Variable(name, f"{meaning}, for the command line", partial(value_of, setting))


def _optional(text: str) -> str | None:
    return text or None


def _path(text: str) -> Path | None:
    return Path(text).absolute() if text else None


def _url(text: str) -> str | None:
    return text.rstrip("/") or None


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError("a time such as 90m, 2h or 1d") from None


def _optional_duration(text: str) -> timedelta | None:
    return _duration(text) if text else None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_WAIT:
        raise ValueError(f"a number of seconds, at most {_LONGEST_WAIT}")
    return seconds


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in text.split(",") if host.strip())
    if not all(re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:]*:[0-9a-f:]*", host) for host in hosts):
        raise ValueError("names or addresses of hosts without scheme, port and wildcard, such as fhir,10.0.0.7")
    return hosts


def _memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*(MB|GB)", text):
        raise ValueError("a size such as 512MB or 4GB")
    return text


def _is_percent(text: str) -> bool:
    if text not in ("fraction", "percent"):
        raise ValueError("fraction or percent")
    return text == "percent"


@dataclass(frozen=True)
class Settings:
    """Where things are, and the few switches that belong to an installation and not to a condition.

    Each field is declared with the variable that sets it; docs/operations/settings.md has them as a table.
    """

    home: Annotated[
        Path,
        Variable(
            "WARDROUND_HOME",
            "folder with `include/`, `dags/`, `config/` and `plugins/`",
            default="the project, or what is in the wheel",
        ),
    ]
    var: Annotated[
        Path,
        Variable(
            "WARDROUND_VAR",
            "folder for what Wardround writes",
            default="`var` in the home; installed from a wheel, `var` in the working directory",
        ),
    ]
    runs: Annotated[
        str, Variable("WARDROUND_RUNS", "run folders, a path or an fsspec URL", default="`runs` in `WARDROUND_VAR`")
    ]
    models: Annotated[
        Path | str,
        Variable(
            "WARDROUND_MODELS",
            "the model store, a path or an fsspec URL",
            default="`include/models`; installed from a wheel, `var/models`",
        ),
    ]
    database: Annotated[
        str,
        Variable(
            "WARDROUND_DATABASE",
            "[Wardround's own database](database.md), a SQLAlchemy URL: a SQLite file, or PostgreSQL where several"
            " machines share it",
            default="`sqlite:///…/wardround.sqlite` in `var`",
        ),
    ] = field(repr=False)  # it may hold a password
    stream: Annotated[
        Path,
        Variable(
            "WARDROUND_STREAM",
            "settings of [the stream door](../stream.md)",
            default="`stream.yaml` in `include`",
        ),
    ]
    percent: Annotated[
        bool,
        Variable(
            "WARDROUND_PROBABILITY", "`fraction` or `percent` in RiskAssessments", _is_percent, default="`fraction`"
        ),
    ] = False
    pages: Annotated[
        str | None,
        Variable(
            "WARDROUND_PAGES",
            "URL of [the pages in Airflow's UI](reports.md#reports-in-airflow),"
            " which the log of each task then links to: `https://airflow.example.org/wardround`",
            _url,
            default="none: logs name the report's file",
        ),
    ] = None
    collector: Annotated[
        str | None,
        Variable(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "base URL of an OpenTelemetry collector that takes OTLP over HTTP: each screening sends it"
            " [its figures](watched.md#what-a-screening-sends)",
            _url,
            default="none: nothing is sent",
        ),
    ] = field(default=None, repr=False)  # it may hold a password
    memory: Annotated[
        str,
        Variable(
            "WARDROUND_MEMORY",
            "how much memory DuckDB may use while it reads MIMIC-IV; the rest of a training takes less than 1 GB",
            _memory,
        ),
    ] = "512MB"
    screening_task: Annotated[
        timedelta,
        Variable(
            "WARDROUND_SCREENING_TASK",
            "how long one task of a screening may take in Airflow;"
            " `find_stays` has the export's `deadline` in addition",
            _duration,
        ),
    ] = timedelta(hours=2)
    training_task: Annotated[timedelta, Variable("WARDROUND_TRAINING_TASK", "the same for a training", _duration)] = (
        timedelta(hours=12)
    )
    deciding_task: Annotated[
        timedelta,
        Variable("WARDROUND_DECIDING_TASK", "the same for a promotion, or for suspending and resuming", _duration),
    ] = timedelta(minutes=15)
    screening_deadline: Annotated[
        timedelta | None,
        Variable(
            "WARDROUND_SCREENING_DEADLINE",
            "how long after a screening was asked of Airflow its report must be there;"
            " [somebody is told](watched.md#a-screening-that-is-late) if it is not",
            _duration,
            default="none: nobody is told",
        ),
    ] = None
    runs_kept: Annotated[
        timedelta | None,
        Variable(
            "WARDROUND_RUNS_KEPT",
            "how old a run's prediction time may be before the DAG `prune_runs`"
            " [removes the run](retention.md#remove-runs)",
            _optional_duration,
            default="none: nothing is removed",
        ),
    ] = None
    fhir_token: Annotated[
        str | None,
        Variable("WARDROUND_FHIR_TOKEN", "bearer token for a server given by its URL, for the command line", _optional),
    ] = field(default=None, repr=False)
    fhir_token_file: Annotated[
        Path | None, Variable("WARDROUND_FHIR_TOKEN_FILE", "a file with that token, for the command line", _path)
    ] = None
    fhir_aliases: Annotated[
        tuple[str, ...],
        _of_source(
            "WARDROUND_FHIR_ALIASES",
            "aliases",
            "other base URLs of a server given by its URL, or of the one that wrote a folder, comma-separated",
        ),
    ] = DEFAULTS.aliases
    source_map: Annotated[
        Path | None,
        Variable(
            "WARDROUND_SOURCE_MAP",
            "map of the codes and units of a server given by its URL,"
            " or of a folder ([source maps](codes-and-units.md)), for the command line",
            _path,
        ),
    ] = None
    fhir_page_size: Annotated[int, _of_source("WARDROUND_FHIR_PAGE_SIZE", "page_size", "resources per page")] = (
        DEFAULTS.page_size
    )
    fhir_retries: Annotated[
        int, _of_source("WARDROUND_FHIR_RETRIES", "retries", "requests that one run may repeat")
    ] = DEFAULTS.retries
    fhir_timeout: Annotated[
        float,
        _of_source(
            "WARDROUND_FHIR_TIMEOUT", "timeout", "seconds to wait for a connection, and then for each part of an answer"
        ),
    ] = DEFAULTS.timeout
    icu_classes: Annotated[
        tuple[str, ...],
        _of_source("WARDROUND_ICU_CLASSES", "icu_classes", "Encounter classes of ICU stays, comma-separated"),
    ] = DEFAULTS.icu_classes
    icu_locations: Annotated[
        tuple[str, ...],
        _of_source("WARDROUND_ICU_LOCATIONS", "icu_locations", "names or ids of ICU Locations, comma-separated"),
    ] = DEFAULTS.icu_locations
    bedside_seconds: Annotated[
        float,
        Variable(
            "WARDROUND_BEDSIDE_SECONDS",
            "how long [the bedside service](../cds-hooks.md) may take to read what one call lacks from its FHIR server",
            _seconds,
        ),
    ] = 3.0
    bedside_plain_hosts: Annotated[
        tuple[str, ...],
        Variable(
            "WARDROUND_BEDSIDE_PLAIN_HOSTS",
            "hosts of FHIR servers to which the bedside service may send a call's token over plain http, because nobody"
            " else can listen on the network between, comma-separated ([why](../cds-hooks.md#what-to-send-along))",
            _hosts,
            default="none: https, or this machine",
        ),
    ] = ()
    bedside_kept: Annotated[
        timedelta,
        Variable(
            "WARDROUND_BEDSIDE_KEPT",
            "how long the bedside service keeps [what it showed and heard](../cds-hooks.md#feedback)",
            _duration,
            default="`180d`",
        ),
    ] = timedelta(days=180)

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


VARIABLES: Final[dict[str, Variable]] = {
    name: kind.__metadata__[0] for name, kind in get_type_hints(Settings, include_extras=True).items()
}
"""The variable of each field."""


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """Returns the settings that environment variables make. Raises SettingsError for a value that cannot be used."""
    home = Path(environment.get("WARDROUND_HOME", PROJECT)).absolute()
    # Nothing is written into an installed package.
    carried = home == _CARRIED
    var = Path(environment.get("WARDROUND_VAR", Path("var") if carried else home / "var")).absolute()
    models = environment.get("WARDROUND_MODELS", str(var / "models" if carried else home / "include" / "models"))
    places: dict[str, Any] = {
        "home": home,
        "var": var,
        "runs": environment.get("WARDROUND_RUNS", str(var / "runs")),
        "models": models.rstrip("/") if "://" in models else Path(models).absolute(),
        "database": environment.get("WARDROUND_DATABASE") or database_in(var),
        "stream": Path(environment.get("WARDROUND_STREAM") or home / "include" / "stream.yaml").absolute(),
    }
    read = {
        field: _read(variable, environment[variable.name])
        for field, variable in VARIABLES.items()
        if field not in places and variable.name in environment
    }
    return Settings(**places, **read)


def kept_apart(settings: Settings, folder: Path) -> Settings:
    """Returns the settings with files, runs, models and database of their own, in the folder."""
    return replace(
        settings, var=folder, runs=str(folder / "runs"), models=folder / "models", database=database_in(folder)
    )


def places_in_environment(settings: Settings) -> dict[str, str]:
    """Returns the environment variables with which another process finds the same places."""
    return {
        "WARDROUND_HOME": str(settings.home),
        "WARDROUND_VAR": str(settings.var),
        "WARDROUND_RUNS": settings.runs,
        "WARDROUND_DATABASE": settings.database,
        "WARDROUND_MODELS": str(settings.models),
        "WARDROUND_STREAM": str(settings.stream),
    }


def database_in(var: Path) -> str:
    """Returns the URL of the database that lies in a folder of its own, as none was named."""
    return f"sqlite:///{quote(str(var / 'wardround.sqlite'))}"


def _read(variable: Variable, text: str) -> Any:
    try:
        return variable.read(text)
    except ValueError as error:
        raise SettingsError(f"{variable.name}: is {text!r}, expected {error}; correct it") from None
