"""What the controller needs of the rest of the daemon: a player, a monitor and a library.

The controller depends on these protocols alone, so it runs without a sound card, a process or a
file in the tests, and no surface can reach anything that is not named here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from nemod.control.events import Meters
from nemod.control.jobs import Job


class ModelFile(NamedTuple):
    """What can be loaded: a model of the library, or the clean rig."""

    name: str
    path: Path | None
    """None for the clean rig, which has no model."""


CLEAN = ModelFile("clean", None)
"""The rig without a model: it plays where no model can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The leaves of `/nemo/status`."""

    state: str
    """`starting`, `running`, `restarting`, `no_device` or `error`."""
    load: float
    """Share of the period that a block takes, 0..1, averaged over a telemetry record."""
    load_peak: float
    """Largest load since the last reset."""
    xruns: int
    """Lost samples that the device reported; a clock loses none."""
    late: int
    """Blocks that began later than a period after their time, for whatever reason."""
    latency_ms: float
    rate: int
    """[Hz] Sample rate of the device."""
    block: int
    """[frames]"""
    model_rate: int
    """[Hz]"""
    rate_policy: str
    """`exact`, `delay` or `resample`."""
    uptime: int
    """[s]"""


class Player(Protocol):
    """Plays models; in the daemon this is the model switcher. Thread: control."""

    @property
    def model_name(self) -> str:
        """Name of the current model; empty before the first."""
        ...

    @property
    def quarantined(self) -> str:
        """The model that crashed the audio process too often; stepping passes it over."""
        ...

    def model_info(self) -> Mapping[str, object]:
        """Return what is known of the current model (JSON types)."""
        ...

    def load(self, candidates: Iterable[ModelFile], job: Job) -> None:
        """Start to load the first of the candidates that plays; the newest request wins.

        The job ends with the model's name, or with an error of code `busy` when a newer request
        supersedes it and `io` when no candidate plays.
        """
        ...

    def commit(self) -> None:
        """Send all settings to the audio process, as one snapshot."""
        ...


class Monitor(Protocol):
    """Measures what plays; in the daemon this is `nemod.daemon.monitor`. Thread: control."""

    def status(self) -> Status:
        """Return the state of the rig."""
        ...

    def meters(self) -> Meters:
        """Return the levels of the last moment."""
        ...

    def reset_meters(self) -> None:
        """Set the count of clipped blocks and the peak load to zero."""
        ...


class ModelLibrary(Protocol):
    """The models that can be named; see `nemod.library.Library`."""

    @property
    def names(self) -> Sequence[str]:
        """All names in order; a model's index is its place here."""
        ...

    def find(self, name: str) -> tuple[str, Path]:
        """Return name and file of a model. Raises: NotFoundError."""
        ...

    def problem(self, name: str) -> str:
        """Return why a model is known not to play, or nothing."""
        ...

    def problems(self) -> Mapping[str, str]:
        """Return why models are known not to play, by name, in the order of `names`."""
        ...

    def rescan(self) -> None:
        """List the folders again. Thread: any; takes up to some seconds."""
        ...
