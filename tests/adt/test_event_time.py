"""When something happened: which field counts, offsets, zones, and what is out of range."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.adt.ward import NOON, adt

from wardround.adt.event_time import occurred, recorded
from wardround.hl7.reader import read

BERLIN = ZoneInfo("Europe/Berlin")


def said(evn_6: str, evn_2: str = "", msh_7: str = "", received: datetime = NOON):
    return occurred(read(adt("A02", when=evn_6, recorded=evn_2 or "-", sent=msh_7)), BERLIN, received)


@pytest.mark.parametrize(
    ("evn_6", "evn_2", "msh_7", "hour"),
    [
        ("20260115110000+0000", "20260115100000+0000", "20260115090000+0000", 11),
        ("", "20260115100000+0000", "20260115090000+0000", 10),
        ('""', "20260115100000+0000", "20260115090000+0000", 10),
        ("", "-", "20260115090000+0000", 9),
        ("20260115", "20260115100000+0000", "", 10),  # a day alone orders nothing
        ("2026011511", "20260115100000+0000", "", 10),
        ("20261315110000+0000", "20260115100000+0000", "", 10),
        ("20260115110000+2500", "20260115100000+0000", "", 10),
        ("yesterday", "20260115100000+0000", "", 10),
    ],
)
def test_the_first_field_that_can_be_read_counts(evn_6: str, evn_2: str, msh_7: str, hour: int) -> None:
    assert said(evn_6, evn_2, msh_7).at == NOON.replace(hour=hour)


@pytest.mark.parametrize(
    ("text", "msh_7", "expected"),
    [
        ("202601151100", "20260115120000", "2026-01-15T10:00:00+00:00"),  # the source's zone
        ("202601151100", "20260115120000+0530", "2026-01-15T05:30:00+00:00"),  # MSH-7's offset
        ("202601151100-0330", "20260115120000+0530", "2026-01-15T14:30:00+00:00"),  # its own
        ("20260115110000.5-0000", "", "2026-01-15T11:00:00.500000+00:00"),
        ("20260115110000.123456789+0115 ", "", "2026-01-15T09:45:00.123456+00:00"),
    ],
)
def test_an_offset_is_the_fields_own_or_that_of_msh_7_or_the_zones(text: str, msh_7: str, expected: str) -> None:
    assert said(text, msh_7=msh_7).at.isoformat() == expected


def test_the_hour_that_comes_twice_is_the_first_and_counted() -> None:
    night = datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert said("20261025023000", msh_7="20261025030000", received=night) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ("time_ambiguous EVN-6",),
    )
    assert said("20261025023000+0100", received=night) == (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), ())


def test_the_hour_that_does_not_come_is_read_as_if_the_clock_had_gone_on() -> None:
    night = datetime(2026, 3, 29, 2, tzinfo=UTC)
    assert said("20260329023000", received=night) == (
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        ("time_skipped EVN-6",),
    )
    assert said("20260329033000", received=night) == (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), ())


@pytest.mark.parametrize(
    ("ahead", "is_taken"),
    [
        (timedelta(hours=24), True),
        (timedelta(hours=24, seconds=1), False),
        (timedelta(days=-30), True),
        (timedelta(days=-30, seconds=-1), False),
    ],
)
def test_what_is_too_far_from_the_receipt_is_the_time_of_receipt_and_counted(ahead, is_taken: bool) -> None:
    found = said((NOON + ahead).strftime("%Y%m%d%H%M%S+0000"))
    assert found == ((NOON + ahead, ()) if is_taken else (NOON, ("time_out_of_range EVN-6",)))


def test_without_any_time_it_is_the_time_of_receipt() -> None:
    assert said("", msh_7="") == (NOON, ("time_unreadable EVN-2", "time_missing EVN"))


def test_a_year_that_no_clock_has_is_not_a_time() -> None:
    assert said("00000115110000").at == NOON
    assert said("00010101000000+2359").at == NOON


def test_when_it_was_entered_is_another_field() -> None:
    message = read(adt("A12", when="20260115100000+0000", recorded="20260115113000+0000"))
    assert recorded(message, BERLIN, NOON) == NOON.replace(hour=11, minute=30)
