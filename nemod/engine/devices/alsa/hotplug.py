"""Reports that sound cards appear or disappear: inotify on /dev/snd.

The kernel makes a node for each PCM of a new card; then udev gives it to the group audio. Both are
events, so a card is noticed as soon as it can be opened. While no sound module is loaded there is
no /dev/snd, and /dev is watched for it.
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

DEV = Path("/dev")

_ATTRIB, _CREATE, _DELETE = 0x4, 0x100, 0x200
_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_READ_BYTES = 1 << 16


class CardWatch:
    """A descriptor that is readable when sound cards may have changed."""

    def __init__(self, dev: Path = DEV) -> None:
        """Begin to watch. Without inotify, `fd` is -1 and nothing is ever reported."""
        self._dev = dev
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = -1
        with suppress(AttributeError):
            self.fd = self._libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        if self.fd >= 0:
            self._add(dev, _CREATE)
            self._add(dev / "snd", _CREATE | _DELETE | _ATTRIB)

    def _add(self, path: Path, events: int) -> None:
        # A folder that is watched already stays watched, with these events.
        self._libc.inotify_add_watch(self.fd, os.fsencode(path), events)

    def read(self) -> bool:
        """Take all events; return whether there was one of a sound card."""
        if self.fd < 0:
            return False
        data = b""
        with suppress(BlockingIOError):
            while part := os.read(self.fd, _READ_BYTES):
                data += part
        # /dev is busy with other nodes: only `snd` itself matters there.
        names = _names(data)
        if "snd" in names:
            self._add(self._dev / "snd", _CREATE | _DELETE | _ATTRIB)
        return any(name == "snd" or name.startswith(("pcm", "control")) for name in names)

    def close(self) -> None:
        """Stop watching."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _names(data: bytes) -> list[str]:
    """Return the names in inotify events: four numbers of 32 bits, the last the name's length."""
    names, at = [], 0
    while at + 16 <= len(data):
        length = int.from_bytes(data[at + 12 : at + 16], "little")
        names.append(os.fsdecode(data[at + 16 : at + 16 + length].rstrip(b"\0")))
        at += 16 + length
    return names
