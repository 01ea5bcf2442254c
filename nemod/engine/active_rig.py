"""A rig in the audio process: loaded, so that it can be called, and active, while it sounds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Frames = NDArray[np.float32]
RigWeights = list[Any]
"""Arrays in the order of the program. Opaque to the engine: a resampled rig has a list per part."""
RigState = list[Any]
"""Arrays in the order of the program; a resampled rig adds its resamplers. Opaque to the engine."""
Call = Callable[[RigWeights, Frames, RigState, Frames], tuple[RigState, ArrayLike]]
"""(weights, controls [n], state, block [frames]) -> (state, sound [frames + 3]).

The state argument is donated: its buffers are reused, so it must not be passed again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRig:
    """A rig that can be called: `call(weights, controls, fresh(), block)`."""

    call: Call
    weights: RigWeights
    controls: Frames
    """[n] The controls of its warm-up."""
    fresh: Callable[[], RigState]
    """Returns the warmed-up state in buffers of its own. Thread: any but the audio thread."""


class ActiveRig:
    """A loaded rig with its state. Created by the helper thread, then owned by the engine."""

    __slots__ = ("call", "controls", "reserve_state", "rig_id", "state", "weights")

    def __init__(self, rig_id: int, rig: LoadedRig) -> None:
        """Start in the warmed-up state, with a second copy of it in reserve."""
        self.rig_id = rig_id
        self.call = rig.call
        self.weights = rig.weights
        self.state: RigState | None = rig.fresh()
        self.reserve_state: RigState | None = rig.fresh()
        """The warmed-up state once more, for a restart without an allocation."""
        self.controls = rig.controls

    def reset(self) -> None:
        """Restart from the reserve state; silent until the helper thread has provided another."""
        self.state, self.reserve_state = self.reserve_state, None
