"""Which events are behind a score: those of the windows, known at as_of."""

from pathlib import Path

import pandas as pd
import pytest
from tests.frames import UsedEvent, used_events, used_of

from wardround.core.events import EVENT_COLUMNS, frame_of
from wardround.spec.conditions import Condition
from wardround.spec.loading import load_condition

AS_OF = pd.Timestamp("2026-01-02T05:00Z")


def basis(used: list[UsedEvent]) -> tuple[str, ...]:
    return used_of(used).basis()


@pytest.fixture
def sepsis(schemas: Path) -> Condition:
    return load_condition("sepsis", schemas)


def events(*rows: tuple[float, str, float, str], patient: str = "p1", available: float | None = None) -> pd.DataFrame:
    """Events as (hours before as_of, variable, value, source_ref)."""
    return frame_of(
        EVENT_COLUMNS,
        [
            {
                "patient_id": patient,
                "time": AS_OF - pd.Timedelta(hours=hours),
                "available": AS_OF - pd.Timedelta(hours=hours if available is None else available),
                "variable": variable,
                "value": value,
                "source_ref": ref,
            }
            for hours, variable, value, ref in rows
        ],
    )


def test_both_ends_of_the_window_count_and_what_lies_outside_does_not(sepsis: Condition) -> None:
    rows = events((24.001, "lactate", 1, "o/old"), (24, "lactate", 2, "o/start"), (0, "lactate", 3, "o/end"))
    assert [event.source_ref for event in used_events(rows, sepsis, AS_OF)["p1"]] == ["o/start", "o/end"]


def test_an_event_that_was_not_known_at_as_of_is_not_used(sepsis: Condition) -> None:
    assert used_events(events((1, "lactate", 2, "o/1"), available=-0.1), sepsis, AS_OF) == {}


def test_the_components_of_one_observation_are_one_resource(sepsis: Condition) -> None:
    rows = events((2, "systolic_pressure", 120, "o/bp"), (2, "mean_pressure", 80, "o/bp"), (1, "lactate", 1, "o/lac"))
    assert basis(used_events(rows, sepsis, AS_OF)["p1"]) == ("o/bp", "o/lac")


def test_the_basis_is_the_same_in_whatever_order_events_come(sepsis: Condition) -> None:
    rows = events(*((hour % 3, "heart_rate", 80 + hour % 2, f"o/{hour}") for hour in range(12)))
    shuffled = rows.sample(frac=1, random_state=3)
    assert basis(used_events(shuffled, sepsis, AS_OF)["p1"]) == basis(used_events(rows, sepsis, AS_OF)["p1"])


def test_events_go_by_time_then_availability_then_value_and_at_last_by_source(sepsis: Condition) -> None:
    ordered = [
        events((3, "lactate", 9, "o/f"), available=0.5),
        events((2, "lactate", 8, "o/e"), available=2),
        events((2, "lactate", 1, "o/d"), available=1),
        events((2, "lactate", 5, "o/c"), available=1),
        events((1, "lactate", 0, "o/a"), available=1),
        events((1, "lactate", 0, "o/b"), available=1),
    ]
    for turn in range(6):
        for rows in (ordered[turn:] + ordered[:turn], ordered[turn::-1] + ordered[:turn:-1]):
            used = used_events(pd.concat(rows), sepsis, AS_OF)["p1"]
            assert basis(used) == ("o/f", "o/e", "o/d", "o/c", "o/a", "o/b")


def test_events_that_differ_in_their_source_alone_are_ordered_by_it(sepsis: Condition) -> None:
    twins = [(2, "lactate", 1.5, "o/b"), (2, "lactate", 1.5, "o/a"), (2, "heart_rate", 1.5, "o/c")]
    rows = events((3, "lactate", 1, "o/z"), *twins, (1, "lactate", 1, "o/0"))
    assert basis(used_events(rows, sepsis, AS_OF)["p1"]) == ("o/z", "o/a", "o/b", "o/c", "o/0")


def test_patients_are_kept_apart(sepsis: Condition) -> None:
    both = pd.concat([events((1, "lactate", 1, "o/1")), events((1, "lactate", 2, "o/2"), patient="p2")])
    used = used_events(both, sepsis, AS_OF)
    assert {patient: basis(mine) for patient, mine in used.items()} == {"p1": ("o/1",), "p2": ("o/2",)}


def test_patients_whose_events_come_in_turn_get_each_their_own_in_the_order_of_time(sepsis: Condition) -> None:
    hours = (3, 1, 2)
    mine = [events((hour, "lactate", 1 + hour, f"o/1-{hour}")) for hour in hours]
    theirs = [events((hour + 0.5, "lactate", 5 + hour, f"o/2-{hour}"), patient="p2") for hour in hours]
    both = pd.concat([row for pair in zip(mine, theirs, strict=True) for row in pair], ignore_index=True)
    assert used_events(both, sepsis, AS_OF) == {
        "p1": [UsedEvent("lactate", hour, 1 + hour, f"o/1-{hour}") for hour in (3, 2, 1)],
        "p2": [UsedEvent("lactate", hour + 0.5, 5 + hour, f"o/2-{hour}") for hour in (3, 2, 1)],
    }


def test_events_of_one_time_are_ordered_by_when_they_were_known_and_then_by_value(sepsis: Condition) -> None:
    late = events((2, "lactate", 1, "o/late"), (2, "lactate", 3, "o/z"), (2, "lactate", 2, "o/y"), available=0.5)
    early = events((2, "lactate", 9, "o/early"), available=1.5)
    used = used_events(pd.concat([late, early], ignore_index=True), sepsis, AS_OF)["p1"]
    assert [event.source_ref for event in used] == ["o/early", "o/late", "o/y", "o/z"]
    assert {event.hours_before for event in used} == {2.0}


def test_of_several_windows_of_a_variable_the_longest_counts(sepsis: Condition) -> None:
    windows = {feature.window for feature in sepsis.feature_list if feature.variable == "heart_rate"}
    assert {window.total_seconds() / 3600 for window in windows} == {6, 24}
    rows = events((20, "heart_rate", 80, "o/20"), (5, "heart_rate", 80, "o/5"))
    assert basis(used_events(rows, sepsis, AS_OF)["p1"]) == ("o/20", "o/5")


def test_a_patient_whose_events_all_lie_outside_takes_none_from_the_next(sepsis: Condition) -> None:
    both = pd.concat([events((30, "lactate", 1, "o/1")), events((1, "lactate", 2, "o/2"), patient="p2")])
    used = used_events(both, sepsis, AS_OF)
    assert {patient: basis(mine) for patient, mine in used.items()} == {"p2": ("o/2",)}
