"""Learning: which control is moved, and of what kind it is. Thread: control.

A control shows what it is within a moment: a controller of 14 bits sends two numbers, a switch
its release. Until then it is not decided.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from nemod.common.timers import Timer, Timers
from nemod.midi.binding import Binding, Encoding, Mode
from nemod.midi.messages import Kind, Message, Port

PAIR_S = 0.1
"""[s] How soon the other half of a value of 14 bits follows."""
RELEASE_S = 0.8
"""[s] How soon a switch that is pressed shortly is released."""
WAIT_S = 60.0
"""[s] Learning ends by itself when nothing was moved for so long."""
_BANK_SELECT = (0, 32)
_FIRST_MODE_MESSAGE = 120
_FIRST_LOWER, _LAST_LOWER = 33, 63
_ON = 127
_JITTER = 2
"""Largest change of a pedal that nobody moves."""

Decide = Callable[[Binding], None]


@dataclass
class _Candidate:
    """The control that may be the one."""

    port: Port
    message: Message
    numbers: set[int] = field(default_factory=set)
    """All controllers that it has sent."""
    was_released: bool = False
    has_values_between: bool = False
    """Values other than on and off: it is no switch."""

    def is_same(self, port: Port, message: Message) -> bool:
        """Return whether a message is of the same control, or of the other half of its value."""
        mine = self.message
        if (port, message.kind, message.channel) != (self.port, mine.kind, mine.channel):
            return False
        if message.number == mine.number or message.kind is not Kind.CC:
            return message.number == mine.number
        return message.number % 32 == mine.number % 32 and max(message.number, mine.number) < 64


class Learner:
    """Finds the control that is moved."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._target = ""
        self._is_switch = False
        self._how: Encoding | Mode | None = None
        self._decide: Decide | None = None
        self._on_timeout: Callable[[], None] = lambda: None
        self._candidate: _Candidate | None = None
        self._timer: Timer | None = None
        self._values: dict[tuple[Port, int, int], int] = {}
        """The last value of each controller, by port, channel and number."""
        self._references: dict[tuple[Port, int, int], int] = {}
        """Their values when learning began, or the first ones after that."""

    @property
    def is_learning(self) -> bool:
        """Whether a control is to be found."""
        return self._decide is not None

    def start(
        self,
        target: str,
        decide: Decide,
        on_timeout: Callable[[], None],
        *,
        is_switch: bool,
        how: Encoding | Mode | None = None,
    ) -> None:
        """Call `decide` with a binding for the control that is moved next.

        `is_switch`: the target is on or off, or an action. `how`: what the user knows of it.
        """
        self.stop()
        self._target, self._is_switch, self._how = target, is_switch, how
        self._decide, self._on_timeout = decide, on_timeout
        self._references = dict(self._values)
        self._timer = self._timers.later(WAIT_S, self._timeout)

    def stop(self) -> None:
        """Find no control any more."""
        self._decide = self._candidate = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def watch(self, port: Port, message: Message) -> bool:
        """Look at a message; return whether it is used for learning and does nothing else.

        Only messages of the control that may be the one are; all others do what they always do.
        """
        reference = previous = None
        if message.kind is Kind.CC:
            key = port, message.channel, message.number
            reference, previous = self._references.get(key), self._values.get(key)
            self._values[key] = message.value
            if self._decide is not None:
                self._references.setdefault(key, message.value)
        if self._decide is None or message.kind is Kind.CLOCK:
            return False
        candidate = self._candidate
        if candidate is not None and candidate.is_same(port, message):
            self._observe(candidate, message)
            return True
        if candidate is None and self._begins(message, reference, previous):
            self._candidate = _Candidate(port, message)
            self._observe(self._candidate, message)
            self._settle()
            return True
        return False

    def _begins(self, message: Message, reference: int | None, previous: int | None) -> bool:
        """Return whether a message is of a control that somebody moves.

        A knob that is turned slowly leaves its reference behind, a pedal that jitters does not.
        """
        if message.kind is not Kind.CC:
            return message.value != 0
        number, value = message.number, message.value
        if number in _BANK_SELECT or number >= _FIRST_MODE_MESSAGE:
            return False
        if isinstance(self._how, Encoding) and self._how.is_relative:
            return True
        if reference is None or previous is None:
            return value != 0
        way = value - reference or value - previous
        if 1 <= abs(way) <= _JITTER:
            return False
        # From on to off at once is the release of a switch that was held.
        return value != 0 or (previous not in (0, _ON) and not self._is_switch)

    def _observe(self, candidate: _Candidate, message: Message) -> None:
        candidate.numbers.add(message.number)
        if message.value == 0:
            candidate.was_released = True
        elif message.kind is Kind.CC and message.value != 127:
            candidate.has_values_between = True
        if self._is_switch and candidate.was_released:
            self._settle()

    def _settle(self) -> None:
        """Decide as soon as it is clear what the candidate is."""
        candidate = self._candidate
        assert candidate is not None
        is_waiting = self._is_switch and not candidate.was_released
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timers.later(RELEASE_S if is_waiting else PAIR_S, self._decided)

    def _decided(self) -> None:
        candidate, decide = self._candidate, self._decide
        assert candidate is not None
        assert decide is not None
        binding = self._binding(candidate)
        self.stop()
        decide(binding)

    def _binding(self, candidate: _Candidate) -> Binding:
        message, port = candidate.message, candidate.port
        number, encoding, mode = message.number, Encoding.ABSOLUTE, None
        if message.kind is Kind.CC and len(candidate.numbers) > 1:
            number, encoding = min(candidate.numbers), Encoding.FOURTEEN_BIT
        if isinstance(self._how, Encoding):
            encoding = self._how if message.kind is Kind.CC else encoding
        elif isinstance(self._how, Mode):
            mode = self._how
        if mode is None and self._is_switch and not encoding.is_relative:
            mode = self._mode(candidate)
        return Binding(
            kind=message.kind,
            number=number,
            # The message does not say where the other pin of an encoder is.
            second=number if message.kind is Kind.ENCODER else 0,
            target=self._target,
            device=port.device,
            port=port.port,
            channel=message.channel,
            encoding=encoding,
            mode=mode,
        )

    def _mode(self, candidate: _Candidate) -> Mode | None:
        if candidate.message.kind in (Kind.PROGRAM, Kind.ENCODER):
            return None
        if candidate.message.kind is not Kind.CC or candidate.was_released:
            return Mode.TOGGLE
        return Mode.MOMENTARY if candidate.has_values_between else Mode.LATCH

    def _timeout(self) -> None:
        on_timeout = self._on_timeout
        self.stop()
        on_timeout()
