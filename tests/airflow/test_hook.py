import json

import pytest
from airflow.sdk import Connection

from wardround.airflow.hook import FhirHook, source_of
from wardround.airflow.provider import CONNECTION_FIELDS
from wardround.errors import FhirError, SpecError
from wardround.fhir.sign_in import BasicPassword, BearerToken, ClientSecret, SignedAssertion

KEY = "-----BEGIN PRIVATE KEY-----"


def connection(host="http://127.0.0.1:9/fhir", login=None, password=None, **extra):
    return Connection(
        conn_id="ward", conn_type="fhir", host=host, login=login, password=password, extra=json.dumps(extra)
    )


def test_a_connection_without_extra_has_the_clients_defaults():
    source = source_of(connection())

    assert (source.base_url, source.sign_in, source.page_size) == ("http://127.0.0.1:9/fhir", None, 5000)


@pytest.mark.parametrize(
    ("apart", "base_url"),
    [
        ({"host": "https://h.org/r4", "port": None, "schema": ""}, "https://h.org/r4"),
        # Airflow's form makes 0 of an empty port.
        ({"host": "https://h.org/r4", "port": 0, "schema": None}, "https://h.org/r4"),
        # A URI is taken apart: fhir://https://h.org:8443/r4/x
        ({"host": "https://h.org", "port": 8443, "schema": "r4/x"}, "https://h.org:8443/r4/x"),
        ({"host": "https://h.org/r4", "port": 8443}, "https://h.org:8443/r4"),
        ({"host": "https://h.org:8443/r4", "port": 8443}, "https://h.org:8443/r4"),
        ({"host": "http://[::1]", "port": 8080, "schema": "fhir"}, "http://[::1]:8080/fhir"),
        # As in connections of the type HTTP.
        ({"host": "h.org", "port": 8443, "schema": "https"}, "https://h.org:8443"),
    ],
)
def test_the_base_url_is_assembled_from_airflows_separate_fields(apart, base_url):
    assert source_of(Connection(conn_id="ward", conn_type="fhir", **apart)).base_url == base_url


