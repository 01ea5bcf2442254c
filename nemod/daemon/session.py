"""What a pedalboard has to know to come back as it was: the state file, from and to disk.

A small JSON file, written whole or not at all: to a second file, which is synchronised with the
disk and then takes the name of the first. A file that is damaged is nobody's fault but the power
cut's: it is kept aside, and the daemon starts from its defaults.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nemod.common.errors import NemodError
from nemod.common.files import replacing
from nemod.common.paths import state_folder
from nemod.control.settings import canonical
from nemod.parameters.table import BY_PATH, knob_number

VERSION = 1
FILE = "state.json"
MAX_BYTES = 1 << 18
"""[bytes] Many times what all knobs take."""
MAX_TEXT = 4096
"""[characters] Of a name or a path."""
MAX_DAMAGED = 100
"""Damaged files that are kept; what comes after replaces the last one."""


class StateError(NemodError):
    """A state file that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What is kept over a power cycle."""

    model: str = ""
    """Name in the library of the model that played; empty for none."""
    path: str = ""
    """Its file, for a model that was not in a folder of the library."""
    size: float | None = None
    """0..1: which size of a model that has several."""
    positions: Mapping[str, float] = field(default_factory=dict)
    """0..1 by path: every knob and switch, those of the model included."""


def default_path() -> Path:
    """Return where the state is kept: see `nemod.common.paths.state_folder`.

    Raises: FolderError without a home folder.
    """
    return state_folder() / FILE


def render(saved: Session) -> str:
    """Return the text of a state file."""
    tree = {
        "version": VERSION,
        "model": saved.model,
        "path": saved.path,
        "size": saved.size,
        "positions": dict(sorted(saved.positions.items())),
    }
    return json.dumps(tree, indent=1, allow_nan=False) + "\n"


def parse(text: str) -> Session:
    """Return what a state file's text says.

    Raises: StateError that names the key, for anything that this program did not write.
    """
    try:
        tree = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise StateError(f"not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise StateError(f"keys are expected, not {type(tree).__name__}")
    allowed = {"version", "model", "path", "size", "positions"}
    unknown = sorted(set(tree) - allowed)
    if unknown:
        known = ", ".join(sorted(allowed))
        raise StateError(f"unknown key {_short(unknown[0])}; allowed are {known}")
    version = tree.get("version")
    if type(version) is not int or version != VERSION:
        raise StateError(f"version: {VERSION} is expected, not {_short(version)}")
    size = tree.get("size")
    return Session(
        model=_text(tree, "model"),
        path=_text(tree, "path"),
        size=None if size is None else _share("size", size),
        positions=_positions(tree.get("positions", {})),
    )


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _short(value: object) -> str:
    return ascii(value)[:40]


def _text(tree: Mapping[str, Any], key: str) -> str:
    value = tree.get(key, "")
    good = isinstance(value, str) and len(value) <= MAX_TEXT
    # What cannot be encoded, or holds control characters, cannot be the name of a file here.
    if not good or any(ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000 for sign in value):
        raise StateError(f"{key}: a name is expected, not {_short(value)}")
    return str(value)


def _share(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise StateError(f"{key}: a number from 0 to 1 is expected, not {_short(value)}")
    return float(value)


def _positions(tree: object) -> dict[str, float]:
    if not isinstance(tree, dict):
        raise StateError(f"positions: knobs are expected, not {type(tree).__name__}")
    found = {}
    for path, value in tree.items():
        try:
            known = canonical(path) == path and (path in BY_PATH or knob_number(path) is not None)
        except KeyError:
            known = False
        if not known:
            raise StateError(f"positions: there is no knob {_short(path)}")
        found[path] = _share(f"positions.{path}", value)
    return found


def load(path: Path) -> Session | None:
    """Return what a file keeps, None where there is none.

    Raises: StateError for a damaged file, OSError for one that cannot be read.
    """
    try:
        # A pipe in its place must not hold up the start.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise StateError("not a file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise StateError(f"larger than {MAX_BYTES} bytes")
    try:
        return parse(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise StateError(f"not UTF-8 text, at byte {error.start}") from None


def keep_aside(path: Path) -> Path:
    """Rename a damaged file to `<name>.damaged-<n>` and return that. Raises: OSError."""
    for number in range(1, MAX_DAMAGED + 1):
        target = path.with_name(f"{path.name}.damaged-{number}")
        if not os.path.lexists(target):
            break
    path.replace(target)
    return target


def save(path: Path, saved: Session) -> None:
    """Write the state: after a power cut there is the old file or the new one, never half of one.

    Raises: OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(path, mode=0o600) as draft:
        draft.write_text(render(saved), encoding="utf-8")
