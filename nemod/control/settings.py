"""The positions of all parameters: the one place that holds them, in the daemon's process."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nemod.control.events import MODEL, SESSION, Changed, EventStream, Source
from nemod.parameters.notes import note_ms
from nemod.parameters.parameter import Parameter
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from nemod.parameters.table import MODEL_KNOBS, canonical, knob_number, param

TEMPO = "tempo/bpm"
TUNER, TUNER_MUTE, TUNER_REFERENCE = "tuner/enable", "tuner/mute", "tuner/ref"

DEFAULT_KNOB = 0.5
"""Position of a model's knob that neither a client nor the model's file states."""


class Settings:
    """Positions (0..1) by path. Thread: control.

    A parameter that was never set has its default: the table's, or for a model's knob the one of
    the model's file. Once set it keeps its position, also when another model is loaded. Every
    change is published as an event.
    """

    def __init__(
        self, positions: Mapping[str, float] | None = None, events: EventStream | None = None
    ) -> None:
        """Start with `positions` set and all else at its default.

        Raises: KeyError for a path that is not in the table.
        """
        self.parameters = ParameterSet()
        """The parameters that exist with the current model."""
        self._events = events or EventStream()
        self._set: dict[str, float] = {}
        for path, position in (positions or {}).items():
            self.set(path, position, SESSION)

    def get(self, path: str) -> float:
        """Return the position of a parameter. Raises: KeyError for an unknown path."""
        return self._position(canonical(path), self.parameters.knobs)

    def is_set(self, path: str) -> bool:
        """Whether a parameter was ever set. Raises: KeyError for an unknown path."""
        return canonical(path) in self._set

    def set(self, path: str, position: float, source: Source = SESSION) -> float:
        """Set a parameter and return its position: the given one, clipped to 0..1.

        `position` must be finite. Raises: KeyError for an unknown path.
        """
        path = canonical(path)
        clipped = param(path).clipped(position)
        before, was_set = self.get(path), path in self._set
        self._set[path] = clipped
        is_adjusted = clipped != position
        if clipped != before or not was_set or is_adjusted:
            self._events.publish(Changed(path, clipped, source, is_adjusted))
        return clipped

    def use_knobs(self, knobs: Sequence[KnobSpec]) -> None:
        """Take the knobs of the model that is now the current one, and its defaults."""
        before = {path: self.get(path) for path in self.parameters}
        self.parameters = ParameterSet(knobs)
        for path in self.parameters:
            position = self.get(path)
            if before.get(path) != position:
                self._events.publish(Changed(path, position, MODEL))

    def sound(self) -> dict[str, float]:
        """Return the positions of all parameters that belong to the sound."""
        return {path: self.get(path) for path in self.parameters if param(path).is_in_preset}

    def recalled(self, sound: Mapping[str, float] | None) -> dict[str, float]:
        """Return the positions that will be set after `recall(sound)`, by canonical path."""
        if sound is None:
            return self.set_positions()
        kept = {path: at for path, at in self._set.items() if not param(path).is_in_preset}
        return kept | {path: param(path).clipped(at) for path, at in sound.items()}

    def recall(self, sound: Mapping[str, float] | None, source: Source) -> None:
        """Set the whole sound, as a preset holds it; None leaves it as it is.

        What belongs to the sound and is missing in `sound` has its default again. `sound` is by
        canonical path, and only of paths that belong to it.
        """
        before = {path: self.get(path) for path in self.parameters}
        self._set = self.recalled(sound)
        for path in self.parameters:
            position = self.get(path)
            if position != before[path]:
                self._events.publish(Changed(path, position, source))

    def copy_for(self, knobs: Sequence[KnobSpec]) -> "Settings":
        """Return the same settings as they are for a model with these knobs; without events."""
        made = Settings(self._set)
        made.use_knobs(knobs)
        return made

    def positions(self) -> dict[str, float]:
        """Return the positions of all parameters of the current model, and of all that were set."""
        return {path: self.get(path) for path in self.parameters} | self._set

    def set_positions(self) -> dict[str, float]:
        """Return the positions that were set, by canonical path."""
        return dict(self._set)

    def vector(
        self, layout: Iterable[str], knobs: Sequence[KnobSpec] | None = None
    ) -> NDArray[np.float32]:
        """Return the controls [len(layout)] of these paths, as the audio process takes them.

        `knobs`: those of the model that the layout belongs to; None means the current model's.
        """
        specs = self.parameters.knobs if knobs is None else knobs
        controls = []
        for path in layout:
            # In a layout `gain` is the drive: a model's first knob is `knob/1` there.
            is_knob = knob_number(path) is not None
            row = param(path)
            if row.synced_by is not None and self.get(row.synced_by[0]) >= 0.5:
                controls.append(self._synced_ms(row, row.synced_by[1]))
                continue
            if path == "mute" and self._is_tuning_silently():
                controls.append(1.0)
                continue
            position = self._position(canonical(path), specs if is_knob else ())
            controls.append(row.control(position))
        return np.array(controls, np.float32)

    def _is_tuning_silently(self) -> bool:
        """Return whether the tuner mutes the output."""
        return self.get(TUNER) >= 0.5 and self.get(TUNER_MUTE) >= 0.5

    def _synced_ms(self, row: Parameter, note_path: str) -> float:
        """Return the time [ms] of a note at the tempo, as the value of a row."""
        bpm = param(TEMPO).value(self.get(TEMPO))
        return note_ms(param(note_path).text(self.get(note_path)), bpm, row.high)

    def _position(self, path: str, knobs: Sequence[KnobSpec]) -> float:
        """Return the position under a canonical path for a model with these knobs."""
        if path in self._set:
            return self._set[path]
        number = MODEL_KNOBS.index(path) + 1 if path in MODEL_KNOBS else knob_number(path)
        if number is not None and number <= len(knobs):
            return knobs[number - 1].default
        return param(path).default if knob_number(path) is None else DEFAULT_KNOB
