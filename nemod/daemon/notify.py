"""Notifications for systemd: readiness, status and watchdog.

The protocol of sd_notify(3): one datagram of `NAME=value` lines to the socket that NOTIFY_SOCKET
names. Without that variable, as in a terminal, nothing is sent. No function raises: a
service manager that cannot be reached is no reason to stop the sound.
"""

import os
import socket

_PATIENCE_S = 1.0
"""[s] How long the one message that must not be lost waits for room in systemd's socket."""


def ready(text: str = "") -> bool:
    """Notify that the service is ready; return whether the message was sent."""
    return _send("READY=1", text, patience_s=_PATIENCE_S)


def status(text: str) -> bool:
    """Send a status line for `systemctl status`; return whether it was sent."""
    return _send("", text)


def watchdog() -> bool:
    """Reset the watchdog; return whether the message was sent.

    To be called twice in each `watchdog_period`, so that one late datagram causes no restart.
    """
    return _send("WATCHDOG=1", "")


def stopping(text: str = "") -> bool:
    """Notify that the daemon is ending; return whether the message was sent."""
    return _send("STOPPING=1", text)


def watchdog_period() -> float | None:
    """Return the time [s] without `watchdog` after which systemd kills this process, if it does.

    None without a watchdog, and in a child that only inherited the environment of the service.
    """
    of_process = os.environ.get("WATCHDOG_PID", "")
    if of_process and of_process != str(os.getpid()):
        return None
    period = os.environ.get("WATCHDOG_USEC", "")
    if not (period.isascii() and period.isdigit() and len(period) <= 20) or int(period) == 0:
        return None
    return int(period) / 1e6


def _send(word: str, text: str, *, patience_s: float = 0.0) -> bool:
    """Send a word and a status line. `patience_s`: 0 leaves it when the socket is full."""
    target = os.environ.get("NOTIFY_SOCKET", "")
    if not target.startswith(("/", "@")):
        return False
    lines = [word] if word else []
    if text:
        # A line break in a model's name would start another message.
        lines.append("STATUS=" + "".join(" " if ord(sign) < 32 else sign for sign in text))
    # A leading @ stands for the zero byte of an abstract address.
    address = "\0" + target[1:] if target.startswith("@") else target
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(patience_s)
            sender.sendto("\n".join(lines).encode("utf-8", "replace"), os.fsencode(address))
    except OSError:
        return False
    return True
