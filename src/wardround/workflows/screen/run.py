"""Defines a run: opened once, with the model that all its tasks use, and loaded again by each of them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from time import time

import orjson
import pandas as pd

from wardround import __version__
from wardround.adapters.files.run_folder import RunFolder, run_id
from wardround.adapters.files.stored_request_file import read_request, write_request
from wardround.core import run_files
from wardround.core.events import UTC, frame_of
from wardround.core.run_summary import StepAccount
from wardround.core.stored_request import Challenger, StoredScreening
from wardround.errors import FhirError, ModelError, RunIncomplete, named
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint, shown
from wardround.results.risk_assessment import Screening
from wardround.settings import Settings
from wardround.spec.base import parse_duration
from wardround.spec.cohorts import CohortSource
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition
from wardround.spec.source_maps import NO_TRANSLATION, Translation
from wardround.training.model import HOSPITAL_STAY, NOT_STATED, ScoringModel
from wardround.workflows.report_places import report_place
from wardround.workflows.screen.request import ScreeningRequest
from wardround.workflows.steps import Step, logged
from wardround.workflows.stores import model_store, store_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run that was opened: its id, folder, request and spec, and the version and horizon of the model of all chunks.

    `translation` is what the source's own codes and units meant when the run was opened; `place` tells where the run's
    report is.
    """

    id: str
    folder: RunFolder
    request: ScreeningRequest
    condition: Condition
    model_version: str
    horizon: timedelta | None
    translation: Translation
    challenger: Challenger | None
    place: Callable[[], str]

    @property
    def as_of(self) -> pd.Timestamp:
        return pd.Timestamp(self.request.as_of)

    @property
    def look_back_start(self) -> pd.Timestamp:
        """Returns the time from which stays count: those that ended before it are not found."""
        return self.as_of - (self.request.look_back or self.condition.cohort.look_back)

    @property
    def cohort_source(self) -> CohortSource:
        """Returns where the run's patients come from."""
        return self.request.cohort or self.condition.cohort.source

    @property
    def writes(self) -> bool:
        """Returns whether the run writes results."""
        return self.request.writes

    @property
    def retracted(self) -> bool:
        """Returns whether the run has been retracted, or is being retracted: then it writes nothing more."""
        return self.folder.exists(run_files.RETRACTION)

    def screening(self, settings: Settings) -> Screening:
        """Returns what the run's RiskAssessments share."""
        return Screening(
            source_url=self.request.source_url,
            condition=self.condition,
            model_version=self.model_version,
            software_version=__version__,
            as_of=self.request.as_of,
            horizon=self.horizon,
            percent=settings.percent,
            elsewhere=self.request.write_to is not None,
        )

    def model(self, settings: Settings) -> ScoringModel:
        """Returns the run's model, after checking its files and its spec again. Raises ModelError."""
        return store_of(self.request.demo_model, settings).load(self.condition, self.model_version)

    @property
    def found(self) -> bool:
        """Returns whether the stays were found and divided into chunks."""
        return self.folder.exists(run_files.CHUNKS)

    @property
    def kept(self) -> bool:
        """Returns whether the run has work that a resumption need not repeat: its stays, or an export begun."""
        return self.found or self.folder.exists(run_files.EXPORT_STATE)

    def chunks_read(self) -> frozenset[int]:
        """Returns the chunks not to read again: every stay was read, and no row is known to break the suite."""
        broken = self.broken()
        stays = self.folder.read_frame(run_files.STAYS)
        again = {int(chunk) for chunk in stays["chunk"][stays["stay_id"].isin(broken)]}
        return frozenset(chunk for chunk in self.chunks() if chunk not in again and self._extracted(chunk))

    def broken(self) -> dict[str, str]:
        """Returns stay_id -> the rule that its row broke, for the rows that were checked against the suite."""
        broken: dict[str, str] = self.folder.read_json_or(run_files.QUALITY_FAILED, {})
        return broken

    def _extracted(self, chunk: int) -> bool:
        # The features are written last.
        return self.folder.exists(run_files.of_chunk(chunk, run_files.FEATURES)) and not self.folder.read_json(
            run_files.of_chunk(chunk, run_files.FAILURES)
        )

    def chunks(self) -> list[int]:
        """Returns the numbers of the run's chunks."""
        return list(self.folder.read_json(run_files.CHUNKS)["chunks"])

    @property
    def stays_per_chunk(self) -> int:
        """Returns the largest number of stays in a chunk."""
        return int(self.folder.read_json(run_files.CHUNKS)["stays_per_chunk"])

    def stays(self, chunk: int) -> pd.DataFrame:
        """Returns the stays of one chunk (STAY_COLUMNS and those of `find_stays`). Raises RunIncomplete if unknown."""
        stays = self.folder.read_frame(run_files.STAYS)
        mine = stays[stays["chunk"] == chunk].reset_index(drop=True)
        if chunk < 1 or mine.empty:
            raise RunIncomplete(
                f"run {self.id}: has no chunk {chunk}, expected one that find_stays made; run that step again"
            )
        return mine

    def no_features(self) -> pd.DataFrame:
        """Returns a feature table without rows."""
        return frame_of({"stay_id": "str", "as_of": UTC, **dict.fromkeys(self.condition.columns, "float64")})

    @contextmanager
    def step(self, name: str, client: FhirClient | None = None, chunk: int | None = None) -> Iterator[Step]:
        """Records when the step began and ended and how many requests its client made, if it ends well; logs it."""
        began, requests = time(), client.requests_made if client else 0
        with logged(f"run {self.id}", name, chunk, self.place) as step:
            yield step
            made = client.requests_made - requests if client else 0
            step.count(requests=made)
        account = StepAccount(step=name, began=began, ended=time(), http_requests=made)
        self.folder.write_json(run_files.of_step(name, chunk), account.as_json())


