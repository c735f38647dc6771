"""A hospital plays, and every message and every admission is accounted for: sockets, queues, server and webhook."""

from collections import Counter
from pathlib import Path
from typing import Any

from tests.stream.whole import Whole, whole_stream

from wardround.adapters.database.database import Database
from wardround.demo.fhir_server.running import RunningServer
from wardround.demo.hospital.places import VISITS
from wardround.demo.hospital.stays import Recorded
from wardround.settings import Settings

ENDS = {"done", "indeterminate", "excluded", "unlinked", "cancelled", "discharged"}


def test_every_message_is_stored_once_and_every_admission_ends_in_one_way(
    settings: Settings, tmp_path: Path, database: Database, own_server: RunningServer, recorded: Recorded
) -> None:
    with whole_stream(settings, tmp_path, database, own_server, recorded, every=5) as whole:
        whole.play(100, a_second=50)
        whole.wait_until(whole.drained)
        happened = whole.feed.happened
        assert (dict(whole.account.codes), whole.account.resent) == ({"AA": 100}, 0)
        assert whole.raw() == list(dict.fromkeys(whole.line.sent))

        ends = ends_of(whole)
        assert len(ends) == len(happened.to_the_unit) > 4
        assert set(ends.values()) <= ENDS
        assert Counter(ends.values())["cancelled"] <= len(happened.withdrawn)
        written = whole.held("RiskAssessment")
        assert len(written) == Counter(ends.values())["done"] > 0
        assert len(whole.held("Provenance")) >= len(written)
        scored = Counter(visits_of(whole, written))
        assert set(scored.values()) == {1}
        assert set(scored) <= set(happened.to_the_unit)
        high = [one for one in written if one["prediction"][0]["qualitativeRisk"]["coding"][0]["code"] == "high"]
        assert (whole.received.notifications, whole.received.repeated) == (len(high), 0)
        assert high


def ends_of(whole: Whole) -> dict[int, str]:
    """Returns how what each raw message asked for has ended: by its last message."""
    rows = [row for stage in ("query", "predict") for row in whole.rows(stage, "seq", "origin", "outcome")]
    return {origin: outcome for _, origin, outcome in sorted(rows)}


def visits_of(whole: Whole, written: list[dict[str, Any]]) -> list[str]:
    """Returns the number of the visit that each RiskAssessment is about."""
    encounters = {f"Encounter/{one['id']}": one for one in whole.held("Encounter")}
    admissions = [encounters[encounters[one["encounter"]["reference"]]["partOf"]["reference"]] for one in written]
    return [number["value"] for one in admissions for number in one["identifier"] if number["system"] == VISITS]
