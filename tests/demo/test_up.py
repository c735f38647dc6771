"""Tests `wardround up` while another one is running."""

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wardround.demo.standalone import free_port
from wardround.demo.up import running_ward
from wardround.errors import WardroundError
from wardround.settings import settings_from


@pytest.mark.parametrize("option", ["--port", "--cds-port"])
def test_a_taken_port_is_reported_with_a_remedy_and_the_running_ward_is_left_alone(tmp_path: Path, option: str) -> None:
    (tmp_path / "up" / "fhir").mkdir(parents=True)
    (tmp_path / "up" / "fhir.sqlite").write_bytes(b"of the other one")
    settings, now = replace(settings_from(), var=tmp_path), datetime(2026, 3, 10, 6, tzinfo=UTC)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = (port, free_port()) if option == "--port" else (free_port(), port)
        with (
            pytest.raises(WardroundError, match=rf"port {port} .* wardround up {option} \d+"),
            running_ward(settings, None, 20, now, *ports, lambda _: None),
        ):
            pass
    assert sorted(path.name for path in (tmp_path / "up").iterdir()) == ["fhir", "fhir.sqlite"]
