"""Which sizes a NAM file holds: a container of models, or layers of which a part can be played."""

import math

from nemod.formats.readers.document import Node


def size_starts(root: Node) -> tuple[float, ...]:
    """Return from which requested size (0..1) on each size is played, rising; empty for one size.

    `root` is a file that was read without an error.
    """
    word = root.child("architecture").text()
    config = root.child("config")
    if word == "SlimmableContainer":
        members = config.child("submodels").sequence(1)
        limits = [member.child("max_value").number(0.0) for member in members]
        # A size is played below its limit, the last one from the last but one limit on.
        found = {0.0, *limits[:-1]}
    elif word in ("WaveNet", "SlimmableWavenet"):
        if word == "SlimmableWavenet":
            config = config.optional("model") or config
        found = set()
        for layers in config.child("layers").sequence(1):
            found.update(_steps(_allowed(layers)))
    else:
        return ()
    reachable = sorted(size for size in found if 0.0 <= size < 1.0)
    return tuple(reachable) if len(reachable) > 1 else ()


def _allowed(layers: Node) -> int:
    """Return how many numbers of channels a layer array can be played with."""
    slim = layers.optional("slimmable")
    if not slim or slim.value is False:
        return 1
    details = slim.optional("kwargs") or slim
    return len(details.child("allowed_channels").sequence(1))


def _steps(count: int) -> list[float]:
    """Return where each of `count` equal parts of 0..1 begins, where `int(size * count)` rises."""
    begins = [at / count for at in range(count)]
    return [
        begin if int(begin * count) == at else math.nextafter(begin, 1.0)
        for at, begin in enumerate(begins)
    ]
