"""Opens real ALSA cards with block and periods, by nemod and by PortAudio, and prints tables.

For each size: format, period and buffer as the kernel states them, the stated latency, and the
latency that is measured through a cable; by PortAudio's way, which nemod took before, what it makes
of the block. With `--cost` the processor time of a block on the device's thread, both ways in turn.
It needs cards, for example in a virtual machine.

    python -m tests.benchmarks.alsa_cards CARD... [--sizes 64x3 ...] [--cost NAME]

CARD is a name that nemod takes; `NAME<INPUT` has its input on another card or PCM. A card without a
cable from its output to its input is only played (`NAME!`).
"""

import argparse
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nemod.common.errors import AudioError
from nemod.engine.devices import roundtrip
from nemod.engine.devices.alsa.device import AlsaDevice
from nemod.engine.devices.alsa.listing import card_of
from nemod.engine.devices.factory import open_device
from nemod.engine.devices.names import Port
from nemod.engine.devices.portaudio import Stream, list_ports
from nemod.engine.devices.ports import find
from nemod.engine.ipc import DeviceRequest

SIZES = ("32x3", "64x2", "64x3", "64x4", "128x2", "128x3", "256x2", "256x3")
"""Blocks [frames] and periods."""
PLAY_S = 0.3
COST_BLOCKS, SKIPPED_BLOCKS = 300, 50
COST_SIZES = (64, 128, 256)
LIMIT_S = 30.0


class Card(NamedTuple):
    """A card as it was named."""

    name: str
    input_name: str
    has_cable: bool

    @classmethod
    def of(cls, text: str) -> "Card":
        """Return the card of an argument."""
        name, _, other = text.removesuffix("!").partition("<")
        return cls(name, other, not text.endswith("!"))

    def request(self, block: int, periods: int) -> DeviceRequest:
        """Return the request for a size."""
        return DeviceRequest(
            name=self.name, input_name=self.input_name, block_frames=block, periods=periods
        )


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


def kernel(ports: tuple[Port, Port]) -> str:
    """Return format, period and buffer of input and output, as the kernel states them."""
    parts = []
    for port, direction in zip(ports, "cp", strict=True):
        pcm = card_of(port.pcm)
        assert pcm is not None
        folder = f"/proc/asound/card{pcm.card}/pcm{pcm.device}{direction}"
        text = Path(f"{folder}/sub0/hw_params").read_text()
        found = dict(re.findall(r"(\w+): (\S+)", text))
        parts.append(f"{found.get('format')} {found.get('period_size')}/{found.get('buffer_size')}")
    return " | ".join(dict.fromkeys(parts))


def ours(request: DeviceRequest) -> AlsaDevice:
    """Return nemod's own device."""
    device, _ = open_device(request)
    assert isinstance(device, AlsaDevice)
    device.prepare()
    return device


def through_portaudio(name: str, block: int) -> Stream:
    """Return PortAudio's stream to a card, as nemod opened it before."""
    _, sink = find(DeviceRequest(name=name))
    pcm = card_of(sink.pcm)
    assert pcm is not None
    number = f"(hw:{pcm.card},{pcm.device})"
    port = next(one for one in list_ports() if one.name.endswith(number))
    return Stream(port, port, DeviceRequest(name=name, block_frames=block), 48_000)


def milliseconds(frames: float, rate_hz: int) -> str:
    """Return frames as text."""
    return f"{frames:.0f} ({1e3 * frames / rate_hz:.1f} ms)"


def measured(card: Card, block: int, periods: int) -> str:
    """Return what the kernel and nemod state, and what is measured through the cable."""
    request = card.request(block, periods)
    stated: list[str] = []

    def look() -> None:
        if not stated:
            stated.append(kernel(find(request)))

    try:
        found = roundtrip.measure(request, look)
    except AudioError as error:
        return f"{' '.join(stated)} {error}"
    buffers = found.buffer_frames or 0
    return (
        f"{stated[0]}, stated {milliseconds(buffers, found.rate_hz)}, measured "
        f"{milliseconds(found.frames, found.rate_hz)}, {found.rest_frames:+d}, {found.xruns} xruns"
    )


def played(ports: tuple[Port, Port], device: AlsaDevice | Stream) -> str:
    """Return what the kernel and the device state, and the xruns in a moment of sound."""
    counter = Counter()
    try:
        device.start(counter)
        time.sleep(PLAY_S)
        frames = device.latency_s * device.rate_hz
        text = f"{kernel(ports)}, stated {milliseconds(frames, device.rate_hz)}"
    except AudioError as error:
        return str(error)
    finally:
        device.close()
    return f"{text}, {counter.xruns} xruns in {counter.blocks} blocks {device.failure}"


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


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201


def main() -> None:
    """Print the tables."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("cards", nargs="*", type=Card.of, metavar="CARD")
    made.add_argument("--sizes", nargs="+", default=SIZES, metavar="BLOCKxPERIODS")
    made.add_argument("--takes", type=int, default=roundtrip.TAKES)
    made.add_argument("--cost", metavar="NAME")
    given = made.parse_args()
    roundtrip.TAKES = given.takes
    sizes = [tuple(map(int, size.split("x"))) for size in given.sizes]
    for card in given.cards:
        for block, periods in sizes:
            title = f"{card.name} {block}x{periods} nemod:"
            if card.has_cable:
                say(f"{title} {measured(card, block, periods)}")
            else:
                request = card.request(block, periods)
                say(f"{title} {played(find(request), ours(request))}")
        for block in sorted({block for block, _ in sizes}):
            ports = find(DeviceRequest(name=card.name))
            stream = through_portaudio(card.name, block)
            say(f"{card.name} {block} PortAudio: {played(ports, stream)}")
    if given.cost:
        for block in COST_SIZES:
            request = DeviceRequest(name=given.cost, block_frames=block)
            say(f"{block} {cost('nemod', ours(request))}")
            say(f"{block} {cost('PortAudio', through_portaudio(given.cost, block))}")


if __name__ == "__main__":
    main()
