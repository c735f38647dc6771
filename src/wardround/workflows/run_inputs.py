"""Counts how many feature rows of a run do not know each column, and keeps the counts with the run in inputs.json."""

from collections import Counter
from collections.abc import Mapping

from wardround.adapters.files.run_folder import RunFolder
from wardround.core import run_files

Unknown = tuple[Mapping[str, int], int]  # unknown values per feature column, and the feature rows


def keep_unknown(folder: RunFolder) -> None:
    """Counts them, also where they were counted before, as a resumed run may have read more; writes inputs.json."""
    unknown, rows = _counted(folder)
    folder.write_json(run_files.INPUTS, {"rows": rows, "unknown": unknown})


def kept_unknown(folder: RunFolder) -> Unknown:
    """Returns the counts that `reconcile` or the report kept; for a run without them, counts now and stores nothing."""
    if not folder.exists(run_files.INPUTS):
        return _counted(folder)
    found = folder.read_json(run_files.INPUTS)
    return found["unknown"], found["rows"]


def _counted(folder: RunFolder) -> Unknown:
    """Counts chunk by chunk, so that one chunk is in memory at a time."""
    unknown: Counter[str] = Counter()
    rows = 0
    for name in run_files.of_all_chunks(run_files.FEATURES, folder.list()):
        features = folder.read_frame(name)
        unknown.update({str(column): int(missing) for column, missing in features.isna().sum().items()})
        rows += len(features)
    return unknown, rows
