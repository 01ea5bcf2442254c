"""The files and rights that checks look at."""

import grp
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

UNLIMITED = resource.RLIM_INFINITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine as one process sees it; `root` is `/`, or a folder that stands for it."""

    root: Path = Path("/")
    is_root: bool = False
    user: str = ""
    groups: frozenset[str] = frozenset()
    """Names of the groups of this process."""
    rtprio: int = 0
    """Highest real-time priority that it may take; -1 for any."""
    memlock_bytes: int = 0
    """[bytes] Memory that it may lock; -1 for all."""
    folders: tuple[Path, ...] = field(default=())
    """Folders that nemod writes to."""
    osc_port: int = 9000
    http_port: int = 9080
    device: str = ""
    """The device that the configuration names."""
    input_device: str = ""
    """That of the input, where it is another one."""

    def path(self, name: str) -> Path:
        """Return the path of an absolute name."""
        return self.root / name.removeprefix("/")

    def read(self, name: str) -> str:
        """Return the text of a file, or nothing where it cannot be read."""
        with suppress(OSError):
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip()
        return ""

    def find(self, pattern: str) -> list[Path]:
        """Return the paths that match an absolute pattern, in order."""
        with suppress(OSError):
            return sorted(self.root.glob(pattern.removeprefix("/")))
        return []

    def number(self, name: str) -> int | None:
        """Return the whole number in a file, None where there is none."""
        with suppress(ValueError):
            return int(self.read(name))
        return None

    def processes(self) -> Iterator[tuple[int, str]]:
        """Iterate over process ids and names."""
        for comm in self.find("/proc/[0-9]*/comm"):
            with suppress(OSError):
                name = comm.read_text(encoding="utf-8", errors="replace").strip()
                yield int(comm.parent.name), name


def this_machine(
    folders: tuple[Path, ...], osc_port: int, http_port: int, device: str, input_device: str
) -> Machine:
    """Return the machine that this process runs on."""
    groups = set()
    for number in {os.getegid(), *os.getgroups()}:
        with suppress(KeyError):
            groups.add(grp.getgrgid(number).gr_name)
    user = os.environ.get("USER", "")
    return Machine(
        is_root=os.geteuid() == 0,
        user=user or str(os.geteuid()),
        groups=frozenset(groups),
        rtprio=resource.getrlimit(resource.RLIMIT_RTPRIO)[0],
        memlock_bytes=resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
        folders=folders,
        osc_port=osc_port,
        http_port=http_port,
        device=device,
        input_device=input_device,
    )
