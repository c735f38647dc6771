"""The spec digest changes only with what decides a score."""

import pytest

from wardround.spec.digest import spec_digest
from wardround.spec.loading import load_condition


@pytest.fixture
def sepsis(schemas):
    return load_condition("sepsis", schemas)


def test_words_schedule_and_limits_do_not_change_the_digest(sepsis):
    other = sepsis.model_copy(update={"title": "x", "schedule": "0 1 * * *", "description": "y"})
    assert spec_digest(other) == spec_digest(sepsis)


def test_a_unit_a_range_a_window_and_the_label_change_the_digest(sepsis):
    lactate = sepsis.variables["lactate"]
    narrower = lactate.plausible.model_copy(update={"max": 40.0})
    changed = [
        sepsis.model_copy(
            update={"variables": {**sepsis.variables, "lactate": lactate.model_copy(update={"plausible": narrower})}}
        ),
        sepsis.model_copy(update={"features": sepsis.features.model_copy(update={"demographics": ("age",)})}),
        sepsis.model_copy(update={"label": sepsis.label.model_copy(update={"icd10": ("A41",)})}),
    ]
    assert len({spec_digest(condition) for condition in (sepsis, *changed)}) == 4


def test_when_a_model_may_go_live_does_not_change_the_digest(sepsis):
    stricter = sepsis.promotion.model_copy(update={"min_ppv": 0.5})
    other = sepsis.model_copy(
        update={
            "promotion": stricter,
            "retraining": "0 3 1 * *",
            "mode": "shadow",
            "time_zone": "Asia/Tokyo",
            "sources": ("a", "b"),
            "high_band_group": True,
        }
    )
    assert spec_digest(other) == spec_digest(sepsis)


@pytest.mark.parametrize(
    "update",
    [{"typical": 1.0}, {"risk_rises_with": "low"}, {"risk_rises_with": "both", "usual_range": {"min": 1, "max": 2}}],
)
def test_typical_values_and_expected_directions_do_not_change_the_digest(sepsis, update):
    known = sepsis.variables["lactate"]
    lactate = type(known).model_validate({**known.model_dump(), **update})
    assert spec_digest(sepsis.model_copy(update={"variables": {**sepsis.variables, "lactate": lactate}})) == (
        spec_digest(sepsis)
    )


def test_codes_and_exclusions_change_the_digest_but_displays_do_not(sepsis):
    pulse = sepsis.variables["heart_rate"]
    code = pulse.codes[0]

    def digest(**update) -> str:
        changed = {**sepsis.variables, "heart_rate": pulse.model_copy(update=update)}
        return spec_digest(sepsis.model_copy(update={"variables": changed}))

    other = code.model_copy(update={"code": "1"})
    assert digest(codes=(code.model_copy(update={"display": "Pulse"}), *pulse.codes[1:])) == spec_digest(sepsis)
    assert digest(codes=(other, *pulse.codes[1:])) != spec_digest(sepsis)
    assert digest(excludes=pulse.excludes.model_copy(update={"method": ("palpation",)})) != spec_digest(sepsis)
