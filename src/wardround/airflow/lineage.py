"""Tells OpenLineage, if its provider is installed and set up, which data sets the DAGs read and write.

The data sets are the Assets of `assets`. What OpenLineage's provider adds of a run by itself, what people wrote into
forms included, is taken out by `lineage_events`; without that no DAG of ours is loaded.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from airflow.configuration import conf

from wardround.errors import SettingsError

NAMESPACE: Final = "wardround"
GUARD: Final = "wardround.airflow.lineage_events.WithoutWords"
"""What takes out of an event what may name a patient."""
_SECTION: Final = "openlineage"
_PROVIDER: Final = "airflow.providers.openlineage"


def dataset_of(asset: Any, _context: Any) -> Any:
    """Returns an Asset of ours as OpenLineage's data set; Airflow calls it for the scheme of our URIs."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=NAMESPACE, name=f"{parts.netloc}{parts.path}")


def require_guarded(environment: Mapping[str, str] = os.environ) -> None:
    """Raises SettingsError if events would leave with what people wrote into forms, such as the ids of patients."""
    if not _is_installed() or conf.getboolean(_SECTION, "disabled", fallback=False):
        return
    elsewhere = _set_elsewhere(environment)
    transport = conf.getjson(_SECTION, "transport", fallback={}) or {}
    if not elsewhere and not transport:
        return
    if elsewhere or not _is_guarded(transport):
        wrapped = f'{{"type": "transform", "transformer_class": "{GUARD}", "transport": {{…}}}}'
        raise SettingsError(
            f"{elsewhere or 'AIRFLOW__OPENLINEAGE__TRANSPORT'}: sends events of OpenLineage with what people wrote into"
            " the forms of DAGs, such as the ids of patients, expected a transport that takes it out; set"
            f" AIRFLOW__OPENLINEAGE__TRANSPORT to {wrapped}, around your own, and nothing else"
            " (docs/operations/watched.md)"
        )


def _is_installed() -> bool:
    try:
        return find_spec(_PROVIDER) is not None
    except ModuleNotFoundError:
        return False


def _set_elsewhere(environment: Mapping[str, str]) -> str:
    """Returns the name of a setting other than the transport that says where events go; "" if there is none."""
    for option in ("config_conn_id", "config_path"):
        if conf.get(_SECTION, option, fallback=""):
            return f"AIRFLOW__OPENLINEAGE__{option.upper()}"
    given = ("OPENLINEAGE_CONFIG", "OPENLINEAGE_URL", *sorted(environment))
    beginning = "OPENLINEAGE__TRANSPORT"
    return next(
        (name for name in given if environment.get(name) and (name in given[:2] or name.startswith(beginning))), ""
    )


def _is_guarded(transport: Any) -> bool:
    return (
        isinstance(transport, Mapping)
        and transport.get("type") == "transform"
        and transport.get("transformer_class") == GUARD
    )
