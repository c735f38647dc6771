"""Every error that Wardround raises on purpose, as one small tree.

    WardroundError                1
    ├── SpecError                 3   a file in include/schemas is wrong, or names something unknown
    ├── SourceDataError           4   MIMIC CSVs or NDJSON are missing, unreadable or malformed
    ├── FhirError                 5   a FHIR server answered something that cannot be used
    │   ├── FhirUnreachable       6   … or nothing at all
    │   └── FhirRefused           7   … or 401 or 403
    ├── QualityError              8   too many feature rows broke the suite; nothing was written
    ├── ModelError                9   no live model, a digest that differs, a spec that changed
    ├── TrainingError            10   the data cannot support a model
    ├── RunIncomplete            11   stays failed, or the server does not hold what the ledger says
    ├── RunNotFound              12   no such run
    ├── SettingsError            13   an environment variable has a value that means nothing
    ├── ConditionSuspended       14   somebody has switched the condition off; nothing new is computed
    ├── CensusImplausible        15   far fewer stays were found than expected: a wrong setting, rather than the ward
    ├── FutureAsOf               16   as_of has not come yet, and nobody asked for the future by name
    ├── StorageError             17   a file or folder of our own cannot be written or read: full, forbidden, read-only
    └── DatabaseError            18   our own database refuses: unreachable, a wrong password, busy, of a newer release

The number is the process's exit code; a number is never given a second meaning. (2 is the command line's own.)
A message reads "<where>: <what is wrong>, expected <what>; <what to do>" and never holds a patient's name, record
number or measured value: it names resource ids and rules.
"""

import traceback

from wardround.escaping import visible_lines


class WardroundError(Exception):
    """Base of all errors that a user can cause or must handle; `exit_code` is what the CLI ends with."""

    exit_code = 1

    def __str__(self) -> str:
        """The message, as any terminal, log or page may show it: it may quote what a server or a person wrote."""
        return visible_lines(super().__str__())


class SpecError(WardroundError):
    """A YAML file under include/schemas is wrong, or something it does not know was named."""

    exit_code = 3


class SourceDataError(WardroundError):
    """A file of a source (MIMIC CSV, NDJSON) is missing, unreadable or malformed."""

    exit_code = 4


class FhirError(WardroundError):
    """A FHIR server answered something that cannot be used."""

    exit_code = 5


class FhirUnreachable(FhirError):
    """No usable answer came, after all retries."""

    exit_code = 6


class FhirRefused(FhirError):
    """The server answered 401 or 403."""

    exit_code = 7


class QualityError(WardroundError):
    """The quality gate stopped a run before anything was written."""

    exit_code = 8


class ModelError(WardroundError):
    """A model cannot be found, trusted or used with today's spec."""

    exit_code = 9


class TrainingError(WardroundError):
    """The data cannot support training."""

    exit_code = 10


class RunIncomplete(WardroundError):
    """A run ended, but stays failed or the server does not hold what the ledger says was written."""

    exit_code = 11


class RunNotFound(WardroundError):
    """No run of this name in the runs folder."""

    exit_code = 12


class SettingsError(WardroundError):
    """An environment variable of Wardround's has a value that means nothing."""

    exit_code = 13


class ConditionSuspended(WardroundError):
    """Somebody has switched the condition off: nothing new is computed for people until somebody resumes it."""

    exit_code = 14


class CensusImplausible(WardroundError):
    """Fewer stays were found than the condition expects, or than the run before found; those found were screened."""

    exit_code = 15


class FutureAsOf(WardroundError):
    """The prediction time has not come yet, and nobody asked for the future by name."""

    exit_code = 16


class StorageError(WardroundError):
    """A file or folder that Wardround keeps cannot be written or read: a full disk, no permission, a wrong place."""

    exit_code = 17


class DatabaseError(WardroundError):
    """Wardround's own database does not answer, refuses, is busy for too long, or is of a newer release."""

    exit_code = 18


def named(error: BaseException) -> str:
    """What a foreign error is, and where it was raised, without its message: that may hold a patient's value."""
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__ + (f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else "")
