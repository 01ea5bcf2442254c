"""Governors that keep the clock of the processors low while a guitar is played.

A rig that fits needs the processor for a quarter of the time, in pieces of a millisecond. A
governor that follows the load then stays at the lowest clock, a third of the highest on a Raspberry
Pi, and the rig does not fit any more. `schedutil` is none of them: the kernel gives real-time
threads the full clock. Neither are drivers whose processor chooses its clock itself.
"""

from contextlib import suppress
from pathlib import Path

POLICIES = Path("/sys/devices/system/cpu/cpufreq")
_SLOW = frozenset({"powersave", "ondemand", "conservative"})
_OWN_CLOCK = frozenset({"intel_pstate", "amd-pstate-epp"})
"""Drivers by which `powersave` is a preference, not the lowest clock."""


def governor_notice(policies: Path = POLICIES) -> str:
    """Return what is wrong with the governors of this machine and the remedy, or an empty text."""
    found = set()
    for policy in policies.glob("policy*"):
        if _read(policy / "scaling_driver") not in _OWN_CLOCK:
            found.add(_read(policy / "scaling_governor"))
    slow = sorted(found & _SLOW)
    if not slow:
        return ""
    return (
        f"the governor {', '.join(slow)} may keep the processors at a low clock: "
        "sudo cpupower frequency-set -g performance; the system service "
        "(nemod service install --system) sets it while it runs"
    )


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
