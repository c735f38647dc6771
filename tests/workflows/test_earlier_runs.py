"""A report is compared with the previous run: the latest earlier one with the same request that ended successfully."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wardround.report.earlier import DRAWN
from wardround.workflows.earlier_runs import UNREADABLE
from wardround.workflows.report import report, report_page


def at(day: int, suffix: str = "a1b2c3", condition: str = "sepsis") -> dict[str, str]:
    """A run's name and time on a day of January."""
    return {"run": f"{condition}-202601{day:02}T050000Z-{suffix}", "as_of": f"2026-01-{day:02}T05:00:00Z"}


def changed(ward: Any, run: str) -> str:
    """The section about changes, as text."""
    page = report_page(run, ward.settings)
    return ward.text_of(page[page.index('<section id="change">') : page.index('<section id="flow">')])


def test_the_first_run_says_that_it_is_the_first(ward: Any) -> None:
    assert "This is the first run with this request to this source." in changed(ward, ward.screen(20, **at(5)))


def test_a_run_is_compared_with_the_latest_one_before_it(ward: Any) -> None:
    ward.screen(40, seed=1, **at(3))
    ward.screen(40, seed=2, **at(4))
    ward.screen(40, seed=3, **at(6))
    text = changed(ward, ward.screen(40, **at(5)))
    assert "What changed since 4 January 2026, 05:00 UTC" in text
    assert "6 January" not in text


def test_stays_that_came_went_or_changed_band_are_counted_from_both_ledgers(ward: Any) -> None:
    ward.screen(40, seed=2, **at(4))
    then = ward.folder().read_frame("ledger.parquet")
    run = ward.screen(40, **at(5))
    folder = ward.folder()
    now = folder.read_frame("ledger.parquet")
    gone = now[now["outcome"] == "scored"]["stay_id"].iloc[:3].tolist()
    folder.write_frame("ledger.parquet", now[~now["stay_id"].isin(gone)])
    text = changed(ward, run)

    def states(ledger: Any) -> dict[str, str]:
        rows = ledger[(ledger["outcome"] != "excluded") & ~ledger["stay_id"].isin(gone)]
        return {
            row.stay_id: row.band if row.outcome == "scored" else row.outcome for row in rows.itertuples(index=False)
        }

    before, after = states(then), states(now)
    both = before.keys() & after.keys()
    ranks = {"low": 0, "moderate": 1, "high": 2}
    steps = [ranks[after[one]] - ranks[before[one]] for one in both if {before[one], after[one]} <= ranks.keys()]
    went = len(before.keys() - after.keys()) + sum(
        one in gone for one in then[then["outcome"] != "excluded"]["stay_id"]
    )
    assert f"{len(after.keys() - before.keys())} new" in text
    assert f"{went} gone" in text
    assert f"{sum(step > 0 for step in steps)} moved to a higher band of {len(both)} stays in both runs" in text
    assert f"{sum(step < 0 for step in steps)} moved to a lower band" in text
    assert "No longer among the stays that the source returns 3" in text or went < 3


def test_patients_whose_band_changed_are_only_on_the_page_with_patients(ward: Any) -> None:
    ward.screen(40, seed=2, **at(4))
    run = ward.screen(40, **at(5))
    report(run, ward.settings)
    page, counted = ward.folder().read_text("report.html"), ward.folder().read_text("aggregates.html")
    assert re.search(r"was (low|moderate|high), [\d.]+", page)
    assert "stays whose band moved" in page
    assert not re.search(r"was (low|moderate|high)|whose band moved", counted)
    assert "moved to a higher band" in counted


def test_an_input_that_stopped_is_named_with_its_earlier_share(ward: Any) -> None:
    ward.screen(60, seed=2, **at(4))
    run = ward.screen(60, **at(5))
    for name in ward.folder().list():
        if name.endswith("/features.parquet"):
            features = ward.folder().read_frame(name)
            gone = [column for column in features if column.startswith("heart_rate__")]
            ward.folder().write_frame(name, features.assign(**dict.fromkeys(gone, float("nan"))))
    text = changed(ward, run)
    assert re.search(r"Heart rate 9\d % 0 %|Heart rate 100 % 0 %", text.replace("\u202f", " "))
    assert "Respiratory rate" not in text
    assert "None: no variable" in changed(ward, at(4)["run"]) or "first run" in changed(ward, at(4)["run"])


@pytest.mark.parametrize(
    "other",
    [
        {"mode": "shadow"},
        {"dry_run": True},
        {"run": "sepsis_two-20260104T050000Z-a1b2c3"},
    ],
    ids=["shadow", "dry run of an earlier release", "another condition"],
)
def test_a_run_with_another_request_is_not_compared(ward: Any, other: dict[str, Any]) -> None:
    ward.screen(20, **{**at(4), **other})
    assert "This is the first run" in changed(ward, ward.screen(20, **at(5)))


def test_a_run_of_another_source_or_cohort_is_not_compared(ward: Any) -> None:
    ward.screen(20, **at(4))
    ward.folder().write_json("census.json", {"of": {"condition": "sepsis", "source": "elsewhere"}})
    assert "This is the first run" in changed(ward, ward.screen(20, **at(5)))


