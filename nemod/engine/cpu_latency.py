"""Processors that stay awake while the sound runs.

Between two blocks a processor has nothing to do and falls asleep: the deeper, the longer it takes
to wake up, and the colder its caches are then. As long as a process holds /dev/cpu_dma_latency open
with a number of microseconds in it, the kernel enters no idle state that takes longer to leave
(Documentation/power/pm_qos_interface.rst of Linux). It ends with the process.
"""

import os
import struct
from contextlib import suppress
from pathlib import Path

DEVICE = Path("/dev/cpu_dma_latency")
DRIVER = Path("/sys/devices/system/cpu/cpuidle/current_driver")
SHALLOW_US = 10
"""[us] The first idle states of a processor, which keep its caches; deeper ones take 20 or more."""
_GUEST_DRIVER = "haltpoll"
"""In a virtual machine every idle state but polling gives the processor back to the host."""
_NONE = ("", "none")
_REMEDY = (
    "give the group audio access to it by a line in /etc/udev/rules.d/99-audio.rules: "
    'KERNEL=="cpu_dma_latency", GROUP="audio", MODE="0660"; or choose --cpu-latency off'
)


def suitable_us(driver: Path = DRIVER) -> int | None:
    """Return what suits this machine [us]; None where processors have no idle states to forbid."""
    name = ""
    with suppress(OSError):
        name = driver.read_text(encoding="utf-8").strip()
    if name in _NONE:
        return None
    return 0 if name == _GUEST_DRIVER else SHALLOW_US


class CpuLatencyLimit:
    """Forbids idle states that take longer than `limit_us` [us] to leave, until it is released."""

    def __init__(self, limit_us: int | None, device: Path = DEVICE) -> None:
        """None forbids nothing; 0 is no sleep at all. Where it is not allowed `refused` says so."""
        self.refused = ""
        self._fd = -1
        if limit_us is None:
            return
        try:
            self._fd = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
            os.write(self._fd, struct.pack("i", limit_us))
        except OSError as error:
            self.release()
            self.refused = (
                f"processors may fall asleep between blocks ({device}: {error.strerror}): {_REMEDY}"
            )

    def release(self) -> None:
        """Let them sleep again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
