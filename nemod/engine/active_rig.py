"""A rig in the audio process: loaded, so that it can be called, and active, while it sounds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nemod.engine.tails import Destination, Tails

Frames = NDArray[np.float32]
RigWeights = list[Any]
"""Arrays in the order of the program; of a rig of several programs, a list for each. Opaque to the
engine."""
RigState: TypeAlias = Any
"""A `nemod.engine.program.ProgramState`, or of several programs what `nemod.engine.steps` keeps.
Opaque to the engine."""
Call = Callable[[RigWeights, Frames, RigState, Frames], tuple[RigState, Frames]]
"""(weights, controls [n], state, block [frames]) -> (state, sound [frames + 3]).

With two outputs the sound is [2 * frames + 3]; see `nemod.engine.rig`. The state argument is
donated: its buffers are reused, so it must not be passed again.
"""
SETTLE_S = 0.15
"""[s] Silence after which every knob has reached its position: 15 time constants of the mute
switch, so that a muted rig starts with exact silence."""


def settle_blocks(rate_hz: int, block_frames: int) -> int:
    """Return the number of blocks that take `SETTLE_S`."""
    return round(SETTLE_S * rate_hz / block_frames) + 1


def no_tails(_state: RigState) -> Tails:
    """Return that nothing in a state outlives a change of rig."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRig:
    """A rig that can be called: `call(weights, controls, fresh(), block)`."""

    call: Call
    weights: RigWeights
    controls: Frames
    """[n] The controls of its warm-up."""
    fresh: Callable[[], RigState]
    """Returns the warmed-up state in buffers of its own. Thread: any but the audio thread."""
    tails: Callable[[RigState], Tails] = no_tails
    """Returns the arrays of a state that the next rig continues."""


class ActiveRig:
    """A loaded rig with its state. Created by the helper thread, then owned by the engine."""

    __slots__ = (
        "_destination",
        "_tails",
        "call",
        "controls",
        "discarded_state",
        "reserve_state",
        "rig_id",
        "state",
        "weights",
    )

    def __init__(self, rig_id: int, rig: LoadedRig) -> None:
        """Start in the warmed-up state, with a second copy of it in reserve."""
        self.rig_id = rig_id
        self.call = rig.call
        self.weights = rig.weights
        self.controls = rig.controls
        state = rig.fresh()
        self.state: RigState | None = state
        self.reserve_state: RigState | None = rig.fresh()
        """The warmed-up state once more, for a restart without an allocation."""
        self.discarded_state: RigState | None = None
        """A state that was given up, to be freed by the helper thread."""
        self._tails = rig.tails
        self._destination = Destination.of(rig.tails(state))

    def play_silence(self, controls: Frames, block_frames: int, blocks: int) -> None:
        """Play silence with these controls [n] before the rig starts. Thread: helper."""
        self.controls = controls
        # The program may move the state to other buffers.
        state, self.state = self.state, None
        silence = np.zeros(block_frames, np.float32)
        for _ in range(blocks):
            state, _ = self.call(self.weights, controls, state, silence)
        self.state = state
        self._destination = Destination.of(self._tails(state))

    def reset(self) -> None:
        """Restart from the reserve state; silent until the helper thread has provided another."""
        if self.state is not None:
            self.discarded_state = self.state
        self.state, self.reserve_state = self.reserve_state, None

    def continue_tails(self, old: "ActiveRig") -> None:
        """Start with the echoes and the reverberation of the old rig. Thread: audio.

        Only before the first block. A rig that restarts, after a fault, has no tails.
        """
        if old.state is not None:
            self._destination.fill(old._tails(old.state), old._destination.layout)
