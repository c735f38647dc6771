"""Imports a model that was trained elsewhere, from a joblib file, as a version in the model store with its card."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from wardround.adapters.html.model_card import files_beside
from wardround.adapters.models.joblib_file import CARRIERS, JoblibFile, read_trusted
from wardround.errors import ModelError, SpecError
from wardround.evaluation.metrics import Metric
from wardround.evaluation.results import Policy
from wardround.imported.about import Imported, ImportedInput
from wardround.imported.checks import Answers, Examination, rows_to_try
from wardround.imported.inputs import SchemaReader, inputs_by_name
from wardround.imported.stated_training import check_items, check_means
from wardround.imported.values import imputation, typical
from wardround.results.bands import HIGH, MODERATE, thresholds_from
from wardround.settings import Settings
from wardround.spec.base import SpecModel
from wardround.spec.conditions import Condition
from wardround.spec.digest import spec_digest
from wardround.spec.feature_schema import FeatureSchema, ValueSummary
from wardround.spec.loading import load_condition, load_feature_schema, load_variables
from wardround.training.about import About
from wardround.training.fitting import CandidateResult
from wardround.training.model import NOT_STATED, Flow, ModelCard, Side, Split
from wardround.workflows.stores import model_store

_IMPORTED: Final = "imported"
_METRICS: Final = ("auroc", "auprc", "f1", "sensitivity", "specificity", "ppv", "brier", "prevalence")
_NOT_PERFORMED: Final = Metric(value=None, reason="not performed here: imported")


class ImportRequest(SpecModel):
    """Which file becomes a model of which condition, and who trusts it."""

    file: Path
    condition: str
    trusted: str  # the SHA-256 of the file that somebody trusts
    trusted_by: str
    created: datetime
    feature_schema: Path | None = None
    impute: Path | None = None
    summary: ValueSummary = "mean"
    threshold: float | None = None
    moderate_from: float | None = None


class ImportedVersion(NamedTuple):
    """The result of an import: the version in the store, whether it is live, and its card."""

    version: str
    live: bool
    card: ModelCard


def digest_of(file: Path) -> str:
    """Returns the SHA-256, in hex, of a file that may become a model. Raises ModelError."""
    return hashlib.sha256(_content(file)).hexdigest()


def import_model(request: ImportRequest, settings: Settings) -> ImportedVersion:
    """Checks the file's digest, then unpickles, examines and stores the model; a condition's first model becomes live.

    Raises SpecError (condition, schema, values to impute) or ModelError (the file is not the trusted one, is not such a
    file, or contains a model that cannot be served).
    """
    condition = load_condition(request.condition, settings.schemas)
    schema = load_feature_schema(request.feature_schema) if request.feature_schema else None
    content = _content(request.file)
    if hashlib.sha256(content).hexdigest() != request.trusted.lower():
        raise ModelError(
            f"{request.file}: is not the trusted file: its digest differs, and it was not opened. Compare"
            " the digests, and get the file again"
        )
    loaded = read_trusted(content, str(request.file))
    card = _card(request, _Model(loaded, schema, condition, request), settings)
    card = card.model_copy(update={"version": card.content_version(condition.version)})
    store = model_store(settings)
    version = store.save(condition.id, card, {_model_file(): content, **files_beside(card)})
    store.load(condition, version)
    live = store.live(condition.id)
    if live is None:
        live = store.promote(
            condition, version, request.trusted_by, "first model of the condition (imported); no gate could judge it"
        )
    return ImportedVersion(version, live.version == version, card)


class _Model(NamedTuple):
    """A loaded model, and the condition it is for."""

    loaded: JoblibFile
    schema: FeatureSchema | None
    condition: Condition
    request: ImportRequest

    @property
    def where(self) -> str:
        return str(self.request.file)

    @property
    def names(self) -> tuple[str, ...]:
        names: Any = self.loaded.metadata.get("feature_names")
        listed = tuple(str(name) for name in names) if hasattr(names, "__iter__") else ()  # a list, an array, an Index
        if not listed or len(set(listed)) != len(listed):
            raise ModelError(f"{self.where}: metadata.feature_names: expected the model's inputs, each once; add them")
        return listed

    @property
    def threshold(self) -> float:
        metrics = self.loaded.metadata.get("metrics")
        stated = metrics.get("optimal_threshold") if isinstance(metrics, Mapping) else None
        chosen = self.request.threshold if self.request.threshold is not None else stated
        if chosen is None:
            raise ModelError(f"{self.where}: metadata.metrics.optimal_threshold is missing; give --threshold")
        if not _is_number(chosen) or not 0 < float(chosen) < 1:
            raise ModelError(f"{self.where}: optimal_threshold: expected a probability above 0 and below 1; correct it")
        return float(chosen)

    @property
    def thresholds(self) -> dict[str, float]:
        """Returns where the bands start: as the request says, or where the condition puts the moderate one."""
        chosen, moderate = thresholds_from(self.threshold, self.condition.bands), self.request.moderate_from
        if moderate is None:
            return chosen
        if not 0 < moderate < chosen[HIGH]:
            raise ModelError(
                f"{self.where}: --moderate-from: got {moderate:g}, expected a probability above 0 and below"
                f" {chosen[HIGH]:g}, where the high band begins; correct it, or move the high band with --threshold"
            )
        return {**chosen, MODERATE: moderate}

    def inputs(self, settings: Settings) -> tuple[ImportedInput, ...]:
        if self.schema is None:
            return inputs_by_name(self.names, self.condition, self.where)
        variables = load_variables(settings.schemas)
        where = str(self.request.feature_schema)
        return SchemaReader(self.schema, self.condition, variables, self.request.summary, where).inputs(self.names)

    def to_impute(self) -> dict[str, float]:
        """Returns values by feature, in the model's unit: a file's first, then the schema's, then the metadata's.

        The schema and the metadata may contain more features than the model takes; a file may not.
        """
        medians = self.loaded.metadata.get("medians") or {}
        if not isinstance(medians, Mapping) or not all(_is_number(value) for value in medians.values()):
            raise ModelError(f"{self.where}: metadata.medians: expected a number for each feature; correct it")
        known = {str(name): float(value) for name, value in medians.items()}
        if self.schema:
            features = self.schema.features.items()
            known.update({name: feature.impute for name, feature in features if feature.impute is not None})
        known = {name: value for name, value in known.items() if name in self.names}
        return {**known, **(_values(self.request.impute) if self.request.impute else {})}


def _card(request: ImportRequest, model: _Model, settings: Settings) -> ModelCard:
    condition, loaded = model.condition, model.loaded
    inputs = model.inputs(settings)
    columns = tuple(dict.fromkeys(one.column for one in inputs))
    imputed = imputation(model.to_impute(), inputs, condition, str(request.impute or model.where))
    from wardround.candidates.imported import in_one_thread, means_in_training, whole_model

    check_items(loaded.metadata, inputs, condition, load_variables(settings.schemas), model.where)
    check_means(means_in_training(loaded.content, model.names), inputs, condition, model.where)
    examination = Examination(in_one_thread(whole_model(loaded.content)), model.names, model.where)
    answers = examination.answers(rows_to_try(inputs, condition))
    needed = tuple(one.model_copy(update={"required": _is_required(one, answers)}) for one in inputs)
    usual = typical(needed, imputed, answers.takes_unknown, condition, model.where)
    thresholds = model.thresholds
    result = CandidateResult(
        title=f"Imported model ({answers.kind})",
        threshold=thresholds[HIGH],
        metrics=dict.fromkeys(_METRICS, _NOT_PERFORMED),
        policy=Policy(name="fixed", target=None, reached=None),
    )
    return ModelCard(
        **_not_stated(),
        condition=condition.id,
        title=condition.title,
        about=About.of(condition),
        version="",
        created=request.created,
        columns=columns,
        spec_digest=spec_digest(condition),
        candidates={_IMPORTED: result},
        chosen=_IMPORTED,
        metrics=result.metrics,
        thresholds=thresholds,
        contributions_unit="probability",
        imputation={column: imputed[column] for column in columns if column in imputed},
        libraries={"wardround": library_version("wardround"), **loaded.libraries},
        files={_model_file(): request.trusted.lower()},
        imported=_imported(request, model, needed, answers, usual),
    )


def _imported(
    request: ImportRequest,
    model: _Model,
    inputs: tuple[ImportedInput, ...],
    answers: Answers,
    usual: dict[str, float],
) -> Imported:
    schema = request.feature_schema
    return Imported(
        file=request.file.name,
        digest=request.trusted.lower(),
        schema_digest=hashlib.sha256(schema.read_bytes()).hexdigest() if schema else None,
        trusted_by=request.trusted_by,
        kind=answers.kind,
        inputs=inputs,
        typical=usual,
        takes=answers.takes,
        takes_unknown=answers.takes_unknown,
        positive=answers.positive,
        libraries=tuple(name for name in model.loaded.libraries if name not in CARRIERS),
    )


def _is_required(one: ImportedInput, answers: Answers) -> bool:
    """Returns whether the schema requires the input or the model cannot do without it."""
    return one.required or not answers.takes_unknown


def _not_stated() -> dict[str, Any]:
    """Returns what only a training here would know."""
    nobody = Side(patients=0, stays=0, positives=0)
    return {
        "data_digest": NOT_STATED,
        "label": None,
        "horizon": NOT_STATED,
        "prediction_time": None,
        "cohort": Flow(found=0, excluded={}, used=0),
        "split": Split(train=nobody, test=nobody, test_share=0.0, folds=0),
        "seed": None,
    }


def _model_file() -> str:
    from wardround.candidates.imported import ImportedModel

    return ImportedModel.file_name


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}); give the joblib file of the model") from None


def _values(file: Path) -> dict[str, float]:
    """Reads a YAML or JSON file with a number for each feature."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise SpecError(f"{file}: cannot be read as YAML or JSON; give a number for each feature") from None
    if not isinstance(values, dict) or not all(_is_number(value) for value in values.values()):
        raise SpecError(f"{file}: expected lines such as `heart_rate: 82`; correct it")
    return {str(name): float(value) for name, value in values.items()}


def _is_number(value: object) -> bool:
    """Returns whether it is a finite number of Python or NumPy, and not a truth value."""
    try:
        return not isinstance(value, bool | str) and abs(float(value)) < float("inf")  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