def require_active(opened: Run, settings: Settings) -> None:
    """Raises ConditionSuspended if the run writes and its condition has been switched off in the meantime.

    A shadow run reaches nobody, and is how people find out what was wrong.
    """
    if opened.writes:
        model_store(settings).require_active(opened.condition.id)


def require_servers(opened: Run, source: FhirEndpoint) -> None:
    """Raises FhirError if the source, or the server for the results, is not the run's own."""
    request = opened.request
    if source.base_url != request.source_url:
        raise FhirError(
            f"run {opened.id}: reads {request.source_url}, got {source.base_url}; use the source that it started with"
        )
    given = source.write_to.base_url if source.write_to else source.base_url
    if given != request.results_url:
        raise FhirError(
            f"run {opened.id}: writes its results to {request.results_url}, got {given}; name that server (write_to)"
        )


def open_run(request: ScreeningRequest, settings: Settings, translation: Translation = NO_TRANSLATION) -> str:
    """Checks spec and model, and opens the run's folder, empty; returns the run id.

    Raises ConditionSuspended if it would write for a condition that is switched off, FhirError if the run was opened
    for another source, and SpecError or ModelError.
    """
    condition = load_condition(request.condition, settings.schemas)
    of_condition = condition.mode_at(request.as_of)
    opened = request.model_copy(update={"mode": request.mode or of_condition})
    if opened.writes:
        model_store(settings).require_active(condition.id)
    model = store_of(request.demo_model, settings).load(condition)
    challenger = _challenger(condition, request, settings)
    run = request.run or run_id(condition.id, pd.Timestamp(request.as_of))
    folder = RunFolder.of(settings.runs, run)
    _require_own(folder, request)
    # A cleared DAG run opens its run again: files of an earlier attempt must not be taken for this one's. But an export
    # that it began, and from which it has read no stays, continues at the server: it is not begun a second time.
    folder.clear(keep=() if folder.exists(run_files.CHUNKS) else (run_files.EXPORT_STATE, f"{run_files.EXPORT}/"))
    # Kept with the run, so that editing the spec meanwhile cannot give its chunks different features.
    folder.write_json(run_files.CONDITION, condition.model_dump(mode="json"))
    folder.write_json(run_files.TRANSLATION, translation.model_dump(mode="json"))
    if opened.cohort and opened.cohort.patients:
        folder.write_json(run_files.PATIENTS, opened.cohort.patients)
    stored = StoredScreening.model_validate(
        {
            **opened.model_dump(mode="json", exclude={"cohort": {"patients"}}),
            "run": run,
            "mode_asked": request.mode,
            "mode_of_condition": of_condition,
            "condition_version": condition.version,
            "spec_digest": spec_digest(condition),
            "model_version": model.version,
            "horizon": model.card.horizon,
            "challenger": challenger,
            "software_version": __version__,
        }
    )
    write_request(folder, stored)
    _log_opened(load_run(run, settings))
    return run


