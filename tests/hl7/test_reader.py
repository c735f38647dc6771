"""Tests what is read of a message: line ends, separators, character sets, escapes, and what is refused."""

import pytest
from tests.hl7.messages import PATIENT, VISIT, message, msh

from wardround.hl7.charset import GUESSED, codec_of
from wardround.hl7.reader import NULL, STRAY_LINE, read
from wardround.hl7.refused import Hl7Error


def refusal(body, **options):
    with pytest.raises(Hl7Error) as caught:
        read(body, **options)
    return caught.value.rule, caught.value.place


def test_the_26_samples_are_read_although_all_end_their_lines_with_lf(adt_samples):
    assert len(adt_samples) == 26
    for name, body in adt_samples.items():
        read_one = read(body)
        assert b"\r" not in body.replace(b"\r\n", b"")
        assert (read_one.event, read_one.remarks) == (name[4:7], ())
        assert read_one.value("PID", 3)
        assert len(read_one.lines) == len([line for line in body.splitlines() if line.strip()])


def test_a_sample_means_the_same_with_every_line_end(adt_samples):
    for body in adt_samples.values():
        lines = body.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
        ways = [end.join(lines) + last for end in (b"\r", b"\n", b"\r\n") for last in (b"", end, end + b"\r")]
        assert len({read(way).lines for way in ways}) == 1


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_ends_a_segment(end):
    one = read(message(end=end, charset="UNICODE UTF-8"))
    assert [segment.name for segment in one.segments()] == ["MSH", "PID", "PV1"]
    assert one.msh.value(18) == "UNICODE UTF-8"


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_a_line_break_inside_a_value_of_a_cr_message_is_part_of_the_value(end):
    one = read(message("NTE|1||two\nlines", PATIENT, end=end))
    assert one.value("NTE", 3) == "two\nlines"
    assert one.remarks == ()
    assert one.value("PID", 3) == "4711"


def test_a_message_of_lf_lines_with_one_cr_behind_the_last_is_one_of_lf_lines():
    assert read(message(end="\n") + b"\r").value("PV1", 19) == "V123"


def test_a_line_end_inside_a_value_leaves_a_stray_line_that_is_counted_and_not_read():
    one = read(message("NTE|1||two\rlines", PATIENT))
    assert one.remarks == (STRAY_LINE,)
    assert one.value("NTE", 3) == "two"
    assert one.value("PID", 3) == "4711"


def test_fields_are_counted_as_the_standard_counts_them():
    one = read(message())
    assert (one.msh.value(1), one.msh.fields[2], one.msh.value(3), one.msh.value(4)) == ("|", "^~\\&", "APP", "FAC")
    assert (one.code, one.event, one.structure) == ("ADT", "A01", "ADT_A01")
    assert (one.control_id, one.processing_id, one.version) == ("C1", "P", "2.5.1")
    assert one.value("PV1", 3) == "MICU"
    assert one.value("PV1", 3, 4) == "HOSP"
    assert one.first("PID").fields[0] == "PID"


def test_repetitions_components_and_subcomponents_are_found_by_position():
    one = read(message("PID|1||4711^^^HOSP&1.2&ISO^MR~99^^^OTHER^SS~"))
    first, second, third = one.first("PID").repetitions(3)
    assert [first.value(4), first.value(4, 2), first.value(4, 3), first.value(4, 4), first.value(5)] == [
        "HOSP",
        "1.2",
        "ISO",
        "",
        "MR",
    ]
    assert (second.value(), second.value(5), third.value(), second.value(9)) == ("99", "SS", "", "")


def test_what_is_not_there_is_empty_and_hl7s_null_is_not():
    one = read(message('PID|1||""|  |x'))
    assert one.value("PID", 3) == NULL
    assert one.first("PID").repetitions(3)[0].value() == NULL
    assert (one.value("PID", 4), one.value("PID", 40), one.value("ZZZ", 1)) == ("", "", "")
    assert one.first("PID").repetitions(4) == one.first("PID").repetitions(40) == ()


