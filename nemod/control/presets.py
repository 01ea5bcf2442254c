"""Presets: which one is current, whether it was changed, load, save. Thread: control.

A preset is loaded as one change: its chain with all files and positions, in one audio block.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from nemod.chain import Chain
from nemod.control.backends import Player, PresetStore, Scope
from nemod.control.disk_jobs import DiskJobs
from nemod.control.errors import Code, ControlError
from nemod.control.events import (
    DAEMON,
    SESSION,
    CabinetChanged,
    ChainChanged,
    EventStream,
    ModelChanged,
    PresetChanged,
    PresetListChanged,
    Source,
)
from nemod.control.jobs import Job
from nemod.control.neighbours import Neighbours, plan
from nemod.control.preset_files import FoundFiles, PresetFiles
from nemod.control.preset_list import PresetList
from nemod.control.preset_search import PresetSearch
from nemod.control.rig_jobs import RigJobs
from nemod.control.settings import Settings
from nemod.control.snapshots import Snapshots
from nemod.presets.preset import Preset, PresetEntry

log = structlog.get_logger("nemod")

PRESET_JOB = "preset"
SAVE_JOB = "preset file"
RIG_JOB = "model"
"""The rig of a preset, within its job."""


class Presets:
    """The presets, and the current one with its snapshots."""

    def __init__(
        self,
        settings: Settings,
        events: EventStream,
        *,
        store: PresetStore,
        files: PresetFiles,
        player: Player,
        jobs: RigJobs,
        commit: Callable[[], None],
    ) -> None:
        """`commit` has the settings take effect, together with others of the same message."""
        self._settings = settings
        self._events = events
        self._store = store
        self.list = PresetList(store)
        self._files = files
        self._player = player
        self._jobs = jobs
        self._commit = commit
        self._current: int | None = None
        self._name = ""
        self._is_dirty = False
        self._saved_sound: Mapping[str, float] = {}
        """The positions of the current preset, as long as it is not dirty."""
        self._saved_rig = self._rig()
        """The rig that the current preset was loaded or saved with."""
        self.snapshots = Snapshots(settings, commit, on_save=self._on_snapshot)
        self._newest: tuple[Job, int] | None = None
        """The preset that was requested last."""
        self._search = PresetSearch(files)
        self._neighbours = Neighbours(self.list, self._files, player)
        self._disk = DiskJobs()
        self._rig_changes = events.subscribe(
            (ModelChanged, CabinetChanged, ChainChanged), wake=self._on_rig_change
        )

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
    def requested_number(self) -> int:
        """Number of the preset that was requested last, or of the current one; -1 for none."""
        newest = self._newest
        return newest[1] if newest is not None and self.is_loading else self.number

    @property
    def is_loading(self) -> bool:
        """Whether a preset was requested and is not yet current."""
        return self._newest is not None and not self._newest[0].is_over

    # --- loading ---------------------------------------------------------------------------------

    def load(self, which: str | int, source: Source) -> Job:
        """Start to load a preset by name or number; the newest request wins.

        The job ends with the preset's name, or with an error: `not_found` for a file of a slot,
        and as those of a model. Until it ends, and after an error, the sound is as before.

        Raises: ControlError `not_found`.
        """
        number = self.list.find(which)
        preset = self.list.get(number)
        job = Job(PRESET_JOB, preset.name, source, self._events)
        self._newest = job, number
        found = self._files.named(preset)
        if not self._files.has_hash(preset) or self._is_playing(found):
            self._load(number, preset, found, job)
        else:
            before = self._jobs.newest

            def is_newest() -> bool:
                newest = self._newest
                return newest is not None and newest[0] is job and self._jobs.newest is before

            self._search.start(
                preset, job, is_newest, lambda found: self._load(number, preset, found, job)
            )
        return job

    def step(self, step: int, source: Source) -> Job:
        """Start to load the next preset by number (`step` 1) or the previous one (-1), around.

        The step counts from the preset that was requested last. Raises: ControlError `not_found`.
        """
        number = self.list.neighbour(self.requested_number, step)
        if number is None:
            raise ControlError(Code.NOT_FOUND, "", "there are no presets")
        return self.load(number, source)

    def _rig(self) -> Chain:
        """Return what plays: the chain with its files and sizes."""
        return self._jobs.chain

    def _is_playing(self, found: FoundFiles) -> bool:
        """Return whether these files play in this chain, and nothing else was requested."""
        if self._player.rig is None or found.missing or self._jobs.is_busy:
            return False
        return self._rig() == found.rig.chain

    def _load(self, number: int, preset: Preset, found: FoundFiles, job: Job) -> None:
        if found.missing:
            job.fail(ControlError(Code.NOT_FOUND, preset.name, found.problem))
            return
        wanted = plan(preset, found)
        if self._is_playing(found):
            self._settings.recall(preset.positions, wanted.source)
            self._commit()
            self._loaded(number, preset, job)
            return

        def over(rig_job: Job) -> None:
            if rig_job.error is not None:
                job.fail(rig_job.error)
            else:
                self._loaded(number, preset, job)

        started = self._jobs.start(RIG_JOB, wanted, wanted.subject, job.source, Scope.PRESET)
        started.when_over(over)

    def _loaded(self, number: int, preset: Preset, job: Job) -> None:
        self._current, self._name, self._is_dirty = number, preset.name, False
        self._saved_sound, self._saved_rig = self._settings.sound(), self._rig()
        self.snapshots.use(preset.snapshots)
        self._announce(job.source)
        self.build_ahead()
        job.finish(preset.name)

    def _announce(self, source: Source) -> None:
        self._events.publish(PresetChanged(self.number, self._name, self._is_dirty, source))

    def build_ahead(self) -> None:
        """Have the rigs of the neighbours built, so that a step is only a crossfade."""
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

        One that is gone or has another name now is not. With another chain or other files than the
        preset's, as where a file is missing, it is dirty.
        """
        preset = self.list.peek(number)
        if preset is None or preset.name != name or self._newest or self._current is not None:
            return
        if not self._is_playing(self._files.named(preset)):
            is_dirty = True
            log.warning(
                "preset of the last session restored with other files or another chain",
                preset=name,
                files=_files(preset.chain),
                instead=_files(self._rig()),
            )
        self._current, self._name, self._is_dirty = number, name, is_dirty
        self._saved_sound, self._saved_rig = self._settings.sound(), self._rig()
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

    def _on_rig_change(self) -> None:
        for event in self._rig_changes.take():
            # What a client or a fault put in place of the preset's makes it dirty; what a preset
            # brings makes that preset current.
            if isinstance(event, ChainChanged):
                self.snapshots.follow_chain(self._rig(), event.renamed)
            kinds = ModelChanged | CabinetChanged | ChainChanged
            if not isinstance(event, kinds) or self.is_loading:
                continue
            is_switched = isinstance(event, CabinetChanged)  # it is switched on, too
            is_other = is_switched and self._settings.sound() != self._saved_sound
            if is_other or self._rig() != self._saved_rig:
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
        request, rig = self._newest, self._rig()
        sound, snapshots = self._settings.sound(), self.snapshots.all()
        made = Preset(name=name)

        def work() -> None:
            nonlocal made
            # Its name may have changed since: a rename may have been under way.
            made = replace(
                self.list.peek(number) or made,
                chain=self._files.hashed(rig),
                positions=sound,
                snapshots=snapshots,
            )
            self._store.save(number, made)

        def done() -> None:
            newest = self._newest
            if newest is not None and newest is not request and newest[0].error is None:
                return  # another preset was requested meanwhile: that one is current
            self._current, self._name = number, made.name
            self._saved_sound, self._saved_rig = sound, rig
            now = self._settings.sound(), self.snapshots.all(), self._rig()
            self._is_dirty = now != (sound, snapshots, rig)
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
        """Start a job that writes to the disk; then the list is published."""

        def written() -> None:
            done()
            self._events.publish(PresetListChanged(len(self.entries)))
            self.build_ahead()

        job = self._disk.start(Job(SAVE_JOB, name, source, self._events), work, written)
        release = self.list.reserve(number, name)
        job.when_over(lambda _job: release())
        return job


def _files(chain: Chain) -> dict[str, str]:
    """Return the names of files by slot, those of empty slots left out."""
    return {slot: name for slot, name in chain.files.items() if name}
