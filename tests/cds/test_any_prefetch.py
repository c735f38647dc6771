"""Whatever stands in a prefetch, it is read, set aside or named in a 412: no other error comes of it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cds.calls import call
from tests.fixtures.icu import AS_OF, loinc

from wardround.cds.problems import Problem
from wardround.cds.reading import Reader
from wardround.cds.servers import Servers
from wardround.cds.templates import templates
from wardround.core.events import admit
from wardround.fhir.endpoint import FhirEndpoint
from wardround.settings import PROJECT
from wardround.spec.loading import load_condition
from wardround.spec.servers import GENERIC

SCHEMAS = PROJECT / "include" / "schemas"
SEPSIS = load_condition("sepsis", SCHEMAS)
READER = Reader(SEPSIS, templates(SEPSIS, GENERIC), Servers((), FhirEndpoint("https://no.invalid"), SCHEMAS, 1.0))

KEYS = ("patient", "encounters", "observations", "heart_rate", "all", "resourceType", "entry", "type")
SOUND: list[Any] = [
    {"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01", "gender": "male"},
    {
        "resourceType": "Encounter",
        "id": "e",
        "status": "in-progress",
        "class": {"code": "ACUTE"},
        "subject": {"reference": "Patient/p"},
        "period": {"start": "2026-01-01T00:00:00Z"},
    },
    {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-01-02T04:00:00Z",
        **loinc("8867-4", 80, "/min"),
    },
    {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]},
]
NAMES = st.sampled_from(
    sorted({name for one in SOUND for name in one} | {"entry", "link", "total", "fullUrl", "resource"})
)
WORDS = st.sampled_from(
    ["Bundle", "Patient", "Patient/p", "transaction", "urn:uuid:x", "http://loinc.org", "2026-01-02"]
)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | WORDS
JUNK = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))


@st.composite
def resources(draw: st.DrawFn) -> Any:
    """A sound resource with a few elements replaced, or junk."""
    one = dict(draw(st.sampled_from(SOUND)))
    for name in draw(st.lists(st.sampled_from(sorted(one)), max_size=2)):
        one[name] = draw(JUNK)
    return draw(st.just(one) | JUNK)


@st.composite
def values(draw: st.DrawFn) -> Any:
    """A resource, or a Bundle of some."""
    entries = [{"resource": one, "fullUrl": draw(LEAVES)} for one in draw(st.lists(resources(), max_size=5))]
    kind = draw(st.sampled_from(["searchset", "collection", "transaction", "history", 5]))
    bundle = {"resourceType": "Bundle", "type": kind, "entry": draw(st.just(entries) | JUNK), "total": draw(LEAVES)}
    return draw(st.just(bundle) | resources() | JUNK)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(KEYS), values(), max_size=5), st.sampled_from([None, "e"]))
def test_a_prefetch_of_any_kind_is_answered(prefetch: dict[str, Any], encounter: str | None) -> None:
    made = call(prefetch, "p", encounter)
    try:
        reading = READER.read(made, AS_OF)
    except Problem:
        return
    events = admit(reading.readings, SEPSIS.variables, AS_OF).events
    assert set(events.patient_id) <= {"p"}
