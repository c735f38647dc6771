"""Every error that Wardround raises on purpose, as one small tree.

    WardroundError                1
    ├── SpecError                 3   a file in include/schemas is wrong, or something unknown was named
    ├── SourceDataError           4   MIMIC CSVs or NDJSON are missing, unreadable or malformed
    ├── FhirError                 5   a FHIR server sent an answer that cannot be used
    │   ├── FhirUnreachable       6   … or no answer at all
    │   └── FhirRefused           7   … or 401 or 403
    ├── QualityError              8   too many feature rows broke the suite; nothing was written
    ├── ModelError                9   there is no live model, a digest differs, or the spec has changed
    ├── TrainingError            10   the data cannot support a model
    ├── RunIncomplete            11   stays failed, or the server does not hold what the ledger says
    ├── RunNotFound              12   no such run
    ├── SettingsError            13   an environment variable has an invalid value
    ├── ConditionSuspended       14   the condition is switched off; nothing new is computed
    ├── CensusImplausible        15   far fewer stays were found than expected; probably a setting is wrong
    ├── FutureAsOf               16   as_of is in the future, and the future was not allowed
    ├── StorageError             17   one of Wardround's files or folders cannot be written or read
    ├── DatabaseError            18   Wardround's own database cannot be used: unreachable, wrong password, busy, newer
    └── StoresDisagree           19   models, runs, database and record do not fit together

The number is the exit code of the process. A number is never given a second meaning. (2 is used by the command line.)
A message reads "<where>: <what is wrong>, expected <what>; <what to do>". It names resource ids and rules, and never
contains a patient's name, record number or measured value.
"""

import traceback

from wardround.escaping import visible_lines


class WardroundError(Exception):
    """Base of all errors that a user can cause or must handle; the CLI exits with `exit_code`."""

    exit_code = 1

    def __str__(self) -> str:
        """Returns the message, safe for any terminal, log or page: it may quote what a server or a person wrote."""
        return visible_lines(super().__str__())


class SpecError(WardroundError):
    """A YAML file under include/schemas is wrong, or something was named that it does not define."""

    exit_code = 3


class SourceDataError(WardroundError):
    """A file of a source (MIMIC CSV, NDJSON) is missing, unreadable or malformed."""

    exit_code = 4


class FhirError(WardroundError):
    """A FHIR server sent an answer that cannot be used."""

    exit_code = 5


class FhirUnreachable(FhirError):
    """No usable answer arrived, even after all retries."""

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
    """A run ended, but stays failed, or the server does not hold what it should: as written, or as retracted."""

    exit_code = 11


class RunNotFound(WardroundError):
    """The runs folder has no run of this name."""

    exit_code = 12


class SettingsError(WardroundError):
    """An environment variable of Wardround has an invalid value."""

    exit_code = 13


class ConditionSuspended(WardroundError):
    """The condition is switched off: nothing new is computed for people until somebody resumes it."""

    exit_code = 14


class CensusImplausible(WardroundError):
    """Fewer stays were found than the condition expects or the previous run found; those found were screened."""

    exit_code = 15


class FutureAsOf(WardroundError):
    """The prediction time is in the future, and the future was not explicitly allowed."""

    exit_code = 16


class StorageError(WardroundError):
    """A file or folder of Wardround cannot be written or read: a full disk, no permission, a wrong path."""

    exit_code = 17


class DatabaseError(WardroundError):
    """Wardround's own database is unreachable, refuses the connection, stays busy, or was made by a newer release."""

    exit_code = 18


class StoresDisagree(WardroundError):
    """The stores do not fit together: something refers to what is missing in another one."""

    exit_code = 19


def named(error: BaseException) -> str:
    """Returns the type of a foreign error and where it was raised, but not its message, which may quote a patient."""
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__name__ + (f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else "")
