"""Which stays a run finds, and how they are cut into chunks."""

import pytest

from wardround.adapters.files.run_folder import RunFolder
from wardround.fhir.endpoint import FhirEndpoint
from wardround.spec.servers import GENERIC
from wardround.workflows.screen.find_stays import stays_per_chunk, stays_together


@pytest.mark.parametrize(
    ("stays", "asked", "size"),
    [(0, None, 1), (1, None, 1), (32, None, 1), (33, None, 100), (20_000, None, 100), (100_000, None, 500), (5, 3, 3)],
)
def test_one_stay_a_chunk_up_to_32_and_never_more_than_200_chunks(stays: int, asked: int | None, size: int) -> None:
    assert stays_per_chunk(stays, asked, together=100) == size


@pytest.mark.parametrize(
    ("limits", "together"),
    [
        ({}, 200),
        ({"patients_per_search": 50}, 200),
        ({"patients_per_search": 50, "has_batch": False}, 50),
        ({"patients_per_search": 1, "has_batch": False}, 1),
    ],
)
def test_stays_go_together_that_one_search_reads_or_batches_write(limits, together: int) -> None:
    profile = GENERIC.model_copy(update=limits)
    source = FhirEndpoint("http://ward.test/fhir", profile=profile)
    assert stays_together(source, source) == together


def test_a_source_read_patient_by_patient_has_large_chunks_where_its_results_go_in_batches() -> None:
    narrow = GENERIC.model_copy(update={"patients_per_search": 1, "has_batch": False})
    source = FhirEndpoint("http://ward.test/fhir", profile=narrow)
    assert stays_together(source, FhirEndpoint("http://results.test/fhir")) == 200


def test_the_stays_of_one_patient_are_in_one_chunk(icu, server, screened, settings) -> None:
    for name, patient in [("z", "first"), ("m", "second"), ("a", "first"), ("k", "second")]:
        icu.stay(name, patient=patient)
    icu.upload(server)
    summary = screened(chunk_size=2)
    stays = RunFolder.existing(settings.runs, summary["run"]).read_frame("stays.parquet")
    assert stays.groupby("patient_id")["chunk"].nunique().tolist() == [1, 1]


def test_the_look_back_decides_which_stays_are_found(icu, server, screened) -> None:
    icu.stay("open")
    icu.stay("left", period={"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T22:00:00Z"}, status="finished")
    icu.upload(server)
    assert screened()["found"] == 2
    assert screened(look_back="6h")["found"] == 1
