"""What survives a power cycle: the session, kept in the state file.

The file is JSON, small, and replaced as a whole. It is read leniently: a key or a knob that this
version does not know is skipped with a warning and written back unchanged, and a known key with a
wrong value takes its default. Only a file that cannot be parsed at all is moved aside.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from nemod.common.errors import NemodError
from nemod.common.files import replacing
from nemod.common.paths import state_folder
from nemod.parameters.table import canonical

VERSION = 1
FILE = "state.json"
MAX_BYTES = 1 << 18
"""[bytes] Largest file that is read; many times what all knobs take."""
MAX_TEXT = 4096
"""[characters] Longest name or path."""
MAX_SKIPPED = 20
"""Most skipped values that are logged one by one."""
MAX_DAMAGED = 100
"""Most damaged files that are kept; further ones replace the last."""
_KEYS = ("version", "model", "path", "size", "positions")

log = structlog.get_logger("nemod")


class SessionError(NemodError):
    """A state file that cannot be parsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the next start restores."""

    model: str = ""
    """Name of the current model in the library; empty for none."""
    path: str = ""
    """Its file, for a model outside the library's folders."""
    size: float | None = None
    """0..1: size of a model that has several."""
    positions: Mapping[str, float] = field(default_factory=dict)
    """0..1 by canonical path: the knobs and switches that were set, and no others."""
    unknown: Mapping[str, object] = field(default_factory=dict)
    """Keys of the file that this version does not know, written back unchanged."""
    unknown_positions: Mapping[str, object] = field(default_factory=dict)
    """Knobs of the file that this version does not know, written back unchanged."""


def to_text(session: Session) -> str:
    """Return the text of a state file."""
    text = _json(session, session.unknown, session.unknown_positions)
    # With what was only kept, the file must not become too large to be read again.
    return text if len(text) <= MAX_BYTES else _json(session, {}, {})


def _json(
    session: Session, unknown: Mapping[str, object], unknown_positions: Mapping[str, object]
) -> str:
    tree = {
        **unknown,
        "version": VERSION,
        "model": session.model,
        "path": session.path,
        "size": session.size,
        "positions": dict(sorted({**unknown_positions, **session.positions}.items())),
    }
    return json.dumps(tree, indent=1, allow_nan=False) + "\n"


def parse(text: str) -> Session:
    """Return the session in a state file's text; what is skipped is logged.

    Raises: SessionError for a text that is no JSON object.
    """
    try:
        tree = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SessionError(f"not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise SessionError(f"a JSON object is expected, not {type(tree).__name__}")
    reader = _Reader(tree)
    session = reader.read()
    for key, reason in reader.skipped[:MAX_SKIPPED]:
        log.warning("state file: value skipped", key=_short(key), reason=reason)
    if len(reader.skipped) > MAX_SKIPPED:
        log.warning("state file: more skipped", count=len(reader.skipped) - MAX_SKIPPED)
    return session


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number")


def _short(value: object) -> str:
    return ascii(value)[:40]


class _Reader:
    """Reads the tree of a state file and gathers what it skips."""

    def __init__(self, tree: Mapping[str, object]) -> None:
        self.skipped: list[tuple[str, str]] = []
        """(key, reason)"""
        self._tree = tree

    def read(self) -> Session:
        """Return the session."""
        unknown = {
            key: value
            for key, value in self._tree.items()
            if key not in _KEYS and self._is_kept(key, "unknown key", value)
        }
        version = self._tree.get("version")
        if type(version) is not int or version != VERSION:
            reason = f"{_short(version)}: written by another version, read as {VERSION}"
            self.skipped.append(("version", reason))
        positions, unknown_positions = self._positions(self._tree.get("positions", {}))
        return Session(
            model=self._text("model"),
            path=self._text("path"),
            size=self._fraction("size", self._tree.get("size")),
            positions=positions,
            unknown=unknown,
            unknown_positions=unknown_positions,
        )

    def _is_kept(self, key: str, what: str, value: object) -> bool:
        """Whether an unknown value can be written again; it is skipped in any case."""
        try:
            json.dumps(value, allow_nan=False)
        except (ValueError, RecursionError):
            self.skipped.append((key, f"{what}, lost: it cannot be written again"))
            return False
        self.skipped.append((key, f"{what}, kept as it is"))
        return True

    def _text(self, key: str) -> str:
        value = self._tree.get(key, "")
        if isinstance(value, str) and len(value) <= MAX_TEXT and not any(map(_is_unusable, value)):
            return value
        self.skipped.append((key, f"a name is expected, not {_short(value)}"))
        return ""

    def _fraction(self, key: str, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            self.skipped.append((key, f"a number from 0 to 1 is expected, not {_short(value)}"))
            return None
        return float(value)

    def _positions(self, tree: object) -> tuple[dict[str, float], dict[str, object]]:
        """Return the positions of known knobs by canonical path, and everything else."""
        if not isinstance(tree, dict):
            reason = f"an object is expected, not {type(tree).__name__}"
            self.skipped.append(("positions", reason))
            return {}, {}
        found: dict[str, float] = {}
        unknown: dict[str, object] = {}
        for path, value in tree.items():
            key = f"positions.{path}"
            try:
                known = canonical(path)
            except KeyError:
                if self._is_kept(key, "unknown knob", value):
                    unknown[path] = value
                continue
            position = self._fraction(key, value)
            if position is not None and (known == path or known not in tree):
                found[known] = position
        return found, unknown


def _is_unusable(sign: str) -> bool:
    """Whether no file name here holds it: a control character, or one that cannot be encoded."""
    return ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000


def load(path: Path) -> Session | None:
    """Return the session in a file, None where there is no file.

    Raises: SessionError for a file that cannot be parsed, OSError for one that cannot be read.
    """
    try:
        # Without waiting: a named pipe in its place would block the start.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise SessionError("not a regular file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SessionError(f"larger than {MAX_BYTES} bytes")
    try:
        return parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SessionError(f"not UTF-8 text, at byte {error.start}") from None


def move_aside(path: Path) -> Path:
    """Rename a damaged file to `<name>.damaged-<n>` and return the new path. Raises: OSError."""
    for number in range(1, MAX_DAMAGED + 1):
        target = path.with_name(f"{path.name}.damaged-{number}")
        if not os.path.lexists(target):
            break
    path.replace(target)
    return target


def save(path: Path, session: Session) -> None:
    """Replace the state file: after a power cut the old file is there or the new one.

    Raises: OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(path, mode=0o600) as draft:
        draft.write_text(to_text(session), encoding="utf-8")


def default_path() -> Path:
    """Return where the state file is; see `nemod.common.paths.state_folder`.

    Raises: FolderError without a home folder.
    """
    return state_folder() / FILE
