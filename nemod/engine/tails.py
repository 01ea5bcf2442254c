"""Echoes and reverberation that ring out after a change of rig.

When a crossfade begins, the next rig gets a copy of what is in the old one's delay lines. Both then
play the same tail during the crossfade, and the next rig alone after it. The state of a rig is
opaque to the engine; a compiled rig lists the arrays that are such tails, by effect.
"""

import ctypes
from dataclasses import dataclass
from typing import TypeAlias

import jax

from nemod.engine.compiled_rig import CompiledRig

Tails: TypeAlias = dict[str, list[jax.Array]]
"""Arrays of a state, by effect."""
Layout: TypeAlias = dict[str, list[tuple[tuple[int, ...], str]]]
"""Shapes and types of these arrays, which stay the same while a rig plays."""


def tails_of(rig: CompiledRig, state: list[jax.Array]) -> Tails:
    """Return the arrays in the state of a rig, or of a part of one, that the next rig continues."""
    return {name: [state[leaf] for leaf in leaves] for name, leaves in rig.tails.items()}


def layout_of(tails: Tails) -> Layout:
    """Return the shapes and types of tails."""
    return {name: [(a.shape, a.dtype.str) for a in arrays] for name, arrays in tails.items()}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the tails of a state that has not been played yet are in memory.

    Everything is looked up in advance, so that the audio thread only copies: half a megabyte at
    48 kHz. An allocation of that size would have page faults. Writing into the buffers is safe as
    long as the state has not been passed to a program: nothing else refers to them, and nothing is
    being written to them (see `nemod.engine.program.on_device`).
    """

    layout: Layout
    buffers: dict[str, list[tuple[int, int]]]
    """Address and number of bytes of each array."""

    @classmethod
    def of(cls, tails: Tails) -> "Destination":
        """Return the place of these arrays. Thread: any but the audio thread."""
        buffers = {
            name: [(array.unsafe_buffer_pointer(), array.nbytes) for array in arrays]
            for name, arrays in tails.items()
        }
        return cls(layout_of(tails), buffers)

    def fill(self, tails: Tails, layout: Layout) -> None:
        """Copy the tails of another rig, of effects that both have in one layout. Thread: audio."""
        for name, buffers in self.buffers.items():
            if layout.get(name) == self.layout[name]:
                for (to, count), array in zip(buffers, tails[name], strict=True):
                    ctypes.memmove(to, array.unsafe_buffer_pointer(), count)
