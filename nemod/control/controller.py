"""The controller: everything that a surface can read, set and start. Thread: control.

Surfaces (OSC, MIDI, a web page) translate between their protocol and this API. They hold no state
of the rig, and what one of them can do, every one of them can do.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from nemod.chain import CABINET, MODEL, Chain
from nemod.common.background import in_background
from nemod.control.backends import (
    FileLibrary,
    Monitor,
    Player,
    PresetStore,
    Status,
    UserFiles,
)
from nemod.control.chains import Chains
from nemod.control.errors import Code, ControlError
from nemod.control.events import (
    Event,
    EventStream,
    LibraryChanged,
    Meters,
    PresetListChanged,
    Source,
    Subscription,
    TunerReading,
)
from nemod.control.files import Files
from nemod.control.jobs import Job
from nemod.control.midi import Midi
from nemod.control.model_size import ModelSize, ModelSizes
from nemod.control.preset_files import PresetFiles
from nemod.control.presets import Presets
from nemod.control.rig_jobs import RigJobs
from nemod.control.settings import Settings
from nemod.control.similar_names import similar_name
from nemod.control.slot_files import SlotFiles
from nemod.control.tempo import TapTempo
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import ParameterSet

RESCAN_JOB = "rescan"
MAX_WAITING_RESCANS = 64


class Controller:
    """The one API of the control core."""

    def __init__(
        self,
        settings: Settings,
        events: EventStream,
        *,
        library: FileLibrary,
        cabinets: FileLibrary,
        player: Player,
        monitor: Monitor,
        presets: PresetStore,
        user_models: UserFiles | None = None,
        user_cabinets: UserFiles | None = None,
        chains: Mapping[str, Chain] | None = None,
    ) -> None:
        """`events` is the stream that `settings` publishes to.

        `user_models`, `user_cabinets` None: clients cannot add any. `chains`: those of the
        configuration, by name.
        """
        self._settings = settings
        self._events = events
        self._library = library
        self._cabinet_library = cabinets
        self._preset_store = presets
        self._player = player
        self._monitor = monitor
        self._held = 0
        self._is_dirty = False
        self._rescan_jobs: list[Job] = []
        """Jobs that wait for the next rescan."""
        self._is_rescanning = False
        self.tempo = TapTempo(self.set_value)
        self.midi = Midi(events)
        jobs = RigJobs(player, settings, events)
        self.models = SlotFiles(MODEL, library, player, jobs)
        """The models of the library, and the one of the first model slot."""
        self.cabinets = SlotFiles(CABINET, cabinets, player, jobs)
        """The cabinets of the library, and the one of the first cabinet slot."""
        self.sizes = ModelSizes(self.models, jobs, events)
        self.chains = Chains(jobs, models=self.models, cabinets=self.cabinets, named=chains or {})
        self.presets = Presets(
            settings,
            events,
            store=presets,
            files=PresetFiles(library, cabinets),
            player=player,
            jobs=jobs,
            commit=self._commit,
        )
        self.files = Files(
            events, self.presets, user_models, user_cabinets, lambda: len(self.model_names)
        )

    # --- parameters ------------------------------------------------------------------------------

    @property
    def parameters(self) -> ParameterSet:
        """All parameters that exist with the current model; another object after a change."""
        return self._settings.parameters

    def describe(self, path: str) -> Parameter:
        """Return the row of a parameter: label, unit, range, default. Raises: ControlError."""
        try:
            return self.parameters.row(path)
        except KeyError:
            raise self._unknown(path) from None

    def position(self, path: str) -> float:
        """Return a parameter's position, 0..1. Raises: ControlError."""
        return self._settings.get(self._canonical(path))

    def value(self, path: str) -> float:
        """Return a parameter's value in its unit. Raises: ControlError."""
        return self.describe(path).value(self.position(path))

    def text(self, path: str) -> str:
        """Return a parameter's value as a display shows it. Raises: ControlError."""
        return self.describe(path).text(self.position(path))

    def positions(self) -> dict[str, float]:
        """Return the positions of all parameters by canonical path."""
        return {path: self._settings.get(path) for path in self.parameters}

    def set(self, path: str, position: float, source: Source) -> float:
        """Set a parameter; return its position, which is the given one clipped to 0..1.

        Raises: ControlError, and then nothing has changed.
        """
        canonical = self._check(path, position)
        with self.one_commit():
            before = self._settings.get(canonical)
            after = self._settings.set(canonical, position, source)
            if after != before:
                self._is_dirty = True
                self.presets.note_change(canonical, after, source)
        return after

    def set_value(self, path: str, value: float, source: Source) -> float:
        """Set a parameter in its own unit; return its value, clipped to the range.

        Raises: ControlError, and then nothing has changed.
        """
        row = self.describe(path)
        if math.isnan(value):
            raise ControlError(Code.VALUE, path, f"{value} is not a number that can be set")
        return row.value(self.set(path, row.position(value), source))

    def set_many(self, positions: Mapping[str, float], source: Source) -> None:
        """Set several parameters in one audio block: all of them, or none.

        Raises: ControlError for the first that cannot be set; then nothing has changed.
        """
        for path, position in positions.items():
            self._check(path, position)
        with self.one_commit():
            for path, position in positions.items():
                self.set(path, position, source)

    def toggle(self, path: str, source: Source) -> float:
        """Flip a switch; return its new position. Raises: ControlError."""
        return self.set(path, 0.0 if self.position(path) >= 0.5 else 1.0, source)

    @contextmanager
    def one_commit(self) -> Iterator[None]:
        """Let all settings made inside the block take effect in one audio block, at its end."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._is_dirty and not self._held:
                self._is_dirty = False
                self._player.commit()

    def _commit(self) -> None:
        """Have the settings take effect, at the end of the present block of `one_commit`."""
        with self.one_commit():
            self._is_dirty = True

    def _canonical(self, path: str) -> str:
        try:
            return self.parameters.canonical(self.parameters.short_forms.get(path, path))
        except KeyError:
            raise self._unknown(path) from None

    def _check(self, path: str, position: float) -> str:
        canonical = self._canonical(path)
        if not math.isfinite(position):
            raise ControlError(Code.VALUE, path, f"{position} is not a number that can be set")
        return canonical

    def _unknown(self, path: str) -> ControlError:
        known = self.parameters.all_paths()
        return ControlError(
            Code.UNKNOWN, path[:120], "no such parameter", lambda: similar_name(path, known)
        )

    # --- the chain and its files -----------------------------------------------------------------

    @property
    def chain(self) -> Chain:
        """The chain that plays, with the names of its files."""
        return self.chains.current

    @property
    def size(self) -> ModelSize:
        """The size of the first model."""
        return self.sizes.of()

    @property
    def model_names(self) -> Sequence[str]:
        """All models of the library in order; the index of a model is its place here."""
        return self.models.names

    @property
    def model_name(self) -> str:
        """Name of the first model of the chain; empty before the first."""
        return self.models.name

    @property
    def model_index(self) -> int:
        """Place of the first model in `model_names`; -1 where it is not among them."""
        return self.models.index

    @property
    def requested_model(self) -> str:
        """The first model that was requested last, or the current one."""
        return self.models.requested

    def model_info(self) -> Mapping[str, object]:
        """Return what is known of the first model: architecture, rate, author, ... (JSON)."""
        return self.models.info()

    def load_model(self, name: str | int, source: Source, slot: str = "") -> Job:
        """Start to load a model by name or index, into the first model slot or another one.

        Raises: ControlError `not_found`.
        """
        return self.models.of(slot).load(name, source)

    def step_model(self, step: int, source: Source, slot: str = "") -> Job:
        """Start to load the next model (`step` 1) or the previous one (-1), around the list.

        Raises: ControlError `not_found`; see `SlotFiles.step`.
        """
        return self.models.of(slot).step(step, source)

    def rescan(self, source: Source) -> Job:
        """Start to list the folders of models and cabinets, and to read the presets, again.

        One rescan runs at a time; requests that arrive meanwhile share the next one. Raises:
        ControlError `limit` when too many wait.
        """
        if len(self._rescan_jobs) >= MAX_WAITING_RESCANS:
            raise ControlError(Code.LIMIT, "", f"{MAX_WAITING_RESCANS} rescans wait already")
        job = Job(RESCAN_JOB, "", source, self._events)
        self._rescan_jobs.append(job)
        if not self._is_rescanning:
            self._start_rescan()
        return job

    def _start_rescan(self) -> None:
        jobs, self._rescan_jobs = self._rescan_jobs, []
        self._is_rescanning = True

        def done(task: "asyncio.Future[None]") -> None:
            self._is_rescanning = False
            error = None if task.cancelled() else task.exception()
            if error is None:
                self._events.publish(LibraryChanged(len(self.model_names)))
                self._events.publish(PresetListChanged(len(self.presets.entries)))
                self.presets.reread()
            for job in jobs:
                if error is not None:
                    job.fail(ControlError(Code.IO, "", str(error)))
                else:
                    job.finish(str(len(self.model_names)))
            if self._rescan_jobs:
                self._start_rescan()

        def work() -> None:
            self._library.rescan()
            self._cabinet_library.rescan()
            self._preset_store.rescan()

        in_background(work).add_done_callback(done)

    # --- what the rig does -----------------------------------------------------------------------

    def status(self) -> Status:
        """Return the state of the rig: load, latency, rates, xruns."""
        return self._monitor.status()

    def meters(self) -> Meters:
        """Return the levels of the last moment and the count of clipped blocks."""
        return self._monitor.meters()

    def tuner(self) -> TunerReading:
        """Return the last reading of the tuner; empty while it is off or hears no string."""
        return self._monitor.tuner()

    def panic(self, source: Source) -> None:
        """Fade to silence within 10 ms and empty all effects; `mute` stays on."""
        self.set("mute", 1.0, source)
        self._player.panic()

    def reset_meters(self) -> None:
        """Set the count of clipped blocks and the peak load to zero."""
        self._monitor.reset_meters()

    def subscribe(
        self,
        source: Source | None = None,
        wake: Callable[[], None] | None = None,
        *,
        kinds: Collection[type[Event]] = (),
    ) -> Subscription:
        """Begin to receive events; see `EventStream.subscribe`."""
        return self._events.subscribe(kinds, source=source, wake=wake)
