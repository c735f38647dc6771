"""Tests what an issuers file may say, and that its errors name the place and the remedy."""

import re
import textwrap

import pytest

from wardround.errors import SpecError
from wardround.settings import PROJECT
from wardround.spec.loading import load_issuers


@pytest.fixture
def read(tmp_path):
    """read(text) returns the issuers of a file with this text."""

    def written(text):
        file = tmp_path / "issuers.yaml"
        file.write_text(text)
        return load_issuers(file).issuers

    return written


def test_an_issuer_has_a_file_or_a_url_of_keys_and_may_have_audiences(read):
    first, second = read(
        "issuers:\n"
        "  - {issuer: 'https://ehr.example.org/fhir', jwks: keys/ehr.json}\n"
        "  - {issuer: sand, jku: 'https://sand.example.org/jwks.json', audiences: [sand_man, other]}\n"
    )
    assert (first.jwks, first.jku, first.audiences) == ("keys/ehr.json", None, ())
    assert (second.jku, second.audiences) == ("https://sand.example.org/jwks.json", ("sand_man", "other"))


def test_the_example_of_the_manual_is_an_issuers_file(read):
    manual = (PROJECT / "docs" / "cds-hooks.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^    issuers:\n(?:^     .+\n)+", manual, re.M)
    assert [bool(one.jku) for one in read(textwrap.dedent(example))] == [True, False]


def test_nobody_may_call_if_nobody_is_listed(read):
    assert read("issuers: []") == ()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/jwks.json", "http://localhost/jwks", "http://[::1]:8000/jwks"])
def test_keys_of_this_machine_may_come_without_tls(read, url):
    assert read(f"issuers: [{{issuer: a, jku: '{url}'}}]")[0].jku == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("issuers: [{issuer: a}]", r"issuers\.0: expected either jwks \(a file\) or jku \(a URL\); give one of them"),
        ("issuers: [{issuer: a, jwks: a.json, jku: 'https://a/jwks'}]", "expected either jwks"),
        ("issuers: [{issuer: a, jku: 'http://ehr.example.org/jwks'}]", r"issuers\.0\.jku: .* expected https: whoever"),
        ("issuers: [{issuer: a, jku: 'http://127.0.0.1.example.org/jwks'}]", "expected https"),
        ("issuers: [{issuer: a, jku: 'ftp://localhost/jwks'}]", "expected https"),
        ("issuers: [{issuer: a, jku: 'https://name:word@a/jwks'}]", "expected the https URL of a JSON Web Key Set"),
        ("issuers: [{issuer: a, jku: jwks.json}]", "expected the https URL"),
        ("issuers: [{issuer: a, jwk: a.json}]", r"unknown key \(did you mean 'jwks'\?\); remove it or correct"),
        ("issuers: [{issuer: a, jwks: a.json}, {issuer: a, jwks: b.json}]", "a is listed twice; keep one of them"),
        ("issuers: [{issuer: '', jwks: a.json}]", r"issuers\.0\.issuer: got ''"),
        ("issuer: a", r"issuers: is missing; add it"),
        ("issuers: {", "not YAML"),
    ],
)
def test_an_error_names_file_place_and_remedy(read, text, message):
    with pytest.raises(SpecError, match=rf"issuers\.yaml: (?s:.)*{message}"):
        read(text)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SpecError, match=r"none\.yaml: not found, expected an issuers file in YAML; correct the path"):
        load_issuers(tmp_path / "none.yaml")
