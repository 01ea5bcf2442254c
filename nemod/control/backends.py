"""What the controller needs of the rest of the daemon: player, monitor, library, presets.

The controller depends on these protocols alone, so it runs without a sound card, a process or a
file in the tests, and no surface can reach anything that is not named here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from nemod.chain import DEFAULT_CHAIN, FILE_KINDS, MODEL, Chain
from nemod.control.events import DAEMON, Meters, Source, TunerReading
from nemod.control.jobs import Job
from nemod.presets.preset import Preset, PresetEntry

CLEAN = "clean"
"""What an empty model slot is called where the name of its model is asked for."""


class SlotFile(NamedTuple):
    """A file of a library that a slot holds, or none."""

    name: str = ""
    path: Path | None = None
    """None: the slot is empty, and changes nothing."""


NO_FILE = SlotFile()


@dataclass(frozen=True, slots=True, kw_only=True)
class RigFiles:
    """A chain, and where the files of its slots are. Immutable."""

    chain: Chain = DEFAULT_CHAIN
    """Its files are named as the library spells them, without hashes."""
    paths: Mapping[str, Path] = field(default_factory=dict)
    """By slot; a slot without one is empty."""

    def file(self, slot: str) -> SlotFile:
        """Return the file of a slot. Raises: KeyError for an unknown slot."""
        path = self.paths.get(slot)
        return NO_FILE if path is None else SlotFile(self.chain[slot].file, path)

    def first(self, kind: str) -> SlotFile:
        """Return the file of the first slot of a kind; none where there is no such slot."""
        slot = self.chain.first(kind)
        return NO_FILE if slot is None else self.file(slot.name)

    def with_file(self, slot: str, file: SlotFile) -> "RigFiles":
        """Return the same with another file in a slot. Raises: KeyError for an unknown slot."""
        changed = replace(self.chain[slot], file=file.name if file.path else "", sha256="")
        paths = {name: path for name, path in self.paths.items() if name != slot}
        if file.path is not None:
            paths[slot] = file.path
        return RigFiles(chain=self.chain.with_slot(changed), paths=paths)

    def with_size(self, slot: str, size: float | None) -> "RigFiles":
        """Return the same with another size of a slot's model. Raises: KeyError."""
        return RigFiles(
            chain=self.chain.with_slot(replace(self.chain[slot], size=size)), paths=self.paths
        )

    def in_chain(self, chain: Chain, renamed: Mapping[str, str]) -> "RigFiles":
        """Return another chain with the files of the slots that are in both.

        `renamed`: new names of slots by their names before.
        """
        paths = {renamed.get(name, name): path for name, path in self.paths.items()}
        kept = {slot.name: paths[slot.name] for slot in chain if slot.file and slot.name in paths}
        return RigFiles(chain=chain, paths=kept)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the slots that can hold a file, in order."""
        return tuple(slot.name for slot in self.chain if slot.kind in FILE_KINDS)

    @property
    def models(self) -> dict[str, SlotFile]:
        """The models by slot, those of empty slots left out."""
        slots = self.chain.of_kind(MODEL)
        return {slot.name: self.file(slot.name) for slot in slots if slot.name in self.paths}

    @property
    def present(self) -> "RigFiles":
        """The same without the names of files that are missing."""
        found = self
        for slot in self.slots:
            found = found.with_file(slot, self.file(slot))
        return found

    @property
    def without_files(self) -> "RigFiles":
        """The same chain with all slots empty."""
        return RigFiles(chain=self.chain.without_files)


@dataclass(frozen=True, slots=True, kw_only=True)
class RigPlan:
    """What is to play, and the positions that take effect with it, in the same audio block."""

    subject: str
    """What it is about: the name of a file, a slot, a preset."""
    rig: RigFiles
    fills: frozenset[str] = frozenset()
    """Slots whose files are asked for: without one of them it must not play."""
    sound: Mapping[str, float] | None = None
    """0..1 by canonical path of the rig's chain; see `nemod.control.settings.Settings.recall`.
    None: positions stay with their slots."""
    switched: Mapping[str, float] = field(default_factory=dict)
    """Positions by canonical path that are set besides."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """New names of slots by their names before."""
    source: Source = DAEMON
    """Who sets the positions."""


RigChange = Callable[[RigFiles], RigPlan]
"""Makes a plan from what plays when the request is carried out. Raises: ControlError where that is
not possible then."""


class Scope(StrEnum):
    """How much of the rig a request is about, which decides what it supersedes."""

    SLOT = "slot"
    """The file of one slot: supersedes an older one for the same slot."""
    MAIN = "main"
    """That of the first model, which takes the place of a preset that waits, too."""
    EDIT = "edit"
    """One slot more or less, or at another place: nothing is superseded."""
    CHAIN = "chain"
    """All slots and files."""
    PRESET = "preset"
    """All slots and files with their positions."""
    SUBSTITUTE = "substitute"
    """What the daemon plays for a rig that crashes: no request is superseded by it, and all others
    come first."""


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
    """Plays rigs; in the daemon this is the model switcher. Thread: control."""

    @property
    def rig(self) -> RigFiles | None:
        """The chain that plays, with its files; None before the first."""
        ...

    @property
    def quarantined(self) -> Collection[str]:
        """The models that crashed the audio process too often; stepping passes them over."""
        ...

    def slot_info(self, slot: str) -> Mapping[str, object]:
        """Return what is known of the file in a slot (JSON types); nothing for an empty slot."""
        ...

    def load(
        self, changes: Iterable[RigChange], job: Job, *, scope: Scope, slot: str, noun: str
    ) -> None:
        """Start to play the first of the changes that can be played; the newest request wins.

        `slot`: which one it is about; empty for more than one. `noun`: what the changes are called.

        The job ends with the subject of the change that plays, or with an error: `busy` when a
        newer request supersedes it, `io` when none of them can be played.
        """
        ...

    def build_ahead(self, wanted: Sequence[RigPlan]) -> None:
        """Build these while nothing else is to be done; a new list replaces the last."""
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
