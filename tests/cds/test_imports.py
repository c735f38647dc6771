"""A worker of the bedside door loads what it answers with, and nothing else: memory counts for each worker."""

import os
import subprocess
import sys

from wardround.adapters.database.database import opened
from wardround.settings import Settings, places_in_environment

# They fit models, judge features, run schedules, check what is written, change tables or read MIMIC.
NOT_NEEDED = {"sklearn", "xgboost", "scipy", "great_expectations", "airflow", "fhir", "alembic", "duckdb", "matplotlib"}
WARM = """
import sys
from datetime import UTC, datetime
from wardround.adapters.database.database import opened
from wardround.cds.door import Door
from wardround.cds.http import serving
from wardround.cds.kept_in_database import keeping_in
from wardround.settings import settings_from

settings = settings_from()
with opened(settings.database) as database, keeping_in(database, settings.bedside_kept) as keeping:
    door = Door.of(settings, keeping)
    door.warm_up(datetime.now(UTC))
    assert door.means.live.of("sepsis").scoring is not None
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_a_warm_worker_has_not_loaded_what_no_answer_needs(settings: Settings) -> None:
    with opened(settings.database):  # An installation has one, and only who makes it needs alembic.
        pass
    environment = {**os.environ, **places_in_environment(settings)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", WARM], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {"wardround", "uvicorn", "sqlalchemy", "pandas"} <= loaded
    assert loaded & NOT_NEEDED == set()
