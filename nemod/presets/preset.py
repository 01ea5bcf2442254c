"""What a preset holds: a chain with its files, and the positions of what belongs to the sound."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from nemod.chain import DEFAULT_CHAIN, Chain
from nemod.common.errors import NemodError

MAX_PRESETS = 128
"""A preset's number, 0..127, is its MIDI program."""
MAX_SNAPSHOTS = 8
MAX_NAME = 64
"""[characters]"""
CHAIN_KEY = "chain"
"""Key of a preset's chain in its file."""
MAX_BYTES = 1 << 16
"""[bytes] Largest file of a preset."""


class PresetError(NemodError):
    """A preset that cannot be kept, found or changed as asked."""


class PresetEntry(NamedTuple):
    """A preset in a list."""

    number: int
    name: str
    is_factory: bool = False
    """It ships with nemod; a preset of the user with the same number takes its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A sound. Immutable."""

    name: str
    chain: Chain = DEFAULT_CHAIN
    """Its slots, with names, hashes and sizes of their files."""
    positions: Mapping[str, float] = field(default_factory=dict)
    """0..1 by canonical path of the chain; what is missing has its default."""
    snapshots: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """Positions by canonical path, by number of the snapshot (0..7)."""
    unknown: Mapping[str, object] = field(default_factory=dict)
    """Keys of the file that this version does not know, written back unchanged."""
    unknown_positions: Mapping[str, object] = field(default_factory=dict)
    """Parameters of the file that this version does not know, written back unchanged."""
    unknown_snapshots: Mapping[str, object] = field(default_factory=dict)
    """Likewise: unknown parameters by number of the snapshot, and unknown keys beside them."""


def name_problem(name: str) -> str:
    """Return why this cannot be the name of a preset, or nothing."""
    if not name.strip():
        return "a name is needed"
    if len(name) > MAX_NAME:
        return f"names have at most {MAX_NAME} characters, this one {len(name)}"
    if name != name.strip() or not name.isprintable():
        return "names have no control characters and no spaces at their ends"
    return ""
