"""Compiles rigs and their parts, or fetches their programs from the cache on disk."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.builder import program_cache
from nemod.common.remembered import Remembered
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
        self._parts: Remembered[tuple[CompiledRig, float]] = Remembered(KEPT_PARTS)

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
        is_kept = was_cached = True

        def build() -> tuple[CompiledRig, float]:
            nonlocal is_kept, was_cached
            is_kept = False
            part, rest, was_cached = make()
            return part, rest

        part, rest = self._parts.get(digest.hexdigest(), build)
        if is_kept:
            # Tails have the names of slots, which the program does not depend on.
            part = replace(part, tails=tail_places(spec))
        return part, rest, was_cached


WARM_PARTS = WarmParts()
"""Those of this process."""
