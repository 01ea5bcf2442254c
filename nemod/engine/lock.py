"""Who has a device: one daemon at a time, and the others are told which one it is.

The lock is a listening socket in Linux's abstract namespace: the kernel takes it back with the
process that made it, no file is left to go stale, and it is seen across users. Whoever connects
learns the process at the other end from the kernel (SO_PEERCRED).
"""

import errno
import hashlib
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

from nemod.engine.vitals import parent_of
from nemod.errors import AudioError

PROC = Path("/proc")
_RETRY_S = 0.05
_CREDENTIALS = struct.Struct("3i")


class DeviceLock:
    """Held as long as this object, or its process, lives."""

    def __init__(self, name: str, device: str, *, patience_s: float = 0.0) -> None:
        """Take the lock `name` of a device; no name is no lock.

        `patience_s`: how long to wait for an audio plane whose daemon is gone, which fades out.

        Raises: AudioError that names the daemon that has it.
        """
        self._socket: socket.socket | None = None
        if not name:
            return
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        address = f"\0nemod/device/{digest}".encode()
        limit = time.monotonic() + patience_s
        while not self._bind(address):
            pid = _listener(address)
            owner = _daemon_of(pid) if pid else 0
            if owner or time.monotonic() > limit:
                who = f"nemod (process {owner or pid})" if pid else "another nemod"
                raise AudioError(
                    f"the device {device!r} and its input are held by {who}; "
                    "end that one, or choose another --device or --input"
                )
            time.sleep(_RETRY_S)

    def _bind(self, address: bytes) -> bool:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.bind(address)
            made.listen(4096)  # nobody accepts: each that asks stays in the queue
        except OSError as error:
            made.close()
            # A sandbox without such sockets: no lock is better than no sound.
            return error.errno != errno.EADDRINUSE
        self._socket = made
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _listener(address: bytes) -> int:
    """Return the process that listens at the address, 0 when it is gone or not to be known."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        asking.connect(address)
        raw = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(raw)[0])
    return 0


def _daemon_of(pid: int) -> int:
    """Return the daemon whose audio plane this is; 0 for an orphan."""
    parent = parent_of(pid)
    with suppress(OSError):
        if parent and (PROC / str(parent) / "comm").read_text().strip() == "nemod":
            return parent
    return 0


def users_of_cards(proc: Path = PROC) -> str:
    """Return which process has which sound card open, as ALSA tells it, or nothing."""
    found: dict[str, str] = {}
    for status in sorted(proc.glob("asound/card*/pcm*/sub*/status")):
        with suppress(OSError, ValueError):
            for line in status.read_text().splitlines():
                if line.startswith("owner_pid"):
                    pid = int(line.partition(":")[2])
                    name = (proc / str(pid) / "comm").read_text().strip()
                    card = (status.parents[2] / "id").read_text().strip()
                    found[card] = f"{name} (process {pid})"
    return ", ".join(f"{card} is used by {who}" for card, who in found.items())
