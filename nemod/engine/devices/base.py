"""The interface of an audio device, which calls the engine once a block."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""[frames] mono, or [2, frames] left and right; +-1.0 full scale."""
Source = Callable[[Block], None]
"""Fills a block [frames]. Thread: audio."""

DEMO = "demo"
NULL = "null"
CLOCK_RATE_HZ = 48_000
"""[Hz] Sample rate of a clock device, unless another is requested."""


class Process(Protocol):
    """What a device calls for each block; see `nemod.engine.engine.Engine.process`."""

    def __call__(self, block: Block, out: Block, *, xrun: bool) -> None:
        """Fill `out` from `block` [frames]; `xrun`: samples were lost before this block.

        `out` is [frames], or [2, frames] where the device was requested with two outputs. Thread:
        audio.
        """
        ...


class Device(Protocol):
    """A device that is ready to run. Thread: control, but for the calls that it makes."""

    name: str
    rate_hz: int
    block_frames: int
    may_vanish: bool
    """Whether it can be unplugged or switched off."""
    is_card: bool
    """Whether ALSA's tables in /proc show it: after it was unplugged they alone tell when it is
    back."""
    counts_xruns: bool
    """Whether it reports lost samples. A clock loses none: what the engine counts as late is then
    how often this machine's clock woke up late."""
    lock_name: str
    """What only one daemon may use at a time; empty where any number may. See `lock`."""
    reopen_name: str
    """A name that finds the same device after it was disconnected; empty for the request's name."""
    notices: tuple[str, ...]
    """What is not as it was requested, in sentences."""
    details: str
    """Formats, periods and buffers, for the log."""

    def prepare(self) -> None:
        """Open the device as far as its rate depends on that; `rate_hz` holds from then on.

        Raises: AudioError.
        """
        ...

    def start(self, process: Process) -> None:
        """Begin to call `process` once a block, on a thread of the device's own.

        Raises: AudioError when the device cannot be opened.
        """
        ...

    @property
    def latency_s(self) -> float:
        """[s] From input to output, as far as the driver states it."""
        ...

    @property
    def failure(self) -> str:
        """Why the device stopped, or nothing."""
        ...

    @property
    def failure_fd(self) -> int:
        """A descriptor that is readable once `failure` is set; -1 where only asking shows it."""
        ...

    def close(self) -> None:
        """Stop calling and release the device."""
        ...


def output_block(outputs: int, frames: int) -> Block:
    """Return a silent block for `out` of `Process`: [frames], with two outputs [2, frames]."""
    return np.zeros(frames if outputs == 1 else (outputs, frames), np.float32)


def rows_by_channels(
    channels: Sequence[int], out: Block
) -> tuple[tuple[tuple[int, ...], Block], ...]:
    """Return which channels of a device get which row of `out`, as views that stay valid.

    A block [frames] goes to all of them, of [2, frames] one row to each.
    """
    if out.ndim == 1:
        return ((tuple(channels), out),)
    return tuple(((channel,), row) for channel, row in zip(channels, out, strict=True))