def test_a_connection_given_as_a_uri_keeps_its_path_and_port(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WARD", "fhir://https://me:secret@h.org:8443/r4/x?auth=basic")

    source = FhirHook("ward").source()

    assert (source.base_url, source.sign_in) == ("https://h.org:8443/r4/x", BasicPassword("me", "secret"))


def test_two_ports_are_refused():
    wrong = Connection(conn_id="ward", conn_type="fhir", host="https://h.org:443/r4", port=8443)
    with pytest.raises(FhirError, match="connection ward: Base URL has port 443 and Port is 8443, expected one"):
        source_of(wrong)


def test_a_task_makes_one_request_at_a_time_as_its_slot_of_the_pool_says():
    assert source_of(connection()).threads == 1


def test_the_fields_of_the_form_reach_the_source():
    source = source_of(connection(page_size=50, icu_classes=["ACUTE", "IMP"], icu_locations=["MICU"]))

    assert (source.page_size, source.icu_classes, source.icu_locations) == (50, ("ACUTE", "IMP"), ("MICU",))


def test_fields_of_a_connection_given_as_a_uri_are_texts(monkeypatch):
    fields = "page_size=50&timeout=90.5&icu_classes=ACUTE%2CIMP&map_by_identifier=True&write_to=results"
    monkeypatch.setenv("AIRFLOW_CONN_WARD", f"fhir://https://h.org/r4?{fields}")
    monkeypatch.setenv("AIRFLOW_CONN_RESULTS", "fhir://https://results.org/r4")

    source = FhirHook("ward").source()

    assert (source.page_size, source.timeout, source.icu_classes) == (50, 90.5, ("ACUTE", "IMP"))
    assert (source.map_by_identifier, source.write_to.base_url) == (True, "https://results.org/r4")


def test_a_field_left_empty_in_the_form_means_the_default():
    assert source_of(connection(page_size=None, auth="")).page_size == 5000


def test_the_password_is_the_bearer_token_only_if_authentication_says_so():
    assert source_of(connection(password="secret", auth="bearer")).sign_in == BearerToken("secret")
    assert source_of(connection(password="secret")).sign_in is None


def test_login_and_password_are_what_the_authentication_needs():
    both = {"login": "me", "password": "secret"}
    endpoint = "https://example.org/token"

    assert source_of(connection(**both, auth="basic")).sign_in == BasicPassword("me", "secret")
    assert source_of(connection(**both, auth="client_secret")).sign_in == ClientSecret("me", "secret")
    asked = connection(**both, auth="client_secret", auth_url=endpoint, scope="system/*.rs", client_auth="post")
    assert source_of(asked).sign_in == ClientSecret("me", "secret", endpoint, "system/*.rs", "post")


def test_the_private_key_is_a_text_or_a_file(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(KEY)
    expected = SignedAssertion("me", KEY, "k1")

    assert source_of(connection(login="me", auth="smart", private_key=KEY, key_id="k1")).sign_in == expected
    assert source_of(connection(login="me", auth="smart", key_file=str(file), key_id="k1")).sign_in == expected


def test_how_a_chart_is_opened_reaches_the_source_and_is_refused_if_it_leads_elsewhere():
    pattern = "https://ehr.example/chart/{patient_id}?enc={encounter_id}"
    assert source_of(connection(chart_url=pattern)).chart_url == pattern
    for wrong in ("http://ehr.example/{patient_id}", "https://ehr.example/", "javascript:alert({patient_id})"):
        with pytest.raises(FhirError, match="chart_url is not a valid address, expected https://host"):
            source_of(connection(chart_url=wrong))


def test_aliases_reach_the_source():
    assert (
        source_of(connection(aliases=["http://inside/r4"])).bases.relative("http://inside/r4/Patient/1") == "Patient/1"
    )
    with pytest.raises(FhirError, match="alias: not the base URL"):
        source_of(connection(aliases=["inside"]))


@pytest.mark.parametrize(
    ("field", "value"),
    {
        "ca_file": "ca.pem",
        "proxy": "http://proxy:3128",
        "profile": "hapi",
        "page_size": 9,
        "patients_per_search": 9,
        "entries_per_batch": 9,
        "timeout": 9,
        "retries": 9,
        "icu_classes": ["IMP"],
        "icu_locations": ["MICU"],
        "write_to": "results",
        "chart_url": "https://ehr.example/{patient_id}",
        "aliases": ["http://inside/r4"],
    }.items(),
)
def test_a_field_that_is_filled_in_changes_the_endpoint(field, value):
    there = {"results": other()}.get
    assert source_of(connection(**{field: value}), there) != source_of(connection(), there)


def test_a_source_map_reaches_the_source(tmp_path):
    (tmp_path / "map.yaml").write_text("version: 1\nunits: {Schläge: /min}\n")

    assert source_of(connection(source_map=str(tmp_path / "map.yaml"))).translation.units == (("Schläge", "/min"),)
    with pytest.raises(SpecError, match=r"none\.yaml: not found"):
        source_of(connection(source_map=str(tmp_path / "none.yaml")))


def test_authorities_and_proxy_reach_the_source():
    source = source_of(connection(ca_file="/etc/ca.pem", proxy="http://proxy:3128"))

    assert (source.ca_file, source.proxy) == ("/etc/ca.pem", "http://proxy:3128")


def test_secrets_are_not_shown_and_airflow_masks_them():
    from airflow.sdk._shared.secrets_masker import redact

    asked = connection(login="me", password="secret", auth="smart", private_key="secret", proxy="http://me:secret@h")

    assert "secret" not in repr(source_of(asked))
    assert "secret" not in str(redact(asked.extra_dejson))
    assert {name for name, field in CONNECTION_FIELDS.items() if field["schema"].get("format") == "password"} == {
        "private_key",
        "proxy",
    }


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"auth": "bearer"}, "Token, password or client secret is empty"),
        ({"auth": "basic", "password": "secret"}, "User name or client id is empty"),
        ({"auth": "client_secret", "login": "me"}, "Token, password or client secret is empty"),
        ({"auth": "smart", "login": "me"}, "Private key is empty"),
        ({"auth": "smart", "login": "me", "private_key": KEY, "key_file": "k"}, "both filled in"),
        ({"auth": "smart", "login": "me", "key_file": "/none/key.pem"}, "/none/key.pem: cannot be read"),
        ({"auth": "client_secret", "login": "me", "password": "s", "auth_url": "http://h/token"}, "not https"),
        ({"auth": "magic"}, "expected one of none, bearer, basic, client_secret, smart"),
        ({"pagesize": 5}, "unknown field 'pagesize'"),
        ({"page_size": "many"}, "Page size is 'many', expected a whole number above 0; correct it"),
        ({"timeout": 7200}, "Time-out is 7200, expected at most 3,600; correct it"),
        ({"icu_classes": 5}, "ICU classes is 5, expected a list of strings; correct it"),
        ({"proxy": ["http://me:secret@h"]}, "Proxy cannot be used, expected a string; correct it"),
        ({"host": "ward.example.org"}, "not a web address"),
        ({"host": None}, "not a web address"),
    ],
)
def test_a_wrong_field_is_named_with_the_connection(wrong, message):
    with pytest.raises(FhirError, match=message) as raised:
        source_of(connection(**wrong))

    assert str(raised.value).startswith("connection ward: ")
    assert "me:secret" not in str(raised.value)


