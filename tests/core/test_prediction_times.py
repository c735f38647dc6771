import time
from datetime import UTC, datetime, timedelta

import pytest

from wardround.core.prediction_times import CLOCK_SKEW, require_reached
from wardround.errors import FutureAsOf

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_time_up_to_the_allowed_skew_is_taken_and_one_after_it_refused() -> None:
    require_reached(NOW + CLOCK_SKEW, NOW)
    with pytest.raises(FutureAsOf):
        require_reached(NOW + CLOCK_SKEW + timedelta(seconds=1), NOW)


def test_the_future_may_be_asked_for_by_name() -> None:
    require_reached(NOW + timedelta(days=365), NOW, allowed=True)


def test_a_repeated_hour_is_told_apart_by_its_offset() -> None:
    """In Berlin 02:30 comes twice that night: the first time it is now, the second time it is an hour ahead."""
    require_reached(datetime.fromisoformat("2026-10-25T02:30:00+02:00"), NOW)
    with pytest.raises(FutureAsOf, match="is 1 h 0 min after now"):
        require_reached(datetime.fromisoformat("2026-10-25T02:30:00+01:00"), NOW)


def test_the_error_says_both_times_and_what_to_do() -> None:
    with pytest.raises(FutureAsOf) as caught:
        require_reached(datetime.fromisoformat("2026-10-25T05:00:00-05:00"), NOW)
    assert str(caught.value).startswith(
        "as_of: 2026-10-25T10:00:00Z is 9 h 30 min after now (2026-10-25T00:30:00Z),"
        " expected a time that is not in the future;"
    )
    assert caught.value.exit_code == 16


def test_less_than_an_hour_is_in_minutes() -> None:
    with pytest.raises(FutureAsOf, match="is 30 min after now"):
        require_reached(NOW + timedelta(minutes=30), NOW)


def test_the_error_is_in_utc_wherever_the_machine_is(monkeypatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        with pytest.raises(FutureAsOf, match=r"^as_of: 2026-10-25T01:00:00Z is"):
            require_reached(NOW + timedelta(minutes=30), NOW)
    time.tzset()
