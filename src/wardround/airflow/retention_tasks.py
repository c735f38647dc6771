"""Removes old runs as a task: calls the workflow with the settings, and says in the log what stays."""

import logging
from collections import Counter
from datetime import UTC, datetime
from functools import partial

from wardround.core.run_retention import WHY, Rule
from wardround.settings import settings_from
from wardround.workflows.run_removal import remove_runs
from wardround.workflows.run_retention import choose, is_in_use

_LOG = logging.getLogger(__name__)


def prune_runs() -> dict[str, int]:
    """Removes what is older than `WARDROUND_RUNS_KEPT`; returns how many runs were removed, and how many stay by why.

    Without the setting nothing is removed.
    """
    settings, now = settings_from(), datetime.now(UTC)
    if settings.runs_kept is None:
        _LOG.info("WARDROUND_RUNS_KEPT is not set: nothing is removed")
        return {"removed": 0}
    rule = Rule(before=now - settings.runs_kept)
    chosen = choose(rule, None, settings, now)
    removed = remove_runs(chosen.remove, str(rule), settings, now, partial(is_in_use, settings=settings, now=now))
    for name, stays in chosen.stay.items():
        _LOG.warning("run %s stays: %s", name, WHY[stays])
    counts = {"removed": removed, **{str(stays): number for stays, number in Counter(chosen.stay.values()).items()}}
    _LOG.info("%s", counts)
    return counts
