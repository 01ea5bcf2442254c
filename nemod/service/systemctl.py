"""What `systemctl` is asked, and when it cannot be."""

import os
import shutil
import subprocess
from typing import NamedTuple

from nemod.common.errors import NemodError
from nemod.service.unit import NAME, Kind

_PATIENCE_S = 60.0
"""[s] For one call; a start returns when the daemon is ready."""


class SystemdError(NemodError):
    """systemd is not there, or does not do what it is asked."""


class Heard(NamedTuple):
    """What systemd says of the unit; words of `systemctl show`."""

    load: str
    enabled: str
    active: str
    sub: str
    status: str


def reason_absent(kind: Kind) -> str:
    """Return why systemd cannot be asked, or nothing."""
    if shutil.which("systemctl") is None:
        return "there is no systemctl here"
    if not os.path.isdir("/run/systemd/system"):
        return "systemd does not run here (as in a container)"
    if kind is Kind.USER and _run(kind, "show", "--property=Version").returncode:
        return "the user's systemd cannot be reached (no login session, as under su or sudo)"
    return ""


def call(kind: Kind, *arguments: str) -> None:
    """Have systemd do something. Raises: SystemdError with what it says."""
    done = _run(kind, *arguments)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        raise SystemdError(f"{command(kind, *arguments)}: {said}")


def ask(kind: Kind) -> Heard:
    """Return what systemd says of the unit. Raises: SystemdError."""
    names = ("LoadState", "UnitFileState", "ActiveState", "SubState", "StatusText")
    done = _run(kind, "show", "--property=" + ",".join(names), NAME)
    if done.returncode:
        raise SystemdError(f"{command(kind, 'show', NAME)}: {done.stderr.strip()}")
    said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return Heard(*(said.get(name, "") for name in names))


def command(kind: Kind, *arguments: str) -> str:
    """Return the command line, as somebody would type it."""
    return " ".join((*_words(kind), *arguments))


def _words(kind: Kind) -> list[str]:
    return ["systemctl", "--user"] if kind is Kind.USER else ["systemctl"]


def _run(kind: Kind, *arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            [*_words(kind), "--no-pager", "--no-ask-password", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemdError(f"{command(kind, *arguments)}: {error}") from None
