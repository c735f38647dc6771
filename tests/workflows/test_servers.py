"""A URL or the name of a source: which server, and how to sign in to it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from wardround.cli.screen import command
from wardround.errors import FhirError
from wardround.fhir.sign_in import BasicPassword, BearerToken, ClientSecret, SignedAssertion
from wardround.settings import Settings, settings_from
from wardround.workflows.screen import servers_in
from wardround.workflows.servers import is_server, server_at
from wardround.workflows.source_variables import SET_BY_VARIABLE

URL = "https://example.org/fhir"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path, here: Path) -> Settings:
    return settings_from({"WARDROUND_HOME": str(tmp_path), "WARDROUND_FHIR_PAGE_SIZE": "7"})


def named(settings: Settings, **variables: str):
    return server_at("ward", settings, {f"WARD_{key}": value for key, value in {"BASE_URL": URL, **variables}.items()})


def test_the_tutorials_variables_are_a_source(settings, here) -> None:
    (here / ".env").write_text(
        "MEDPLUM_BASE_URL=https://api.example.org/fhir/R4\nMEDPLUM_CLIENT_ID=me\nMEDPLUM_CLIENT_SECRET='s3cret'\n"
        "MEDPLUM_TOKEN_URL=https://api.example.org/oauth2/token\nMEDPLUM_SCOPE=openid\nEPIC_BASE_URL=https://e.org/r4\n"
    )
    source = server_at("medplum", settings, {})
    assert source.base_url == "https://api.example.org/fhir/R4"
    assert source.sign_in == ClientSecret("me", "s3cret", "https://api.example.org/oauth2/token", "openid")
    assert source.page_size == 7
    assert server_at("epic", settings, {}).sign_in is None


def test_a_key_file_signs_assertions(settings, tmp_path) -> None:
    (tmp_path / "key.pem").write_text("KEY")
    asked = named(settings, CLIENT_ID="me", KEY_FILE=str(tmp_path / "key.pem"), KEY_ID="k1", SCOPE="system/*.rs")
    assert asked.sign_in == SignedAssertion("me", "KEY", "k1", None, "system/*.rs")
    assert named(settings, CLIENT_ID="me", PRIVATE_KEY="KEY").sign_in == SignedAssertion("me", "KEY")


def test_the_other_ways_to_sign_in(settings) -> None:
    assert named(settings, TOKEN="t").sign_in == BearerToken("t")
    assert named(settings, USERNAME="me", PASSWORD="pw").sign_in == BasicPassword("me", "pw")
    assert named(settings, CLIENT_ID="me", CLIENT_SECRET="s", CLIENT_AUTH="post").sign_in.sent_as == "post"


def test_how_a_chart_is_opened_goes_with_the_request(settings) -> None:
    pattern = "https://ehr.example/chart/{patient_id}"
    assert servers_in(named(settings, CHART_URL=pattern))["chart_url"] == pattern
    assert servers_in(named(settings))["chart_url"] is None


def test_aliases_are_the_sources_own(settings) -> None:
    assert named(settings, ALIASES="http://inside:8080/r4, http://old/r4").aliases == (
        "http://inside:8080/r4",
        "http://old/r4",
    )
    with pytest.raises(FhirError, match="alias: not the base URL"):
        named(settings, ALIASES="inside")


def test_a_source_map_is_the_sources_own_or_given(settings, tmp_path, schemas) -> None:
    home = replace(settings, home=schemas.parents[1])
    for name, unit in {"own": "Schläge", "given": "Puls"}.items():
        (tmp_path / f"{name}.yaml").write_text(f"version: 1\nunits: {{{unit}: /min}}\n")
    environment = {"WARD_BASE_URL": URL, "WARD_SOURCE_MAP": str(tmp_path / "own.yaml")}
    assert server_at("ward", home, environment).translation.units == (("Schläge", "/min"),)
    given = server_at("ward", home, environment, source_map=tmp_path / "given.yaml")
    assert given.translation.units == (("Puls", "/min"),)
    at_url = server_at(URL, replace(home, source_map=tmp_path / "own.yaml"), {})
    assert at_url.translation.units == (("Schläge", "/min"),)


def test_authorities_and_proxy_are_the_sources_own(settings) -> None:
    source = named(settings, CA_FILE="ca.pem", PROXY="http://proxy:3128")
    assert (source.ca_file, source.proxy) == ("ca.pem", "http://proxy:3128")


def test_the_environment_precedes_the_working_directory_and_that_the_home(settings, here, tmp_path) -> None:
    (tmp_path / ".env").write_text(f"WARD_BASE_URL={URL}\nWARD_TOKEN=home\nWARD_PROXY=http://home\n")
    (here / ".env").write_text("WARD_TOKEN=here\nWARD_CA_FILE=here\n")
    source = server_at("ward", settings, {"WARD_CA_FILE": "environment"})
    assert (source.sign_in, source.ca_file, source.proxy) == (BearerToken("here"), "environment", "http://home")


def test_what_a_source_says_of_itself_goes_before_what_counts_for_all(tmp_path, here) -> None:
    of_all = {
        "FHIR_PAGE_SIZE": "7",
        "FHIR_RETRIES": "8",
        "FHIR_TIMEOUT": "9",
        "ICU_CLASSES": "IMP",
        "ICU_LOCATIONS": "M",
    }
    settings = settings_from({f"WARDROUND_{name}": text for name, text in of_all.items()})
    for source in (server_at(URL, settings, {}), named(settings)):
        assert (source.page_size, source.retries, source.timeout) == (7, 8, 9.0)
        assert (source.icu_classes, source.icu_locations) == (("IMP",), ("M",))
    own = {"PAGE_SIZE": "70", "RETRIES": "80", "TIMEOUT": "90.5", "ICU_CLASSES": "ACUTE, IMP", "ICU_LOCATIONS": ""}
    source = named(settings, **own)
    assert (source.page_size, source.retries, source.timeout) == (70, 80, 90.5)
    assert (source.icu_classes, source.icu_locations) == (("ACUTE", "IMP"), ())


# A way to sign in that the setting belongs to, and a value that is not its default.
SAID = {
    "base_url": ({}, "https://other.example.org"),
    "client_id": ({"CLIENT_SECRET": "s", "CLIENT_ID": "me"}, "you"),
    "client_secret": ({"CLIENT_ID": "me", "CLIENT_SECRET": "s"}, "other"),
    "token_url": ({"CLIENT_ID": "me", "CLIENT_SECRET": "s"}, "https://example.org/token"),
    "scope": ({"CLIENT_ID": "me", "CLIENT_SECRET": "s"}, "system/*.rs"),
    "client_auth": ({"CLIENT_ID": "me", "CLIENT_SECRET": "s"}, "post"),
    "private_key": ({"CLIENT_ID": "me", "PRIVATE_KEY": "KEY"}, "OTHER"),
    "key_file": ({"CLIENT_ID": "me", "CLIENT_SECRET": "s"}, None),
    "key_id": ({"CLIENT_ID": "me", "PRIVATE_KEY": "KEY"}, "k1"),
    "username": ({"USERNAME": "me", "PASSWORD": "pw"}, "you"),
    "password": ({"USERNAME": "me", "PASSWORD": "pw"}, "other"),
    "token": ({}, "t"),
    "ca_file": ({}, "ca.pem"),
    "proxy": ({}, "http://proxy:3128"),
    "profile": ({}, "hapi"),
    "page_size": ({}, "9"),
    "patients_per_search": ({}, "9"),
    "entries_per_batch": ({}, "9"),
    "timeout": ({}, "9"),
    "threads": ({}, "9"),
    "retries": ({}, "9"),
    "icu_classes": ({}, "IMP"),
    "icu_locations": ({}, "MICU"),
    "source_map": ({}, None),
    "write_to": ({}, "https://results.example.org"),
    "map_by_identifier": ({"WRITE_TO": "https://results.example.org"}, "true"),
    "chart_url": ({}, "https://ehr.example/{patient_id}"),
    "aliases": ({}, "http://inside/r4"),
}


@pytest.mark.parametrize("setting", SET_BY_VARIABLE)
def test_every_setting_has_a_variable_that_reaches_the_endpoint(tmp_path, here, setting: str) -> None:
    (tmp_path / "key.pem").write_text("KEY")
    (tmp_path / "map.yaml").write_text("version: 1\nunits: {Schläge: /min}\n")
    files = {"key_file": tmp_path / "key.pem", "source_map": tmp_path / "map.yaml"}
    before, value = SAID[setting]
    without = named(settings_from({}), **before)
    rest = {} if setting != "key_file" else {"CLIENT_ID": "me"}
    said = {**(rest or before), setting.upper(): value or str(files[setting])}
    assert named(settings_from({}), **said) != without


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PAGE_SIZE": "50000"}, "WARD_PAGE_SIZE: unusable, expected at most 10,000; correct it"),
        ({"PAGE_SIZE": "0"}, "WARD_PAGE_SIZE: unusable, expected a whole number above 0; correct it"),
        ({"TIMEOUT": "90s"}, "WARD_TIMEOUT: unusable, expected a number of at least 1; correct it"),
        ({"TIMEOUT": "nan"}, "WARD_TIMEOUT: unusable, expected a number of at least 1; correct it"),
        ({"THREADS": "secret"}, "WARD_THREADS: unusable, expected a whole number above 0; correct it"),
    ],
)
def test_a_limit_that_is_none_is_named_and_not_shown(settings, variables, message: str) -> None:
    with pytest.raises(FhirError) as raised:
        named(settings, **variables)
    assert str(raised.value) == f"source ward: {message}"


def test_a_name_may_have_hyphens(settings) -> None:
    assert server_at("my-ward", settings, {"MY_WARD_BASE_URL": URL}).base_url == URL


def test_a_url_gets_the_token_of_the_environment(tmp_path) -> None:
    settings = settings_from({"WARDROUND_FHIR_TOKEN": "t"})
    assert server_at(URL, settings, {}).sign_in == BearerToken("t")
    assert named(settings).sign_in is None


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        ({"BASE_URL": "", "TOKEN": "t"}, "WARD_BASE_URL is missing"),
        ({"CLIENT_SECRET": "s"}, "WARD_CLIENT_ID is missing"),
        ({"PRIVATE_KEY": "s"}, "WARD_CLIENT_ID is missing"),
        ({"CLIENT_ID": "me"}, "WARD_CLIENT_SECRET or WARD_KEY_FILE is missing"),
        ({"PASSWORD": "s"}, "WARD_USERNAME is missing"),
        ({"USERNAME": "me"}, "WARD_PASSWORD is missing"),
        ({"TOKEN_URL": "https://h/t"}, "WARD_CLIENT_ID is missing"),
        ({"KEY_ID": "k1"}, "WARD_CLIENT_ID is missing"),
        ({"SCOPE": "system/*.read", "CLIENT_AUTH": "post"}, "WARD_CLIENT_ID is missing"),
    ],
)
def test_a_missing_variable_is_named(settings, variables: dict[str, str], missing: str) -> None:
    with pytest.raises(FhirError, match=f"source ward: {missing}"):
        named(settings, **variables)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TOKEN": "secret", "PASSWORD": "secret"}, "both WARD_PASSWORD and WARD_TOKEN"),
        (
            {"CLIENT_ID": "me", "CLIENT_SECRET": "secret", "TOKEN_URL": "http://h/t"},
            "ward: token URL: not https",
        ),
        ({"CLIENT_ID": "me", "CLIENT_SECRET": "secret", "CLIENT_AUTH": "secret"}, "expected basic or post"),
        ({"CLIENT_ID": "me", "KEY_FILE": "/none.pem"}, "/none.pem: cannot be read"),
        ({"TOKEN": "secret\n"}, "source ward: token: contains a space, a line break"),
    ],
)
def test_variables_that_contradict_are_named_and_no_secret_shown(settings, variables, message: str) -> None:
    with pytest.raises(FhirError, match=message) as raised:
        named(settings, **variables)
    assert "secret" not in str(raised.value)


def test_an_unknown_name_lists_the_known_ones(settings) -> None:
    with pytest.raises(FhirError, match="word: unknown, expected a URL or one of: epic, ward; set WORD_BASE_URL"):
        server_at("word", settings, {"WARD_BASE_URL": URL, "EPIC_BASE_URL": URL, "OTHER": "x"})
    with pytest.raises(FhirError, match="one of: none"):
        server_at("word", settings, {})


def test_screen_takes_a_name(here) -> None:
    (here / ".env").write_text("WARD_BASE_URL=ftp://example.org\n")
    finished = CliRunner().invoke(command, ["sepsis", "--source", "ward", "--as-of", "2026-01-02T05:00:00Z"])
    assert isinstance(finished.exception, FhirError)
    assert "not a web address" in str(finished.exception)


def test_a_source_is_recognised_unless_its_profile_is_chosen() -> None:
    settings = settings_from({})
    assert server_at(URL, settings, {}).recognise
    chosen = server_at(URL, settings, {}, profile="oracle")
    assert (chosen.profile.id, chosen.recognise, chosen.page_size) == ("oracle", False, 200)
    variables = {"WARD_BASE_URL": URL, "WARD_PROFILE": "hapi"}
    assert server_at("ward", settings, variables).profile.id == "hapi"
    assert server_at("ward", settings, variables, profile="epic").profile.id == "epic"


def test_a_name_is_a_folder_if_there_is_one_or_no_server_of_the_name(settings, here) -> None:
    (here / "ward").mkdir()
    variables = {"WARD_BASE_URL": URL, "EPIC_BASE_URL": URL}
    places = {"ward": False, "epic": True, "absent": False, "epic/fhir": False, URL: True, ".": False}
    assert {place: is_server(place, settings, variables) for place in places} == places


def test_a_token_of_the_environment_that_no_header_takes_is_named() -> None:
    settings = settings_from({"WARDROUND_FHIR_TOKEN": "secret\u20ac"})
    with pytest.raises(FhirError, match="WARDROUND_FHIR_TOKEN: token: contains") as raised:
        server_at(URL, settings, {})
    assert "secret" not in str(raised.value)


def test_results_go_to_another_named_source_with_a_sign_in_of_its_own(settings) -> None:
    results = {"RESULTS_BASE_URL": "https://r.example.org/fhir", "RESULTS_TOKEN": "theirs"}
    variables = {"WARD_BASE_URL": URL, "WARD_TOKEN": "ours", "WARD_WRITE_TO": "results", **results}
    source = server_at("ward", settings, variables)
    assert (source.name, source.sign_in, source.map_by_identifier) == ("ward", BearerToken("ours"), False)
    assert source.write_to is not None
    assert (source.write_to.name, source.write_to.base_url) == ("results", results["RESULTS_BASE_URL"])
    assert (source.write_to.sign_in, source.write_to.recognise) == (BearerToken("theirs"), True)
    mapped = server_at("ward", settings, {**variables, "WARD_MAP_BY_IDENTIFIER": "True"})
    assert mapped.map_by_identifier


def test_where_results_go_can_be_said_for_one_run_and_at_a_url_nobody_signs_in(tmp_path) -> None:
    settings = settings_from({"WARDROUND_FHIR_TOKEN": "ours", "WARDROUND_FHIR_ALIASES": "http://inside/r4"})
    source = server_at(URL, settings, {}, write_to="https://r.example.org/fhir", map_by_identifier=True)
    assert source.write_to is not None
    assert (source.sign_in, source.write_to.sign_in) == (BearerToken("ours"), None)
    assert (source.aliases, source.write_to.aliases) == (("http://inside/r4",), ())
    assert (source.map_by_identifier, source.write_to.name) == (True, None)
    variables = {"WARD_BASE_URL": URL, "WARD_WRITE_TO": "results", "RESULTS_BASE_URL": "https://r.example.org"}
    other = server_at("ward", settings, variables, write_to="https://other.example.org")
    assert other.write_to is not None
    assert other.write_to.base_url == "https://other.example.org"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WARD_WRITE_TO": "nowhere"}, "source nowhere: unknown"),
        ({"WARD_WRITE_TO": "ward"}, "WARD_WRITE_TO is set, expected a server that keeps them"),
        ({"WARD_WRITE_TO": "b", "B_BASE_URL": "https://b", "B_WRITE_TO": "ward"}, "source b: takes results, and B_WRI"),
        ({"WARD_WRITE_TO": URL}, "write its results to itself"),
        ({"WARD_MAP_BY_IDENTIFIER": "true"}, "no other server to write to"),
        ({"WARD_MAP_BY_IDENTIFIER": "1", "WARD_WRITE_TO": "https://r"}, "MAP_BY_IDENTIFIER: neither true nor false"),
    ],
)
def test_a_place_for_results_that_is_none_is_named(settings, variables, message: str) -> None:
    with pytest.raises(FhirError, match=message):
        server_at("ward", settings, {"WARD_BASE_URL": URL, **variables})


FILES = {
    "TOKEN": ({}, BearerToken("s3cret")),
    "PASSWORD": ({"USERNAME": "me"}, BasicPassword("me", "s3cret")),
    "CLIENT_SECRET": ({"CLIENT_ID": "me"}, ClientSecret("me", "s3cret")),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_may_lie_in_a_file(settings, tmp_path, name: str, end: str) -> None:
    (tmp_path / "secret").write_bytes(f"s3cret{end}".encode())
    rest, expected = FILES[name]
    assert named(settings, **rest, **{f"{name}_FILE": str(tmp_path / "secret")}).sign_in == expected


def test_a_proxy_with_a_password_may_lie_in_a_file(settings, tmp_path) -> None:
    (tmp_path / "proxy").write_text("http://me:s3cret@proxy.test:8080\n")
    assert named(settings, PROXY_FILE=str(tmp_path / "proxy")).proxy == "http://me:s3cret@proxy.test:8080"


def test_a_url_has_its_token_from_a_file_too(settings, tmp_path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    from_file = replace(settings, fhir_token_file=tmp_path / "token")
    assert server_at(URL, from_file, {}).sign_in == BearerToken("s3cret")
    assert server_at(URL, from_file, {}).sign_in.file == tmp_path / "token"
    assert named(settings, TOKEN_FILE=str(tmp_path / "token")).sign_in.file == tmp_path / "token"
    assert named(settings, TOKEN="s3cret").sign_in.file is None
    with pytest.raises(FhirError, match=r"^both WARDROUND_FHIR_TOKEN and WARDROUND_FHIR_TOKEN_FILE are set"):
        server_at(URL, replace(from_file, fhir_token="s3cret"), {})
    assert settings_from({"WARDROUND_FHIR_TOKEN_FILE": "/run/secrets/token"}).fhir_token_file == Path(
        "/run/secrets/token"
    )


NO_SECRETS = {
    "missing": (None, "does not exist, expected a file with a secret"),
    "empty": (b"", "is empty, expected a secret"),
    "a line end": (b"\n", "is empty, expected a secret"),
    "no text": (b"\xff\xfes3cret", "is not text, expected a secret"),
    "too large": (b"s3cret" * 20_000, "is too large for a secret"),
}


@pytest.mark.parametrize("name", NO_SECRETS)
def test_a_file_that_holds_no_secret_is_named_with_its_variable_and_its_content_is_not(
    settings, tmp_path, name: str
) -> None:
    content, message = NO_SECRETS[name]
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    for place, where, changed in (
        ("ward", "source ward: WARD_TOKEN_FILE: ", settings),
        (URL, "WARDROUND_FHIR_TOKEN_FILE: ", replace(settings, fhir_token_file=tmp_path / "secret")),
    ):
        with pytest.raises(FhirError, match=message) as raised:
            server_at(place, changed, {"WARD_BASE_URL": URL, "WARD_TOKEN_FILE": str(tmp_path / "secret")})
        assert str(raised.value).startswith(f"{where}{tmp_path / 'secret'}: ")
        assert "s3cret" not in str(raised.value)


def test_a_folder_and_a_file_that_may_not_be_read_hold_no_secret(settings, tmp_path) -> None:
    with pytest.raises(FhirError, match=r"cannot be read, .* check the path and the permissions"):
        named(settings, TOKEN_FILE=str(tmp_path))
    if os.geteuid() == 0:
        pytest.skip("root may read everything: a file without rights was not tried")
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "secret").chmod(0)
    with pytest.raises(FhirError, match="check the path and the permissions"):
        named(settings, TOKEN_FILE=str(tmp_path / "secret"))


def test_a_secret_in_both_ways_is_an_error(settings, tmp_path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    with pytest.raises(FhirError, match=r"^source ward: both WARD_TOKEN and WARD_TOKEN_FILE are set") as raised:
        named(settings, TOKEN="s3cret", TOKEN_FILE=str(tmp_path / "secret"))
    assert "s3cret" not in str(raised.value)
