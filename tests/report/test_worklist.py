"""Which patients are on the lists, in which order, and with which details."""

import pandas as pd

from wardround.report.worklist import LISTED, Reason, by_band, by_outcome, moved


def stays(scores: list[float], **columns: object) -> pd.DataFrame:
    """Joined stays of the high band, unless stated otherwise."""
    frame = pd.DataFrame(
        {
            "stay_id": [f"s{place}" for place in range(len(scores))],
            "patient_id": [f"p{place}" for place in range(len(scores))],
            "unit": "MICU",
            "outcome": "scored",
            "why": "",
            "score": scores,
            "band": "high",
            "hours": 5.0,
            "reasons": [[] for _ in scores],
            "missing": [[] for _ in scores],
            "before": "",
            "link": "https://ehr.example/x",
        }
    )
    return frame.assign(**columns)


def test_the_highest_score_comes_first_and_equal_scores_by_stay() -> None:
    told = by_band(stays([0.4, 0.9, 0.4]), "high", identifiers=True).patients
    assert [(patient.place, patient.stay, patient.score) for patient in told] == [
        (1, "s1", 0.9),
        (2, "s0", 0.4),
        (3, "s2", 0.4),
    ]


def test_a_long_list_ends_and_says_how_many_are_not_on_it() -> None:
    told = by_band(stays([0.5] * (LISTED + 7)), "high", identifiers=True)
    assert (told.count, len(told.patients), told.unlisted) == (LISTED + 7, LISTED, 7)


def test_only_scored_stays_are_in_a_band() -> None:
    frame = stays([0.9, 0.8], outcome=["scored", "failed"])
    assert by_band(frame, "high", identifiers=True).count == 1
    assert by_outcome(frame, "failed", identifiers=True).count == 1


def test_without_identifiers_no_patient_can_be_identified() -> None:
    frame = stays([0.9], outcome="failed", why="write:Observation/secret-1 refused")
    [patient] = by_outcome(frame, "failed", identifiers=False).patients
    assert (patient.patient, patient.stay, patient.place, patient.link) == ("", "", 1, "")
    assert patient.why == "The server did not accept the RiskAssessment: Observation refused"


def test_a_reason_is_split_into_input_value_age_and_direction() -> None:
    texts = [
        "Bilirubin, total, latest of the last 24 h: 4.2 mg/dL (1.3 h before); raises the risk",
        "Age: 67 years; lowers the risk",
        "In the unit for 30 h; raises the risk",
        "In the hospital for 12 days; lowers the risk",
        "Something else entirely",
    ]
    [patient] = by_band(stays([0.9], reasons=[texts]), "high", identifiers=True).patients
    assert patient.reasons == (
        Reason("Bilirubin, total, latest of the last 24 h", "4.2 mg/dL", "1.3 h before", "raises"),
        Reason("Age", "67 years", "", "lowers"),
        Reason("In the unit for", "30 h", "", "raises"),
        Reason("In the hospital for", "12 days", "", "lowers"),
        Reason("Something else entirely"),
    )


def test_a_stay_without_a_feature_row_has_no_reasons() -> None:
    [patient] = by_band(stays([0.9], reasons=float("nan"), missing=float("nan")), "high", identifiers=True).patients
    assert (patient.reasons, patient.missing) == ((), ())


def test_only_stays_with_a_different_band_have_moved() -> None:
    frame = stays([0.4, 0.9, 0.5, 0.6], before=["was low, 8.0 %", "new", "was moderate, 20.0 %", ""])
    assert [(patient.stay, patient.before) for patient in moved(frame, identifiers=True).patients] == [
        ("s2", "was moderate, 20.0 %"),
        ("s0", "was low, 8.0 %"),
    ]
