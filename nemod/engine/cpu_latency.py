"""CPU latency limit: keeps the processors out of deep idle states while the rig plays.

Between two blocks a processor goes idle: the deeper the idle state, the longer it takes to leave,
and the fewer of its caches survive. While a process holds /dev/cpu_dma_latency open after writing a
number of microseconds to it, the kernel enters no idle state that takes longer to leave
(Documentation/power/pm_qos_interface.rst of Linux). The limit ends with the process.
"""

import os
import struct
from contextlib import suppress
from pathlib import Path

DEVICE = Path("/dev/cpu_dma_latency")
DRIVER = Path("/sys/devices/system/cpu/cpuidle/current_driver")
SHALLOW_US = 10
"""[us] Allows the first idle states, which keep the caches; deeper ones take 20 or more."""
_GUEST_DRIVER = "haltpoll"
"""In a virtual machine every idle state but polling yields the processor to the host."""
_NONE = ("", "none")
_REMEDY = (
    "give the group audio access to it by a line in /etc/udev/rules.d/99-audio.rules: "
    'KERNEL=="cpu_dma_latency", GROUP="audio", MODE="0660"; or choose --cpu-latency off'
)


def suitable_us(driver: Path = DRIVER) -> int | None:
    """Return the limit for this machine [us]; None if its processors have no idle states."""
    name = ""
    with suppress(OSError):
        name = driver.read_text(encoding="utf-8").strip()
    if name in _NONE:
        return None
    return 0 if name == _GUEST_DRIVER else SHALLOW_US


class CpuLatencyLimit:
    """Forbids idle states that take longer than `limit_us` [us] to leave, until released."""

    def __init__(self, limit_us: int | None, device: Path = DEVICE) -> None:
        """None sets no limit, 0 forbids all idle states. `refused` explains a missing right."""
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
                f"processors may enter deep idle states ({device}: {error.strerror}): {_REMEDY}"
            )

    def release(self) -> None:
        """Remove the limit."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
