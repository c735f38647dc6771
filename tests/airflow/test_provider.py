import json
from dataclasses import fields
from importlib.resources import files

import jsonschema

from wardround.airflow.provider import CONNECTION_FIELDS, SETTINGS, get_provider_info
from wardround.fhir.client import FhirEndpoint


def test_airflow_finds_the_connection_type_in_the_installed_package():
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    hook = ProvidersManagerTaskRuntime().hooks["fhir"]

    assert (hook.hook_name, hook.package_name) == ("FHIR server", "wardround")


def test_the_provider_info_passes_airflows_validation():
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)


def test_the_form_has_the_base_url_and_hides_what_fhir_does_not_use():
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    form = next(hook for hook in HookMetaService.hook_meta_data() if hook.connection_type == "fhir")

    assert form.standard_fields.host.title == "Base URL"
    assert form.standard_fields.login.title == "User name or client id"
    assert form.standard_fields.password.title == "Token, password or client secret"
    assert form.standard_fields.url_schema.hidden
    assert set(form.extra_fields) == set(CONNECTION_FIELDS)


def test_the_fields_have_the_clients_defaults():
    defaults = {field.name: field.default for field in fields(FhirEndpoint)}
    form = {
        name: field["schema"].get("default")
        for name, field in CONNECTION_FIELDS.items()
        if SETTINGS[name] in defaults and name != "profile"
    }

    assert {name: tuple(value) if isinstance(value, list) else value for name, value in form.items()} == {
        name: defaults[name] for name in form
    }
