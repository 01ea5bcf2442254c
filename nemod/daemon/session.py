"""What survives a power cycle: the session, kept in the state file.

The file is JSON, small, and replaced as a whole. It is read leniently: a key or a knob that this
version does not know is skipped with a warning and written back unchanged, and a known key with a
wrong value takes its default. Only a file that cannot be parsed at all is moved aside.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from nemod.chain import DEFAULT_CHAIN, Chain, plain_chain, read_leniently
from nemod.common.files import replacing
from nemod.common.kept_files import DamagedFileError, Skipped, read_kept, short
from nemod.common.paths import state_folder
from nemod.parameters.kept import read_positions
from nemod.parameters.parameter_set import ParameterSet
from nemod.presets.preset import MAX_NAME, MAX_PRESETS, MAX_SNAPSHOTS

VERSION = 2
FILE = "state.json"
MAX_BYTES = 1 << 18
"""[bytes] Largest file that is read; many times what all knobs take."""
MAX_TEXT = 4096
"""[characters] Longest path."""
MAX_COUNT = 1_000_000
MAX_SKIPPED = 20
"""Most skipped values that are logged one by one."""
_KEYS = ("version", "chain", "paths", "positions", "preset", "clean", "failed_starts")

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPreset:
    """The preset that was current."""

    number: int
    name: str
    is_dirty: bool = False
    """The sound was changed after it was loaded or saved."""
    snapshots: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """Positions by canonical path, those that were not saved included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the next start restores."""

    chain: Chain = DEFAULT_CHAIN
    """The chain, with the names of its files in the libraries and the sizes of models."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Where files are, by slot: for those outside the libraries' folders."""
    positions: Mapping[str, float] = field(default_factory=dict)
    """0..1 by canonical path of the chain: what was set, and nothing else."""
    preset: SessionPreset | None = None
    failed_starts: int = 0
    """How many starts in a row ended before the daemon had played for a while."""
    is_clean: bool = False
    """The first model slot is empty because somebody wanted that."""
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
        "chain": plain_chain(session.chain, with_hashes=False),
        "paths": dict(sorted(session.paths.items())),
        "positions": dict(sorted({**unknown_positions, **session.positions}.items())),
        "preset": None if session.preset is None else _preset_tree(session.preset),
        "clean": session.is_clean,
        "failed_starts": session.failed_starts,
    }
    return json.dumps(tree, indent=1, allow_nan=False) + "\n"


def _preset_tree(preset: SessionPreset) -> dict[str, object]:
    return {
        "number": preset.number,
        "name": preset.name,
        "dirty": preset.is_dirty,
        "snapshots": {str(at): dict(sound) for at, sound in preset.snapshots.items()},
    }


def parse(text: str) -> Session:
    """Return the session in a state file's text; what is skipped is logged.

    Raises: DamagedFileError for a text that is no JSON object.
    """
    try:
        tree = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise DamagedFileError(f"a JSON object is expected, not {type(tree).__name__}")
    reader = _Reader(tree)
    session = reader.read()
    reader.skipped.log(log.warning, "state file", MAX_SKIPPED)
    return session


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number")


