"""From messages to the controls that they belong to. Thread: control."""

from collections.abc import Iterable, Mapping, Sequence

from nemod.common.timers import Timers
from nemod.control.events import MODEL, Source
from nemod.midi.binding import ANY_PROGRAM, Binding
from nemod.midi.clock import TEMPO, ClockTempo
from nemod.midi.controls import Control, make_control
from nemod.midi.defaults import DEFAULTS
from nemod.midi.messages import Kind, Message, Port
from nemod.midi.reader import ANY, OFF, BindingFile
from nemod.midi.targets import Targets

BANK_UPPER, BANK_LOWER = 0, 32
"""Controllers that select the bank of the next program."""
CLOCK_SILENT_S = 2.0
"""[s] After which the clock of another device is followed."""

Batch = Sequence[tuple[Port, Message]]
"""Messages that have arrived together, in order."""
_Key = tuple[Port, Kind, int, int, int | None]


class Mapper:
    """All bindings at work."""

    def __init__(self, targets: Targets, timers: Timers) -> None:
        self._targets = targets
        self._timers = timers
        self._file = BindingFile()
        self._controls: dict[tuple[Port, Binding], Control] = {}
        self._found: dict[_Key, tuple[Control, ...]] = {}
        """What a message is for; made when the first of its kind arrives."""
        self._setters: dict[str, Source] = {}
        """Who has set a parameter last, since the start."""
        self._banks: dict[tuple[Port, int], tuple[int, int]] = {}
        """Upper and lower half of the bank that is selected, by port and channel."""
        self._named_banks: frozenset[int] = frozenset()
        """The banks that bindings name."""
        self._clocks: dict[Port, ClockTempo] = {}
        self._followed: tuple[Port, float] | None = None
        """Whose clock is followed, and when it came last."""

    def use(self, file: BindingFile) -> None:
        """Use these bindings; controls whose binding is the same keep their state."""
        self._file = file
        self._named_banks = frozenset(one.bank for one in file.bindings if one.bank is not None)
        known = {*file.bindings, *DEFAULTS}
        for key in [key for key in self._controls if key[1] not in known]:
            self._controls.pop(key).close()
        self._found.clear()

    @property
    def controls(self) -> Iterable[Control]:
        """The controls that have been moved."""
        return self._controls.values()

    def disconnected(self, port: Port) -> None:
        """Release the switches of a controller; what is known of its knobs stays."""
        for key, control in self._controls.items():
            if key[0] == port:
                control.release()
        self._clocks.pop(port, None)
        if self._followed is not None and self._followed[0] == port:
            self._followed = None

    def close(self) -> None:
        """Forget presses that wait."""
        for control in self._controls.values():
            control.close()

    def moved(self, path: str, position: float, source: Source) -> None:
        """Called when a parameter was set: knobs of others have to catch it."""
        self._setters[path] = source
        for control in self._controls.values():
            if control.source != source and self._targets.canonical(control.binding.target) == path:
                control.moved(position)

    def preset_loaded(self, source: Source, positions: Mapping[str, float]) -> None:
        """Called when a preset has set all parameters, also those that it has not changed."""
        for path, position in positions.items():
            self.moved(path, position, source)

    def handle(self, batch: Batch) -> None:
        """Do what messages that have arrived together say."""
        noted: dict[Control, None] = {}
        for port, message in batch:
            if message.kind is Kind.CLOCK:
                self._tick(port)
                continue
            number = message.number
            if message.kind is Kind.PROGRAM:
                number += self._bank(port, message.channel) << 7
            for control in self._of(port, message):
                control.channel = message.channel
                # In the bank that a binding names, programs count from 0.
                is_in_bank = control.binding.bank is not None
                control.take(message, message.number if is_in_bank else number)
                noted[control] = None
            if message.kind is Kind.CC and number in (BANK_UPPER, BANK_LOWER):
                self._select_bank(port, message)
        for control in noted:
            control.apply()

    def _of(self, port: Port, message: Message) -> Iterable[Control]:
        bank = None
        if message.kind is Kind.PROGRAM:
            selected = self._bank(port, message.channel)
            bank = selected if selected in self._named_banks else None
        key = port, message.kind, message.channel, message.number, bank
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = tuple(
                self._control(binding, port) for binding in self._bindings(port, message, bank)
            )
        return found

    def _bindings(self, port: Port, message: Message, bank: int | None) -> list[Binding]:
        """Return the bindings for a message: those of the file, else the defaults.

        `bank`: the one that is selected, where a binding names it.
        """
        found = [
            one
            for one in self._file.bindings
            if one.bank in (None, bank) and one.matches(port, message)
        ]
        if not found and self._file.has_defaults:
            found = [one for one in DEFAULTS if one.matches(port, message)]
        # What names a device goes before what is for any; a program that was bound is no preset's
        # number; what is for a bank goes before what is for all.
        found = [one for one in found if one.device] or found
        found = [one for one in found if one.number != ANY_PROGRAM] or found
        if message.kind is not Kind.PROGRAM:
            return found
        return [one for one in found if one.bank is not None] or found

    def _control(self, binding: Binding, port: Port) -> Control:
        key = port, binding
        control = self._controls.get(key)
        if control is None:
            control = make_control(binding, port, self._targets, self._timers)
            self._controls[key] = control
            # The default of a model is nobody's setting, and need not be caught.
            setter = self._setters.get(self._targets.canonical(binding.target), MODEL)
            position = self._targets.position(binding.target)
            if setter not in (MODEL, control.source) and position is not None:
                control.moved(position)
        return control

    def _bank(self, port: Port, channel: int) -> int:
        upper, lower = self._banks.get((port, channel), (0, 0))
        return upper << 7 | lower

    def _select_bank(self, port: Port, message: Message) -> None:
        key = port, message.channel
        upper, lower = self._banks.get(key, (0, 0))
        is_upper = message.number == BANK_UPPER
        self._banks[key] = (message.value, lower) if is_upper else (upper, message.value)

    def _tick(self, port: Port) -> None:
        wanted = self._file.clock
        if wanted == OFF or (wanted != ANY and wanted.casefold() not in str(port).casefold()):
            return
        now = self._timers.now_s()
        followed, last_s = self._followed or (port, now)
        if followed != port and now - last_s < CLOCK_SILENT_S:
            return  # two clocks would set the tempo in turn
        self._followed = port, now
        clock = self._clocks.setdefault(port, ClockTempo())
        # Another tempo may be in force since the last message: that of a preset.
        bpm = clock.tick(now, self._targets.value(TEMPO))
        if bpm is not None:
            self._targets.set_value(TEMPO, bpm, Source("midi", f"{port} clock"))
