"""The installed service: whether it is up to date, starts at boot, and has its rights."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from nemod.common.errors import NemodError
from nemod.doctor.finding import Finding, advice, ok, problem, unknown
from nemod.doctor.machine import Machine
from nemod.service import disk, systemctl
from nemod.service.unit import NAME, ServiceKind

SOUND_CORE = "modprobe@snd.service"
_LINGER = "/var/lib/systemd/linger"
_RIGHTS = {"LimitRTPRIO": "95", "LimitMEMLOCK": "infinity"}


def check_service(machine: Machine) -> Iterator[Finding]:
    """Check each service that is installed."""
    found = False
    for kind in ServiceKind:
        try:
            path = disk.unit_path(kind)
            text = disk.read(_below(machine, path))
        except NemodError as error:
            yield unknown("service", str(error))
            found = True
            continue
        if text is None:
            continue
        found = True
        yield from _check_unit(machine, kind, text)
    if not found:
        yield ok("service", "no service is installed; `nemod service install` does that")


def _below(machine: Machine, path: Path) -> Path:
    return machine.path(str(path)) if path.is_absolute() else path


def _check_unit(machine: Machine, kind: ServiceKind, text: str) -> Iterator[Finding]:
    again = f"nemod service install --{kind} ..., with the same options"
    if kind is ServiceKind.SYSTEM and SOUND_CORE not in text:
        yield problem(
            "service-devices",
            "the system service is denied sound cards whose module is loaded after its start",
            f"{again} (its unit is from an older nemod)",
        )
    missing = [
        f"{name}={value}" for name, value in _RIGHTS.items() if f"{name}={value}" not in text
    ]
    if missing:
        yield problem("service-rights", f"the {kind} service has no {' '.join(missing)}", again)
    else:
        yield ok("service-rights", f"the {kind} service has real-time priority and locked memory")
    if kind is ServiceKind.USER and not machine.path(f"{_LINGER}/{machine.user}").exists():
        yield advice(
            "service-linger",
            "the user service runs only while you are logged in",
            f"loginctl enable-linger {machine.user}",
        )
    if kind is ServiceKind.USER:
        yield from _check_manager(machine)
    yield from _check_running(kind)


def _check_manager(machine: Machine) -> Iterator[Finding]:
    """Check what the user's service manager may pass on: a unit cannot raise its limits."""
    for path in machine.find("/proc/[0-9]*/comm"):
        if machine.read(f"/proc/{path.parent.name}/comm") != "systemd" or path.parent.name == "1":
            continue
        for line in machine.read(f"/proc/{path.parent.name}/limits").splitlines():
            if line.startswith("Max realtime priority") and line.split()[-2] == "0":
                yield problem(
                    "service-manager",
                    "the user's service manager may not give real-time priority",
                    "put '@audio - rtprio 95' and '@audio - memlock unlimited' into "
                    "/etc/security/limits.d/audio.conf and restart the machine",
                )
                return


def _check_running(kind: ServiceKind) -> Iterator[Finding]:
    if systemctl.reason_unavailable(kind):
        return
    try:
        unit = systemctl.unit_status(kind)
    except (NemodError, subprocess.SubprocessError) as error:
        yield unknown("service-state", str(error))
        return
    if unit.active == "active":
        yield ok("service-state", f"the {kind} service runs: {unit.status or unit.sub}")
    else:
        yield problem(
            "service-state",
            f"the {kind} service is {unit.active} ({unit.sub})",
            f"{systemctl.command(kind, 'status', NAME)} and journalctl tell why",
        )