def test_runs_for_patients_requested_by_id_are_not_compared_with_each_other(ward: Any) -> None:
    asked = {"of": {"condition": "sepsis", "source": "ward", "cohort": {"kind": "patients"}}}
    for day in (4, 5):
        run = ward.screen(20, **at(day))
        ward.folder().write_json("census.json", asked)
    text = changed(ward, run)
    assert "What changed since" not in text
    assert " went" not in text


@pytest.mark.parametrize(
    ("file", "change", "why"),
    [
        ("summary.json", {"complete": False}, "it is incomplete"),
        (
            "summary.json",
            {"retraction": {"at": "2026-01-04T06:00:00Z", "why": "x", "retracted": 1}},
            "it was retracted",
        ),
        ("summary.json", None, "it has not ended"),
        ("ledger.parquet", b"no parquet", UNREADABLE),
    ],
)
def test_a_run_that_did_not_end_successfully_is_skipped_and_named(ward: Any, file: str, change: Any, why: str) -> None:
    ward.screen(20, seed=1, **at(3))
    ward.screen(20, seed=2, **at(4))
    if change is None:
        ward.folder().remove(file)
    elif isinstance(change, bytes):
        ward.folder().write_bytes(file, change)
    else:
        ward.folder().write_json(file, {**ward.folder().read_json(file), **change})
    text = changed(ward, ward.screen(20, **at(5)))
    assert "since 3 January 2026" in text
    assert f"The run of 4 January 2026, 05:00 UTC is not compared: {why}." in text


def test_runs_skipped_for_the_same_reason_share_one_sentence(ward: Any) -> None:
    ward.screen(20, seed=1, **at(3))
    for day in (4, 5, 6):
        ward.screen(20, seed=2, **at(day))
        if day != 5:
            ward.folder().write_json("summary.json", {**ward.folder().read_json("summary.json"), "complete": False})
        else:
            ward.folder().remove("summary.json")
    text = changed(ward, ward.screen(20, **at(7)))
    assert "The run of 5 January 2026, 05:00 UTC is not compared: it has not ended." in text
    several = "2 runs, from 4 January 2026, 05:00 UTC to 6 January 2026, 05:00 UTC, are not compared:"
    assert text.count("not compared:") == 2
    assert f"{several} it is incomplete." in text


def test_the_report_says_if_no_earlier_run_ended_successfully(ward: Any) -> None:
    ward.screen(20, **at(4))
    ward.folder().remove("summary.json")
    text = changed(ward, ward.screen(20, **at(5)))
    assert "No earlier run with the same request ended successfully, so there is nothing to compare with." in text


def test_a_folder_that_is_being_removed_is_not_a_run(ward: Any) -> None:
    ward.screen(20, **at(4))
    ward.folder().remove("request.json")
    assert "This is the first run" in changed(ward, ward.screen(20, **at(5)))


def test_a_run_without_a_readable_request_is_not_compared(ward: Any) -> None:
    for day in (4, 5):
        ward.screen(20, **at(day))
        ward.folder().write_json("census.json", {"found": 20})
    assert "This is the first run" in changed(ward, ward.run)


def test_another_model_is_named(ward: Any) -> None:
    ward.screen(20, **at(4), model_version="0.9.0-gone")
    assert "used another model, 0.9.0-gone" in changed(ward, ward.screen(20, **at(5)))


def test_the_last_seven_runs_are_drawn_one_for_each_time(ward: Any) -> None:
    for day in range(1, 12):
        ward.screen(20 + day, **at(day))
    ward.screen(99, **at(11, suffix="ffffff"))
    page = report_page(ward.screen(20, **at(12)), ward.settings)
    drawn = page[page.index("trend-desc") :].partition("</desc>")[0]
    days = re.findall(r"(\d+) Jan, 05:00", drawn)
    assert days == [str(day) for day in range(12 - DRAWN, 13)]


def test_a_report_made_again_later_compares_with_the_runs_before_its_own(ward: Any) -> None:
    ward.screen(20, seed=1, **at(3))
    run = ward.screen(20, **at(4))
    first = changed(ward, run)
    ward.screen(20, seed=2, **at(5))
    assert changed(ward, run) == first


def test_the_inputs_of_an_earlier_run_are_counted_once_and_kept_with_its_own_report(ward: Any) -> None:
    earlier = ward.screen(40, seed=1, **at(4))
    run = ward.screen(40, **at(5))
    counted_now = changed(ward, run)
    # Nothing is written to the folder of another run, which may be removed at the same time.
    assert not ward.folder(earlier).exists("inputs.json")
    report(earlier, ward.settings)
    for name in ward.folder(earlier).list():
        if name.endswith("/features.parquet"):
            ward.folder(earlier).remove(name)
    assert changed(ward, run) == counted_now


def test_runs_in_object_storage_are_compared_as_well(ward: Any, tmp_path: Path) -> None:
    ward.settings = replace(ward.settings, runs=f"memory:/{tmp_path}/runs")
    ward.screen(40, seed=1, **at(4))
    run = ward.screen(40, **at(5))
    assert "since 4 January 2026" in changed(ward, run)
    path = report(run, ward.settings)
    assert (path[:9], path.endswith(f"/runs/{run}/report.html")) == ("memory://", True)
    assert {"aggregates.html", "worklist.csv", "model-card.html"} <= set(ward.folder().list())