def test_blanks_around_a_value_do_not_count():
    assert read(message("PID|1|| 4711 ^^^ HOSP ")).value("PID", 3, 4) == "HOSP"


def test_segments_of_a_site_and_unknown_ones_are_kept_apart_from_the_known():
    one = read(message("ZPI|1|x", "XXX|y", PATIENT, PATIENT, VISIT))
    assert (len(one.all("PID")), one.all("OBX"), one.value("ZPI", 2)) == (2, (), "x")


@pytest.mark.parametrize(
    ("encoding", "value", "read_as"),
    [
        ("^~", r"a\S\b&c", (r"a\S\b&c", "")),
        ("^~\\", r"a\S\b&c", ("a^b&c", "")),
        ("^~\\&", r"a\S\b&c", ("a^b", "c")),
        ("^~\\&#", r"a\P\b&c", ("a#b", "c")),
        ("~^\\&", "a^b&c", ("a", "")),
    ],
)
def test_two_to_five_separators_are_those_that_the_message_declares(encoding, value, read_as):
    one = read(message(f"PID|1||{value}", event="ADT", encoding=encoding))
    assert (one.value("PID", 3), one.value("PID", 3, 1, 2)) == read_as


def test_the_field_separator_is_the_one_that_follows_msh():
    one = read(b"MSH*|~\\&*APP*FAC***20260101**ADT|A08*7*P*2.3\rPID*1**4711|||HOSP")
    assert (one.event, one.control_id, one.value("PID", 3), one.value("PID", 3, 4)) == ("A08", "7", "4711", "HOSP")


@pytest.mark.parametrize("encoding", ["", "^", "^~\\&#!", "^^\\&", "ab", "^ ~", "^~\\^"])
def test_separators_that_cannot_be_told_apart_are_refused(encoding):
    assert refusal(f"MSH|{encoding}".encode() + b"\rPID|1") == ("separators", "MSH-2")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b", "a|b"),
        (r"a\S\b", "a^b"),
        (r"a\T\b", "a&b"),
        (r"a\R\b", "a~b"),
        (r"a\E\b", "a\\b"),
        (r"a\X41\b", "aAb"),
        (r"a\XC3A4\b", "aäb"),
        (r"a\X0A0D\b", "a\n\rb"),
        (r"\H\a\N\b", "ab"),
        (r"a\F\\S\b", "a|^b"),
        (r"\E\F\E\ ".strip(), r"\F" + "\\"),
        (r"a\.br\b", r"a\.br\b"),
        (r"a\XC3\b", r"a\XC3\b"),
        (r"a\X4\b", r"a\X4\b"),
        (r"a\E9\b", r"a\E9\b"),
        (r"a\P\b", r"a\P\b"),
        (r"C:\dir", r"C:\dir"),
        (r"a\f\b", r"a\f\b"),
    ],
)
def test_escape_sequences_mean_what_the_standard_says_and_others_stay(sent, meant):
    assert read(message(f"PID|1||{sent}")).value("PID", 3) == meant


def test_hexadecimal_bytes_are_of_the_messages_own_character_set():
    assert read(message(r"PID|1||\XE4\ ".strip(), charset="8859/1")).value("PID", 3) == "ä"


@pytest.mark.parametrize(
    ("declared", "codec", "name"),
    [
        ("", "utf_8", "Ångström"),
        ("UNICODE UTF-8", "utf_8", "Ångström 李"),
        ("utf8", "utf_8", "李"),
        ("UNICODE", "utf_8", "李"),
        ("8859/1", "latin_1", "Ångström"),
        ("ISO 8859-1", "latin_1", "Ångström"),
        ("8859/2", "iso8859_2", "Łódź"),
        ("8859/15", "iso8859_15", "œ€"),
        ("8859/5", "iso8859_5", "Ж"),
        ("ASCII", "ascii", "Angstrom"),
        ("ISO IR6", "ascii", "Angstrom"),
        ("windows-1252", "cp1252", "„Å“"),
        ("ASCII~ISO IR87", "iso2022_jp_ext", "山田^太郎"),
        ("~ISO IR87", "iso2022_jp_ext", "山田"),
        ("GB 18030-2000", "gb18030", "亅"),  # its second byte is a field separator's
        ("KS X 1001", "euc_kr", "김"),
        ("BIG-5", "big5", "功"),  # its second byte is an escape character's
    ],
)
def test_a_declared_character_set_is_what_the_bytes_are_read_with(declared, codec, name):
    one = read(message(f"PID|1||4711||{name}|X", charset=declared, codec=codec))
    assert "^".join(filter(None, (one.value("PID", 5), one.value("PID", 5, 2)))) == name
    assert one.value("PID", 6) == "X"
    assert one.remarks == ()


