"""Opens real ALSA cards with block and periods, by nemod and by PortAudio, and prints tables.

For each size: format, period and buffer as the kernel states them, the stated latency, blocks and
xruns. With `--cost` the processor time of a block on the device's thread, both ways in turn. It
needs cards whose names are given, for example in a virtual machine.

    python -m tests.benchmarks.alsa_cards "UMC=Interface" "HDA=Intel" [--seconds 0.3] [--cost UMC]

Each card is part of its name, and ALSA's id of it.
"""

import argparse
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from nemod.common.errors import AudioError
from nemod.engine.devices.alsa.device import AlsaDevice
from nemod.engine.devices.factory import open_device
from nemod.engine.devices.names import Port
from nemod.engine.devices.portaudio import Stream, list_ports
from nemod.engine.ipc import DeviceRequest

SIZES = ((32, 3), (64, 2), (64, 3), (64, 4), (128, 2), (128, 3), (256, 2), (256, 3))
"""Blocks [frames] and periods."""
COST_BLOCKS, SKIPPED_BLOCKS = 600, 50
LIMIT_S = 30.0


class Counter:
    """Plays the input to the output; counts blocks, xruns and the thread's processor time."""

    def __init__(self) -> None:
        self.blocks = self.xruns = 0
        self.marks: list[float] = []

    def __call__(self, block: Any, out: Any, *, xrun: bool) -> None:
        """Thread: audio."""
        out[:] = block
        self.blocks += 1
        self.xruns += xrun
        if self.blocks in (SKIPPED_BLOCKS, SKIPPED_BLOCKS + COST_BLOCKS):
            self.marks.append(time.thread_time())


def kernel(card: str) -> str:
    """Return format, period and buffer of both directions of a card's first PCM."""
    parts = []
    for direction in "cp":
        path = Path(f"/proc/asound/{card}/pcm0{direction}/sub0/hw_params")
        found = dict(re.findall(r"(\w+): (\S+)", path.read_text()))
        parts.append(f"{found.get('format')} {found.get('period_size')}/{found.get('buffer_size')}")
    return parts[0] if parts[0] == parts[1] else " | ".join(parts)


def ours(name: str, block: int, periods: int) -> AlsaDevice:
    """Return nemod's own device for a card."""
    device, _ = open_device(DeviceRequest(name=name, block_frames=block, periods=periods))
    assert isinstance(device, AlsaDevice)
    device.prepare()
    return device


def through_portaudio(name: str, block: int) -> Stream:
    """Return PortAudio's stream to a card, as nemod opened it before."""
    port: Port = next(one for one in list_ports() if name in one.name)
    return Stream(port, port, DeviceRequest(name=name, block_frames=block), 48_000)


def row(who: str, card: str, device: AlsaDevice | Stream, seconds: float) -> str:
    """Return a row of the table."""
    counter = Counter()
    try:
        device.start(counter)
        time.sleep(seconds)
        stated = kernel(card)
        frames = round(device.latency_s * device.rate_hz)
        text = f"{who}: {stated}, {1e3 * device.latency_s:.1f} ms ({frames} frames)"
    except AudioError as error:
        return f"{who}: {error}"
    finally:
        device.close()
    return f"{text}, {counter.blocks} blocks, {counter.xruns} xruns {device.failure}"


def cost(who: str, device: AlsaDevice | Stream) -> str:
    """Return the processor time of a block [us]."""
    counter = Counter()
    device.start(counter)
    end = time.monotonic() + LIMIT_S
    while len(counter.marks) < 2 and time.monotonic() < end and not device.failure:
        time.sleep(0.02)
    device.close()
    if len(counter.marks) < 2:
        return f"{who}: {device.failure or 'too few blocks'}"
    spent = np.diff(counter.marks)[0] / COST_BLOCKS
    return f"{who}: {1e6 * spent:.1f} us a block, {counter.xruns} xruns"


def main() -> None:
    """Print the tables."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("cards", nargs="+", metavar="NAME=ID")
    made.add_argument("--seconds", type=float, default=0.3)
    made.add_argument("--cost", metavar="NAME")
    arguments = made.parse_args()
    for name, card in (text.split("=") for text in arguments.cards):
        for block, periods in SIZES:
            title = f"{card} {block}x{periods}"
            print(title, row("nemod", card, ours(name, block, periods), arguments.seconds))  # noqa: T201
        for block in sorted({block for block, _ in SIZES}):
            stream = through_portaudio(name, block)
            print(f"{card} {block}", row("PortAudio", card, stream, arguments.seconds))  # noqa: T201
    if arguments.cost:
        for block in (64, 128, 256):
            print(block, cost("nemod", ours(arguments.cost, block, 3)))  # noqa: T201
            print(block, cost("PortAudio", through_portaudio(arguments.cost, block)))  # noqa: T201


if __name__ == "__main__":
    main()
