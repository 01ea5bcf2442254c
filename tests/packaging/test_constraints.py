"""The tested versions (constraints/) fit the ranges of pyproject.toml, and name no place."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

FOLDER = ROOT / "constraints"
FILES = sorted(FOLDER.glob("*.txt"))
LOWEST = "3.11"
"""The Python that ./test --lowest uses."""


@cache
def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def direct() -> list[Requirement]:
    """Return what the scripts install by name: not torch, nor evdev, which has no wheels."""
    table = project()["project"]
    extras = table["optional-dependencies"]
    lines = [*project()["build-system"]["requires"], *table["dependencies"]]
    lines += [line for extra in extras.keys() - {"study", "hardware"} for line in extras[extra]]
    return [made for made in map(Requirement, lines) if made.name != "nemod"]


def pins(file: Path) -> dict[str, str]:
    """Return the version of each package; fail on anything else in the file."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            pin = re.fullmatch(r"([a-z0-9.-]+)==([a-z0-9.]+)", line)
            assert pin, f"{file.name}: {line}"
            found[canonicalize_name(pin[1])] = pin[2]
    return found


def test_every_promised_python_has_its_versions() -> None:
    """The classifiers, the lower bound and the files name the same Pythons."""
    table = project()["project"]
    name = "Programming Language :: Python :: 3."
    promised = [line.removeprefix(name[:-2]) for line in table["classifiers"] if name in line]
    assert [*promised, "lowest"] == sorted(
        (file.stem for file in FILES), key=lambda name: (name == "lowest", len(name), name)
    )
    assert table["requires-python"] == f">={promised[0]}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_versions_are_in_the_ranges(file: Path) -> None:
    """Every package that is asked for by name is in the file, in a version that was allowed."""
    versions = pins(file)
    python = {"python_version": LOWEST if file.stem == "lowest" else file.stem}
    for requirement in direct():
        if requirement.marker is None or requirement.marker.evaluate(python):
            version = versions[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), (str(requirement), version)


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    """./test --lowest tests the bounds themselves, not something above them."""
    versions = pins(FOLDER / "lowest.txt")
    for requirement in direct():
        version = versions[canonicalize_name(requirement.name)]
        (bound,) = (part.version for part in requirement.specifier if part.operator in (">=", "=="))
        assert requirement.specifier.contains(version)
        assert _numbers(bound) == _numbers(version), str(requirement)


def _numbers(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def test_the_extra_for_tests_includes_the_one_for_training() -> None:
    """scripts/venv.sh relies on it: ./train after ./test installs nothing."""
    (own,) = (
        made
        for made in map(Requirement, project()["project"]["optional-dependencies"]["test"])
        if made.name == "nemod"
    )
    assert "train" in own.extras
