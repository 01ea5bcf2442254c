"""Interrupts of sound and USB: shared ones wait for each other, threaded ones have a priority."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nemod.doctor.finding import Finding, advice, ok, unknown
from nemod.doctor.machine import Machine
from nemod.engine.realtime import FIFO_PRIORITY

_SOUND = re.compile(r"snd|xhci|ehci|ohci|uhci|dwc|usb|i2s|audio", re.IGNORECASE)
_LINE = re.compile(r"^\s*(?P<number>\d+):(?:\s+\d+)+\s+(?P<rest>.*)$")
_CHIP = re.compile(r"^.*?(?:-edge|-fasteoi|Edge|Level|\d+-\w+)\s+")


def check_shared(machine: Machine) -> Iterator[Finding]:
    """Check that interrupts of sound and USB are not shared with other devices."""
    text = machine.read("/proc/interrupts")
    if not text:
        yield unknown("shared-interrupts", "/proc/interrupts cannot be read")
        return
    shared = []
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        users = [user.strip() for user in _CHIP.sub("", found["rest"]).split(",")]
        if len(users) > 1 and any(map(_SOUND.search, users)):
            shared.append(f"{found['number']} ({', '.join(users)})")
    if not shared:
        yield ok("shared-interrupts", "interrupts of sound and USB are not shared")
        return
    yield advice(
        "shared-interrupts",
        f"shared interrupts: {'; '.join(shared)}",
        "another slot or USB port for the interface, or the other device's driver unloaded",
    )


def check_threaded(machine: Machine) -> Iterator[Finding]:
    """Check that threads of sound interrupts are above the audio thread."""
    low = {}
    for pid, name in machine.processes():
        if name.startswith("irq/") and _SOUND.search(name):
            priority = _priority(machine.path(f"/proc/{pid}/stat"))
            if priority is not None and priority <= FIFO_PRIORITY:
                low[pid] = f"{name} ({priority})"
    if not low:
        yield ok("threaded-interrupts", "no interrupt thread of sound or USB is below the audio")
        return
    yield advice(
        "threaded-interrupts",
        f"interrupt threads with a lower priority than the audio thread ({FIFO_PRIORITY}): "
        f"{', '.join(low.values())}",
        "apt install rtirq-init, or chrt -f -p 85 " + " ".join(map(str, low)),
    )


def _priority(stat: Path) -> int | None:
    """Return the real-time priority of a thread."""
    with suppress(OSError, ValueError, IndexError):
        return int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[37])
    return None
