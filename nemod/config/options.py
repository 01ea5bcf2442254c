"""The options of the daemon: one declaration each for YAML key, flag, help, default and range.

The configuration file, the command line with its help, `nemod service install` and
docs/configuration.md are made from these fields.
"""

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from nemod.chain import Chain
from nemod.config.chain_check import Chains
from nemod.config.checks import (
    MODEL_RATE,
    SUITABLE,
    Channels,
    Check,
    Choice,
    File,
    FileOrSwitch,
    Files,
    Folder,
    Folders,
    NameOrFile,
    Networks,
    Number,
    Several,
    Switch,
    Targets,
    Text,
    Whole,
    WholeOrWord,
)

MIN_BLOCK_FRAMES, MAX_BLOCK_FRAMES = 32, 1024
MIN_RATE_HZ, MAX_RATE_HZ = 44_100, 96_000
MAX_CHANNEL = 256
COMPATIBLE = ("neuralpi",)
HTTP_PORT_ABOVE_OSC = 80
LOG_LEVELS = ("debug", "info", "warning", "error")


class Declaration(NamedTuple):
    """What is declared beside the name, type and default of an option."""

    check: Check
    help: str
    flag: str = ""
    """Empty for what only the configuration file can say."""
    metavar: str | None = None
    no_flag: str = ""
    """A flag that sets it to false."""
    no_help: str = ""
    aliases: tuple[str, str] | None = None
    """Other names of flag and `no_flag`, which `--help` leaves out."""
    unset: str = ""
    """What the default means, where its value does not say so."""


class Option(NamedTuple):
    """An option by its key in the configuration file, as `audio.block`."""

    key: str
    default: Any
    declaration: Declaration

    @property
    def default_text(self) -> str:
        """Return the default as it would be written."""
        if self.declaration.unset:
            return self.declaration.unset
        return str(self.default).lower() if isinstance(self.default, bool) else str(self.default)


