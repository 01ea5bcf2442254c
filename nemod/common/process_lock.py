"""A name that one process of this machine has at a time, and who that is.

A claim is a listening socket in Linux's abstract namespace: the kernel takes it back with the
process that made it, no file is left to go stale, and it is seen across users. Whoever connects
learns the process at the other end from the kernel (SO_PEERCRED).
"""

import errno
import hashlib
import socket
import struct
from contextlib import suppress

_CREDENTIALS = struct.Struct("3i")


class ProcessLock:
    """A name of some kind, that is held from `take` as long as this object, or its process."""

    def __init__(self, kind: str, name: str) -> None:
        """`kind` is a word; `name` any text. Nothing is taken yet."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._address = f"\0nemod/{kind}/{digest}".encode()
        self._socket: socket.socket | None = None

    def take(self) -> bool:
        """Take the name; return False where another has it."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.bind(self._address)
            made.listen(4096)  # nobody accepts: each that asks stays in the queue
        except OSError as error:
            made.close()
            # A sandbox without such sockets: no claim is better than no sound.
            return error.errno != errno.EADDRINUSE
        self._socket = made
        return True

    def holder(self) -> int:
        """Return the process that has the name, 0 when it is gone or not to be known."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.setblocking(False)
            asking.connect(self._address)
            raw = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            return int(_CREDENTIALS.unpack(raw)[0])
        return 0

    def release(self) -> None:
        """Give the name back, if it was taken."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __del__(self) -> None:
        """Give the name back."""
        self.release()
