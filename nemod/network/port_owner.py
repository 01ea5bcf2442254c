"""Finds the process that has a port open, for error messages. Linux; empty elsewhere."""

import os
from pathlib import Path
from typing import Literal

from nemod.common.procinfo import PROC

Protocol = Literal["udp", "tcp"]


def owner_of(port: int, protocol: Protocol, proc: Path = PROC) -> str:
    """Return the process that has the port open, as `jackd (process 812)`, or nothing."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, protocol, proc)}
    if not sockets:
        return ""
    for folder in proc.glob("[0-9]*"):
        try:
            if any(os.readlink(entry) in sockets for entry in (folder / "fd").iterdir()):
                name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name} (process {folder.name})"
        except OSError:
            # Another user's process, or one that has just ended.
            continue
    return ""


def _inodes(port: int, protocol: Protocol, proc: Path) -> set[str]:
    inodes = set()
    for table in (protocol, f"{protocol}6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes
