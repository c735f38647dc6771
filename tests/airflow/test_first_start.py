import pytest

from wardround.airflow.first_start import create_missing_connection
from wardround.airflow.hook import source_of
from wardround.errors import FhirError
from wardround.settings import settings_from
from wardround.workflows.servers import server_at

pytestmark = pytest.mark.usefixtures("airflow_database")

ADDRESS = {"FHIR_DEFAULT_BASE_URL": "https://h.org/r4"}
OAUTH = {
    "FHIR_DEFAULT_CLIENT_ID": "wardround",
    "FHIR_DEFAULT_CLIENT_SECRET": "s3cr:et",
    "FHIR_DEFAULT_TOKEN_URL": "https://h.org/token",
    "FHIR_DEFAULT_ICU_CLASSES": "ACUTE,IMP",
    "FHIR_DEFAULT_ICU_LOCATIONS": "",
    "FHIR_DEFAULT_PAGE_SIZE": "500",
    "FHIR_DEFAULT_PROXY": "http://proxy:3128",
}


@pytest.fixture
def connections():
    """Returns the default connection, or None. Removes it afterwards."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    def stored():
        with create_session() as session:
            found = session.scalar(select(Connection).where(Connection.conn_id == "fhir_default"))
            session.expunge_all()
            return found

    def remove():
        with create_session() as session:
            session.execute(delete(Connection).where(Connection.conn_id == "fhir_default"))

    remove()
    yield stored
    remove()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"FHIR_DEFAULT_TOKEN": "t0ken"},
        {"FHIR_DEFAULT_USERNAME": "me", "FHIR_DEFAULT_PASSWORD": "pass@word"},
        OAUTH,
    ],
    ids=["open", "bearer", "basic", "oauth"],
)
def test_a_missing_connection_is_made_of_the_variables_and_means_the_same_server(variables, connections):
    environment = {**ADDRESS, **variables}

    assert create_missing_connection(environment)

    of_variables = server_at("fhir_default", settings_from({}), {**environment, "FHIR_DEFAULT_THREADS": "1"})
    assert source_of(connections()) == of_variables


def test_a_secret_in_a_file_is_read_once(tmp_path, connections):
    secret = tmp_path / "token"
    secret.write_text("t0ken\n")

    create_missing_connection({**ADDRESS, "FHIR_DEFAULT_TOKEN_FILE": str(secret)})

    assert connections().password == "t0ken"


def test_a_connection_that_somebody_set_is_kept_whatever_the_variables_say(connections):
    create_missing_connection(ADDRESS)

    assert not create_missing_connection({"FHIR_DEFAULT_BASE_URL": "https://other.org/r4"})
    assert not create_missing_connection({})

    assert connections().host == "https://h.org/r4"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "source fhir_default: unknown, expected a URL"),
        ({"FHIR_DEFAULT_BASE_URL": "h.org"}, "source fhir_default: FHIR base URL: not a web address"),
        ({**ADDRESS, "FHIR_DEFAULT_USERNAME": "me"}, "FHIR_DEFAULT_PASSWORD is missing"),
    ],
    ids=["nothing", "no scheme", "half a sign-in"],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_stored(variables, message, connections, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FhirError, match=message):
        create_missing_connection(variables)

    assert connections() is None
