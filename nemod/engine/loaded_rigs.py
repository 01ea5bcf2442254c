"""The rigs that the audio process has loaded and verified. Thread: helper."""

import hashlib
import pickle
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nemod.engine.active_rig import ActiveRig, LoadedRig, settle_blocks
from nemod.engine.compiled_rig import CompiledRig
from nemod.engine.ipc import PlayRig, PrepareRig
from nemod.engine.loading import load_part, load_rig
from nemod.engine.program import Program

KEPT_PROGRAMS = 32
"""Loaded programs beside those of the loaded rigs; that of a whole rig takes some 14 MB."""


@dataclass(slots=True)
class LoadedRigs:
    """Rigs by number, and programs by the hash of their code."""

    loaded: dict[int, tuple[PlayRig, LoadedRig]] = field(default_factory=dict)
    """The requests are kept without their bytes and controls."""
    programs: OrderedDict[bytes, Program] = field(default_factory=OrderedDict)
    """The last used one is at the end. They stay after the rigs that use them, because unloading
    one holds the interpreter lock for 10 to 30 ms, which is a dropout; but of those that no rig
    uses only `KEPT_PROGRAMS`, because memory that runs out is silence."""
    _used: dict[int, frozenset[bytes]] = field(default_factory=dict)
    """The programs of each loaded rig."""

    def load(self, request: PlayRig) -> None:
        """Load a rig and verify it by one block of silence.

        Raises: any exception, when the rig is damaged or its output is not finite.
        """
        rig, used = self._verified(request)
        self.loaded[request.rig_id] = replace(request, rig=b"", controls=None), rig
        self._used[request.rig_id] = used
        self._unload_unused()

    def prepare(self, request: PrepareRig) -> None:
        """Load the programs of a rig that may be loaded soon. Raises: as `load`."""
        self._verified(request)
        self._unload_unused()

    def _verified(self, request: PlayRig | PrepareRig) -> tuple[LoadedRig, frozenset[bytes]]:
        """Return a rig that gives finite output, and the hashes of its programs."""
        frames = request.block_frames
        used: set[bytes] = set()

        def fetch(rig: CompiledRig, frames: int) -> Program:
            digest = hashlib.sha256(rig.executable).digest()
            used.add(digest)
            if digest not in self.programs:
                self.programs[digest] = load_part(rig, frames)
            self.programs.move_to_end(digest)
            return self.programs[digest]

        rig = load_rig(pickle.loads(request.rig), frames, fetch)
        silence = np.zeros(frames, np.float32)
        _, sound = rig.call(rig.weights, rig.controls, rig.fresh(), silence)
        output = np.asarray(sound)
        if output.shape != (request.outputs * frames + 3,):
            raise ValueError(f"the verification block has shape {output.shape}")
        if not np.isfinite(output).all():
            raise ValueError("the verification block is not finite")
        return rig, frozenset(used)

    def _unload_unused(self) -> None:
        """Unload what no loaded rig uses, the longest unused first, down to `KEPT_PROGRAMS`."""
        if len(self.programs) <= KEPT_PROGRAMS:
            return
        in_use = frozenset[bytes]().union(*self._used.values())
        unused = [digest for digest in self.programs if digest not in in_use]
        for digest in unused[: max(0, len(unused) - KEPT_PROGRAMS)]:
            del self.programs[digest]

    def activate(self, rig_id: int, controls: NDArray[np.float32] | None = None) -> ActiveRig:
        """Return a rig for the engine, in its warmed-up state with `controls` [n] in effect.

        Where a knob was moved since the rig was built, it plays a short silence, so that the knob
        has reached its position: a rig that is muted by now must not be audible for a moment.
        """
        request, rig = self.loaded[rig_id]
        active = ActiveRig(rig_id, rig)
        if controls is None or controls.size != rig.controls.size:
            return active
        if not np.array_equal(controls, rig.controls):
            blocks = settle_blocks(request.rate_hz, request.block_frames)
            active.play_silence(controls, request.block_frames, blocks)
        return active

    def fits(self, rig_id: int, rate_hz: int, block_frames: int, outputs: int = 1) -> bool:
        """Return whether a rig is loaded and was built for this device."""
        if rig_id not in self.loaded:
            return False
        request, _ = self.loaded[rig_id]
        built_for = request.rate_hz, request.block_frames, request.outputs
        return built_for == (rate_hz, block_frames, outputs)

    def refill_reserve(self, rig: ActiveRig) -> None:
        """Give a rig that has used its reserve state a new one, and free what it gave up."""
        rig.discarded_state = None
        if rig.reserve_state is None and rig.rig_id in self.loaded:
            rig.reserve_state = self.loaded[rig.rig_id][1].fresh()

    def keep_only(self, rig_ids: Collection[int]) -> None:
        """Free all other rigs."""
        for other in self.loaded.keys() - set(rig_ids):
            del self.loaded[other]
            self._used.pop(other, None)
