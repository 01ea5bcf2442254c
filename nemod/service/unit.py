"""The unit file: made from the template systemd/nemod.service, for a user or for the machine."""

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
"""Begins the line by which a unit of ours is known; the arguments it was made from follow."""
NETWORKS = (
    "localhost",
    "link-local",
    "multicast",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
)
"""Who the kernel lets through to a service of the machine, by the names that systemd has."""
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""Folders that a service of the machine does not see, except for what is bound into them."""


class Kind(StrEnum):
    """Whose service it is."""

    USER = "user"
    SYSTEM = "system"


_ABOUT = {
    Kind.USER: "The nemod daemon as a service of the user.",
    Kind.SYSTEM: "The nemod daemon as a service of the machine.",
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a unit is rendered from."""

    kind: Kind
    arguments: tuple[str, ...]
    """The daemon's options, paths being absolute."""
    needed: tuple[Path, ...] = ()
    """Files and folders that the daemon reads, beside those of the system."""
    networks: tuple[str, ...] = ()
    """Networks that are served beside the private ones."""


def template() -> str:
    """Return the template's text."""
    package = Path(__file__).parents[1]
    inside = package / "systemd" / NAME  # in a wheel; else in the source tree
    path = inside if inside.is_file() else package.parent / "systemd" / NAME
    return path.read_text(encoding="utf-8")


def render(wanted: Wanted) -> str:
    """Return the unit's text.

    Raises: QuoteError where a path cannot stand in a unit.
    """
    command = [program(sys.executable), *map(word, ("-m", "nemod", *wanted.arguments))]
    values = {
        "about": _ABOUT[wanted.kind],
        "mark": MARK + json.dumps([wanted.kind, *wanted.arguments]),
        "manager": "" if wanted.kind is Kind.SYSTEM else "--user ",
        "exec_start": ":" + " ".join(command),
        "binds": " ".join("-" + mount(str(path)) for path in bound(wanted.needed)),
        "networks": " ".join((*NETWORKS, *wanted.networks)),
    }
    text = _only(wanted.kind, template())
    return re.sub(r"@([a-z_]+)@", lambda found: values[found[1]], text)


def made_from(text: str) -> tuple[Kind, tuple[str, ...]] | None:
    """Return kind and arguments of a unit that `render` made, also where it was edited since."""
    for line in text.splitlines():
        if line.startswith(MARK):
            try:
                kind, *arguments = json.loads(line.removeprefix(MARK))
                return Kind(kind), tuple(map(str, arguments))
            except ValueError:
                return None
    return None


def bound(needed: Sequence[Path]) -> list[Path]:
    """Return what lies in a hidden folder, without what lies in another one of it."""
    inside = sorted({path for path in needed if any(path.is_relative_to(at) for at in HIDDEN)})
    kept: list[Path] = []
    for path in inside:
        if not any(path.is_relative_to(known) for known in kept):
            kept.append(path)
    return kept


def _only(kind: Kind, text: str) -> str:
    """Return the lines for one kind: `#: user`, `#: system` and `#: both` say for whom they are."""
    lines = []
    for_whom = "both"
    for line in text.splitlines(keepends=True):
        if line.startswith("#: "):
            for_whom = line[3:].strip()
        elif for_whom in ("both", kind):
            lines.append(line)
    return "".join(lines)
