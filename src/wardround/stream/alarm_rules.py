"""Which alarms a state of the stream raises. No text names a patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from wardround.spec.alarms import Alarms
from wardround.stream.status import FAILURES, Status

_ENOUGH = 20  # messages in an hour, of which a share is said
_MOST_REASONS = 3


@dataclass(frozen=True)
class Seen:
    """What the watch has seen.

    Attributes:
        status: the queues.
        stuck: by stage and reason, the messages that were tried and are open for too long.
        heard: by source with a port, when its last message was received; for one that never sent, since when it is
            watched.
        free: megabytes that are free on the disk of the database; None if it is a server's.
    """

    status: Status
    stuck: Mapping[str, Mapping[str, int]]
    heard: Mapping[str, datetime]
    free: int | None


def alarms_of(seen: Seen, limits: Alarms) -> dict[str, str]:
    """Returns the alarms by name, with what people are told."""
    return {**_of_stages(seen, limits), **_of_sources(seen, limits), **_of_disk(seen, limits)}


def _of_stages(seen: Seen, limits: Alarms) -> dict[str, str]:
    raised = {}
    for one in seen.status.stages:
        stage, due = one.stage, one.waiting.due
        if due > limits.waiting:
            raised[f"waiting:{stage}"] = f"{due:,} messages wait before {stage}"
        oldest = one.waiting.oldest
        if oldest is not None and seen.status.at - oldest > limits.oldest:
            minutes = (seen.status.at - oldest).total_seconds() / 60
            raised[f"oldest:{stage}"] = f"a message has waited before {stage} for {minutes:,.0f} minutes"
        if stuck := seen.stuck.get(stage):
            count = sum(stuck.values())
            raised[f"stuck:{stage}"] = f"{count:,} messages of {stage} were tried and are not finished{_why(stuck)}"
        if one.hour.taken >= _ENOUGH and one.hour.fails_too_often(stage):
            share = f"{one.hour.failed / one.hour.taken:.0%}, expected {FAILURES[stage]:.0%} at most"
            raised[f"failures:{stage}"] = (
                f"of the last hour's messages of {stage}, {one.hour.failed:,} failed ({share})"
            )
    return raised


def _why(reasons: Mapping[str, int]) -> str:
    """Returns the most frequent reasons; they name rules and settings."""
    known = sorted(((-count, reason) for reason, count in reasons.items() if reason))
    said = [f"{reason} ({-count:,})" for count, reason in known[:_MOST_REASONS]]
    return ": " + "; ".join([*said, *(["and others"] if len(known) > _MOST_REASONS else [])]) if said else ""


def _of_sources(seen: Seen, limits: Alarms) -> dict[str, str]:
    paused = {one.name for one in seen.status.paused_sources}
    return {
        f"silent:{source}": f"the source {source} has sent nothing since {heard.isoformat(timespec='minutes')}"
        for source, heard in seen.heard.items()
        if source not in paused and seen.status.at - heard > limits.silent
    }


def _of_disk(seen: Seen, limits: Alarms) -> dict[str, str]:
    if seen.free is None or seen.free >= limits.free:
        return {}
    return {"disk": f"{seen.free:,} MB are free on the disk of the database, expected {limits.free:,}"}
