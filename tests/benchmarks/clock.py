# ruff: noqa: T201 - a script prints
"""Measures how late the clock of the demo and null devices wakes up, by two ways of sleeping.

    python tests/benchmarks/clock.py [--seconds 60] [--rounds 3] [--nice -10] [--out docs]
    python tests/benchmarks/clock.py --fifo --append

`plain`: the thread computes the time until its deadline and sleeps for it, with the kernel's usual
timer slack of 50 us. `deadline`: what nemod does, see `nemod/engine/devices/clock.py`. The two
alternate, so that both see the same load of the machine.
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.engine.devices import clock  # noqa: E402
from nemod.engine.realtime import FIFO_PRIORITY  # noqa: E402
from tests.benchmarks.harness import machine  # noqa: E402

RATE_HZ = 48_000
BLOCK = 64
PERIOD_US = 1e6 * BLOCK / RATE_HZ
WAYS = ("plain", "deadline")
HEAD = """| way | wake-ups | p50 | p99 | p99.9 | longest | late | load |
|---|--:|--:|--:|--:|--:|--:|--:|"""


def lateness_us(way: str, seconds: float) -> list[float]:
    """Run the device; return by how much it woke up after each deadline [us]."""
    late: list[float] = []
    patches = contextlib.ExitStack()
    with patches:
        if way == "plain":
            patches.enter_context(mock.patch.object(clock, "absolute_sleep", plain_sleep))
            patches.enter_context(mock.patch.object(clock, "ask_for_exact_timers"))
        device = clock.ClockDevice("clock", RATE_HZ, BLOCK, source=lambda block: None)
        sleep_until = device._sleep_until

        def watched(due_s: float) -> None:
            sleep_until(due_s)
            late.append(1e6 * (time.monotonic() - due_s))

        device._sleep_until = watched
        device.start(lambda block, out, *, xrun: None)
        time.sleep(seconds)
        device.close()
    return late


def plain_sleep() -> Callable[[float], None]:
    """Return the function that sleeps for the difference, in place of `absolute_sleep`."""
    return clock._sleep_for


def row(name: str, late: list[float], load: str) -> str:
    """Return a row of the table."""
    p50, p99, p999 = np.percentile(late, (50, 99, 99.9))
    over = sum(one > PERIOD_US for one in late)
    return (
        f"| {name} | {len(late):,} | {p50:.0f} | {p99:.0f} | {p999:.0f} | {max(late):.0f} "
        f"| {over} | {load} |"
    )


def take_niceness(nice: int) -> None:
    """Give this process a niceness that counts against all other programs.

    Linux gives every session an equal share of the processors first (autogroups), so the session
    needs the niceness too.
    """
    with contextlib.suppress(OSError):  # the leader of a process group has its session already
        os.setsid()
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice), encoding="ascii")


def introduction() -> str:
    """Return the page without its tables."""
    return f"""# The clock of the demo and null devices

Made by `python tests/benchmarks/clock.py` and `python tests/benchmarks/clock.py --fifo --append`
on: {machine()}.

Without a sound card a thread calls the engine once a block ({BLOCK} frames at {RATE_HZ / 1000:g}
kHz: {PERIOD_US:.0f} us). The tables say how long after its deadline it wakes up [us]. `plain`: it
computes the time until the deadline and sleeps for it, with the kernel's usual timer slack.
`deadline`, what nemod does: the kernel gets the deadline itself, and no slack is allowed
(`nemod/engine/devices/clock.py`). `late` counts the wake-ups that come more than a block after
their deadline. The two ways alternate. The last column is the load average of the machine's
{os.cpu_count()} cores at the end of the row: with other programs running, `p99` and the rest are
those of the scheduler.

nemod's audio thread has SCHED_FIFO where the user may use it, and the usual priority elsewhere.
"""


def main() -> int:
    """Measure both ways in turn; write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nice", type=int, default=-10, help="priority of the process")
    parser.add_argument("--fifo", action="store_true", help="real-time priority instead")
    parser.add_argument("--append", action="store_true", help="add the table to the page")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    if options.fifo:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
    else:
        take_niceness(options.nice)
    rows, found = [], {way: list[float]() for way in WAYS}
    for number in range(options.rounds):
        for way in WAYS:
            late = lateness_us(way, options.seconds)
            found[way] += late
            rows.append(row(f"{way}, {number + 1}", late, f"{os.getloadavg()[0]:.1f}"))
            print(rows[-1], flush=True)
    rows += [row(f"**{way}, all**", found[way], "") for way in WAYS]
    title = f"SCHED_FIFO {FIFO_PRIORITY}" if options.fifo else f"nice {options.nice}"
    section = f"\n## With {title}\n\n{HEAD}\n" + "\n".join(rows) + "\n"
    page = options.out / "clock.md"
    page.write_text((page.read_text() if options.append else introduction()) + section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