class _Reader:
    """Reads the tree of a state file and gathers what it skips."""

    def __init__(self, tree: Mapping[str, object]) -> None:
        self.skipped = Skipped()
        self._tree = tree
        self._parameters = ParameterSet()

    def read(self) -> Session:
        """Return the session."""
        unknown = {
            key: value
            for key, value in self._tree.items()
            if key not in _KEYS and self._is_kept(key, "unknown key", value)
        }
        version = self._tree.get("version")
        if type(version) is not int or version != VERSION:
            reason = f"{short(version)}: written by another version, read as {VERSION}"
            self.skipped.add("version", reason)
        chain = self._chain()
        self._parameters = ParameterSet(chain)
        positions, unknown_positions = self._positions(self._tree.get("positions", {}))
        return Session(
            chain=chain,
            paths=self._paths(chain),
            positions=positions,
            preset=self._preset(self._tree.get("preset")),
            is_clean=self._switch("clean"),
            failed_starts=self._count("failed_starts"),
            unknown=unknown,
            unknown_positions=unknown_positions,
        )

    def _is_kept(self, key: str, what: str, value: object) -> bool:
        """Whether an unknown value can be written again; it is skipped in any case."""
        try:
            json.dumps(value, allow_nan=False)
        except (ValueError, RecursionError):
            return self.skipped.keep(key, what, is_writable=False)
        return self.skipped.keep(key, what, is_writable=True)

    def _chain(self) -> Chain:
        tree = self._tree.get("chain")
        if tree is None:
            return DEFAULT_CHAIN
        chain, problems = read_leniently(tree)
        for problem in problems:
            self.skipped.add("chain", problem)
        return chain

    def _paths(self, chain: Chain) -> dict[str, str]:
        tree = self._tree.get("paths", {})
        if not isinstance(tree, dict):
            self.skipped.add("paths", f"an object is expected, not {type(tree).__name__}")
            return {}
        found = {}
        for slot, value in tree.items():
            is_path = isinstance(value, str) and 0 < len(value) <= MAX_TEXT
            if slot not in chain.files or not is_path or any(map(_is_unusable, value)):
                self.skipped.add(f"paths.{slot}", f"no file of a slot: {short(value)}")
            else:
                found[slot] = value
        return found

    def _count(self, key: str) -> int:
        value = self._tree.get(key, 0)
        if type(value) is int and 0 <= value <= MAX_COUNT:
            return value
        self.skipped.add(key, f"a count is expected, not {short(value)}")
        return 0

    def _switch(self, key: str) -> bool:
        value = self._tree.get(key, False)
        if isinstance(value, bool):
            return value
        self.skipped.add(key, f"true or false is expected, not {short(value)}")
        return False

    def _preset(self, tree: object) -> SessionPreset | None:
        if tree is None:
            return None
        values = tree if isinstance(tree, dict) else {}
        number, name, is_dirty = (values.get(key) for key in ("number", "name", "dirty"))
        if type(number) is not int or not isinstance(name, str) or not isinstance(is_dirty, bool):
            self.skipped.add("preset", "number, name and dirty are expected")
            return None
        if not 0 <= number < MAX_PRESETS or len(name) > MAX_NAME:
            self.skipped.add("preset", f"no preset can be {short((number, name))}")
            return None
        snapshots = self._snapshots(values.get("snapshots", {}))
        return SessionPreset(number=number, name=name, is_dirty=is_dirty, snapshots=snapshots)

    def _snapshots(self, tree: object) -> dict[int, dict[str, float]]:
        found: dict[int, dict[str, float]] = {}
        sounds = tree if isinstance(tree, dict) else {}
        for at in range(MAX_SNAPSHOTS):
            sound = sounds.get(str(at))
            if isinstance(sound, dict) and sound:
                key = f"preset.snapshots.{at}"
                found[at], _ = read_positions(sound, self._parameters.key, self.skipped, key)
        return found

    def _positions(self, tree: object) -> tuple[dict[str, float], dict[str, object]]:
        """Return the positions of known knobs by canonical path, and everything else."""
        if not isinstance(tree, dict):
            self.skipped.add("positions", f"an object is expected, not {type(tree).__name__}")
            return {}, {}
        found, paths = read_positions(tree, self._parameters.key, self.skipped)
        found = {
            path: at for path, at in found.items() if self._parameters.kept_row(path).is_in_session
        }
        unknown = {
            path: tree[path]
            for path in paths
            if self._is_kept(f"positions.{path}", "unknown knob", tree[path])
        }
        return found, unknown


def _is_unusable(sign: str) -> bool:
    """Whether no file name here holds it: a control character, or one that cannot be encoded."""
    return ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000


def load(path: Path) -> Session | None:
    """Return the session in a file, None where there is no file.

    Raises: DamagedFileError for a file that cannot be parsed, OSError for one that cannot be read.
    """
    try:
        return parse(read_kept(path, MAX_BYTES))
    except FileNotFoundError:
        return None


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
