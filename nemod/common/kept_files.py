"""Reads what is kept between two starts, leniently: one wrong value does not cost the others.

A file that cannot be parsed at all is moved aside, never deleted.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from nemod.common.errors import NemodError

MAX_DAMAGED = 100
"""Most damaged files of one name that are kept; further ones replace the last."""
MAX_SHOWN = 40
"""[characters] What a log line repeats of a key or a value."""


class DamagedFileError(NemodError):
    """A file of which nothing can be read."""


def read_kept(path: Path, limit: int) -> str:
    """Return the text of a regular file of at most `limit` bytes of UTF-8.

    Raises: DamagedFileError for any other kind of file or content, OSError for one that cannot be
    read.
    """
    # Without waiting: a named pipe in its place would block the start.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise DamagedFileError("not a regular file")
    with os.fdopen(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DamagedFileError(f"larger than {limit} bytes")
    return decoded(data)


def decoded(data: bytes) -> str:
    """Return bytes as text, without a byte order mark. Raises: DamagedFileError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"not UTF-8 text, at byte {error.start}") from None


def move_aside(path: Path) -> Path:
    """Rename a damaged file to `<name>.damaged-<n>` and return the new path. Raises: OSError."""
    for number in range(1, MAX_DAMAGED + 1):
        target = path.with_name(f"{path.name}.damaged-{number}")
        if not os.path.lexists(target):
            break
    path.replace(target)
    return target


def short(value: object) -> str:
    """Return the beginning of a value as a log line shows it."""
    return ascii(value)[:MAX_SHOWN]


class Skipped:
    """Gathers what is skipped in one file, by key."""

    def __init__(self) -> None:
        self.reasons: list[tuple[str, str]] = []
        """(key, reason)"""

    def add(self, key: str, reason: str) -> None:
        """Record that a key was skipped."""
        self.reasons.append((key, reason))

    def keep(self, key: str, what: str, is_writable: bool) -> bool:
        """Record an unknown key, which is kept where it can be written again; return whether."""
        lot = "kept as it is" if is_writable else "lost: it cannot be written again"
        self.add(key, f"{what}, {lot}")
        return is_writable

    def fraction(self, key: str, value: object) -> float | None:
        """Return a number from 0 to 1; None for none, and for anything else, which is skipped."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            self.add(key, f"a number from 0 to 1 is expected, not {short(value)}")
            return None
        return float(value)

    def log(self, warning: Callable[..., object], what: str, limit: int) -> None:
        """Log the first `limit` of them one by one, and how many more there are."""
        for key, reason in self.reasons[:limit]:
            warning(f"{what}: value skipped", key=short(key), reason=reason)
        if len(self.reasons) > limit:
            warning(f"{what}: more skipped", count=len(self.reasons) - limit)
