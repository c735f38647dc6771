"""The demo keeps to a folder of its own."""

from dataclasses import replace
from pathlib import Path

from wardround.adapters.database.place import place_of
from wardround.demo.demo import Demo
from wardround.settings import settings_from


def test_the_demo_and_what_it_starts_touch_no_run_model_or_database_of_the_project(tmp_path: Path) -> None:
    settings = replace(settings_from({"WARDROUND_VAR": str(tmp_path)}), database="postgresql://ward@db/of-the-hospital")
    own = Demo(settings).settings
    places = [own.var, Path(own.runs), own.models, place_of(own.database).file or Path()]
    assert [place for place in places if not place.is_relative_to(settings.demo)] == []
