"""Echoes and reverberation that ring out after a change of rig. Thread: audio, unless stated.

When a crossfade begins, the next rig gets a copy of what is in the old one's delay lines. Both then
play the same tail during the crossfade, and the next rig alone after it. The state of a rig is
opaque to the engine; a compiled rig lists the arrays that are such tails, by effect.
"""

import ctypes
from typing import TypeAlias

import jax

from nemod.engine.compiled_rig import CompiledRig

Tails: TypeAlias = dict[str, list[jax.Array]]
"""Arrays of a state, by effect."""


def tails_of(rig: CompiledRig, state: list[jax.Array]) -> Tails:
    """Return the arrays in the state of a rig, or of a part of one, that the next rig continues."""
    return {name: [state[leaf] for leaf in leaves] for name, leaves in rig.tails.items()}


def continue_tails(new: Tails, old: Tails) -> None:
    """Copy the old rig's tails into those of the next, where both have an effect of that name.

    Effects whose arrays have other shapes keep their own. Half a megabyte at 48 kHz, which is
    copied in place: an allocation of that size has page faults, and a compiled program would have
    to be shipped for it. Writing into the buffers of `new` is safe as long as its state has not
    been passed to a program: nothing else refers to them (see `nemod.engine.program.on_device`).
    """
    for name, mine in new.items():
        theirs = old.get(name, [])
        if [_shape(array) for array in mine] != [_shape(array) for array in theirs]:
            continue
        for to, source in zip(mine, theirs, strict=True):
            ctypes.memmove(to.unsafe_buffer_pointer(), source.unsafe_buffer_pointer(), to.nbytes)


def _shape(array: jax.Array) -> tuple[tuple[int, ...], str]:
    return array.shape, array.dtype.str
