"""The MIDI surface: controllers on one side, the control core on the other. Thread: control."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from nemod.common.background import in_background
from nemod.common.timers import Timer, Timers
from nemod.control.controller import Controller
from nemod.control.disk_jobs import DiskJobs
from nemod.control.errors import Code, ControlError
from nemod.control.events import (
    SESSION,
    Changed,
    JobFailed,
    MidiLearned,
    MidiListChanged,
    ModelChanged,
    PresetChanged,
    Source,
)
from nemod.control.jobs import Job
from nemod.control.midi import MidiBinding, Unbound
from nemod.midi.binding import SHUTDOWN, Binding, Encoding, Mode
from nemod.midi.defaults import DEFAULTS
from nemod.midi.echo import Echo
from nemod.midi.learning import Learner
from nemod.midi.mapper import Batch, Mapper
from nemod.midi.messages import Kind, Port
from nemod.midi.reader import BindingFile
from nemod.midi.sources.base import Send
from nemod.midi.sources.base import Source as MessageSource
from nemod.midi.store import BindingStore
from nemod.midi.targets import ACTIONS, Targets
from nemod.network.rare_warnings import RareWarnings

WATCH_S = 2.0
"""[s] Between two looks whether the file of bindings was edited."""
FLOOD = 2_000
"""Messages a second of all controllers, above which one is broken, or nearly so."""
SURFACE = "midi"
MAX_DIGITS = 6
"""Of a number to load."""

log = structlog.get_logger("nemod")


class MidiSurface:
    """Everything that controllers can do."""

    def __init__(
        self,
        controller: Controller,
        timers: Timers,
        store: BindingStore,
        *,
        shut_down: Callable[[], None] | None = None,
    ) -> None:
        """`shut_down` ends the daemon and the machine."""
        self._controller = controller
        self._timers = timers
        self._store = store
        self._disk = DiskJobs()
        self._can_shut_down = shut_down is not None
        self._sources: list[MessageSource] = []
        self._ports: dict[Port, None] = {}
        self._warnings = RareWarnings(log, timers.now_s)
        targets = self._targets = Targets(
            controller, timers, on_error=self._on_error, shut_down=shut_down
        )
        self._mapper = Mapper(targets, timers)
        self._echo = Echo(controller, targets, timers, lambda: self._mapper.controls)
        self._learner = Learner(timers)
        self._job: Job | None = None
        """The one that learning ends."""
        self._is_loading = False
        self._watch: Timer | None = None
        self._second_s, self._messages = 0.0, 0
        """The second that messages are counted in, and how many came in it."""
        kinds = (Changed, ModelChanged, PresetChanged, JobFailed)
        self._has_events = False
        self._events = controller.subscribe(kinds=kinds, wake=self._wake)
        controller.midi.attach(self)

    def start(self, sources: Sequence[MessageSource]) -> None:
        """Use the bindings of the file, with these sources."""
        self._sources = list(sources)
        self._use(self._store.content)
        self._watch = self._timers.later(WATCH_S, self._look)

    def close(self) -> None:
        """Close all devices."""
        if self._watch is not None:
            self._watch.cancel()
        self._controller.midi.attach(None)
        self._learner.stop()
        for source in self._sources:
            source.close()
        self._mapper.close()
        self._echo.close()
        self._events.close()

    # --- what sources deliver --------------------------------------------------------------------

    def connected(self, port: Port, send: Send | None) -> None:
        """Called when a controller can be heard."""
        self._ports[port] = None
        log.info("controller connected", device=port.device, port=port.port or None)
        if send is not None:
            self._echo.connected(port, send)
        self._announce()

    def disconnected(self, port: Port) -> None:
        """Called when a controller can be heard no longer; its bindings stay."""
        self._ports.pop(port, None)
        log.info("controller disconnected", device=port.device, port=port.port or None)
        self._echo.disconnected(port)
        with self._controller.one_commit():
            self._mapper.disconnected(port)
        self._announce()

    def received(self, batch: Batch) -> None:
        """Do what messages that have arrived together say, in one audio block."""
        self._count(len(batch))
        rest = [entry for entry in batch if not self._learner.watch(*entry)]
        if not rest:
            return
        self._drain()
        try:
            with self._controller.one_commit():
                self._mapper.handle(rest)
        except Exception:  # one message must not end all controllers
            log.exception("MIDI message failed")

    def _count(self, messages: int) -> None:
        now = self._timers.now_s()
        if now - self._second_s >= 1.0:
            self._second_s, self._messages = now, 0
        self._messages += messages
        if self._messages > FLOOD:
            text = "a controller sends thousands of messages a second; only the last values count"
            self._warnings.warn("MIDI flood", reason=text)

    # --- what the rig does -----------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._has_events:
            self._has_events = True
            self._timers.later(0.0, self._drain)

    def _drain(self) -> None:
        """Follow what has changed since the last call."""
        if not self._has_events:
            return
        self._has_events = False
        for event in self._events.take():
            if isinstance(event, Changed):
                self._mapper.moved(event.path, event.position, event.source)
                if event.source.surface == SURFACE:
                    self._echo.moved_by(event.source)
            elif isinstance(event, PresetChanged):
                if not event.is_dirty and event.source != SESSION:
                    preset = Source("preset", event.name)
                    self._mapper.preset_loaded(preset, self._controller.positions())
            elif isinstance(event, JobFailed):
                is_own = event.source.surface == SURFACE and event.code != Code.BUSY
                if is_own:
                    self._warnings.warn("MIDI request failed", reason=event.text)
        self._echo.changed()

    def _on_error(self, error: ControlError) -> None:
        self._warnings.warn("MIDI request refused", reason=f"{error}{error.hint()}")

    # --- bindings --------------------------------------------------------------------------------

    def _use(self, file: BindingFile) -> None:
        """Use the bindings of the file from now on."""
        self._mapper.use(file)
        self._echo.use(file.bindings)
        for source in self._sources:
            source.use(file.bindings, file.inputs)
        for binding in file.bindings:
            self._check_known(binding)
        self._announce()

    def _check_known(self, binding: Binding) -> None:
        for target in filter(None, (binding.target, binding.long)):
            is_knob = target.startswith("knob/")  # those of another model may be meant
            if target == SHUTDOWN and not self._can_shut_down:
                text = "midi.shutdown in the configuration is off"
                log.warning("binding without effect", control=binding.control, reason=text)
            if target == SHUTDOWN or is_knob:
                continue
            try:
                self._targets.check(target)
            except ControlError as error:
                log.warning(
                    "binding without effect",
                    control=binding.control,
                    reason=f"{error}{error.hint()}",
                )

    def _announce(self) -> None:
        self._controller.midi.changed(
            MidiListChanged(len(self._store.content.bindings), len(self._ports))
        )

    def _look(self) -> None:
        """Read the file again where somebody has edited it."""
        self._watch = self._timers.later(WATCH_S, self._look)
        if self._is_loading or not self._store.is_changed:
            return
        self._is_loading = True

        def loaded(task: "asyncio.Future[BindingFile]") -> None:
            self._is_loading = False
            if not task.cancelled() and task.exception() is None:
                log.info("bindings read again", bindings=len(task.result().bindings))
                self._use(task.result())

        in_background(self._store.load).add_done_callback(loaded)

    # --- learning --------------------------------------------------------------------------------

    def bindings(self) -> list[MidiBinding]:
        """Return all bindings in the order of the file, then the defaults."""
        file = self._store.content
        own = [_shown(one) for one in file.bindings]
        return own + [_shown(one, is_default=True) for one in DEFAULTS if file.has_defaults]

    def ports(self) -> list[str]:
        """Return the names of what is connected."""
        return [str(port) for port in self._ports]

    def check_target(self, target: str, how: str) -> str:
        """Return a target as it is spelt. Raises: ControlError where it cannot be learned."""
        known = self._targets.check(target)
        _parsed(known, how)
        return known

    def learn(self, target: str, how: str, job: Job) -> None:
        """Bind what is moved next to a target."""
        self._job = job
        kind, value = _parsed(target, how)
        self._learner.start(
            target,
            lambda binding: self._learned(replace(binding, value=value), job),
            self._timed_out,
            is_switch=value is not None or self._targets.is_switch(target),
            how=kind,
        )

    def cancel(self) -> None:
        """End learning; its job fails with the code `busy`."""
        self._end("cancelled")

    def _timed_out(self) -> None:
        self._end("no controller was moved")

    def _end(self, why: str) -> None:
        job, self._job = self._job, None
        if job is not None and self._learner.is_learning:
            self._learner.stop()
        if job is not None:
            job.fail(ControlError(Code.BUSY, job.subject, why))

    def _learned(self, binding: Binding, job: Job) -> None:
        self._job = None
        if binding.kind in (Kind.NOTE, Kind.KEY, Kind.PIN) and binding.value is None:
            binding = replace(binding, value=self._targets.current_number(binding.target))

        def work(file: BindingFile) -> BindingFile:
            return _with(file, binding)

        def done() -> None:
            where = f"{binding.control.partition(' ')[0]} of {binding.device}"
            self._controller.midi.learned(MidiLearned(binding.target, where, binding.number))
            log.info("control learned", target=binding.target, control=binding.control)

        self._change(work, job, f"{binding.control} of {binding.device}", done)

    def unlearn(self, which: Unbound, job: Job) -> None:
        """Remove the bindings that are meant; then the job ends."""

        def work(file: BindingFile) -> BindingFile:
            kept = tuple(one for one in file.bindings if not which.has(_shown(one)))
            return replace(file, bindings=kept)

        self._change(work, job, which.target, lambda: None)

    def _change(
        self,
        work: Callable[[BindingFile], BindingFile],
        job: Job,
        result: str,
        done: Callable[[], None],
    ) -> None:
        """Change the file on a thread, then use what it says, then end the job.

        Changes are made in the order of the requests.
        """

        def changed() -> None:
            self._use(self._store.content)
            done()
            job.subject = result

        try:
            self._disk.start(job, lambda: self._write(work), changed)
        except ControlError as error:  # too many wait
            job.fail(error)

    def _write(self, work: Callable[[BindingFile], BindingFile]) -> None:
        self._store.change(work)


def _with(file: BindingFile, binding: Binding) -> BindingFile:
    """Return the bindings with another one, which replaces that of the same control.

    What was set up for the hardware stays: the ends of a pedal, the wiring of a pin.

    Raises: ControlError `value` for an encoder that no binding says the second pin of.
    """
    others = []
    for one in file.bindings:
        if one.is_same_control(binding):
            binding = replace(
                binding,
                second=one.second,
                pull=one.pull,
                invert=one.invert,
                curve=one.curve,
                hold_s=one.hold_s,
                echo=one.echo,
                low=one.low if one.is_14_bit == binding.is_14_bit else None,
                high=one.high if one.is_14_bit == binding.is_14_bit else None,
            )
        else:
            others.append(one)
    if binding.kind is Kind.ENCODER and binding.second == binding.number:
        text = "the second pin of the encoder is not known; bind it in the file first"
        raise ControlError(Code.VALUE, binding.target[:120], text)
    return replace(file, bindings=(*others, binding))


def _shown(binding: Binding, *, is_default: bool = False) -> MidiBinding:
    return MidiBinding(
        binding.target,
        binding.control,
        str(Port(binding.device, binding.port)) if binding.device else "",
        is_default,
    )


def _parsed(target: str, how: str) -> tuple[Encoding | Mode | None, float | None]:
    """Return the encoding or mode that a word names, or the value that a press is to set.

    Raises: ControlError `value`.
    """
    word = how.strip().lower()
    if not word:
        return None, None
    for words in (Encoding, Mode):
        if word in tuple(words):
            return words(word), None
    if target in ACTIONS and ACTIONS[target].takes_number:
        if word.isdecimal() and len(word) < MAX_DIGITS:
            return None, float(word)
        raise ControlError(Code.VALUE, how[:120], "a number is expected, of what is to be loaded")
    allowed = ", ".join((*Encoding, *Mode))
    raise ControlError(Code.VALUE, how[:120], f"no encoding or mode; there are {allowed}")
