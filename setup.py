"""What pyproject.toml cannot say: the wheel carries what a home holds, so that it runs where the project is not."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("include/schemas", "dags", "config", "plugins")


class WithHome(build_py):
    """Puts the folders into wardround/home, where settings.py looks first; an editable install reads the project's."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for name in CARRIED:
                place = Path(self.build_lib) / "wardround" / "home" / name
                shutil.rmtree(place, ignore_errors=True)
                shutil.copytree(name, place, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": WithHome})
