"""Puts into Airflow's database what Wardround needs there, and changes nothing that is there already.

`python -m wardround.airflow.first_start` does so after `airflow db migrate`; docker-compose.yaml runs it at each start.
"""

import json
import os
import sys
from collections.abc import Mapping

from pydantic import SecretStr

from wardround.airflow.pools import create_missing_pools
from wardround.airflow.provider import CONNECTION_TYPE, DEFAULT_CONNECTION
from wardround.errors import WardroundError
from wardround.fhir.configured import naming, settings_of
from wardround.fhir.source_settings import form_field
from wardround.settings import settings_from
from wardround.workflows.servers import server_at
from wardround.workflows.source_variables import SourceVariables


def create_missing_connection(environment: Mapping[str, str]) -> bool:
    """Creates the default connection from the variables FHIR_DEFAULT_…, and returns whether it was missing.

    An existing one is kept as it is, whatever the variables say. (One in AIRFLOW_CONN_FHIR_DEFAULT would hide it:
    Airflow looks in the environment before it looks in its database.)

    Raises:
        FhirError: the connection is missing, and so is a variable, or one cannot be used.
        SpecError: an unknown profile, or a source map that cannot be used.
    """
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        if session.scalar(select(Connection.id).where(Connection.conn_id == DEFAULT_CONNECTION)) is not None:
            return False
        server_at(DEFAULT_CONNECTION, settings_from(environment), environment)
        session.add(Connection(conn_id=DEFAULT_CONNECTION, conn_type=CONNECTION_TYPE, **_fields(environment)))
        return True


def _fields(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the fields of the connection: host, login, password, and all others as the JSON `extra`."""
    variables = SourceVariables(DEFAULT_CONNECTION, environment)
    values = variables.values()
    with naming(variables.where):
        settings = settings_of(values, variables)
    secrets = {name: value.get_secret_value() for name, value in settings if isinstance(value, SecretStr)}
    written = {**settings.model_dump(mode="json"), **secrets}
    fields = {field: written[setting] for setting in values if (field := form_field(setting)) is not None}
    of_all: dict[str, str] = {field: fields.pop(field) for field in ("host", "login", "password") if field in fields}
    return {**of_all, "extra": json.dumps(fields)}


if __name__ == "__main__":
    create_missing_pools()
    try:
        create_missing_connection(os.environ)
    except WardroundError as error:
        sys.exit(str(error))