def _option(default: Any, check: Check, help: str, flag: str = "", **more: Any) -> Any:
    return field(default=default, metadata={"option": Declaration(check, help, flag, **more)})


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioConfig:
    """The audio device."""

    device: str = _option(
        "demo",
        Text(),
        "audio device, by its name or part of it; 'demo' plays a guitar phrase, 'null' silence",
        "--device",
        metavar="NAME",
    )
    input_device: str = _option(
        "",
        Text(),
        "sound card of the input, where that is another one than the output's",
        "--input-device",
        metavar="NAME",
        unset="the same",
    )
    input: int = _option(1, Whole(1, MAX_CHANNEL), "input channel", "--input", metavar="N")
    output: tuple[int, ...] = _option(
        (),
        Channels(MAX_CHANNEL),
        "output channel, or two for left and right, counted from 1",
        "--output",
        metavar="N|L,R",
        unset="mono on the first two",
    )
    rate: int | str | None = _option(
        None,
        WholeOrWord(Whole(MIN_RATE_HZ, MAX_RATE_HZ, "Hz"), {MODEL_RATE: MODEL_RATE}),
        "sample rate; 'model' is the first model's, where the device supports it",
        "--rate",
        metavar="HZ|model",
        unset="the device's",
    )
    block: int = _option(
        64,
        Whole(MIN_BLOCK_FRAMES, MAX_BLOCK_FRAMES, "frames"),
        "block size",
        "--block",
        metavar="FRAMES",
    )
    periods: int = _option(
        3,
        Whole(2, 4),
        "blocks in a sound card's buffer: fewer for less latency, more against xruns; with JACK, "
        "its server decides",
        "--periods",
        metavar="N",
    )
    cpu_latency: int | str | None = _option(
        SUITABLE,
        WholeOrWord(Whole(0, 10_000, "us"), {SUITABLE: SUITABLE, "off": None}),
        "longest time that a CPU may take to wake up while audio runs; short ones cost power. "
        "'off' leaves it to the system, 'auto' is what suits the machine",
        "--cpu-latency",
        metavar="US|auto|off",
    )
    wait: bool = _option(
        False,
        Switch(),
        "wait for a device that is not connected at the start, instead of ending with an error",
        "--wait-for-device",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OscConfig:
    """The OSC server."""

    port: int = _option(
        9000, Whole(0, 65_535), "UDP port for OSC; 0 takes any free one", "--port", metavar="PORT"
    )
    local: bool = _option(False, Switch(), "serve this machine only", "--local")
    allow: tuple[str, ...] = _option(
        (),
        Networks(),
        "serve this network too, such as 10.8.0.0/24, beside the attached private networks",
        "--allow",
        metavar="NET",
        unset="none",
    )
    allow_write: tuple[str, ...] = _option(
        (),
        Networks(),
        "let this network delete presets and upload, too; this machine always may",
        unset="none",
    )
    feedback: tuple[tuple[str, int], ...] = _option(
        (),
        Targets(),
        "send every change to this address, without being asked",
        unset="none",
    )
    compat: tuple[str, ...] = _option(
        (),
        Several(Choice(COMPATIBLE)),
        "serve the addresses of another program, too: NeuralPi's on UDP port 24024",
        unset="none",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """The page and OSCQuery over HTTP and WebSocket; `osc.local` and `osc.allow` hold here, too."""

    port: int | None = _option(
        None,
        WholeOrWord(Whole(0, 65_535), {"off": -1}),
        "TCP port for HTTP and WebSocket (OSCQuery); 0 takes any free one, 'off' opens none",
        "--http-port",
        metavar="PORT|off",
        unset=f"the OSC port + {HTTP_PORT_ABOVE_OSC}",
    )
    allow_hosts: tuple[str, ...] = _option(
        (),
        Several(Text("a host name")),
        "serve browsers that use this name for the machine, beside its own names and addresses",
        unset="none",
    )
    upload_quota: int = _option(
        1000,
        Whole(0, 1_000_000, "MB"),
        "how much your own folder of models, and that of cabinets, may hold for more to be added "
        "over HTTP; 0 adds none",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MidiConfig:
    """MIDI controllers, pedals, keys and pins."""

    enable: bool | None = _option(
        None,
        Switch(),
        "use MIDI controllers, and the keys and pins that the file of bindings names",
        "--midi",
        no_flag="--no-midi",
        no_help="use no controllers",
        unset="true",
    )
    bindings: Path | None = _option(  # noqa: RUF009 - a value, as all others
        None,
        File(),
        "file that says what controllers do",
        "--bindings",
        metavar="FILE",
        unset="~/.config/nemod/bindings.yaml",
    )
    raw: tuple[Path, ...] = _option(
        (),
        Files(),
        "read MIDI bytes from this file, too: a serial port, a raw MIDI device or a named pipe",
        "--raw-midi",
        metavar="FILE",
        unset="none",
    )
    shutdown: bool = _option(
        False, Switch(), "let a control that is bound to 'shutdown' turn the machine off"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Logging to standard error."""

    level: str = _option(
        "info",
        Choice(LOG_LEVELS),
        "least severe messages that are logged",
        "--log-level",
        metavar="LEVEL",
    )
    json: bool = _option(False, Switch(), "log JSON objects, one a line", "--log-json")


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelConfig:
    """Loudness of models; see `nemod.builder.level`."""

    normalize: bool = _option(False, Switch(), "bring every model to the same loudness, -18 dB")
    input_dbu: float | None = _option(
        None,
        Number(-60.0, 60.0, "dBu"),
        "level at the interface's input that is full scale (0 dBFS); models that state what they "
        "expect are fed that",
        unset="the input is left as it is",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be configured."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    osc: OscConfig = field(default_factory=OscConfig)
    http: HttpConfig = field(default_factory=HttpConfig)
    midi: MidiConfig = field(default_factory=MidiConfig)
    log: LogConfig = field(default_factory=LogConfig)
    level: LevelConfig = field(default_factory=LevelConfig)
    size: float | None = _option(
        None,
        Number(0.0, 1.0),
        "size of a model that has several",
        "--size",
        metavar="0..1",
        unset="1",
    )
    step_down: bool | None = _option(
        None,
        Switch(),
        "reduce the quality while the load is too high (/nemo/size/auto)",
        "--step-down",
        no_flag="--no-step-down",
        no_help="keep the full quality, whatever the load",
        unset="as in the last session, else on",
    )
    model: str = _option(
        "",
        NameOrFile(),
        "first model: a name in the library, or a file",
        "--model",
        metavar="NAME|FILE",
        unset="the last one played, else the first of the library",
    )
    library: tuple[Path, ...] = _option(
        (),
        Folders(),
        "folder with models, beside the shipped ones and your own",
        "--library",
        metavar="DIR",
        unset="none",
    )
    cab: str = _option(
        "",
        NameOrFile(),
        "first cabinet: a name in the library of cabinets, or a sound file with an impulse "
        "response",
        "--cab",
        metavar="NAME|FILE",
        unset="the last one played, else none",
    )
    cabinets: tuple[Path, ...] = _option(
        (),
        Folders(),
        "folder with impulse responses of cabinets, beside the shipped ones and your own",
        "--cabinets",
        metavar="DIR",
        unset="none",
    )
    chains: tuple[tuple[str, Chain], ...] = _option(
        (), Chains(), "chains that `/nemo/chain/set` plays by name", unset="none"
    )
    state: bool | Path = _option(  # noqa: RUF009 - a value, as all others
        True,
        FileOrSwitch(),
        "file in which the last model and all knobs are kept for the next start",
        "--state",
        metavar="FILE",
        no_flag="--no-state",
        no_help="start from the defaults, and keep nothing",
        unset="~/.local/state/nemod/state.json",
    )
    presets: Path | None = _option(  # noqa: RUF009 - a value, as all others
        None,
        Folder(),
        "folder in which presets are kept",
        "--presets",
        metavar="DIR",
        unset="~/.local/share/nemod/presets",
    )
    announce: bool | None = _option(
        None,
        Switch(),
        "announce the OSC and HTTP ports by mDNS, so that phones find them",
        "--announce",
        no_flag="--no-announce",
        no_help="do not announce the ports",
        unset="unless only this machine is served",
    )
    standby: bool | None = _option(
        None,
        Switch(),
        "keep a second audio process on standby (100 MB), to take over when the first one fails",
        "--standby",
        no_flag="--no-standby",
        no_help="keep none",
        aliases=("--spare", "--no-spare"),
        unset="where the machine has 2 GB of memory",
    )


SECTIONS: dict[str, type] = {
    "audio": AudioConfig,
    "osc": OscConfig,
    "http": HttpConfig,
    "midi": MidiConfig,
    "log": LogConfig,
    "level": LevelConfig,
}
"""Sections of the file, by their key."""


def declaration(entry: "dataclasses.Field[Any]") -> Declaration | None:
    """Return what is declared for a field; None for a section."""
    found: Declaration | None = entry.metadata.get("option")
    return found


def options(kind: type = Config, section: str = "") -> Iterator[Option]:
    """Iterate over all options in the order of their declaration."""
    for entry in dataclasses.fields(kind):
        declared = declaration(entry)
        if declared is not None:
            yield Option(section + entry.name, entry.default, declared)
        else:
            yield from options(SECTIONS[entry.name], f"{entry.name}.")


OPTIONS = {option.key: option for option in options()}
"""All options by key."""


def log_level(name: str) -> int:
    """Return the number that the logging library has for a level."""
    return int(logging.getLevelNamesMapping()[name.upper()])
