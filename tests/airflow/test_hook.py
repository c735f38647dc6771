import json

import pytest
from airflow.sdk import Connection

from wardround.airflow.hook import FhirHook, source_of
from wardround.errors import FhirError


def connection(host="http://127.0.0.1:9/fhir", password=None, **extra):
    return Connection(conn_id="ward", conn_type="fhir", host=host, password=password, extra=json.dumps(extra))


def test_a_connection_without_extra_has_the_clients_defaults():
    source = source_of(connection())

    assert (source.base_url, source.token, source.page_size) == ("http://127.0.0.1:9/fhir", None, 1000)


def test_the_fields_of_the_form_reach_the_source():
    source = source_of(connection(page_size=50, icu_classes=["ACUTE", "IMP"], icu_locations=["MICU"]))

    assert (source.page_size, source.icu_classes, source.icu_locations) == (50, ("ACUTE", "IMP"), ("MICU",))


def test_a_field_left_empty_in_the_form_means_the_default():
    assert source_of(connection(page_size=None, auth="")).page_size == 1000


def test_the_password_is_the_bearer_token_only_if_authentication_says_so():
    assert source_of(connection(password="secret", auth="bearer")).token == "secret"
    assert source_of(connection(password="secret")).token is None


def test_the_token_is_not_shown():
    assert "secret" not in repr(source_of(connection(password="secret", auth="bearer")))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"auth": "bearer"}, "Bearer token is empty"),
        ({"auth": "basic"}, "expected none or bearer"),
        ({"pagesize": 5}, "unknown field 'pagesize'"),
        ({"host": "ward.example.org"}, "not a web address"),
        ({"host": None}, "not a web address"),
    ],
)
def test_a_wrong_field_is_named_with_the_connection(wrong, message):
    with pytest.raises(FhirError, match=message) as raised:
        source_of(connection(**wrong))

    assert str(raised.value).startswith("connection ward: ")


def test_the_test_button_says_what_is_wrong(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WARD", json.dumps({"conn_type": "fhir", "host": "ward.example.org"}))

    ok, message = FhirHook("ward").test_connection()

    assert not ok
    assert "not a web address" in message
