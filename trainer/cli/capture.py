"""`nemod-train capture`: record a pedal or amp, setting by setting."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nemod.common.command_line import channels, parser, seconds
from nemod.common.errors import AudioError, ConfigError
from nemod.engine.devices.duplex import Duplex, DuplexRecording
from nemod.engine.ipc import DeviceRequest
from trainer.capture import signal as signals
from trainer.capture.measure import TakeCheck
from trainer.capture.session import CapturePlan, CaptureSession, record
from trainer.capture.signal import CaptureSignal
from trainer.cli.command import redact_paths
from trainer.cli.knobs import number, positions
from trainer.data.wav import read, resample

SECONDS = 120.0
PEAK_DBFS = -6.0
BLOCK_FRAMES = 256
MAX_ATTEMPTS = 10
"""Attempts per check of the levels and per take; the user can fix a fault in between."""
EPILOG = """\
Connect an output of the interface to the pedal's input, and the pedal's output to an input. Set the
levels once, at the loudest setting, and do not change them afterwards.

examples:
  nemod-train capture --device UMC202HD --out mypedal
  nemod-train capture --device UMC202HD --out mypedal --knobs tone=0.35,sustain=0.7 \\
      --knobs tone=0.7,sustain=0.7
  nemod-train capture --device UMC202HD --out mypedal --settings settings.txt --input di.wav

