"""Reads a flat list of weights in the order and shapes that a NAM file's config gives."""

import numpy as np

from nemod.formats.readers.document import Array, Node

MAX_WEIGHTS = 4_000_000


class WeightReader:
    """The numbers of a `weights` list. Never reads past the end, and none may be left over."""

    def __init__(self, node: Node) -> None:
        """Read and check the whole list."""
        self.node = node
        self._numbers = node.vector(MAX_WEIGHTS)
        self._at = 0

    def take(self, *shape: int) -> Array:
        """Return the next numbers in this shape, the last axis varying fastest."""
        count = 1
        for size in shape:
            count *= size
        end = self._at + count
        if end > self._numbers.size:
            self.node.fail(
                f"a list of {self._numbers.size}, but the config asks for {end} numbers or more"
            )
        taken = self._numbers[self._at : end].reshape(shape)
        self._at = end
        return taken

    def conv(self, outputs: int, inputs: int, kernel: int = 1, groups: int = 1) -> Array:
        """Return a convolution stored [out, in / groups, tap] as [out, tap, in], without groups."""
        width = inputs // groups
        rows = outputs // groups
        stored = self.take(outputs, width, kernel)
        dense = np.zeros((outputs, kernel, inputs), np.float32)
        for group in range(groups):
            own = slice(group * rows, (group + 1) * rows)
            dense[own, :, group * width : (group + 1) * width] = stored[own].transpose(0, 2, 1)
        return dense

    def finish(self) -> None:
        """Raise ModelError if any number is left."""
        if self._at != self._numbers.size:
            self.node.fail(
                f"a list of {self._numbers.size}, but the config asks for {self._at} numbers"
            )
