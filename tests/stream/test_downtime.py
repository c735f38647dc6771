"""Six hours in which the FHIR server refuses: everything waits, and afterwards everything goes on in order."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from tests.stream.test_end_to_end import ENDS, ends_of, visits_of
from tests.stream.whole import whole_stream

from wardround.adapters.database.database import Database
from wardround.demo.fhir_server.faults import Fault, FaultPlan
from wardround.demo.fhir_server.running import RunningServer
from wardround.demo.hospital.stays import Recorded
from wardround.settings import Settings

MESSAGES, ADMISSIONS = 7_500, 45
REFUSES = FaultPlan(faults=(Fault(kind="status", path="_search"),))


@pytest.mark.long
def test_six_hours_of_downtime_lose_nothing_repeat_nothing_and_keep_the_order(
    settings: Settings, tmp_path: Path, database: Database, own_server: RunningServer, recorded: Recorded
) -> None:
    whole_of = whole_stream(
        settings, tmp_path, database, own_server, recorded, MESSAGES // ADMISSIONS, ADMISSIONS, pace=1_000, expires="1h"
    )
    with whole_of as whole:
        began = whole.quick.now()
        own_server.misbehave(REFUSES)
        whole.play(MESSAGES, a_second=10_000)
        whole.wait_until(lambda: whole.quick.now() - began > timedelta(hours=6))
        came = len(whole.feed.happened.to_the_unit)
        assert came >= ADMISSIONS - 1
        assert whole.outcomes()["predict", "done"] == 0
        own_server.misbehave(FaultPlan())
        whole.wait_until(whole.drained, 300)

        assert dict(whole.account.codes) == {"AA": MESSAGES}
        assert whole.raw() == list(dict.fromkeys(whole.line.sent))
        ends = ends_of(whole)
        assert (len(ends), set(ends.values()) <= ENDS) == (came, True)
        written = whole.held("RiskAssessment")
        assert set(Counter(visits_of(whole, written)).values()) == {1}
        assert len(written) == Counter(ends.values())["done"]
        # In order of receipt: of each request, its first reading.
        first = {}
        for origin, ended, outcome in whole.rows("query", "origin", "ended", "outcome"):
            if outcome == "done":
                first.setdefault(origin, ended)
        assert [first[origin] for origin in sorted(first)] == sorted(first.values())
        # No attempt was used up by a server that was down.
        assert max(attempts for (attempts,) in whole.rows("query", "attempts")) <= 2
        # Late by the account, and nobody is told of what is late.
        lateness = [ended - as_of for ended, as_of in whole.rows("notify", "ended", "as_of") if as_of]
        assert max(lateness) > timedelta(hours=5)
        told = whole.received.notifications
        assert told + whole.outcomes()["notify", "expired"] > 0
        assert whole.received.repeated == 0
