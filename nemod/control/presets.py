"""Presets: which one is current, whether it was changed, load, save. Thread: control.

A preset is loaded as one change: its model with all of its positions, in one audio block.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from nemod.common.background import in_background
from nemod.common.errors import NotFoundError
from nemod.control.backends import CLEAN, ModelFile, ModelLibrary, Player, PresetStore, Recall
from nemod.control.disk_jobs import DiskJobs
from nemod.control.errors import Code, ControlError
from nemod.control.events import (
    DAEMON,
    EventStream,
    ModelChanged,
    PresetChanged,
    PresetListChanged,
    Source,
)
from nemod.control.jobs import Job
from nemod.control.preset_list import PresetList
from nemod.control.settings import Settings
from nemod.control.snapshots import Snapshots
from nemod.presets.preset import ModelReference, Preset, PresetEntry

PRESET_JOB = "preset"
SAVE_JOB = "preset file"

LoadModel = Callable[[Iterable[ModelFile], str, Source, Recall], Job]
"""(candidates, name, source, sound) -> job"""


class Presets:
    """The presets, and the current one with its snapshots."""

    def __init__(
        self,
        settings: Settings,
        events: EventStream,
        *,
        store: PresetStore,
        library: ModelLibrary,
        player: Player,
        load_model: LoadModel,
        is_loading: Callable[[], bool],
    ) -> None:
        """`is_loading` returns whether a model was requested and is not yet current."""
        self._settings = settings
        self._events = events
        self._store = store
        self.list = PresetList(store)
        self._library = library
        self._player = player
        self._load_model = load_model
        self._is_loading = is_loading
        self._current: int | None = None
        self._name = ""
        self._is_dirty = False
        self._saved_sound: Mapping[str, float] = {}
        """The positions of the current preset, as long as it is not dirty."""
        self.snapshots = Snapshots(settings, player, on_save=self._become_dirty)
        self._newest: tuple[Job, int] | None = None
        """The preset that was requested last."""
        self._disk = DiskJobs()
        self._models = events.subscribe((ModelChanged,), wake=self._on_model_change)

    # --- what there is ---------------------------------------------------------------------------

    @property
    def entries(self) -> Sequence[PresetEntry]:
        """All presets, by number."""
        return self.list.entries

    @property
    def number(self) -> int:
        """Number of the current preset; -1 where none is current."""
        return -1 if self._current is None else self._current

    @property
    def name(self) -> str:
        """Name of the current preset; empty where none is current."""
        return self._name

    @property
    def is_dirty(self) -> bool:
        """Whether the sound is not the one that was saved."""
        return self._is_dirty

    # --- loading ---------------------------------------------------------------------------------

    def load(self, which: str | int, source: Source) -> Job:
        """Start to load a preset by name or number; the newest request wins.

        The job ends with the preset's name, or with an error: `not_found` for its model, and as
        those of a model. Until it ends, and after an error, the sound is as before.

        Raises: ControlError `not_found`.
        """
        number = self.list.find(which)
        preset = self.list.get(number)
        job = Job(PRESET_JOB, preset.name, source, self._events)
        self._newest = job, number
        file = self._file_of(preset.model)
        if file is not None:
            self._load(number, preset, file, job)
        else:
            self._load_renamed(number, preset, job)
        return job

    def step(self, step: int, source: Source) -> Job:
        """Start to load the next preset by number (`step` 1) or the previous one (-1), around.

        The step counts from the preset that was requested last. Raises: ControlError `not_found`.
        """
        start = self.number
        if self._newest is not None and not self._newest[0].is_over:
            start = self._newest[1]
        number = self.list.neighbour(start, step)
        if number is None:
            raise ControlError(Code.NOT_FOUND, "", "there are no presets")
        return self.load(number, source)

    def _file_of(self, model: ModelReference) -> ModelFile | None:
        if not model.name:
            return CLEAN
        try:
            return ModelFile(*self._library.find(model.name))
        except NotFoundError:
            return None

    def _load_renamed(self, number: int, preset: Preset, job: Job) -> None:
        """Load a preset whose model has another name now, found by the hash of its file."""

        def found(search: "asyncio.Future[str]") -> None:
            name = "" if search.cancelled() or search.exception() else search.result()
            file = self._file_of(replace(preset.model, name=name)) if name else None
            if self._newest is None or self._newest[0] is not job:
                job.fail(ControlError(Code.BUSY, preset.name, "superseded by a newer request"))
            elif file is None:
                text = f"its model {preset.model.name!r} is not in the library"
                job.fail(ControlError(Code.NOT_FOUND, preset.name, text))
            else:
                self._load(number, preset, file, job)

        sha256 = preset.model.sha256
        in_background(
            lambda: self._library.find_by_hash(sha256) if sha256 else ""
        ).add_done_callback(found)

    def _load(self, number: int, preset: Preset, file: ModelFile, job: Job) -> None:
        recall = Recall(preset.positions, preset.model.size, Source("preset", preset.name))
        is_current = (file.name, recall.size) == (self._player.model_name, self._player.size)
        if is_current and not self._is_loading():
            self._settings.recall(recall.sound, recall.source)
            self._player.commit()
            self._loaded(number, preset, job.source)
            job.finish(preset.name)
            return

        def over(model_job: Job) -> None:
            if model_job.error is not None:
                job.fail(model_job.error)
            else:
                self._loaded(number, preset, job.source)
                job.finish(preset.name)

        self._load_model([file], file.name, job.source, recall).when_over(over)

    def _loaded(self, number: int, preset: Preset, source: Source) -> None:
        self.snapshots.use(preset.snapshots)
        self._become(number, preset.name, source)
        self._build_ahead()

    def _become(self, number: int | None, name: str, source: Source) -> None:
        self._current, self._name, self._is_dirty = number, name, False
        self._saved_sound = self._settings.sound()
        self._announce(source)

    def _announce(self, source: Source) -> None:
        self._events.publish(PresetChanged(self.number, self._name, self._is_dirty, source))

    def _build_ahead(self) -> None:
        """Have the models of the neighbours built, so that a step is only a crossfade."""
        wanted = []
        for number in dict.fromkeys(self.list.neighbour(self.number, step) for step in (1, -1)):
            if number is None or number == self.number:
                continue
            preset = self._store.get(number)
            file = self._file_of(preset.model)
            if file is not None:
                source = Source("preset", preset.name)
                wanted.append((file, Recall(preset.positions, preset.model.size, source)))
        self._player.build_ahead(wanted)

    def restore(
        self,
        number: int,
        name: str,
        *,
        is_dirty: bool,
        snapshots: Mapping[int, Mapping[str, float]],
    ) -> None:
        """Be where the last session ended; a preset that is gone or renamed is forgotten."""
        try:
            preset = self._store.get(number)
        except KeyError:
            return
        if preset.name == name:
            self._current, self._name, self._is_dirty = number, name, is_dirty
            self._saved_sound = self._settings.sound()
            self.snapshots.use(snapshots)
            self._build_ahead()

    # --- changes ---------------------------------------------------------------------------------

    def note_change(self, path: str, position: float, source: Source) -> None:
        """Called with each parameter that was set: the preset may be dirty now."""
        if self._is_dirty or self._current is None:
            return
        if self._saved_sound.get(path, position) != position:
            self._become_dirty(source)

    def load_snapshot(self, number: int, source: Source) -> None:
        """Recall a snapshot; alone, this does not make the preset dirty. Raises: ControlError."""
        self.snapshots.load(number, source)
        self._saved_sound = self._settings.sound()

    def _become_dirty(self, source: Source) -> None:
        if self._current is not None and not self._is_dirty:
            self._is_dirty = True
            self._announce(source)

    def _on_model_change(self) -> None:
        for event in self._models.take():
            # What a preset loads makes it current; a model that a client or a fault put in its
            # place makes it dirty.
            is_ours = self._newest is not None and not self._newest[0].is_over
            if isinstance(event, ModelChanged) and not is_ours:
                try:
                    expected = self._store.get(self.number).model.name or CLEAN.name
                except KeyError:
                    continue
                if event.name != expected:
                    self._become_dirty(event.source)

    def leave(self, source: Source = DAEMON) -> None:
        """Have no current preset, because it cannot be played."""
        if self._current is not None:
            self._become(None, "", source)
            self.snapshots.use({})

    # --- files -----------------------------------------------------------------------------------

    def save(self, source: Source, where: str | int | None = None) -> Job:
        """Start to save the sound as a preset, which is the current one then.

        `where`: a number, whose name stays; a name, that of a preset that exists or of a new one
        at the first free number; None for the current preset, or a new one.

        Raises: ControlError `value` for a bad name, `not_found` for a number out of range,
        `limit` where all numbers are taken or too many writes wait.
        """
        number, name = self.list.place(where, self._current, self._name)
        sound = self._settings.sound()
        snapshots = self.snapshots.all()
        model, size = self._player.model_name, self._player.size
        is_clean = model in ("", CLEAN.name)

        def work() -> None:
            sha256 = "" if is_clean else self._library.content_hash(model)
            try:
                known = self._store.get(number)
            except KeyError:
                known = Preset(name=name)
            reference = ModelReference(name="" if is_clean else model, sha256=sha256, size=size)
            made = replace(known, name=name, model=reference, positions=sound, snapshots=snapshots)
            self._store.save(number, made)

        def done() -> None:
            self._current, self._name = number, name
            self._saved_sound = sound
            now = self._settings.sound(), self.snapshots.all(), self._player.model_name
            self._is_dirty = now != (sound, snapshots, model)
            self._announce(source)
            self._build_ahead()

        job = self._write(name, source, work, done)
        self.list.reserve(number, name)
        job.when_over(lambda _job: self.list.release(number))
        return job

    def rename(self, name: str, source: Source, which: str | int | None = None) -> Job:
        """Start to rename a preset; None is the current one. Raises: ControlError."""
        number = self._given_or_current(which)
        self.list.check_name(name, number)

        def done() -> None:
            if number == self._current:
                self._name = name
                self._announce(source)

        def work() -> None:
            self._store.save(number, replace(self._store.get(number), name=name))

        return self._write(name, source, work, done)

    def delete(self, source: Source, which: str | int | None = None) -> Job:
        """Start to delete a preset; the sound stays. None is the current one.

        Raises: ControlError.
        """
        number = self._given_or_current(which)
        name = self.list.get(number).name

        def done() -> None:
            if number == self._current:
                self._become(None, "", source)

        return self._write(name, source, lambda: self._store.delete(number), done)

    def _given_or_current(self, which: str | int | None) -> int:
        if which is not None:
            return self.list.find(which)
        if self._current is None:
            raise ControlError(Code.NOT_FOUND, "", "no preset is current")
        return self._current

    def _write(
        self, name: str, source: Source, work: Callable[[], None], done: Callable[[], None]
    ) -> Job:
        def written() -> None:
            done()
            self._events.publish(PresetListChanged(len(self.entries)))

        return self._disk.start(Job(SAVE_JOB, name, source, self._events), work, written)
