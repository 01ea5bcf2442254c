"""Everything that nemod needs has a wheel for a Raspberry Pi: pip's resolver is asked for it."""

import json
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

GLIBC = ("2_17", "2_27", "2_28", "2_31", "2_34", "2_35", "2_36")
"""Debian 12 has glibc 2.36."""
EXTRAS = ("train", "study", "postgres")
"""`hardware` is compiled on the machine itself: evdev has no wheels at all."""


def requirements() -> list[str]:
    """Return what an installation with all extras for users asks for on a Raspberry Pi."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in EXTRAS:
        lines += project["optional-dependencies"][extra]
    wanted = [Requirement(line) for line in lines]
    # pip would evaluate markers for the machine that it runs on.
    there = {"platform_machine": "aarch64"}
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate(there)]
    return [str(one).partition(";")[0] for one in wanted]


@pytest.mark.long
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_every_dependency_has_a_wheel_for_aarch64(python: str) -> None:
    """With all that those depend on; skipped where no registry can be reached."""
    platforms = [f"--platform=manylinux_{version}_aarch64" for version in GLIBC]
    platforms.append("--platform=manylinux2014_aarch64")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report=-"]
    command += ["--ignore-installed", "--only-binary=:all:", "--implementation=cp"]
    command += ["--target=unused", f"--python-version={python}", *platforms]
    reachable = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", "samplerate"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    if reachable.returncode != 0:
        pytest.skip("no registry of packages can be reached")
    made = subprocess.run(
        [*command, *requirements()], capture_output=True, text=True, timeout=600, check=False
    )
    assert made.returncode == 0, made.stderr[-2000:]
    files = [item["download_info"]["url"] for item in json.loads(made.stdout)["install"]]
    assert any("jaxlib" in url and "aarch64" in url for url in files)