settings.txt: one setting per line, such as tone=0.35,sustain=0.7; # starts a comment. Settings with
a knob at 0 are recorded last, because silent takes use the latency of the others. To continue an
interrupted session, run the same command again.
"""


def main(argv: Sequence[str]) -> int:
    """Capture all settings; return the exit status."""
    arguments = _parse(argv)
    settings = _settings(arguments)
    console = Console(highlight=False)
    request = DeviceRequest(
        name=arguments.device,
        input_channel=arguments.input_channel,
        output_channels=arguments.output_channel,
        rate_hz=arguments.rate,
        block_frames=arguments.block,
    )
    console.print(f"opening {arguments.device} ..")
    with Duplex(request) as duplex:
        signal, source = _signal(arguments, duplex.rate_hz)
        plan = CapturePlan(
            folder=arguments.out,
            settings=settings,
            signal=signal,
            source=source,
            device=duplex.name,
            command=redact_paths(
                ["nemod-train", "capture", *argv],
                (arguments.out, arguments.settings, arguments.input),
            ),
        )
        session = CaptureSession(plan)
        length_s = signal.played.size / duplex.rate_hz
        console.print(
            f"{duplex.name}: {duplex.rate_hz} Hz, blocks of {duplex.block_frames} frames; "
            f"settings: {len(settings)}, {length_s:.0f} s each"
        )
        for setting in session.done:
            console.print(f"already captured: {_words(setting)}")
        _capture_all(session, duplex, signal, arguments, console)
    console.print(
        f"{arguments.out}: {len(session.done)} takes; "
        f"check them with nemod-train check {arguments.out}"
    )
    return 0


def _capture_all(
    session: CaptureSession,
    duplex: Duplex,
    signal: CaptureSignal,
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    latency = session.latency
    before: Mapping[str, float] = {}
    try:
        for setting in session.left:
            _prompt(setting, before, arguments, console)
            latency = _check_levels(duplex, latency, setting, arguments, console)
            take, found = _take(duplex, signal, latency, setting, arguments, console)
            session.keep(setting, take, found)
            console.print(f"saved: {_words(setting)}: {found.sentence(duplex.rate_hz)}")
            latency, before = found.latency, setting
    except KeyboardInterrupt:
        console.print(
            f"\nstopped; {len(session.done)} takes are in {arguments.out}, {len(session.left)} are "
            "left. Run the same command again to continue."
        )
        raise


def _prompt(
    setting: Mapping[str, float],
    before: Mapping[str, float],
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    turned = {knob: value for knob, value in setting.items() if before.get(knob) != value}
    if turned:
        console.print("turn " + ", ".join(f"{knob} to {value:g}" for knob, value in turned.items()))
    elif not before:
        console.print("set the knobs of the pedal")
    _wait("then press Enter (Ctrl-C stops) ", arguments, console)


def _wait(text: str, arguments: argparse.Namespace, console: Console) -> None:
    if not arguments.no_prompt:
        try:
            console.input(text)
        except EOFError:
            raise ConfigError(
                "command line",
                ["standard input is closed, so no prompt can be answered; use --no-prompt"],
            ) from None


def _check_levels(
    duplex: Duplex,
    latency: int | None,
    setting: Mapping[str, float],
    arguments: argparse.Namespace,
    console: Console,
) -> int | None:
    """Check the levels with a short signal until they are right; return the latency."""
    probe = signals.probe(duplex.rate_hz, _peak(arguments))
    _, found = _repeat_until_allowed(
        lambda: record(duplex, probe, latency, None, console.print),
        lambda found: _allowed(found, setting, latency),
        "fix this, then press Enter (Ctrl-C stops) ",
        duplex.name,
        arguments,
        console,
    )
    for remark in found.remarks:
        console.print(f"  {remark}")
    return found.latency


def _take(
    duplex: Duplex,
    signal: CaptureSignal,
    latency: int | None,
    setting: Mapping[str, float],
    arguments: argparse.Namespace,
    console: Console,
) -> tuple[DuplexRecording, TakeCheck]:
    return _repeat_until_allowed(
        lambda: _record(duplex, signal, latency, console),
        lambda found: _allowed(found, setting, latency),
        "fix this, then press Enter to repeat the take ",
        duplex.name,
        arguments,
        console,
    )


def _repeat_until_allowed(
    attempt: Callable[[], tuple[DuplexRecording, TakeCheck]],
    allowed: Callable[[TakeCheck], bool],
    again: str,
    device: str,
    arguments: argparse.Namespace,
    console: Console,
) -> tuple[DuplexRecording, TakeCheck]:
    """Record until a take is allowed; between attempts, the user is asked to fix the faults.

    Raises: AudioError after the last attempt, or after the first one without prompts.
    """
    for _ in range(MAX_ATTEMPTS):
        take, found = attempt()
        if allowed(found):
            return take, found
        for fault in found.faults:
            console.print(f"  {fault}")
        if arguments.no_prompt:
            break
        _wait(again, arguments, console)
    raise AudioError(f"{device!r}: {'; '.join(found.faults)}")


def _record(
    duplex: Duplex, signal: CaptureSignal, latency: int | None, console: Console
) -> tuple[DuplexRecording, TakeCheck]:
    bar = Progress(
        TextColumn("recording"),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=signal.played.size)

        def progress(at: int) -> None:
            bar.update(task, completed=at)

        return record(duplex, signal, latency, progress, console.print)


def _allowed(found: TakeCheck, setting: Mapping[str, float], latency: int | None) -> bool:
    """Return whether a take is usable: silence is, if a knob is at 0 and the latency is known."""
    if not found.faults:
        return True
    return found.silent and latency is not None and 0.0 in setting.values()


def _words(setting: Mapping[str, float]) -> str:
    return ", ".join(f"{knob} {value:g}" for knob, value in setting.items()) or "current setting"


def _peak(arguments: argparse.Namespace) -> float:
    return float(10.0 ** (arguments.peak / 20.0))


def _signal(arguments: argparse.Namespace, rate_hz: int) -> tuple[CaptureSignal, str]:
    if arguments.input is None:
        length_s = arguments.seconds or SECONDS
        parts = signals.material(length_s, rate_hz)
        source = f"sweeps, noise and {length_s:g} s of synthesised strings"
    else:
        if arguments.seconds is not None:
            problem = "--seconds: applies to the built-in signal; --input is played completely"
            raise ConfigError("command line", [problem])
        recording = read(arguments.input, 1, "--input")
        sound = resample(recording.samples, recording.rate, rate_hz)
        if sound.size < rate_hz or not np.abs(sound).max() > 0.0:
            problem = f"--input {arguments.input}: at least a second of sound is expected"
            raise ConfigError("command line", [problem])
        parts, source = signals.recorded(sound), arguments.input.name
    return signals.assemble(parts, rate_hz, _peak(arguments)), source


def _settings(arguments: argparse.Namespace) -> list[dict[str, float]]:
    texts = [("--knobs", text) for text in arguments.knobs or ()]
    if arguments.settings is not None:
        try:
            lines = arguments.settings.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            problem = f"--settings {arguments.settings}: cannot be read: {error}"
            raise ConfigError("command line", [problem]) from None
        for number, line in enumerate(lines, 1):
            if text := line.partition("#")[0].strip():
                texts.append((f"{arguments.settings}: line {number}:", text))
    settings = [positions(text, where) for where, text in texts]
    for (where, text), setting in zip(texts, settings, strict=True):
        if setting.keys() != settings[0].keys():
            problem = f"{where} {text!r}: every setting needs the same knobs: " + ", ".join(
                settings[0]
            )
            raise ConfigError("command line", [problem])
    ordered = [{knob: setting[knob] for knob in settings[0]} for setting in settings]
    unique = [setting for n, setting in enumerate(ordered) if setting not in ordered[:n]]
    return unique or [{}]


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    made = parser(
        "nemod-train capture",
        "Play a signal through a pedal or amp and record its output.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--device", required=True, metavar="NAME", help="audio device (nemod devices lists them)"
    )
    made.add_argument(
        "--out", type=Path, required=True, metavar="DATA", help="folder to write the data set to"
    )
    made.add_argument(
        "--knobs",
        action="append",
        metavar="NAME=POS,..",
        help="knob positions (0..1); repeat for more settings",
    )
    made.add_argument(
        "--settings", type=Path, metavar="FILE", help="file with one setting per line"
    )
    made.add_argument(
        "--input",
        type=Path,
        metavar="DI.wav",
        help="play this recording instead of the built-in signal",
    )
    made.add_argument(
        "--seconds",
        type=seconds,
        metavar="S",
        help=f"length of the strings for training ({SECONDS:g})",
    )
    made.add_argument(
        "--peak",
        type=_dbfs,
        default=PEAK_DBFS,
        metavar="DB",
        help=f"peak level of the signal in dBFS ({PEAK_DBFS:g})",
    )
    made.add_argument(
        "--in",
        dest="input_channel",
        type=_channel,
        default=1,
        metavar="N",
        help="input channel (1)",
    )
    made.add_argument(
        "--output-channel",
        type=_channels,
        default=(),
        metavar="N,N",
        help="output channels (the first two)",
    )
    made.add_argument("--rate", type=_rate, metavar="HZ", help="sample rate (that of the device)")
    made.add_argument(
        "--block",
        type=_block,
        default=BLOCK_FRAMES,
        metavar="N",
        help=f"block size in frames ({BLOCK_FRAMES})",
    )
    made.add_argument(
        "--no-prompt", action="store_true", help="do not wait for Enter before a take"
    )
    return made.parse_args(argv)


def _dbfs(text: str) -> float:
    return number(text, -60.0, 0.0, "dBFS from -60 to 0")


def _channel(text: str) -> int:
    return int(number(text, 1, 256, "a channel from 1 to 256", whole=True))


def _channels(text: str) -> tuple[int, ...]:
    return tuple(_channel(str(part)) for part in channels(text))


def _rate(text: str) -> int:
    return int(number(text, 8_000, 192_000, "a rate from 8000 to 192000 Hz", whole=True))


def _block(text: str) -> int:
    return int(number(text, 16, 8192, "frames from 16 to 8192", whole=True))
