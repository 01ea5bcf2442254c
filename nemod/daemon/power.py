"""Turns the machine off, for the button of a pedalboard."""

import subprocess
import threading

import structlog

_TIMEOUT_S = 20.0

log = structlog.get_logger("nemod")


def power_off() -> None:
    """Ask systemd to turn the machine off; it stops nemod in order, as everything else.

    Returns at once; what goes wrong is logged.
    """
    log.warning("the machine is turned off, as a control asks")
    threading.Thread(target=_run, name="nemod power off", daemon=True).start()


def _run() -> None:
    try:
        done = subprocess.run(
            ["systemctl", "poweroff"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("the machine cannot be turned off", reason=str(error))  # noqa: TRY400
        return
    if done.returncode:
        reason = done.stderr.strip()[:200]
        remedy = "let polkit allow nemod's user to power off; see docs/midi.md"
        log.error("the machine cannot be turned off", reason=reason, remedy=remedy)
