"""Tests which databases WARDROUND_DATABASE can name, and that no message shows its password."""

from pathlib import Path

import pytest

from wardround.adapters.database.place import place_of
from wardround.errors import SettingsError


def test_a_file_is_named_by_its_path_and_a_relative_one_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_of("sqlite:////data/ward.sqlite").file == Path("/data/ward.sqlite")
    assert place_of("sqlite:///ward.sqlite").shown == str(tmp_path / "ward.sqlite")


@pytest.mark.parametrize("driver", ["", "+psycopg", "+psycopg2", "+asyncpg"])
def test_a_server_is_named_without_its_password_whatever_the_driver(driver):
    place = place_of(f"postgresql{driver}://ward:s3cret@db.example.org:5433/wardround?sslpassword=s3cret")
    assert place.shown == "postgresql://ward:***@db.example.org:5433/wardround"
    assert place.url.drivername == "postgresql+psycopg"
    assert "s3cret" not in repr(place)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3cret",
        "/data/s3cret.sqlite",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite://s3cret/file",
        "sqlite:////data/a?b=s3cret",
        "mysql://ward:s3cret@db/wardround",
        "postgresql://ward:s3cret@db",
        "postgresql://ward:s3cret@db:port/wardround",
    ],
)
def test_what_names_no_database_is_an_error_that_does_not_quote_it(text):
    with pytest.raises(
        SettingsError, match=r"^WARDROUND_DATABASE: .*expected sqlite:///FILE or postgresql://"
    ) as error:
        place_of(text)
    assert "s3cret" not in str(error.value)
