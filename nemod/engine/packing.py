"""How the arrays of a tree lie in as few arrays as possible.

Every array that a program takes or returns costs as much as copying thousands of numbers. So small
arrays are packed into one array of float32; integers keep their bits. A large array stays on its
own: XLA updates it in place, and packed with others it would be copied with every block.

No jax array leaves or enters here except inside a traced function (`Packing`); the places of the
arrays are shipped with a rig.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from nemod.engine.compiled_rig import HostArray, Place

STATE_LIMIT = 2048
"""[numbers] From this size on, an array of a state is passed on its own."""
WEIGHTS_LIMIT = 8192
"""The same for weights, which cost less each and are only read."""


@dataclass(frozen=True, slots=True)
class Packing:
    """The places of all arrays of one tree."""

    tree: Any
    """Its structure."""
    places: tuple[Place, ...]
    first: int
    """Numbers at the start of the first array that are not part of the tree."""
    packed: int | None
    """Numbers in the first array, those included; None where no array is packed."""
    limit: int

    @classmethod
    def of(cls, shapes: Any, limit: int, first: int = 0) -> "Packing":
        """Return how a tree of arrays, or of their shapes, is packed.

        Arrays of at least `limit` numbers are passed on their own, behind the packed one.
        """
        leaves, tree = jax.tree.flatten(shapes)
        at = first
        small = [math.prod(leaf.shape) < limit for leaf in leaves]
        has_packed = first > 0 or any(small)
        own = int(has_packed)
        places = []
        for leaf, is_small in zip(leaves, small, strict=True):
            dtype = np.dtype(leaf.dtype).str
            if is_small:
                places.append(Place(0, at, tuple(leaf.shape), dtype))
                at += math.prod(leaf.shape)
            else:
                places.append(Place(own, 0, tuple(leaf.shape), dtype))
                own += 1
        return cls(tree, tuple(places), first, at if has_packed else None, limit)

    def pack(self, tree: Any, start: jax.Array | None = None) -> list[jax.Array]:
        """Return the arrays of a tree, packed; `start` [first] is what they begin with. Traced."""
        leaves = jax.tree.leaves(tree)
        flat = [] if start is None else [start]
        alone = []
        for leaf, place in zip(leaves, self.places, strict=True):
            if self._is_packed(place):
                flat.append(_as_float(jnp.asarray(leaf)).reshape(-1))
            else:
                alone.append(leaf)
        return alone if self.packed is None else [jnp.concatenate(flat), *alone]

    def unpack(self, arrays: Sequence[jax.Array]) -> Any:
        """Return the tree of packed arrays. Traced."""
        leaves = []
        for place in self.places:
            if self._is_packed(place):
                flat = jax.lax.slice(arrays[0], (place.start,), (place.stop,))
                leaves.append(_as_type(flat.reshape(place.shape), place.dtype))
            else:
                leaves.append(arrays[place.array])
        return jax.tree.unflatten(self.tree, leaves)

    def pack_host(self, tree: Any) -> list[HostArray]:
        """Return copies of the arrays of a tree, packed, with zeros at the start."""
        leaves = jax.tree.leaves(tree)
        packed = np.zeros(self.packed or 0, np.float32)
        alone = []
        for leaf, place in zip(leaves, self.places, strict=True):
            if self._is_packed(place):
                bits = np.ascontiguousarray(leaf, place.dtype).view(np.float32)
                packed[place.start : place.stop] = bits.reshape(-1)
            else:
                alone.append(np.array(leaf))
        return alone if self.packed is None else [packed, *alone]

    def unpack_host(self, arrays: Sequence[HostArray]) -> Any:
        """Return the tree of packed arrays."""
        return jax.tree.unflatten(self.tree, list(leaves_of(arrays, self.places)))

    def _is_packed(self, place: Place) -> bool:
        return place.size < self.limit


def leaves_of(arrays: Sequence[HostArray], places: Iterable[Place]) -> list[NDArray[Any]]:
    """Return the arrays at these places of packed arrays, without copying."""
    leaves = []
    for place in places:
        flat = arrays[place.array].reshape(-1)[place.start : place.stop]
        leaves.append(flat.view(place.dtype).reshape(place.shape))
    return leaves


def _as_float(leaf: jax.Array) -> jax.Array:
    return leaf if leaf.dtype == jnp.float32 else jax.lax.bitcast_convert_type(leaf, jnp.float32)


def _as_type(leaf: jax.Array, dtype: str) -> jax.Array:
    wanted = np.dtype(dtype)
    return leaf if leaf.dtype == wanted else jax.lax.bitcast_convert_type(leaf, wanted)
