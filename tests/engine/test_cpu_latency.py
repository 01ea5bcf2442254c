"""Processors that stay awake: the kernel's own answer, and what suits which machine."""

import os
import struct
from pathlib import Path

import pytest

from nemod.engine.cpu_latency import DEVICE, SHALLOW_US, CpuLatencyLimit, suitable_us


def effective_us() -> int:
    """Return what the kernel says is in force; asking adds a request that forbids nothing."""
    with DEVICE.open("rb", buffering=0) as asking:
        (found,) = struct.unpack("i", asking.read(4))
    return int(found)


@pytest.mark.skipif(not os.access(DEVICE, os.R_OK | os.W_OK), reason=f"no access to {DEVICE}")
def test_the_kernel_obeys_until_it_is_released() -> None:
    """Its answer is what was asked for, and afterwards what it was before."""
    before = effective_us()
    awake = CpuLatencyLimit(0)
    assert (effective_us(), awake.refused) == (0, "")
    awake.release()
    assert effective_us() == before


def test_nothing_is_asked_for_where_nothing_is_wanted(tmp_path: Path) -> None:
    """The device is not even opened."""
    awake = CpuLatencyLimit(None, tmp_path / "absent")
    assert awake.refused == ""
    awake.release()


def test_a_refusal_says_what_helps(tmp_path: Path) -> None:
    """The file, why, and the line that gives access."""
    refused = CpuLatencyLimit(0, tmp_path / "absent").refused
    assert f"{tmp_path / 'absent'}: No such file" in refused
    assert 'KERNEL=="cpu_dma_latency", GROUP="audio"' in refused


@pytest.mark.parametrize(
    ("driver", "expected"),
    [("intel_idle", SHALLOW_US), ("acpi_idle", SHALLOW_US), ("haltpoll", 0), ("none", None)],
)
def test_what_suits_depends_on_how_processors_sleep(
    driver: str, expected: int | None, tmp_path: Path
) -> None:
    """Shallow sleep on a machine, none in a virtual one, and nothing where there is no driver."""
    (tmp_path / "driver").write_text(f"{driver}\n")
    assert suitable_us(tmp_path / "driver") == expected


def test_a_board_without_idle_states_is_left_alone(tmp_path: Path) -> None:
    """No such file in the kernel's tree."""
    assert suitable_us(tmp_path / "absent") is None
