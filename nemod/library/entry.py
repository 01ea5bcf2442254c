"""What the index knows about one file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from nemod.common.errors import NemodError

NO_PROBE, UNTRIED, PASSED, FAILED = "none", "untried", "passed", "failed"
"""Results of playing a model's own probe: no probe, not played yet, passed, failed."""


class LibraryError(NemodError):
    """The library's index, or a process that reads files for it, is not available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a file holds. With an `error` only the hash is known besides."""

    sha256: str = ""
    """Hash of the content; empty for what is no regular file or too large for a model."""
    dialect: str = ""
    architecture: str = ""
    """`LSTM 20, dense 1, skip`"""
    parameters: int = 0
    """Numbers in the weights."""
    knobs: tuple[str, ...] = ()
    sample_rate: int = 0
    """[Hz]"""
    rate_stated: bool = False
    """Whether the file states the rate; if not, it is the dialect's convention."""
    gear: str = ""
    author: str = ""
    licence: str = ""
    esr: float | None = None
    """Error-to-signal ratio that the file states."""
    has_probe: bool = False
    metadata: str = "{}"
    """Everything that the file says about its model, as JSON."""
    error: str = ""
    """Why the file cannot be read."""


class Problem(NamedTuple):
    """Why a file cannot be played, and the state of the file for which this was found."""

    size_bytes: int
    mtime_ns: int
    read_by: str
    """Version of the readers; another one may be able to read the file."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the library with all that is known about it."""

    path: Path
    name: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    facts: Facts = field(default_factory=Facts)
    is_read: bool = False
    """Whether the file has been read; if not, the facts are empty."""
    probe: str = UNTRIED
    """`none`, `untried`, `passed` or `failed`."""
    probe_error: float | None = None
    """Largest difference from the probe's output, relative to its peak."""
    probe_reason: str = ""
    """Why the probe failed."""
    unplayable: str = ""
    """Why the file cannot be played, as found when it was loaded; empty once it has changed."""
    tags: tuple[str, ...] = ()
    scanned_at: str = ""
    """UTC, ISO 8601."""
    verified_at: str = ""
    same_as: tuple[str, ...] = ()
    """Other names with the same content, in the order of names."""

    @property
    def last_error(self) -> str:
        """Why the file cannot be read or played, or why its probe failed."""
        return self.facts.error or self.unplayable or self.probe_reason

    def plain(self) -> dict[str, object]:
        """Return everything as JSON types."""
        facts = {**asdict(self.facts), "metadata": json.loads(self.facts.metadata)}
        return {
            "name": self.name,
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "mtime_ns": self.mtime_ns,
            "is_read": self.is_read,
            **facts,
            "probe": self.probe,
            "probe_error": self.probe_error,
            "probe_reason": self.probe_reason,
            "last_error": self.last_error,
            "tags": list(self.tags),
            "same_as": list(self.same_as),
            "scanned_at": self.scanned_at,
            "verified_at": self.verified_at,
        }
