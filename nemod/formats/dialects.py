"""The dialects of model files, one row each. A new dialect is a reader and a row."""

from collections.abc import Callable
from dataclasses import dataclass

from nemod.formats.readers import guitarml, nam, rtneural, wavenetva
from nemod.formats.readers.document import Node
from nemod.formats.readers.reading import Reading, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How files of one dialect are recognised, read and played."""

    name: str
    keys: str
    """Top-level keys by which a file is recognised, and whose files they are, for messages."""
    suffixes: tuple[str, ...]
    """Lower-case suffixes of its files; several dialects share `.json`."""
    matches: Callable[[Node], bool]
    """Whether a JSON object is of this dialect."""
    read: Callable[[Source], Reading]
    default_rate_hz: int
    """[Hz] Rate of a file that states none."""
    plays_at_device_rate: bool = False
    """Whether a file that states no rate plays at the device's; `default_rate_hz` is then used
    where there is no device."""
    has_sizes: bool = False
    """Whether a file can hold several sizes of a model; if not, a requested size is ignored."""


DIALECTS = (
    Dialect(
        name="guitarml",
        keys="'model_data' and 'state_dict' (GuitarML)",
        suffixes=(".json",),
        matches=guitarml.matches,
        read=guitarml.read,
        # GuitarML's programs record at this rate.
        default_rate_hz=44_100,
    ),
    Dialect(
        name="rtneural",
        keys="'layers' and 'in_shape' (RTNeural, AIDA-X)",
        suffixes=(".json", ".aidax"),
        matches=rtneural.matches,
        read=rtneural.read,
        # Most of the files that state a rate were trained at this one.
        default_rate_hz=48_000,
        plays_at_device_rate=True,
    ),
    Dialect(
        name="nam",
        keys="'architecture' and 'config' (NAM)",
        suffixes=(".nam",),
        matches=nam.matches,
        read=nam.read,
        # NAM's convention.
        default_rate_hz=48_000,
        has_sizes=True,
    ),
    Dialect(
        name="wavenetva",
        keys="'variables' and 'residual_channels' (PedalNet)",
        suffixes=(".json",),
        matches=wavenetva.matches,
        read=wavenetva.read,
        # All programs of this line record at this rate, and their files state none.
        default_rate_hz=44_100,
    ),
)

SUFFIXES = tuple(dict.fromkeys(suffix for dialect in DIALECTS for suffix in dialect.suffixes))
"""Suffixes of all model files."""


def dialect_of(node: Node) -> Dialect | None:
    """Return the dialect of a JSON value, or None for what is no model."""
    if not isinstance(node.value, dict):
        return None
    return next((dialect for dialect in DIALECTS if dialect.matches(node)), None)
