"""A small project around the real scripts: its environment is made in seconds and offline."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "nemod"
version = "0.1.0"
"""

BACKEND = '''\
"""Builds an editable wheel with the two programs and the extras, and nothing that they need."""

import zipfile

DIST = "nemod-0.1.0.dist-info/"
FILES = {
    "nemod_here.pth": __file__.rpartition("/")[0] + "\\n",
    DIST + "METADATA": "Metadata-Version: 2.1\\nName: nemod\\nVersion: 0.1.0\\n"
    "Provides-Extra: train\\nProvides-Extra: test\\n",
    DIST + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    DIST + "entry_points.txt": "[console_scripts]\\n"
    "nemod = programs:play\\nnemod-train = programs:train\\n",
    DIST + "RECORD": "",
}


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "nemod-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
    return name
'''

PROGRAMS = """\
import sys


def play():
    print("plays", *sys.argv[1:], sys.prefix)


def train():
    print("trains", *sys.argv[1:], sys.prefix)
"""

SCRIPTS = ("run", "train", "scripts/venv.sh", "scripts/relocate.py")


@dataclass(frozen=True)
class Project:
    """A folder with ./run and ./train, and how they are started."""

    root: Path

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the variables for a script: as a user has them, without any package index."""
        given = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHON", "PYTHONPATH", "NEMOD_VENV")
        }
        return {
            **given,
            "PATH": f"{Path(base_python()).parent}{os.pathsep}{given['PATH']}",
            "PIP_NO_INDEX": "1",
            **variables,
        }

    def call(
        self, program: str | Path, *arguments: str, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program from the project's root, and return its status and output."""
        return subprocess.run(
            [program, *arguments],
            cwd=self.root,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=300,
        )

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run its ./run."""
        return self.call(self.root / "run", *arguments, **variables)

    def make(self, extra: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Create or update the environment for an extra, as the scripts do."""
        line = f'set -eu; . "$PWD/scripts/venv.sh"; make_venv "$PWD" "{extra}"'
        return self.call("/bin/sh", "-c", line, **variables)

    def plays(self, *arguments: str, venv: Path | None = None) -> str:
        """Return what its program prints when it is started from the right environment."""
        return " ".join(("plays", *arguments, str(venv or self.root / ".venv"))) + "\n"


def base_python() -> str:
    """Return the path of the Python that made this one's environment."""
    base: str = sys._base_executable  # type: ignore[attr-defined]
    return base


def laid_out(root: Path) -> Project:
    """Return a project that has no environment yet."""
    (root / "scripts").mkdir(parents=True)
    for name in SCRIPTS:
        shutil.copy(ROOT / name, root / name)
    (root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (root / "backend.py").write_text(BACKEND, encoding="utf-8")
    (root / "programs.py").write_text(PROGRAMS, encoding="utf-8")
    return Project(root)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project that has no environment yet."""
    return laid_out(tmp_path / "rig")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with an environment, for all tests."""
    project = laid_out(tmp_path_factory.mktemp("made") / "rig")
    done = project.run("now")
    assert (done.returncode, done.stdout) == (0, project.plays("now")), done.stderr
    return project


@pytest.fixture
def moved(made: Project, tmp_path: Path) -> Project:
    """Return a copy of a project with an environment, at another place."""
    shutil.copytree(made.root, tmp_path / "rig", symlinks=True)
    return Project(tmp_path / "rig")


@pytest.fixture
def ready(moved: Project) -> Project:
    """Return a project whose environment is whole."""
    done = moved.run()
    assert done.returncode == 0, done.stderr
    return moved
