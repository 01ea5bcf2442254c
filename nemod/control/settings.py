"""The positions of all parameters: the one place that holds them, in the daemon's process."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from nemod.chain import DEFAULT_CHAIN, Chain
from nemod.control.control_vector import control_vector
from nemod.control.events import MODEL, SESSION, Changed, EventStream, Source
from nemod.parameters.parameter_set import Knobs, ParameterSet, is_in_preset, moved_positions
from nemod.parameters.slot_paths import slot_row

TUNER_REFERENCE = "tuner/ref"


class Settings:
    """Positions (0..1) by path. Thread: control.

    A parameter that was never set has its default: the table's, or for a model's knob the one of
    the model's file. Once set it keeps its position, also when another model is loaded, and when
    its slot is moved in the chain. Every change is published as an event.
    """

    def __init__(
        self,
        positions: Mapping[str, float] | None = None,
        events: EventStream | None = None,
        chain: Chain = DEFAULT_CHAIN,
    ) -> None:
        """Start with `positions` set and all else at its default.

        Raises: KeyError for a path that this chain does not have.
        """
        self.parameters = ParameterSet(chain.without_files)
        """The parameters that exist with the current chain and its models."""
        self._events = events or EventStream()
        self._set: dict[str, float] = {}
        for path, position in (positions or {}).items():
            self.set(path, position, SESSION)

    @property
    def chain(self) -> Chain:
        """The slots of the current chain, without files."""
        return self.parameters.chain

    def get(self, path: str) -> float:
        """Return the position of a parameter. Raises: KeyError for an unknown path."""
        key = self.parameters.key(path)
        position = self._set.get(key)
        return self.parameters.kept_row(key).default if position is None else position

    def is_set(self, path: str) -> bool:
        """Whether a parameter was ever set. Raises: KeyError for an unknown path."""
        return self.parameters.key(path) in self._set

    def set(self, path: str, position: float, source: Source = SESSION) -> float:
        """Set a parameter and return its position: the given one, clipped to 0..1.

        `position` must be finite. Raises: KeyError for an unknown path.
        """
        path = self.parameters.key(path)
        clipped = self.parameters.kept_row(path).clipped(position)
        before, was_set = self.get(path), path in self._set
        self._set[path] = clipped
        is_adjusted = clipped != position
        if clipped != before or not was_set or is_adjusted:
            self._events.publish(Changed(path, clipped, source, is_adjusted))
        return clipped

    def use_knobs(self, knobs: Knobs) -> None:
        """Take the knobs of the models that are now the current ones, and their defaults."""
        self.use_chain(self.chain, knobs)

    def use_chain(
        self, chain: Chain, knobs: Knobs, renamed: Mapping[str, str] | None = None
    ) -> None:
        """Take a chain and the knobs of its models: positions stay with the slots.

        `renamed`: new names of slots by their names before.
        """
        before = {path: self.get(path) for path in self.parameters}
        self._set = self.positions_in(chain, renamed)
        parameters = ParameterSet(chain.without_files, knobs)
        if parameters != self.parameters:
            self.parameters = parameters
        for path in self.parameters:
            position = self.get(path)
            if before.get(path) != position:
                self._events.publish(Changed(path, position, MODEL))

    def positions_in(
        self, chain: Chain, renamed: Mapping[str, str] | None = None
    ) -> dict[str, float]:
        """Return the positions that were set, as they will be in another chain."""
        return moved_positions(self._set, self.parameters, chain, renamed)

    def sound(self) -> dict[str, float]:
        """Return the positions of all parameters that belong to the sound."""
        return {path: self.get(path) for path in self.parameters if is_in_preset(path)}

    def recalled(
        self,
        sound: Mapping[str, float] | None,
        chain: Chain | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> dict[str, float]:
        """Return the positions that will be set after `recall(sound)`, by canonical path.

        `chain`: the one that will be current then, whose paths `sound` has; None: this one.
        """
        after = self.chain if chain is None else chain
        if sound is None:
            return self.positions_in(after, renamed)
        kept = {path: at for path, at in self._set.items() if not is_in_preset(path)}
        return kept | {path: slot_row(after, path).clipped(at) for path, at in sound.items()}

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

    def copy_for(self, chain: Chain, knobs: Knobs) -> "Settings":
        """Return the same settings as they are in a chain with these knobs; without events."""
        made = Settings(chain=self.chain)
        made._set = dict(self._set)
        made.parameters = self.parameters
        made.use_chain(chain, knobs)
        return made

    def positions(self) -> dict[str, float]:
        """Return the positions of all parameters of the current rig, and of all that were set."""
        return {path: self.get(path) for path in self.parameters} | self._set

    def set_positions(self) -> dict[str, float]:
        """Return the positions that were set, by canonical path."""
        return dict(self._set)

    def vector(self, layout: Iterable[str]) -> NDArray[np.float32]:
        """Return the controls [len(layout)] of these paths, as the audio process takes them.

        See `control_vector`. Raises: KeyError for a path that the chain does not have.
        """
        return control_vector(self.parameters, self._set, tuple(layout))
