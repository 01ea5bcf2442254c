"""Locks that one process of the machine holds at a time, and which process that is.

A lock is a listening socket in Linux's abstract namespace: the kernel closes it when its process
ends, no stale file is left behind, and it works across users. A process that connects to it learns
the holder's process id from the kernel (SO_PEERCRED).
"""

import errno
import hashlib
import socket
import struct
from contextlib import suppress

_CREDENTIALS = struct.Struct("3i")


class ProcessLock:
    """A named lock, held from `take` until `release` or the end of the process."""

    def __init__(self, kind: str, name: str) -> None:
        """`kind` is what is locked, in one word, and `name` which one. Nothing is locked yet."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._address = f"\0nemod/{kind}/{digest}".encode()
        self._socket: socket.socket | None = None

    def take(self) -> bool:
        """Take the lock; return False where another process holds it."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.bind(self._address)
            made.listen(4096)  # connections are never accepted: each `holder` call stays queued
        except OSError as error:
            made.close()
            # In a sandbox without such sockets, no lock is better than no sound.
            return error.errno != errno.EADDRINUSE
        self._socket = made
        return True

    def holder(self) -> int:
        """Return the process that holds the lock, 0 for none or an unknown one."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            client.connect(self._address)
            raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            return int(_CREDENTIALS.unpack(raw)[0])
        return 0

    def release(self) -> None:
        """Release the lock, if this object holds it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __del__(self) -> None:
        """Release the lock."""
        self.release()
