"""The unit file: rendered from the template systemd/nemod.service, as user or system service."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from nemod.service.quote import mount, program, word

NAME = "nemod.service"
MARK = "# nemod-service: "
"""Begins the line by which a unit of nemod is recognised; the arguments it was made from follow."""
NETWORKS = (
    "localhost",
    "link-local",
    "multicast",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
)
"""Peers that the kernel allows for a system service, by systemd's names."""
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""Folders that are hidden from a system service, except for what is bind-mounted into them."""


class ServiceKind(StrEnum):
    """A user service or a system service."""

    USER = "user"
    SYSTEM = "system"


_ABOUT = {
    ServiceKind.USER: "The nemod daemon as a user service.",
    ServiceKind.SYSTEM: "The nemod daemon as a system service.",
}


@dataclass(frozen=True, kw_only=True)
class UnitRequest:
    """What a unit is rendered from."""

    kind: ServiceKind
    arguments: tuple[str, ...]
    """Options of the daemon, with absolute paths."""
    needed: tuple[Path, ...] = ()
    """Files and folders that the daemon reads, beside those of the system."""
    networks: tuple[str, ...] = ()
    """Networks that are served beside the private ones."""
    devices: tuple[str, ...] = ()
    """Devices that it may use beside sound cards, as `DeviceAllow` names them."""
    groups: tuple[str, ...] = ()
    """Groups of users that these devices belong to."""


def template() -> str:
    """Return the text of the template."""
    package = Path(__file__).parents[1]
    inside = package / "systemd" / NAME  # in a wheel; else in the source tree
    path = inside if inside.is_file() else package.parent / "systemd" / NAME
    return path.read_text(encoding="utf-8")


def render(request: UnitRequest) -> str:
    """Return the text of the unit.

    Raises: QuoteError for a path that a unit cannot contain.
    """
    command = [program(sys.executable), *map(word, ("-m", "nemod", *request.arguments))]
    values = {
        "about": _ABOUT[request.kind],
        "mark": MARK + json.dumps([request.kind, *request.arguments]),
        "manager": "" if request.kind is ServiceKind.SYSTEM else "--user ",
        "exec_start": ":" + " ".join(command),
        "binds": " ".join("-" + mount(str(path)) for path in bound(request.needed)),
        "groups": " ".join(("audio", *request.groups)),
        "devices": "".join(f"\nDeviceAllow={name} rw" for name in request.devices),
        "networks": " ".join((*NETWORKS, *request.networks)),
    }
    text = _only(request.kind, template())
    return re.sub(r"@([a-z_]+)@", lambda found: values[found[1]], text)


def made_from(text: str) -> tuple[ServiceKind, tuple[str, ...]] | None:
    """Return kind and arguments of a unit that `render` made, even if it was edited since.

    None for a unit that nemod did not write.
    """
    for line in text.splitlines():
        if line.startswith(MARK):
            try:
                kind, *arguments = json.loads(line.removeprefix(MARK))
                return ServiceKind(kind), tuple(map(str, arguments))
            except ValueError:
                return None
    return None


def bound(needed: Sequence[Path]) -> list[Path]:
    """Return the paths in hidden folders, without those inside another one of them."""
    inside = sorted({path for path in needed if any(path.is_relative_to(at) for at in HIDDEN)})
    kept: list[Path] = []
    for path in inside:
        if not any(path.is_relative_to(known) for known in kept):
            kept.append(path)
    return kept


def _only(kind: ServiceKind, text: str) -> str:
    """Return the lines for one kind: `#: user`, `#: system` and `#: both` begin their sections."""
    lines = []
    section = "both"
    for line in text.splitlines(keepends=True):
        if line.startswith("#: "):
            section = line[3:].strip()
        elif section in ("both", kind):
            lines.append(line)
    return "".join(lines)
