"""Opens the patients to choose from, and writes those chosen: a prefetch and a transaction for each.

It sees patient values; it never logs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pandas as pd

from wardround.adapters.files.refused import storing
from wardround.adapters.files.scratch import scratch_folder
from wardround.adapters.files.whole_file import write_whole
from wardround.core.progress import Say
from wardround.demo.mimic2fhir import Selection, mimic2fhir
from wardround.demo.patients.choosing import Chosen
from wardround.demo.patients.made_up import identified
from wardround.demo.patients.transactions import transaction
from wardround.demo.sandbox.charts import Chart
from wardround.demo.sandbox.embedded import served
from wardround.demo.sandbox.paths import resources_of
from wardround.fhir.client import FhirClient
from wardround.fhir.endpoint import FhirEndpoint
from wardround.results.bands import BANDS
from wardround.settings import Settings
from wardround.spec.loading import load_variables

_OURS: Final = re.compile(rf"({'|'.join(BANDS)})_\d+_(patient|bundle)\.json")
_LOCATION: Final = re.compile(r"Location/[A-Za-z0-9\-.]{1,64}")


@contextmanager
def census_of(mimic: Path, now: datetime, settings: Settings, say: Say) -> Iterator[FhirEndpoint]:
    """Gives a server with MIMIC's patients, their times shifted so that `now` is inside a stay of most of them."""
    with scratch_folder() as folder:
        selection = Selection(load_variables(settings.schemas), rebase_to=pd.Timestamp(now))
        mimic2fhir(mimic, folder / "fhir", selection, lambda step: say(f"Making a census of MIMIC: {step}"))
        with served(folder / "fhir", settings) as source:
            yield source


def remove_earlier(out: Path) -> None:
    """Removes what an earlier run wrote into the folder, so that no patient of its stays among the new ones."""
    with storing(out):
        out.mkdir(parents=True, exist_ok=True)
        for path in out.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink()


def write(chosen: Chosen, out: Path, client: FhirClient, now: datetime) -> dict[str, Any]:
    """Writes NAME_patient.json and NAME_bundle.json, and returns the transaction."""
    chart = Chart(client)
    resources = [client.source.bases.localised(one) for one in resources_of(chosen.prefetch)]
    places = sorted(set(_LOCATION.findall(orjson.dumps(resources).decode())))
    beside = [identified(one, now) for place in places if (one := chart.answer(place))]
    bundle = transaction([*map(client.source.bases.localised, beside), *resources])
    for kind, content in (("patient", chosen.prefetch), ("bundle", bundle)):
        write_whole(out / f"{chosen.name}_{kind}.json", orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return bundle
