"""Governor, temperature and kernel: whether the processor is fast at the time it is needed."""

from collections.abc import Iterator
from contextlib import suppress

from nemod.doctor.finding import Finding, advice, ok, problem, unknown
from nemod.doctor.machine import Machine

HOT_C = 80.0
"""[degrees C] Where a Raspberry Pi begins to slow down; most processors bear a little more."""
_NOW = {0: "the supply voltage is too low", 1: "the clock is limited", 2: "it is throttled"}
_SINCE_START = {
    16: "the supply voltage was too low",
    17: "the clock was limited",
    18: "it was throttled",
}
"""Bits of the firmware's `get_throttled`, as the Raspberry Pi documentation lists them."""
_THROTTLED = "/sys/devices/platform/*/*:firmware/get_throttled"
"""The name of the bus depends on the board: `soc` up to a Pi 4, `soc@107c000000` on a Pi 5."""


def check_governor(machine: Machine) -> Iterator[Finding]:
    """Check that the clock of the processors does not wait for load."""
    found = {
        machine.read(f"/sys/devices/system/cpu/{path.parent.parent.name}/cpufreq/scaling_governor")
        for path in machine.find("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    }
    found.discard("")
    if not found:
        yield ok("governor", "the clock of the processors is not changed by the system")
    elif found == {"performance"}:
        yield ok("governor", "the processors run at their full clock")
    else:
        yield advice(
            "governor",
            f"the governor is {', '.join(sorted(found))}: a block may begin at a low clock",
            "cpupower frequency-set -g performance, once after every boot; the system service "
            "(nemod service install --system) sets it while it runs",
        )


def check_temperature(machine: Machine) -> Iterator[Finding]:
    """Check that the processor is neither hot nor throttled."""
    degrees = []
    for path in machine.find("/sys/class/thermal/thermal_zone*/temp"):
        value = machine.number(f"/sys/class/thermal/{path.parent.name}/temp")
        if value is not None:
            degrees.append(value / 1000.0)
    if not degrees:
        yield unknown("temperature", "this machine states no temperature")
    elif max(degrees) >= HOT_C:
        yield problem(
            "temperature",
            f"the processor is at {max(degrees):.0f} degrees C and slows down",
            "a heat sink or a fan; a place with air around it",
        )
    else:
        yield ok("temperature", f"the hottest sensor is at {max(degrees):.0f} degrees C")
    yield from _check_throttled(machine)


def _check_throttled(machine: Machine) -> Iterator[Finding]:
    bits = None
    for path in machine.find(_THROTTLED):
        with suppress(OSError, ValueError):
            bits = int(path.read_text(encoding="utf-8", errors="replace"), 16)
    if bits is None:
        return
    reasons = [why for bit, why in (_NOW | _SINCE_START).items() if bits >> bit & 1]
    if not reasons:
        yield ok("throttling", "the firmware has not slowed the processor down")
        return
    yield problem(
        "throttling",
        f"the firmware slows the processor down: {', '.join(reasons)}",
        "the power supply that the board's maker sells, a short cable, and cooling",
    )


def check_kernel(machine: Machine) -> Iterator[Finding]:
    """Check how the kernel preempts."""
    if machine.read("/sys/kernel/realtime") == "1":
        yield ok("kernel", "the kernel is PREEMPT_RT")
        return
    line = machine.read("/proc/cmdline")
    if "preempt=none" in line.split() or "preempt=voluntary" in line.split():
        yield advice(
            "kernel",
            "the kernel was started without full preemption",
            "remove preempt= from the kernel's command line, or set preempt=full",
        )
    else:
        yield ok("kernel", "an ordinary kernel; PREEMPT_RT allows smaller blocks")
