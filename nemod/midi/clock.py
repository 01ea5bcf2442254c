"""MIDI clock to tempo: 24 messages a quarter note, with times that jitter.

The tempo is the median over the quarter notes of the last two beats, each from one message to the
24th after it; so neither single late messages nor a group that arrives at once changes it.
"""

import statistics
from collections import deque

from nemod.parameters.table import param

TEMPO = "tempo/bpm"
PER_BEAT = 24
"""Messages a quarter note, by the MIDI specification."""
_BEATS = 2
_PAUSE_S = 0.5
"""[s] A longer time between two messages begins anew: the slowest tempo has 0.125 s."""
_DEAD_BAND = 0.002
"""A change of the tempo that is smaller is jitter."""


class ClockTempo:
    """Follows one clock."""

    def __init__(self) -> None:
        self._times_s: deque[float] = deque(maxlen=_BEATS * PER_BEAT + 1)
        self._count = 0

    def tick(self, time_s: float, current_bpm: float) -> float | None:
        """Take a clock message; return the tempo [BPM] where it is another than the current one.

        The first comes after a beat, and then at most four a beat.
        """
        times = self._times_s
        if times and not 0.0 <= time_s - times[-1] <= _PAUSE_S:
            times.clear()
        times.append(time_s)
        self._count += 1
        if len(times) <= PER_BEAT or self._count % (PER_BEAT // 4):
            return None
        beats_s = [times[at] - times[at - PER_BEAT] for at in range(PER_BEAT, len(times))]
        beat_s = statistics.median(beats_s)
        if beat_s <= 0.0:
            return None
        bpm = 60.0 / beat_s
        row = param(TEMPO)
        bpm = min(max(bpm, row.low), row.high)
        return bpm if abs(bpm - current_bpm) > _DEAD_BAND * bpm else None
