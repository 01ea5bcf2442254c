"""Facts about processes and memory from Linux's `/proc`.

Where `/proc` is hidden the answers are "unknown", and callers fall back on time limits.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class ProcessInfo(NamedTuple):
    """A process at one moment."""

    state: str
    """One letter, as `ps` shows it: R, S, D, T (stopped by a signal), t (by a debugger), Z."""
    parent: int
    worked_s: float
    """[s] CPU time of all its threads since it started."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped by a signal or a debugger, and cannot respond."""
        return self.state in ("T", "t")


def process_info(pid: int, proc: Path = PROC) -> ProcessInfo | None:
    """Return facts about a process, or None when it has ended or is hidden."""
    with suppress(OSError, ValueError, IndexError):
        text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The name is in parentheses and may contain some itself.
        fields = text.rpartition(")")[2].split()
        return ProcessInfo(fields[0], int(fields[1]), (int(fields[11]) + int(fields[12])) * _TICK_S)
    return None


def parent_of(pid: int, proc: Path = PROC) -> int:
    """Return the parent of a process, 0 where it is unknown."""
    found = process_info(pid, proc)
    return found.parent if found else 0


def oom_kills(proc: Path = PROC) -> int:
    """Return how many processes the kernel has killed for lack of memory since it started."""
    with suppress(OSError, ValueError):
        for line in (proc / "vmstat").read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def memory_bytes(proc: Path = PROC) -> int:
    """Return the machine's memory, 0 where it is unknown."""
    with suppress(OSError, ValueError, IndexError):
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemTotal:"):
                return 1024 * int(line.split()[1])
    return 0
