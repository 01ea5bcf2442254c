"""Presets: which one is current, whether it was changed, load, save. Thread: control.

A preset is loaded as one change: its model with all of its positions, in one audio block.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from nemod.common.background import in_background
from nemod.control.backends import ModelFile, ModelLibrary, Player, PresetStore, Recall
from nemod.control.disk_jobs import DiskJobs
from nemod.control.errors import Code, ControlError
from nemod.control.events import (
    DAEMON,
    SESSION,
    EventStream,
    ModelChanged,
    PresetChanged,
    PresetListChanged,
    Source,
)
from nemod.control.jobs import Job
from nemod.control.neighbours import Neighbours
from nemod.control.preset_list import PresetList
from nemod.control.preset_models import PresetModels
from nemod.control.settings import Settings
from nemod.control.snapshots import Snapshots
from nemod.presets.preset import ModelReference, Preset, PresetEntry

log = structlog.get_logger("nemod")

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
        newest_load: Callable[[], Job | None],
        commit: Callable[[], None],
    ) -> None:
        """`newest_load` returns the model request that was made last.

        `commit` has the settings take effect, together with others of the same message.
        """
        self._settings = settings
        self._events = events
        self._store = store
        self.list = PresetList(store)
        self._models = PresetModels(library)
        self._library = library
        self._player = player
        self._load_model = load_model
        self._newest_load = newest_load
        self._commit = commit
        self._current: int | None = None
        self._name = ""
        self._is_dirty = False
        self._saved_sound: Mapping[str, float] = {}
        """The positions of the current preset, as long as it is not dirty."""
        self._model_name, self._model_size = "", player.size
        """The model that the current preset was loaded or saved with, and its size."""
        self.snapshots = Snapshots(settings, commit, on_save=self._on_snapshot)
        self._newest: tuple[Job, int] | None = None
        """The preset that was requested last."""
        self._neighbours = Neighbours(self.list, self._models, player)
        self._disk = DiskJobs()
        self._model_changes = events.subscribe((ModelChanged,), wake=self._on_model_change)

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

    @property
    def is_loading(self) -> bool:
        """Whether a preset was requested and is not yet current."""
        return self._newest is not None and not self._newest[0].is_over

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
        file = self._models.named(preset.model)
        if not preset.model.sha256 or self._is_playing(file, preset.model.size):
            self._load(number, preset, file, job)
        else:
            self._load_resolved(number, preset, job)
        return job

    def step(self, step: int, source: Source) -> Job:
        """Start to load the next preset by number (`step` 1) or the previous one (-1), around.

        The step counts from the preset that was requested last. Raises: ControlError `not_found`.
        """
        start = self.number
        if self._newest is not None and self.is_loading:
            start = self._newest[1]
        number = self.list.neighbour(start, step)
        if number is None:
            raise ControlError(Code.NOT_FOUND, "", "there are no presets")
        return self.load(number, source)

    def _load_resolved(self, number: int, preset: Preset, job: Job) -> None:
        """Load a preset once it is known which file has the hash of its model."""
        before = self._newest_load()

        def resolved(search: "asyncio.Future[ModelFile | None]") -> None:
            is_newest = self._newest is not None and self._newest[0] is job
            if not is_newest or self._newest_load() is not before:
                job.fail(ControlError(Code.BUSY, preset.name, "superseded by a newer request"))
            elif search.cancelled() or search.exception() is not None:
                job.fail(ControlError(Code.IO, preset.name, str(search.exception())))
            else:
                self._load(number, preset, search.result(), job)

        in_background(lambda: self._models.resolved(preset.model)).add_done_callback(resolved)

    def _is_playing(self, file: ModelFile | None, size: float | None) -> bool:
        """Return whether this model plays, and no other one was requested."""
        newest, player = self._newest_load(), self._player
        if file is None or (newest is not None and not newest.is_over):
            return False
        known = (player.model_name, player.is_clean, player.size)
        return known == (file.name, file.path is None, size)

    def _load(self, number: int, preset: Preset, file: ModelFile | None, job: Job) -> None:
        if file is None:
            text = f"its model {preset.model.name!r} is not in the library"
            job.fail(ControlError(Code.NOT_FOUND, preset.name, text))
            return
        recall = Recall(preset.positions, preset.model.size, Source("preset", preset.name))
        if self._is_playing(file, recall.size):
            self._settings.recall(preset.positions, recall.source)
            self._commit()
            self._loaded(number, preset, file.name, job)
            return

        def over(model_job: Job) -> None:
            if model_job.error is not None:
                job.fail(model_job.error)
            else:
                self._loaded(number, preset, file.name, job)

        self._load_model([file], file.name, job.source, recall).when_over(over)

    def _loaded(self, number: int, preset: Preset, model_name: str, job: Job) -> None:
        self._current, self._name, self._is_dirty = number, preset.name, False
        self._saved_sound = self._settings.sound()
        self._model_name, self._model_size = model_name, preset.model.size
        self.snapshots.use(preset.snapshots)
        self._announce(job.source)
        self.build_ahead()
        job.finish(preset.name)

    def _announce(self, source: Source) -> None:
        self._events.publish(PresetChanged(self.number, self._name, self._is_dirty, source))

    def build_ahead(self) -> None:
        """Have the models of the neighbours built, so that a step is only a crossfade."""
        self._neighbours.build(self.number)

    def restore(
        self,
        number: int,
        name: str,
        *,
        is_dirty: bool,
        snapshots: Mapping[int, Mapping[str, float]],
    ) -> None:
        """Make the preset of the last session current, unless another one was requested already.

        One that is gone or has another name now is not. With another model than the preset's, as
        where its file is missing, it is dirty.
        """
        preset = self.list.peek(number)
        if preset is None or preset.name != name or self._newest or self._current is not None:
            return
        file = self._models.named(preset.model)
        if not self._is_playing(file, self._player.size):
            is_dirty = True
            log.warning(
                "preset of the last session restored without its model",
                preset=name,
                model=preset.model.name,
                instead=self._player.model_name,
            )
        self._current, self._name, self._is_dirty = number, name, is_dirty
        self._saved_sound = self._settings.sound()
        self._model_name, self._model_size = self._player.model_name, self._player.size
        self.snapshots.use(snapshots)
        self._announce(SESSION)

    def reread(self) -> None:
        """Follow what a rescan has found: the current preset may be gone or have another name."""
        preset = None if self._current is None else self.list.peek(self._current)
        if self._current is not None and preset is None:
            self._leave(DAEMON)
        elif preset is not None and preset.name != self._name:
            self._name = preset.name
            self._announce(DAEMON)
        self.build_ahead()

    def _leave(self, source: Source) -> None:
        """Have no current preset; the sound stays."""
        self._current, self._name, self._is_dirty = None, "", False
        self._announce(source)

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

    def _on_snapshot(self, source: Source) -> None:
        """Note a snapshot that is not yet in the preset's file."""
        self._is_dirty = self._current is not None
        self._announce(source)

    def _on_model_change(self) -> None:
        for event in self._model_changes.take():
            # A model that a client or a fault put in place of the preset's makes it dirty; one
            # that a preset brings makes that preset current.
            if not isinstance(event, ModelChanged) or self.is_loading:
                continue
            if (event.name, self._player.size) != (self._model_name, self._model_size):
                self._become_dirty(event.source)

    # --- files -----------------------------------------------------------------------------------

    def save(self, source: Source, where: str | int | None = None) -> Job:
        """Start to save the sound as a preset, which is the current one then.

        `where`: a number, whose name stays; a name, that of a preset that exists or of a new one
        at the first free number; None for the current preset, or a new one.

        Raises: ControlError `value` for a bad name, `not_found` for a number out of range,
        `limit` where all numbers are taken or too many writes wait.
        """
        number, name = self.list.place(where, self._current, self._name)
        request, player = self._newest, self._player
        sound, snapshots = self._settings.sound(), self.snapshots.all()
        model, size, is_clean = player.model_name, player.size, player.is_clean
        made = Preset(name=name)

        def work() -> None:
            nonlocal made
            sha256 = "" if is_clean else self._library.content_hash(model)
            # Its name may have changed since: a rename may have been under way.
            known = self.list.peek(number) or made
            reference = ModelReference(name="" if is_clean else model, sha256=sha256, size=size)
            made = replace(known, model=reference, positions=sound, snapshots=snapshots)
            self._store.save(number, made)

        def done() -> None:
            newest = self._newest
            if newest is not None and newest is not request and newest[0].error is None:
                return  # another preset was requested meanwhile: that one is current
            self._current, self._name = number, made.name
            self._saved_sound, self._model_name, self._model_size = sound, model, size
            now = self._settings.sound(), self.snapshots.all(), player.model_name, player.size
            self._is_dirty = now != (sound, snapshots, model, size)
            self._announce(source)

        return self._write(number, name, source, work, done)

    def add(self, preset: Preset, source: Source) -> Job:
        """Start to keep a preset from elsewhere, at the first free number; the sound stays.

        Raises: ControlError `limit` where all numbers are taken or too many writes wait.
        """
        number, name = self.list.free(preset.name)
        named = replace(preset, name=name)
        return self._write(
            number, name, source, lambda: self._store.save(number, named), lambda: None
        )

    def rename(self, name: str, source: Source, which: str | int | None = None) -> Job:
        """Start to rename a preset; None is the current one. Raises: ControlError."""
        number = self.given_or_current(which)
        self.list.check_name(name, number)

        def done() -> None:
            if number == self._current:
                self._name = name
                self._announce(source)

        def work() -> None:
            self._store.save(number, replace(self._store.get(number), name=name))

        return self._write(number, name, source, work, done)

    def delete(self, source: Source, which: str | int | None = None) -> Job:
        """Start to delete a preset; the sound stays. None is the current one.

        Raises: ControlError.
        """
        number = self.given_or_current(which)
        name = self.list.get(number).name

        def done() -> None:
            preset = self.list.peek(number)
            if number == self._current and preset is None:
                self._leave(source)
            elif number == self._current and preset is not None:
                # The factory's preset of this number is there again; the sound is another one.
                self._name, self._is_dirty = preset.name, True
                self._announce(source)

        return self._write(number, name, source, lambda: self._store.delete(number), done)

    def given_or_current(self, which: str | int | None) -> int:
        """Return the number of a preset, None being the current one. Raises: ControlError."""
        if which is not None:
            return self.list.find(which)
        if self._current is None:
            raise ControlError(Code.NOT_FOUND, "", "no preset is current")
        return self._current

    def _write(
        self,
        number: int,
        name: str,
        source: Source,
        work: Callable[[], None],
        done: Callable[[], None],
    ) -> Job:
        """Start a job that writes to the disk, and then tell everybody."""

        def written() -> None:
            done()
            self._events.publish(PresetListChanged(len(self.entries)))
            self.build_ahead()

        job = self._disk.start(Job(SAVE_JOB, name, source, self._events), work, written)
        release = self.list.reserve(number, name)
        job.when_over(lambda _job: release())
        return job
