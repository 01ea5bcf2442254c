"""Compiles rigs and their parts, or fetches their programs from the cache on disk."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.builder import program_cache
from nemod.engine.compiled_rig import CompiledRig
from nemod.engine.program import Packings, compile_spec, compiled_rig, tail_places
from nemod.engine.rig import AnyRigSpec

Controls = NDArray[np.float32]
KEPT_PARTS = 16
"""How many parts are kept, warmed up: those of two or three chains; each is up to a megabyte."""


def compiled(spec: AnyRigSpec, block_frames: int, *what: object) -> tuple[bytes, bool]:
    """Return the program of a rig and whether it was cached.

    `what` holds all that the program depends on besides its layout.
    """
    name = program_cache.key(block_frames, spec.layout, *what)
    executable = program_cache.fetch(name)
    if executable is not None:
        return executable, True
    executable = compile_spec(spec, Packings.of(spec, block_frames))
    program_cache.store(name, executable)
    return executable, False


def compile_rig(
    spec: AnyRigSpec, block_frames: int, controls: Controls, *what: object
) -> tuple[CompiledRig, bool]:
    """Return a compiled rig in its first state, and whether its program was cached."""
    executable, cached = compiled(spec, block_frames, *what)
    return compiled_rig(spec, block_frames, controls, executable), cached


class WarmParts:
    """The parts that were built last, warmed up. Thread: one.

    A rig in which one of several models has changed has all other parts from here: they are
    neither compiled nor loaded nor played again.
    """

    def __init__(self) -> None:
        self._parts: OrderedDict[str, tuple[CompiledRig, float]] = OrderedDict()

    def get(
        self,
        spec: AnyRigSpec,
        controls: Controls,
        what: tuple[object, ...],
        make: Callable[[], tuple[CompiledRig, float, bool]],
    ) -> tuple[CompiledRig, float, bool]:
        """Return a part, its output at rest, and whether its program was cached.

        `what` holds all that the part depends on besides its layout, weights and controls. `make`
        builds it.
        """
        digest = hashlib.sha256(repr((spec.layout, what)).encode())
        for leaf in (*jax.tree.leaves(spec.weights), controls):
            digest.update(np.ascontiguousarray(leaf).tobytes())
        name = digest.hexdigest()
        kept = self._parts.get(name)
        if kept is not None:
            self._parts.move_to_end(name)
            part, rest = kept
            # Tails have the names of slots, which the program does not depend on.
            return replace(part, tails=tail_places(spec)), rest, True
        part, rest, cached = make()
        self._parts[name] = part, rest
        while len(self._parts) > KEPT_PARTS:
            self._parts.popitem(last=False)
        return part, rest, cached


WARM_PARTS = WarmParts()
"""Those of this process."""
