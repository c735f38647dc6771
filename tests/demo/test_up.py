"""Tests `wardround up` while another one is running, and after an earlier one."""

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from wardround.adapters.database.database import opened
from wardround.adapters.database.tables import HISTORY_RUN, NOTIFICATION
from wardround.demo.standalone import free_port
from wardround.demo.up import running_ward
from wardround.errors import WardroundError
from wardround.settings import kept_apart, settings_from

OPTIONS = ["--port", "--cds-port", "--mllp-port"]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_taken_port_is_reported_with_a_remedy_and_the_running_ward_is_left_alone(tmp_path: Path, option: str) -> None:
    (tmp_path / "up" / "fhir").mkdir(parents=True)
    (tmp_path / "up" / "fhir.sqlite").write_bytes(b"of the other one")
    settings, now = replace(settings_from(), var=tmp_path), datetime(2026, 3, 10, 6, tzinfo=UTC)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = [port if one == option else free_port() for one in OPTIONS]
        with (
            pytest.raises(WardroundError, match=rf"port {port} .* wardround up {option} \d+"),
            running_ward(settings, None, 20, now, *ports, lambda _: None),
        ):
            pass
    assert sorted(path.name for path in (tmp_path / "up").iterdir()) == ["fhir", "fhir.sqlite"]


def test_lock_outs_of_an_earlier_ward_silence_nobody_in_the_next_and_its_history_stays(tmp_path: Path) -> None:
    settings, now = replace(settings_from(), var=tmp_path), datetime(2026, 3, 10, 6, tzinfo=UTC)
    own = kept_apart(settings, tmp_path / "up")
    about = {"condition": "sepsis", "as_of": now}
    with opened(own.database) as database:
        with database.writing() as connection:
            run = {"run": "earlier", "source": "ward", "mode": "live", "state": "complete", "model_version": "1"}
            connection.execute(insert(HISTORY_RUN), {**about, **run})
            told = {"stay": "key", "channel": "bedside", "at": now, "band": "high", "card": "uuid"}
            connection.execute(insert(NOTIFICATION), {**about, **told})
        # It ends before anything starts, for want of CSVs.
        ports = free_port(), free_port(), free_port()
        nothing = tmp_path / "nothing"
        with pytest.raises(WardroundError), running_ward(settings, nothing, 20, now, *ports, lambda _: None):
            pass
        with database.reading() as connection:
            left = [connection.execute(select(table)).all() for table in (HISTORY_RUN, NOTIFICATION)]
    assert [len(rows) for rows in left] == [1, 0]
