"""Tests that what another writer of HL7 puts into a message is what the reader finds there, whatever the values are."""

from hypothesis import given
from hypothesis import strategies as st

from wardround.demo.hospital.hl7_text import components, message, repetitions, segment
from wardround.hl7.reader import read

# No control characters: the writer makes blanks of line ends, as it must.
TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12).filter(lambda text: text != '""')
HEADER = {3: "A", 4: "B", 9: "ADT^A01", 10: "1", 11: "P", 12: "2.5", 18: "UNICODE UTF-8"}


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=5), min_size=1, max_size=4), TEXTS)
def test_repetitions_and_components_are_found_with_the_values_that_were_written(numbers, name):
    listed = repetitions([components(*one) for one in numbers])
    one = read(message([segment("MSH", HEADER), segment("PID", {3: listed, 5: components("", name)})]))
    found = one.first("PID").repetitions(3)
    if any(any(texts) for texts in numbers) or len(numbers) > 1:
        assert [
            [each.value(place) for place in range(1, len(texts) + 1)]
            for each, texts in zip(found, numbers, strict=True)
        ] == numbers
    else:
        assert found == ()
    assert (one.value("PID", 5), one.value("PID", 5, 2)) == ("", name)


@given(TEXTS.filter(lambda text: text.isascii()), st.sampled_from(["8859/1", "8859/5", "ASCII", "UNICODE UTF-8"]))
def test_a_value_of_ascii_is_the_same_in_every_set(value, charset):
    header = {**HEADER, 10: components(value), 18: charset}
    assert read(message([segment("MSH", header)], "ascii")).control_id == value
