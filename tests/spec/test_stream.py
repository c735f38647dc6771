"""Tests what the file of the stream's settings may say, and that its errors name the place and the remedy."""

import re
import textwrap
from datetime import timedelta
from typing import get_args

import pytest

from wardround.errors import SpecError
from wardround.hl7.charset import codec_of
from wardround.settings import PROJECT, settings_from
from wardround.spec.loading import load_stream
from wardround.spec.stream import Charset

SOURCE = """
sources:
  main:
    listen: 127.0.0.1:2575
    fhir: fhir_default
    time_zone: Europe/Berlin
    patients: [{namespace: HOSP, system: "urn:oid:1.2.3"}]
    visits: {universal_id: "1.2.4", system: "urn:oid:1.2.4"}
    units: [MICU, SICU]
"""


@pytest.fixture
def read(tmp_path):
    """read(text) returns the settings of a file with this text."""

    def written(text):
        file = tmp_path / "stream.yaml"
        file.write_text(text)
        return load_stream(file)

    return written


def test_a_source_says_where_it_listens_and_what_its_messages_mean(read):
    main = read(SOURCE).sources["main"]
    assert main.address == ("127.0.0.1", 2575)
    assert (main.patients[0].namespace, main.visits.universal_id) == ("HOSP", "1.2.4")
    assert (main.units, main.classes, main.visit_fields) == (("MICU", "SICU"), (), ("PV1-19", "PV1-50"))
    assert main.zone.key == "Europe/Berlin"
    assert (main.acknowledge, main.unstored, main.processing, main.charset) == ("auto", "error", "P", None)
    assert (main.connections, main.idle, main.largest) == (20, timedelta(hours=1), 1_000_000)
    assert main.flag_first_seen is False


@pytest.mark.parametrize(("given", "size"), [("4kB", 4_000), ("1MB", 1_000_000), ("64MB", 64_000_000), ("5000", 5_000)])
def test_sizes_are_written_with_their_unit(read, given, size):
    main = read(f"{SOURCE}    largest: {given}\n").sources["main"]
    assert main.largest == size
    assert type(main).model_validate(main.model_dump(mode="json")) == main


@pytest.mark.parametrize(
    ("listen", "address"), [("0.0.0.0:0", ("0.0.0.0", 0)), ("'[::1]:2575'", ("::1", 2575)), ("mllp.h:1", ("mllp.h", 1))]
)
def test_an_address_has_a_host_and_a_port(read, listen, address):
    assert read(SOURCE.replace("127.0.0.1:2575", listen)).sources["main"].address == address


def test_the_examples_of_the_manual_are_files_of_settings(read):
    manual = (PROJECT / "docs" / "stream.md").read_text(encoding="utf-8")
    examples = re.findall(r"^    (?:subscriptions: .+\n    )?sources:\n(?:^     .+\n)+", manual, re.M)
    assert [list(read(textwrap.dedent(one)).sources) for one in examples] == [["main"], ["ehr"]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("    subscription: {secret_file: a.secret}\n", "main has a subscription, and there is no port for it"),
        ("subscriptions: 127.0.0.1:8282\n", "subscriptions has a port, and no source a subscription"),
    ],
)
def test_a_subscription_needs_a_port_and_a_secret(read, changed, message):
    with pytest.raises(SpecError, match=message):
        read(f"{SOURCE}{changed}")


def test_every_character_set_that_can_be_named_can_be_read():
    assert [name for name in get_args(Charset) if codec_of(name) is None] == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("127.0.0.1:2575", "2575", r"sources\.main\.listen: got '?2575'?, expected text; write it in quotes"),
        ("127.0.0.1:2575", "localhost", r"sources\.main\.listen: got 'localhost', expected an address and a port"),
        ("127.0.0.1:2575", "localhost:70000", "expected an address and a port such as"),
        ("Europe/Berlin", "Europe/Berln", r"main\.time_zone: got 'Europe/Berln' \(did you mean 'Europe/Berlin'\?\)"),
        ("namespace: HOSP, ", "", r"sources\.main\.patients\.0: names neither namespace nor universal_id; give what"),
        ("[MICU, SICU]", "[]", r"sources\.main\.units: has too few entries, expected at least 1; add"),
        ("[MICU, SICU]", "[MICU, MICU]", r"sources\.main\.units: names the unit 'MICU' twice; keep one"),
        ("units:", "unit:", r"sources\.main\.unit: unknown key \(did you mean 'units'\?\); remove it or correct"),
        ("main:", "Main Feed:", r"sources\.Main Feed"),
        ("    fhir: fhir_default\n", "", r"sources\.main\.fhir: is missing; add it"),
        ("fhir_default", "fhir_default\n    largest: 1GB", "got '1GB', expected a size such as 64kB or 1MB"),
        ("fhir_default", "fhir_default\n    largest: 1kB", r"got 1kB, expected 4kB to 64MB; correct it"),
        ("fhir_default", "fhir_default\n    charset: KLINGON", r"sources\.main\.charset: got 'KLINGON'"),
        ("fhir_default", "fhir_default\n    visit_fields: [PV1-19, PV1-19]", "names the field 'PV1-19' twice"),
        ("listen: 127.0.0.1:2575", "tls: {certificate: a, key: b}", "has tls but no listen; give the address"),
        ("sources:", "version: 2\nsources:", r"version: got 2: "),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_to_do(read, old, new, message):
    with pytest.raises(SpecError, match=message):
        read(SOURCE.replace(old, new, 1))


def test_what_follows_from_a_mistake_is_not_named_beside_it(read):
    with pytest.raises(SpecError) as refused:
        read(SOURCE.replace("namespace: HOSP, ", "", 1))
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"), [("sources: {}", "sources: has too few"), ("", "is empty, expected keys")]
)
def test_a_file_without_sources_is_refused(read, text, message):
    with pytest.raises(SpecError, match=message):
        read(text)


def test_two_sources_need_two_ports_unless_any_free_one_will_do(read):
    second = SOURCE.replace("sources:\n", "").replace("main:", "other:")
    with pytest.raises(SpecError, match=r"main and other both listen on 127\.0\.0\.1:2575; give each a port"):
        read(SOURCE + second)
    assert len(read((SOURCE + second).replace(":2575", ":0")).sources) == 2


def test_the_file_is_in_include_unless_the_environment_names_another(tmp_path):
    assert settings_from({"WARDROUND_HOME": str(tmp_path)}).stream == tmp_path / "include" / "stream.yaml"
    assert settings_from({"WARDROUND_STREAM": str(tmp_path / "a.yaml")}).stream == tmp_path / "a.yaml"


def test_a_file_that_is_not_there_is_named_with_its_variable(tmp_path):
    with pytest.raises(SpecError, match=r"none\.yaml: not found, .* WARDROUND_STREAM"):
        load_stream(tmp_path / "none.yaml")
