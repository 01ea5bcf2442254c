"""The rigs that an audio plane has loaded, proved and ready. Thread: helper."""

import hashlib
import pickle
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nemod.engine.engine import ActiveRig
from nemod.engine.ipc import CompiledRig, PlayRig
from nemod.engine.loading import load_part, load_rig
from nemod.engine.rig import LoadedRig, Program

SETTLE_S = 0.1
"""[s] Silence that a rig hears before it takes up, so that its knobs have arrived where they are:
a muted rig must not be heard for the time that its switch takes."""


@dataclass(slots=True)
class LoadedRigs:
    """Rigs by number, and programs by the hash of their code."""

    loaded: dict[int, tuple[PlayRig, LoadedRig]] = field(default_factory=dict)
    """The orders are kept without their bytes."""
    programs: dict[bytes, Program] = field(default_factory=dict)
    """They are kept as long as the process lives: to unload one holds the interpreter for some
    10 ms, which is a dropout; one takes under 1 MB."""

    def load(self, order: PlayRig) -> None:
        """Load a rig and play one block of proof.

        Raises: any exception, when the rig is not what it should be.
        """
        frames = order.block_frames
        rig = load_rig(pickle.loads(order.rig), frames, self._program)
        silence = np.zeros(frames, np.float32)
        _, sound = rig.call(rig.weights, rig.controls, rig.fresh(), silence)
        proof = np.asarray(sound)
        if proof.shape != (frames + 3,) or not np.isfinite(proof).all():
            raise ValueError(f"the proof block came out as {proof.shape}, or not finite")
        bare = replace(order, rig=b"")
        self.loaded[order.rig_id] = bare, rig

    def _program(self, rig: CompiledRig, frames: int) -> Program:
        digest = hashlib.sha256(rig.executable).digest()
        if digest not in self.programs:
            self.programs[digest] = load_part(rig, frames)
        return self.programs[digest]

    def playing(self, rig_id: int) -> ActiveRig:
        """Return a rig as the engine takes it."""
        _, rig = self.loaded[rig_id]
        states = rig.fresh(), rig.fresh()
        return ActiveRig(rig_id, rig.call, rig.weights, states, rig.controls)

    def settled(self, rig_id: int, controls: NDArray[np.float32] | None) -> ActiveRig:
        """Return a rig whose knobs have come to rest at `controls` [n] while it heard silence."""
        order, rig = self.loaded[rig_id]
        made = self.playing(rig_id)
        if controls is not None and controls.size == rig.controls.size:
            made.controls = controls
        silence = np.zeros(order.block_frames, np.float32)
        for _ in range(round(SETTLE_S * order.rate_hz / order.block_frames) + 1):
            state, _ = made.call(made.weights, made.controls, made.state or [], silence)
            made.state = state
        return made

    def fits(self, rig_id: int, rate_hz: int, block_frames: int) -> bool:
        """Return whether a rig is there and was made for this device."""
        if rig_id not in self.loaded:
            return False
        order, _ = self.loaded[rig_id]
        return (order.rate_hz, order.block_frames) == (rate_hz, block_frames)

    def spare_state(self, rig: ActiveRig) -> None:
        """Lay out a state to start afresh from, where that one was used."""
        if rig.spare is None and rig.rig_id in self.loaded:
            rig.spare = self.loaded[rig.rig_id][1].fresh()

    def forget(self, rig_id: int) -> None:
        """Free a rig."""
        self.loaded.pop(rig_id, None)

    def keep_only(self, rig_id: int) -> None:
        """Free every other rig: only for a plane that is not heard."""
        for other in set(self.loaded) - {rig_id}:
            del self.loaded[other]
