"""What the OSC side may ask of the daemon, and nothing more.

The tree and the server know this protocol alone, so they can be tested against a small real
host, and no message can reach anything that is not named here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from nemod.common.errors import OscError
from nemod.control.settings import Settings

Answer = Callable[[str | OscError], None]
"""Called once, on the control thread, when slow work ends: with the name that is now in force, or
with the error (code `not_found`, `busy`, `io`, ...)."""


class Host(Protocol):
    """The daemon as OSC sees it. Thread: control."""

    @property
    def settings(self) -> Settings:
        """Positions of all knobs; the tree writes here and then calls `commit` once a packet."""
        ...

    @property
    def knob_names(self) -> Sequence[str]:
        """Names of the current model's conditioning knobs, as its file gives them, in order."""
        ...

    @property
    def model_names(self) -> Sequence[str]:
        """All models of the library, sorted; the index of a model is its place here."""
        ...

    @property
    def model_name(self) -> str:
        """Name of the model that is playing, or nothing before the first."""
        ...

    def model_info(self) -> Mapping[str, object]:
        """Architecture, knobs, rate, ESR, author, licence of the model that plays (JSON types)."""
        ...

    def commit(self) -> None:
        """Send the settings as they are now to the audio plane, as one snapshot."""
        ...

    def load_model(self, name: str, answer: Answer) -> None:
        """Begin to load a model of `model_names`; returns at once, `answer` comes later."""
        ...

    def rescan(self, answer: Answer) -> None:
        """Look for models in the library's folders again; returns at once."""
        ...

    def status(self) -> Mapping[str, str | int | float]:
        """Return all leaves of `/nemo/status` by name."""
        ...

    def meters(self) -> Mapping[str, float | int]:
        """Return `in` and `out` [dBFS, peak since the last report] and `clip` [count]."""
        ...

    def reset_meters(self) -> None:
        """Set the clip count to zero."""
        ...

    def count_bad_packet(self) -> None:
        """Count a packet that was dropped; the count is `/nemo/status/bad_packets`."""
        ...
