"""Stages that only tell where visits lie load no pandas, which would take half of their memory."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.stream.feeding import settings_file
from tests.stream.hospital import ONE_BRANCH, with_branches

from wardround.adapters.database.database import opened
from wardround.settings import Settings, places_in_environment

HANDLING = """
import sys
from datetime import UTC, datetime, timedelta
from tests.adt.ward import adt, merge
from wardround.adapters.database.database import opened
from wardround.adapters.queue.queue import Queue
from wardround.settings import settings_from
from wardround.stream import serving
from wardround.stream.raw import raw
from wardround.stream.stages import opened_stage

settings, now = settings_from(), datetime.now(UTC)
with opened(settings.database) as database:
    queue = Queue(database)
    queue.put([raw(body, "main", now) for body in (adt("A01"), merge("P1", "P2"), adt("A11", of="P2"))])
    with opened_stage("flag", settings, queue) as stage:
        taken = queue.take("flag", 9, timedelta(minutes=1), now, together=True)
        queue.finish(list(stage.handle(taken, now)), now)
    assert queue.take("notify", 9, timedelta(minutes=1), now), "what was asked for was not taken back"
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
PREPARING = "import sys, wardround.stream.{0}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
NOT_NEEDED = {"pandas", "pyarrow", "scipy", "xgboost", "sklearn", "airflow", "alembic", "great_expectations"}


def loaded(script: str, environment: dict[str, str]) -> set[str]:
    command = [sys.executable, "-P", "-W", "ignore", "-c", script]
    here = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}  # for the messages of tests/adt
    done = subprocess.run(
        command, env={**os.environ, **here, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_stage_flag_handles_messages_without_pandas(settings: Settings, tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    own = replace(with_branches(settings, tmp_path / "home", ONE_BRANCH), stream=file, var=tmp_path)
    own = replace(own, database=f"sqlite:///{tmp_path / 'wardround.sqlite'}")
    with opened(own.database):  # An installation has one, and only who makes it needs alembic.
        pass

    there = loaded(HANDLING, places_in_environment(own))

    assert {"wardround", "sqlalchemy", "yaml"} <= there
    assert there & NOT_NEEDED == set()


@pytest.mark.parametrize("name", ["listen", "resolve", "watch"])
def test_so_are_those_prepared_that_see_no_readings(name: str) -> None:
    there = loaded(PREPARING.format(name), {})
    assert "wardround" in there
    assert there & NOT_NEEDED == set()
