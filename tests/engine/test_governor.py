"""Governors that are reported when a device is opened."""

from pathlib import Path

import pytest

from nemod.engine.governor import governor_notice


def policies(folder: Path, *settings: tuple[str, str]) -> Path:
    """Return a folder like the kernel's, with these drivers and governors."""
    for number, (driver, governor) in enumerate(settings):
        policy = folder / f"policy{number}"
        policy.mkdir()
        (policy / "scaling_driver").write_text(f"{driver}\n")
        (policy / "scaling_governor").write_text(f"{governor}\n")
    return folder


@pytest.mark.parametrize("governor", ["powersave", "ondemand", "conservative"])
def test_a_governor_that_follows_the_load_is_named_with_the_remedy(
    governor: str, tmp_path: Path
) -> None:
    """Also where only one of the processors has it."""
    folder = policies(tmp_path, ("cpufreq-dt", "performance"), ("cpufreq-dt", governor))
    notice = governor_notice(folder)
    assert f"the governor {governor} " in notice
    assert "cpupower frequency-set -g performance" in notice


@pytest.mark.parametrize(
    ("driver", "governor"),
    [
        ("cpufreq-dt", "performance"),
        ("cpufreq-dt", "schedutil"),
        ("intel_pstate", "powersave"),
        ("amd-pstate-epp", "powersave"),
    ],
)
def test_a_governor_that_gives_real_time_threads_the_full_clock_is_not(
    driver: str, governor: str, tmp_path: Path
) -> None:
    """With some drivers the processor chooses its clock itself."""
    assert governor_notice(policies(tmp_path, (driver, governor))) == ""


def test_a_machine_without_a_changing_clock_is_not(tmp_path: Path) -> None:
    """Its kernel has no such folder."""
    assert governor_notice(tmp_path / "absent") == ""