def _require_own(folder: RunFolder, request: ScreeningRequest) -> None:
    """Raises FhirError if the folder is of another source's run, whose stays may have the same ids but differ."""
    if not folder.exists(run_files.REQUEST):
        return
    began = read_request(folder, StoredScreening)
    if began.source != request.source:
        raise FhirError(
            f"{folder.location('')}: is a run of {began.source}, got {request.source}; screen that source in a separate"
            " run"
        )


def _log_opened(opened: Run) -> None:
    """Logs what the run uses."""
    request, challenger, translation = opened.request, opened.challenger, opened.translation
    elsewhere = f", results to {shown(request.write_to)}" if request.write_to else ""
    _LOG.info(
        "run %s: opened in %s; as of %s, mode %s, model %s, source %s%s",
        *(opened.id, opened.folder.location(""), request.as_of.isoformat(), request.mode),
        *(opened.model_version, shown(request.source_url)),
        elsewhere,
    )
    if challenger and challenger.left_out:
        _LOG.warning(
            "run %s: challenger %s is left out because its model cannot be used", opened.id, challenger.version
        )
    elif challenger:
        _LOG.info("run %s: challenger %s is scored beside it", opened.id, challenger.version)
    if translation != NO_TRANSLATION:
        read = len(translation.codes), len(translation.units), translation.digest[:12]
        _LOG.info("run %s: a source map is in use, of %d codes and %d units (digest %s)", opened.id, *read)


def load_run(run: str, settings: Settings) -> Run:
    """Returns the run as it was opened. Raises RunNotFound."""
    folder = RunFolder.existing(settings.runs, run)
    stored = read_request(folder, StoredScreening)
    # Together, because object storage takes time for each.
    found = folder.found_of((run_files.PATIENTS, run_files.CONDITION, run_files.TRANSLATION))
    asked = {key: value for key, value in stored.as_json().items() if key in ScreeningRequest.model_fields}
    if patients := found.get(run_files.PATIENTS):
        asked["cohort"]["patients"] = orjson.loads(patients)
    request = ScreeningRequest.model_validate(asked)
    condition = _condition(found.get(run_files.CONDITION) or folder.read_bytes(run_files.CONDITION))
    return Run(
        id=run,
        folder=folder,
        request=request,
        condition=condition,
        model_version=stored.model_version,
        horizon=horizon_of(stored.horizon or NOT_STATED, condition),
        # Runs of an earlier release have no translation.
        translation=Translation.model_validate_json(found.get(run_files.TRANSLATION, b"{}")),
        challenger=stored.challenger,
        place=lambda: report_place(run, settings),
    )


@lru_cache(maxsize=4)
def _condition(stored: bytes) -> Condition:
    """Returns the condition that a run was opened with, cached because every step of every chunk needs it."""
    return Condition.model_validate_json(stored)


def why_left_out(error: Exception) -> str:
    """Returns why a challenger is left out; the message of a foreign error is omitted, as it may hold patient data."""
    return str(error) if isinstance(error, ModelError) else named(error)


def _challenger(condition: Condition, request: ScreeningRequest, settings: Settings) -> Challenger | None:
    """Returns the version to challenge with. One that cannot be used is left out, and the run goes on without it."""
    store = store_of(request.demo_model, settings)
    version = store.standing(condition.id).challenger_at(request.as_of)
    if version is None:
        return None
    try:
        store.load(condition, version)
    except Exception as error:  # noqa: BLE001 - another model's fault must not stop the live one
        return Challenger(version=version, left_out=why_left_out(error))
    return Challenger(version=version, left_out="")


def horizon_of(stated: str, condition: Condition) -> timedelta | None:
    """Returns the horizon that the model's card states; the condition's if the model states none."""
    if stated == NOT_STATED:
        return condition.horizon
    return None if stated == HOSPITAL_STAY else parse_duration(stated)