def test_the_test_button_says_what_is_wrong(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WARD", json.dumps({"conn_type": "fhir", "host": "ward.example.org"}))

    ok, message = FhirHook("ward").test_connection()

    assert not ok
    assert "not a web address" in message
    assert not message.startswith("connection ward")


def test_a_server_is_recognised_unless_its_profile_is_chosen():
    assert source_of(connection()).recognise
    chosen = source_of(connection(profile="oracle", page_size=1000))
    assert (chosen.profile.id, chosen.recognise, chosen.page_size) == ("oracle", False, 200)
    with pytest.raises(SpecError, match="no server profile 'oracel'"):
        source_of(connection(profile="oracel"))


def other(conn_id="results", host="http://127.0.0.1:8/fhir", **extra):
    return Connection(conn_id=conn_id, conn_type="fhir", host=host, password="theirs", extra=json.dumps(extra))


def test_results_go_to_another_connection_with_a_sign_in_of_its_own():
    source = source_of(connection(write_to="results", map_by_identifier=True), {"results": other(auth="bearer")}.get)

    assert (source.name, source.write_to.name, source.write_to.base_url) == (
        "ward",
        "results",
        "http://127.0.0.1:8/fhir",
    )
    assert (source.sign_in, source.write_to.sign_in) == (None, BearerToken("theirs"))
    assert (source.map_by_identifier, source.write_to.threads, source.write_to.recognise) == (True, 1, True)


@pytest.mark.parametrize(
    ("taker", "message"),
    [
        (other(write_to="ward"), "connection results: receives results, but its Write to is filled in"),
        (other(host="http://127.0.0.1:9/fhir"), "write its results to itself"),
        (other(auth="magic"), "connection results: Authentication is 'magic'"),
    ],
)
def test_a_connection_that_cannot_take_results_is_named(taker, message):
    with pytest.raises(FhirError, match=message):
        source_of(connection(write_to="results"), lambda _: taker)
    with pytest.raises(FhirError, match="no other server to write to"):
        source_of(connection(map_by_identifier=True))


def test_the_test_button_asks_the_server_of_results_too(monkeypatch):
    from wardround.demo.fhir_server.running import running_server

    with running_server() as server:
        for write_to, host, expected in (("OTHER", "http://127.0.0.1:9/fhir", False), ("OTHER", None, True)):
            with running_server() as second:
                ward = {"conn_type": "fhir", "host": server.base_url, "extra": {"write_to": write_to, "retries": 1}}
                there = {"conn_type": "fhir", "host": host or second.base_url, "extra": {"retries": 1}}
                monkeypatch.setenv("AIRFLOW_CONN_WARD", json.dumps(ward))
                monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(there))
                ok, message = FhirHook("ward").test_connection()
            assert (ok, "for its results, Wardround embedded FHIR server" in message) == (expected, expected)
