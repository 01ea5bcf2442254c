"""What the OSC surface counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counts since the start. Thread: control."""

    dropped: int = 0
    """Datagrams and messages that were malformed, foreign or too many."""
    far_future: int = 0
    """Bundles whose time tag was too far ahead."""
