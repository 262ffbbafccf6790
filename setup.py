"""Build step: copy the app and its assets into the package, so that an installed program has them.

They stay at the top of the repository; everything else about the package is in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

APP_FILES = ("app.py", "pages", "assets", ".streamlit")
APP_FOLDER = "twotower/_app"  # twotower.core.settings.ROOT of an installed program


class BuildWithApp(build_py):
    """Build the package with the app inside. An editable install uses the checkout instead."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, APP_FOLDER)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in APP_FILES:
            if Path(name).is_dir():
                shutil.copytree(name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(name, target)


setup(cmdclass={"build_py": BuildWithApp})
