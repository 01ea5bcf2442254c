"""Calls of `systemctl`, and why it may be unavailable."""

import os
import shutil
import subprocess
from typing import NamedTuple

from nemod.common.errors import NemodError
from nemod.service.unit import NAME, ServiceKind

_TIMEOUT_S = 60.0
"""[s] For one call; a start returns when the daemon is ready."""


class SystemdError(NemodError):
    """systemd is unavailable, or a call failed."""


class UnitStatus(NamedTuple):
    """State of the unit, in the words of `systemctl show`."""

    load: str
    enabled: str
    active: str
    sub: str
    status: str


def reason_unavailable(kind: ServiceKind) -> str:
    """Return why systemd cannot be called, or an empty text."""
    if shutil.which("systemctl") is None:
        return "systemctl is not installed"
    if not os.path.isdir("/run/systemd/system"):
        return "systemd does not run on this machine (as in a container)"
    if kind is ServiceKind.USER and _run(kind, "show", "--property=Version").returncode:
        return "the user's systemd cannot be reached (no login session, as under su or sudo)"
    return ""


def run(kind: ServiceKind, *arguments: str) -> None:
    """Run a `systemctl` command. Raises: SystemdError with its error output."""
    done = _run(kind, *arguments)
    if done.returncode:
        output = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        raise SystemdError(f"{command(kind, *arguments)}: {output}")


def unit_status(kind: ServiceKind) -> UnitStatus:
    """Return the state of the unit. Raises: SystemdError."""
    names = ("LoadState", "UnitFileState", "ActiveState", "SubState", "StatusText")
    done = _run(kind, "show", "--property=" + ",".join(names), NAME)
    if done.returncode:
        raise SystemdError(f"{command(kind, 'show', NAME)}: {done.stderr.strip()}")
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return UnitStatus(*(found.get(name, "") for name in names))


def command(kind: ServiceKind, *arguments: str) -> str:
    """Return the command line as a user would type it."""
    return " ".join((*_words(kind), *arguments))


def _words(kind: ServiceKind) -> list[str]:
    return ["systemctl", "--user"] if kind is ServiceKind.USER else ["systemctl"]


def _run(kind: ServiceKind, *arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            [*_words(kind), "--no-pager", "--no-ask-password", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemdError(f"{command(kind, *arguments)}: {error}") from None
