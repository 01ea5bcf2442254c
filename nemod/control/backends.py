"""What the controller needs of the rest of the daemon: player, monitor, library, presets.

The controller depends on these protocols alone, so it runs without a sound card, a process or a
file in the tests, and no surface can reach anything that is not named here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from nemod.control.events import Meters, Source, TunerReading
from nemod.control.jobs import Job
from nemod.presets.preset import Preset, PresetEntry


class ModelFile(NamedTuple):
    """What can be loaded: a model of the library, or the clean rig."""

    name: str
    path: Path | None
    """None for the clean rig, which has no model."""


CLEAN = ModelFile("clean", None)
"""The rig without a model: it plays where no model can."""


class CabinetFile(NamedTuple):
    """A cabinet of the library, or none."""

    name: str
    path: Path | None
    """None for a rig without a cabinet."""


NO_CABINET = CabinetFile("", None)


class Recall(NamedTuple):
    """The sound that takes effect together with a model."""

    sound: Mapping[str, float] | None
    """0..1 by canonical path; see `nemod.control.settings.Settings.recall`. None: as it is."""
    size: float | None
    """0..1: the size of a model that has several."""
    source: Source
    cabinet: CabinetFile | None = None
    """None: as it is."""
    switched: tuple[tuple[str, float], ...] = ()
    """Positions by canonical path that are set besides."""


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
    reduced: str = ""
    """What is reduced because of the load, as `size, reverb`; `overload` where that is not enough.
    Empty for full quality."""


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

    @property
    def is_clean(self) -> bool:
        """Whether the clean rig plays, which has no model."""
        ...

    @property
    def size(self) -> float | None:
        """0..1: the size of models that have several."""
        ...

    def load(self, candidates: Iterable[ModelFile], job: Job, recall: Recall | None = None) -> None:
        """Start to load the first of the candidates that plays; the newest request wins.

        `recall`: the sound that takes effect with the model, in the same audio block.

        The job ends with the model's name, or with an error of code `busy` when a newer request
        supersedes it and `io` when no candidate plays.
        """
        ...

    @property
    def cabinet_name(self) -> str:
        """Name of the current cabinet; empty for none."""
        ...

    def cabinet_info(self) -> Mapping[str, object]:
        """Return what is known of the current cabinet (JSON types)."""
        ...

    def load_cabinet(self, candidates: Iterable[CabinetFile], job: Job) -> None:
        """Start to load the first of the candidates that plays; the newest request wins.

        It takes effect with the switch `cab/enable` on, unless it is `NO_CABINET`. Requests for
        models are carried out besides, in their order. The job ends as that of `load`.
        """
        ...

    def build_ahead(self, wanted: Sequence[tuple[ModelFile, Recall]]) -> None:
        """Build these models while nothing else is to be done; a new list replaces the last."""
        ...

    def panic(self) -> None:
        """Fade to silence at once and empty all effects."""
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

    def tuner(self) -> TunerReading:
        """Return the last reading of the tuner; empty while it is off."""
        ...

    def reset_meters(self) -> None:
        """Set the count of clipped blocks and the peak load to zero."""
        ...


class FileLibrary(Protocol):
    """The models, or the cabinets, that can be named; see `nemod.library.Library`."""

    @property
    def names(self) -> Sequence[str]:
        """All names in order; an index is a place here."""
        ...

    def find(self, name: str) -> tuple[str, Path]:
        """Return name and file. Raises: NotFoundError."""
        ...

    def problem(self, name: str) -> str:
        """Return why a file is known not to play, or nothing."""
        ...

    def content_hash(self, name: str) -> str:
        """Return the SHA-256 of a file, or nothing. Thread: any; reads the file."""
        ...

    def find_by_hash(self, sha256: str) -> str:
        """Return the name of the file with this hash, or nothing. Thread: any."""
        ...

    def problems(self) -> Mapping[str, str]:
        """Return why files are known not to play, by name, in the order of `names`."""
        ...

    def rescan(self) -> None:
        """List the folders again. Thread: any; takes up to some seconds."""
        ...


class UserFiles(Protocol):
    """The user's own folder of models, or of cabinets; see `nemod.library.uploads`. Thread: any."""

    def add(self, name: str, content: bytes) -> str:
        """Keep a file under this name, unless the library has its content; return its name there.

        Raises: ModelError or CabinetError for what is none or has no usable name, QuotaError where
        there is no room, other NemodError, OSError.
        """
        ...


class PresetStore(Protocol):
    """The presets that are kept; see `nemod.presets.store`. Thread: any."""

    def entries(self) -> Sequence[PresetEntry]:
        """Return all presets, by number."""
        ...

    def get(self, number: int) -> Preset:
        """Return a preset. Raises: KeyError."""
        ...

    def save(self, number: int, preset: Preset) -> None:
        """Keep a preset. Raises: OSError, NemodError."""
        ...

    def rescan(self) -> None:
        """Read all presets again."""
        ...

    def delete(self, number: int) -> None:
        """Remove a preset of the user. Raises: KeyError, OSError, NemodError."""
        ...
