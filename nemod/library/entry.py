"""What the index knows of one file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nemod.common.errors import NemodError

NO_PROBE, UNTRIED, PASSED, FAILED = "none", "untried", "passed", "failed"
"""Results of playing a model's own probe: there is none, nobody tried, it came out, it did not."""


class LibraryError(NemodError):
    """The library's index, or what fills it, that cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What reading a file tells. With an `error` nothing else but the hash is known."""

    sha256: str = ""
    """Hash of the content; empty for what is no regular file, or too large for a model."""
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
    """What else the file says, as JSON."""
    error: str = ""
    """Why the file cannot be played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the library with all that is known of it."""

    path: Path
    name: str = ""
    size_bytes: int = 0
    mtime_ns: int = 0
    facts: Facts = field(default_factory=Facts)
    is_read: bool = False
    """Whether the file has been read since it came; if not, the facts are empty."""
    probe: str = UNTRIED
    """`none`, `untried`, `passed` or `failed`."""
    probe_error: float | None = None
    """Largest difference from the file's own answer, relative to its peak."""
    probe_reason: str = ""
    """Why the probe failed."""
    tags: tuple[str, ...] = ()
    scanned_at: str = ""
    """UTC, ISO 8601."""
    verified_at: str = ""
    same_as: tuple[str, ...] = ()
    """Other names with the very same content, in the order of names."""

    @property
    def last_error(self) -> str:
        """What went wrong last: in reading the file, or in playing its probe."""
        return self.facts.error or self.probe_reason

    def plain(self) -> dict[str, Any]:
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