@pytest.mark.parametrize(
    ("declared", "codec"),
    [("UNICODE UTF-8", "latin_1"), ("ASCII", "latin_1"), ("ASCII", "utf_8"), ("ASCII~ISO IR87", "utf_8")],
)
def test_bytes_that_are_not_of_the_declared_set_are_refused_and_not_guessed(declared, codec):
    assert refusal(message("PID|1||4711||Ångström", charset=declared, codec=codec)) == ("charset_broken", "message")


def test_an_unknown_set_is_refused_by_its_place():
    assert refusal(message(charset="KLINGON")) == ("charset_unknown", "MSH-18")
    assert codec_of("KLINGON") is None


def test_a_message_that_names_no_set_and_is_not_utf_8_is_windows_1252_and_counted():
    one = read(message("PID|1||4711||Ångström", codec="cp1252"))
    assert (one.value("PID", 5), one.remarks) == ("Ångström", (GUESSED,))


def test_bytes_that_are_neither_utf_8_nor_windows_1252_are_refused():
    assert refusal(message() + b"NTE|\x81") == ("charset_broken", "message")


def test_what_a_source_is_known_to_write_counts_more_than_what_it_declares():
    body = message("PID|1||4711||Ångström", charset="ASCII", codec="latin_1")
    assert read(body, charset="8859/1").value("PID", 5) == "Ångström"


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n", b"\n  ", b"\x00", b"\t"])
def test_what_files_begin_with_is_not_part_of_the_message(before):
    assert read(before + message()).event == "A01"


@pytest.mark.parametrize(
    "body", [b"", b"\r\r", b"PID|1", b"MSH", b"MSHA", b"MSH \r", b"msh|^~\\&", b"FHS|^~\\&", b"{}"]
)
def test_what_begins_with_no_header_is_no_message(body):
    assert refusal(body) == ("no_header", "MSH")


def test_two_messages_in_one_frame_are_not_one():
    assert refusal(message() + message()) == ("several_messages", "MSH")
    assert refusal(message().rstrip() + message()) == ("several_messages", "MSH")


def test_an_event_that_only_evn_names_is_that_one_and_else_msh_counts():
    assert read(message("EVN|A08", event="ADT")).event == "A08"
    assert read(message("EVN|A01", event="ADT^A08")).event == "A08"


def rule_of(body):
    """Returns the rule by which a message is refused, "" for one that is read."""
    try:
        read(body)
    except Hl7Error as error:
        return error.rule
    return ""


def test_a_message_cut_anywhere_is_read_or_refused_by_a_rule(adt_samples):
    body = adt_samples["ADT-A40-01"]
    rules = [rule_of(body[:length]) for length in range(len(body))]
    assert rules == ["no_header"] * 4 + ["separators"] * 2 + [""] * (len(body) - 6)
    assert {read(body[:length]).event for length in range(6, len(body))} == {"", "A", "A4", "A40"}


def test_an_error_quotes_nothing_of_the_message():
    with pytest.raises(Hl7Error) as caught:
        read((msh(charset="MARKED") + "\rPID|1||MARKED").encode())
    assert "MARKED" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_shown_of_a_message_is_nothing_that_it_says():
    one = read(message("PID|1||MARKED", sender="MARKED|F"))
    shown = [one, one.header, one.msh, one.first("PID"), one.first("PID").repetitions(3)]
    assert "MARKED" not in "".join(map(repr, shown))
