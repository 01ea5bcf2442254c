"""Lets one daemon at a time use a device; the error of any other names that daemon."""

import time
from contextlib import suppress
from pathlib import Path

from nemod.common.errors import AudioError
from nemod.common.process_lock import ProcessLock
from nemod.common.procinfo import parent_of

PROC = Path("/proc")
_RETRY_S = 0.05


class DeviceLock:
    """A lock on a device, held until `release` or the end of the process."""

    def __init__(self, name: str, device: str, *, patience_s: float = 0.0) -> None:
        """Take the lock `name` of a device; an empty name takes none.

        `patience_s` is how long to wait for the audio process of a daemon that has ended, which
        fades out.

        Raises: AudioError that names the daemon that holds it.
        """
        self._claim = ProcessLock("device", name)
        limit = time.monotonic() + patience_s
        while name and not self._claim.take():
            pid = self._claim.holder()
            owner = _daemon_of(pid) if pid else 0
            if owner or time.monotonic() > limit:
                who = f"nemod (process {owner or pid})" if pid else "another nemod"
                raise AudioError(
                    f"the device {device!r} and its input are held by {who}; "
                    "stop that one, or choose another --device or --input"
                )
            time.sleep(_RETRY_S)

    def release(self) -> None:
        """Release the lock."""
        self._claim.release()


def _daemon_of(pid: int) -> int:
    """Return the daemon of an audio process; 0 if that has ended."""
    parent = parent_of(pid)
    with suppress(OSError):
        if parent and (PROC / str(parent) / "comm").read_text().strip() == "nemod":
            return parent
    return 0


def users_of_cards(proc: Path = PROC) -> str:
    """Return which process has which sound card open, as ALSA states it, or nothing."""
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
