"""`nemod latency`: the round trip of an interface, through a cable from its output to its input."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress

from nemod.cli.configuration import add_options, configuration
from nemod.common.command_line import parser
from nemod.common.units import amplitude_to_db
from nemod.config import MODEL_RATE
from nemod.engine.devices.roundtrip import TAKES, RoundTrip, measure
from nemod.engine.ipc import DeviceRequest

_OPTIONS = (
    "audio.device",
    "audio.input_device",
    "audio.input",
    "audio.output",
    "audio.rate",
    "audio.block",
    "audio.periods",
)


def main(argv: Sequence[str]) -> int:
    """Measure and print. Raises: NemodError."""
    made = parser(
        "nemod latency",
        "Measure the round trip of an interface: connect its output to its input with a cable, "
        "turn loudspeakers down (noise at -12 dBFS is played), and wait a few seconds.",
    )
    add_options(made, *_OPTIONS)
    audio = configuration(made.parse_args(argv)).audio
    request = DeviceRequest(
        name=audio.device,
        input_name=audio.input_device,
        input_channel=audio.input,
        output_channels=audio.output,
        rate_hz=None if audio.rate in (None, MODEL_RATE) else int(audio.rate),
        block_frames=audio.block,
        periods=audio.periods,
    )
    progress = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
    with progress:
        task = progress.add_task("measuring", total=TAKES)
        found = measure(request, lambda: progress.advance(task))
    print("\n".join(lines(found)))  # noqa: T201
    return 0


def lines(found: RoundTrip) -> list[str]:
    """Return a measurement as lines of text."""
    agree = "equal to the frame" if not found.spread_frames else "equal to one frame"
    polarity = "inverted" if found.gain < 0.0 else "as played"
    rest = "converters, bus, and what the driver does not state"
    if found.rest_frames < 0:
        rest = "the driver overstates its buffers"
    text = [
        f"{found.device}, {found.rate_hz} Hz, blocks of {found.block_frames} frames",
        _line("round trip", found, found.frames, f"{found.takes} takes, {agree}"),
    ]
    if found.buffer_frames is None:
        text.append("  buffers   not stated by the driver")
    else:
        blocks = found.buffer_frames / found.block_frames
        why = f"{blocks:g} blocks, as stated by the driver"
        text.append(_line("  buffers", found, found.buffer_frames, why))
        text.append(_line("  the rest", found, found.rest_frames, rest))
    text += [
        f"level       {amplitude_to_db(abs(found.gain)):+.1f} dB",
        f"polarity    {polarity}",
    ]
    if found.xruns:
        text.append(f"{found.xruns} blocks were lost; their takes were repeated")
    return text


def _line(name: str, found: RoundTrip, frames: int, why: str) -> str:
    return f"{name:<11} {frames:>5} frames {found.ms(frames):>7.2f} ms   {why}"
