"""Echoes and reverberation that ring out after a change of rig.

When a crossfade begins, the next rig gets a copy of what is in the old one's delay lines. Both then
play the same tail during the crossfade, and the next rig alone after it. The state of a rig is
opaque to the engine; a compiled rig lists the arrays that are such tails, by effect.

An array may be a part of a larger one (`nemod.engine.packing`), so it is known by its place there.
"""

import ctypes
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.engine.compiled_rig import CompiledRig, Place


class Tail(NamedTuple):
    """An array of an effect, in the state of a rig."""

    whole: jax.Array
    """The array that holds it."""
    place: Place

    def read(self) -> NDArray[Any]:
        """Return a copy."""
        flat = np.asarray(self.whole).reshape(-1)[self.place.start : self.place.stop]
        return flat.view(self.place.dtype).reshape(self.place.shape).copy()

    def address(self) -> int:
        """Return where it is in memory."""
        return self.whole.unsafe_buffer_pointer() + _NUMBER_BYTES * self.place.start


_NUMBER_BYTES = 4
Tails: TypeAlias = dict[str, list[Tail]]
"""Arrays of a state, by effect."""
Layout: TypeAlias = dict[str, list[tuple[tuple[int, ...], str]]]
"""Shapes and types of these arrays, which stay the same while a rig plays."""


def tails_of(rig: CompiledRig, arrays: list[jax.Array]) -> Tails:
    """Return the arrays in the state of a rig, or of a part of one, that the next rig continues."""
    found: Tails = {}
    for name, numbers in rig.tails.items():
        places = [rig.places[number] for number in numbers]
        found[name] = [Tail(arrays[place.array], place) for place in places]
    return found


def layout_of(tails: Tails) -> Layout:
    """Return the shapes and types of tails."""
    return {name: [(t.place.shape, t.place.dtype) for t in own] for name, own in tails.items()}


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
            name: [(tail.address(), _NUMBER_BYTES * tail.place.size) for tail in own]
            for name, own in tails.items()
        }
        return cls(layout_of(tails), buffers)

    def fill(self, tails: Tails, layout: Layout) -> None:
        """Copy the tails of another rig, of effects that both have in one layout. Thread: audio."""
        for name, buffers in self.buffers.items():
            if layout.get(name) == self.layout[name]:
                for (to, count), tail in zip(buffers, tails[name], strict=True):
                    ctypes.memmove(to, tail.address(), count)
