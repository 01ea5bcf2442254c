"""CPU latency limit: the answer of the kernel, and the choice for each kind of machine."""

import os
import struct
from pathlib import Path

import pytest

from nemod.engine.cpu_latency import DEVICE, SHALLOW_US, CpuLatencyLimit, suitable_us


def effective_us() -> int:
    """Return the limit in force; reading it adds a request that forbids nothing."""
    with DEVICE.open("rb", buffering=0) as asking:
        (found,) = struct.unpack("i", asking.read(4))
    return int(found)


@pytest.mark.skipif(not os.access(DEVICE, os.R_OK | os.W_OK), reason=f"no access to {DEVICE}")
def test_the_limit_is_in_force_until_it_is_released() -> None:
    """Read from the kernel: the requested limit, and afterwards the previous one."""
    before = effective_us()
    limit = CpuLatencyLimit(0)
    assert (effective_us(), limit.refused) == (0, "")
    limit.release()
    assert effective_us() == before


def test_no_limit_opens_no_device(tmp_path: Path) -> None:
    """The device may be absent."""
    limit = CpuLatencyLimit(None, tmp_path / "absent")
    assert limit.refused == ""
    limit.release()


def test_a_refusal_names_the_remedy(tmp_path: Path) -> None:
    """The file, the reason, and the line that grants access."""
    refused = CpuLatencyLimit(0, tmp_path / "absent").refused
    assert f"{tmp_path / 'absent'}: No such file" in refused
    assert 'KERNEL=="cpu_dma_latency", GROUP="audio"' in refused


@pytest.mark.parametrize(
    ("driver", "expected"),
    [("intel_idle", SHALLOW_US), ("acpi_idle", SHALLOW_US), ("haltpoll", 0), ("none", None)],
)
def test_the_limit_depends_on_the_idle_driver(
    driver: str, expected: int | None, tmp_path: Path
) -> None:
    """Shallow idle states on a machine, none in a virtual one, no limit without a driver."""
    (tmp_path / "driver").write_text(f"{driver}\n")
    assert suitable_us(tmp_path / "driver") == expected


def test_a_board_without_idle_states_gets_no_limit(tmp_path: Path) -> None:
    """Its kernel has no such file."""
    assert suitable_us(tmp_path / "absent") is None
