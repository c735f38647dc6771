"""Tests that web pages of other origins are refused unless an origin is allowed, and then served without cookies."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from wardround.demo.commands.fhir_server import command
from wardround.demo.fhir_server.running import RunningServer, running_server
from wardround.demo.fhir_server.sign_in import Clients

PAGE, OTHER = "http://localhost:8080", "https://elsewhere.org"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


def preflight(server: RunningServer, origin: str) -> requests.Response:
    url = f"{server.base_url}/Patient/_search"
    return requests.options(url, headers={"Origin": origin, **ASKS}, timeout=30)


def read(server: RunningServer, origin: str) -> Any:
    return requests.get(f"{server.base_url}/metadata", headers={"Origin": origin}, timeout=30).headers


@pytest.fixture(scope="module")
def open_to_one() -> Iterator[RunningServer]:
    with running_server(origins=[PAGE, "http://[::1]:8080"], clients=Clients(secrets={"a": "b"})) as server:
        yield server


def test_without_an_origin_no_page_is_allowed() -> None:
    with running_server() as server:
        assert preflight(server, PAGE).status_code == 405
        assert "Access-Control-Allow-Origin" not in read(server, PAGE)


def test_the_preflight_request_of_an_allowed_origin_needs_no_token(open_to_one: RunningServer) -> None:
    answer = preflight(open_to_one, PAGE)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert read(open_to_one, PAGE)["Access-Control-Allow-Origin"] == PAGE


def test_the_page_can_read_a_refusal_for_a_missing_token(open_to_one: RunningServer) -> None:
    answer = requests.get(f"{open_to_one.base_url}/Patient", headers={"Origin": PAGE}, timeout=30)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, PAGE)


def test_a_page_of_another_origin_is_refused(open_to_one: RunningServer) -> None:
    answer = preflight(open_to_one, OTHER)
    assert answer.status_code == 400
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Origin" not in read(open_to_one, OTHER)


def test_any_origin_is_allowed_only_without_cookies() -> None:
    with running_server(origins=["*"]) as server:
        cookie = {"Origin": OTHER, "Cookie": "session=1"}
        answer = requests.get(f"{server.base_url}/metadata", headers=cookie, timeout=30).headers
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer
        assert "Access-Control-Allow-Credentials" not in preflight(server, OTHER).headers


@pytest.mark.parametrize(
    "origin", ["http://localhost:8080/", "localhost:8080", "null", "http://a/b", "ftp://a", "http://A", ""]
)
def test_an_origin_that_no_browser_sends_is_a_usage_error(origin: str) -> None:
    result = CliRunner().invoke(command, ["--port", "0", "--cors", origin])
    assert result.exit_code == 2
    assert "such as http://localhost:8080" in result.output
