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
from trainer.capture.session import CapturePlan, Session, record
from trainer.capture.signal import CaptureSignal
from trainer.cli.command import redact_paths
from trainer.cli.knobs import number, positions
from trainer.data.wav import read, resample

SECONDS = 120.0
PEAK_DBFS = -6.0
BLOCK_FRAMES = 256
PROBES = 10
"""Looks at the levels before one take, of which each may ask for something to be mended."""
EPILOG = """\
Connect an output of the interface to the pedal's input, and the pedal's output to an input. Set the
levels once, at the loudest setting, and leave them alone from then on.

examples:
  nemod-train capture --device UMC202HD --out mypedal
  nemod-train capture --device UMC202HD --out mypedal --knobs tone=0.35,sustain=0.7 \\
      --knobs tone=0.7,sustain=0.7
  nemod-train capture --device UMC202HD --out mypedal --settings settings.txt --input di.wav

settings.txt: one setting a line, as tone=0.35,sustain=0.7; what follows a # is a comment. Settings
with a knob at 0 are taken last: silence needs the latency that the others were heard with. The same
command again goes on where the last one stopped.
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
        session = Session(plan)
        length_s = signal.played.size / duplex.rate_hz
        console.print(
            f"{duplex.name}: {duplex.rate_hz} Hz, blocks of {duplex.block_frames} frames; "
            f"{length_s:.0f} s for each of the settings, of which there are {len(settings)}"
        )
        for setting in session.done:
            console.print(f"done already: {_words(setting)}")
        _all(session, duplex, signal, arguments, console)
    console.print(
        f"{arguments.out}: {len(session.done)} takes; "
        f"nemod-train check {arguments.out} says what is in it"
    )
    return 0


def _all(
    session: Session,
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
            latency = _levels(duplex, latency, setting, arguments, console)
            take, found = _take(duplex, signal, latency, setting, arguments, console)
            session.keep(setting, take, found)
            console.print(f"kept: {_words(setting)}: {found.sentence(duplex.rate_hz)}")
            latency, before = found.latency, setting
    except KeyboardInterrupt:
        console.print(
            f"\nstopped; {len(session.done)} takes are in {arguments.out}, {len(session.left)} are "
            "left. The same command goes on from here."
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
        console.print("set the pedal as you want to have it")
    _wait("then press Enter (Ctrl-C stops) ", arguments, console)


def _wait(text: str, arguments: argparse.Namespace, console: Console) -> None:
    if not arguments.no_prompt:
        try:
            console.input(text)
        except EOFError:
            raise ConfigError(
                "command line", ["nobody answers on standard input; --no-prompt does without"]
            ) from None


def _levels(
    duplex: Duplex,
    latency: int | None,
    setting: Mapping[str, float],
    arguments: argparse.Namespace,
    console: Console,
) -> int | None:
    """Play a few seconds until the levels are right; return the latency."""
    look = signals.probe(duplex.rate_hz, _peak(arguments))
    _, found = _until_right(
        lambda: record(duplex, look, latency, None, console.print),
        lambda found: _allowed(found, setting, latency),
        "mend it, then press Enter (Ctrl-C stops) ",
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
    return _until_right(
        lambda: _record(duplex, signal, latency, console),
        lambda found: _allowed(found, setting, latency),
        "mend it, then press Enter to repeat the take ",
        duplex.name,
        arguments,
        console,
    )


def _until_right(
    attempt: Callable[[], tuple[DuplexRecording, TakeCheck]],
    allowed: Callable[[TakeCheck], bool],
    again: str,
    device: str,
    arguments: argparse.Namespace,
    console: Console,
) -> tuple[DuplexRecording, TakeCheck]:
    """Record until it may be kept; between two attempts somebody mends what is wrong.

    Raises: AudioError when nobody does, or it does not help.
    """
    for _ in range(PROBES):
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
    """Return whether a take may be kept: silence may, where a knob is at 0 and timing is known."""
    if not found.faults:
        return True
    return found.silent and latency is not None and 0.0 in setting.values()


def _words(setting: Mapping[str, float]) -> str:
    return ", ".join(f"{knob} {value:g}" for knob, value in setting.items()) or "as it stands"


def _peak(arguments: argparse.Namespace) -> float:
    return float(10.0 ** (arguments.peak / 20.0))


def _signal(arguments: argparse.Namespace, rate_hz: int) -> tuple[CaptureSignal, str]:
    if arguments.input is None:
        length_s = arguments.seconds or SECONDS
        parts = signals.material(length_s, rate_hz)
        source = f"sweeps, noise and {length_s:g} s of synthesised strings"
    else:
        if arguments.seconds is not None:
            problem = "--seconds: is for the built-in sound; --input is played whole"
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
        "PlayRig a sound through a pedal or amp and record what comes back.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--device", required=True, metavar="NAME", help="see: nemod devices")
    made.add_argument("--out", type=Path, required=True, metavar="DATA", help="folder of the set")
    made.add_argument(
        "--knobs",
        action="append",
        metavar="NAME=POS,..",
        help="where knobs stand (0..1); several times for several settings",
    )
    made.add_argument("--settings", type=Path, metavar="FILE", help="settings, one a line")
    made.add_argument("--input", type=Path, metavar="DI.wav", help="play this, not our sound")
    made.add_argument(
        "--seconds", type=seconds, metavar="S", help=f"of strings to train on ({SECONDS:g})"
    )
    made.add_argument(
        "--peak",
        type=_dbfs,
        default=PEAK_DBFS,
        metavar="DB",
        help=f"loudest sample that is played, dBFS ({PEAK_DBFS:g})",
    )
    made.add_argument(
        "--in", dest="input_channel", type=_channel, default=1, metavar="N", help="channel (1)"
    )
    made.add_argument(
        "--output-channel",
        type=_channels,
        default=(),
        metavar="N,N",
        help="channels to play on (the first two)",
    )
    made.add_argument("--rate", type=_rate, metavar="HZ", help="sample rate (the device's own)")
    made.add_argument(
        "--block",
        type=_block,
        default=BLOCK_FRAMES,
        metavar="N",
        help=f"frames at once ({BLOCK_FRAMES})",
    )
    made.add_argument(
        "--no-prompt", action="store_true", help="do not wait for anybody, as with one setting"
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
