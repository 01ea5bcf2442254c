"""Swap, disk and memory."""

import shutil
from collections.abc import Iterator

from nemod.doctor.finding import Finding, advice, ok, problem, unknown
from nemod.doctor.machine import Machine

FULL_BYTES, LOW_BYTES = 10_000_000, 200_000_000
"""[bytes] Below these, the session cannot be kept, or compiled programs will not fit soon."""
STANDBY_BYTES = 1_800_000_000
"""[bytes] Below this, nemod keeps no standby process."""


def check_swap(machine: Machine) -> Iterator[Finding]:
    """Check that no swap is on an SD card."""
    root = _root_disk(machine)
    slow = []
    for line in machine.read("/proc/swaps").splitlines()[1:]:
        words = line.split()
        if len(words) < 2 or words[0].startswith("/dev/zram"):
            continue
        on_card = words[0].startswith("/dev/mmcblk")
        if on_card or (words[1] == "file" and root.startswith("/dev/mmcblk")):
            slow.append(words[0])
    if not slow:
        yield ok("swap", "no swap on an SD card")
        return
    yield advice(
        "swap",
        f"swap on an SD card: {', '.join(slow)}",
        "swapoff -a, and disable it for good (Raspberry Pi OS: systemctl disable --now "
        "dphys-swapfile); zram is no problem",
    )


def _root_disk(machine: Machine) -> str:
    """Return the device of the root file system."""
    for line in machine.read("/proc/mounts").splitlines():
        words = line.split()
        if len(words) > 1 and words[1] == "/":
            return words[0]
    return ""


def check_disk(machine: Machine) -> Iterator[Finding]:
    """Check that the folders of nemod have room."""
    for folder in machine.folders:
        there = next((at for at in (folder, *folder.parents) if at.exists()), None)
        try:
            free = shutil.disk_usage(there or folder).free
        except OSError as error:
            yield unknown("disk", f"{folder}: {error.strerror}")
            continue
        text = f"{_size(free)} free for {folder}"
        if free < FULL_BYTES:
            yield problem("disk", f"the disk is full: {text}", "delete what is not needed")
        elif free < LOW_BYTES:
            yield advice("disk", text, "delete what is not needed")
        else:
            yield ok("disk", text)


def check_memory_size(machine: Machine) -> Iterator[Finding]:
    """Check that there is memory for a standby process."""
    for line in machine.read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            size = 1024 * int(line.split()[1])
            if size >= STANDBY_BYTES:
                yield ok("memory", f"{_size(size)} of memory")
            else:
                yield advice(
                    "memory",
                    f"{_size(size)} of memory: nemod keeps no standby process, and takes a "
                    "second or more to recover from a fault",
                    "--standby keeps one all the same, for 100 MB",
                )


def _size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000.0:
            return f"{count:.0f} {unit}"
        count /= 1000.0
    return f"{count:.1f} GB"
