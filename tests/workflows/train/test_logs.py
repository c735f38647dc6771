"""The log of a training states what each step counted and chose, and names no patient."""

import logging
from dataclasses import replace

from wardround.workflows.train import TrainingRequest, load, train


def test_each_step_of_a_training_says_what_it_counted_and_chose(small_mimic, settings, tmp_path, caplog) -> None:
    caplog.set_level(logging.INFO, logger="wardround")
    own = replace(settings, models=tmp_path / "models")
    asked = {"condition": "sepsis", "mimic": small_mimic, "created": "2026-01-02T05:00:00Z", "budget": 1}
    request = TrainingRequest.model_validate({**asked, "candidates": ("logistic_regression",)})
    trained = train(request, own, "tests", lambda *_: None)
    said = {}
    for record in caplog.records:
        step, done, figures = record.getMessage().partition(": done in ")
        if done:
            said[step.removeprefix(f"run {trained.run}, ")] = figures.partition("; ")[2]
    assert said["load"] == "stays 58; with the outcome 20; left out 2 (open_stay 1, over_before_prediction 1)"
    assert "used 58" in said["build_table"]
    assert said["fit_candidate logistic_regression"].startswith("rows ")
    assert said["evaluate"].endswith("candidate logistic_regression")
    assert "not_judged" in said["check_leakage"]
    place = own.models / "sepsis" / trained.version / "card.html"
    assert said["write_card"] == f"version {trained.version}; report {place}"
    assert place.is_file()
    assert said["compare"].startswith(f"version {trained.version}; gates ")
    assert f"model store, sepsis: promoted {trained.version}" in caplog.messages


def test_each_step_of_a_training_links_to_its_page_if_there_is_one(small_mimic, settings, tmp_path, caplog) -> None:
    caplog.set_level(logging.INFO, logger="wardround")
    own = replace(settings, models=tmp_path / "models", pages="https://airflow.example.org/wardround")
    asked = {"condition": "sepsis", "mimic": small_mimic, "created": "2026-01-02T05:00:00Z"}
    run = load(TrainingRequest.model_validate(asked), own)
    assert caplog.messages[-1].endswith(f"; report https://airflow.example.org/wardround/runs/{run}")
