"""What travels between the planes, and in which form.

Settings go down a pipe as records of one fixed size below `PIPE_BUF`, so a write is whole or not
at all and the newest record is the last one. Reports come up a pipe in the same manner. Rigs, and
what is rare, are framed on a stream socket: a length, then a pickle; both ends are ours.
"""

import json
import os
import pickle
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.parameters.parameter_set import KnobSpec
from nemod.parameters.table import MAX_KNOBS, TABLE

_SETTINGS_HEAD = struct.Struct("<II")
SETTINGS_BYTES = 1024
"""[bytes] One settings record: rig id, count, float32 controls, padding."""
MAX_CONTROLS = (SETTINGS_BYTES - _SETTINGS_HEAD.size) // 4
if MAX_KNOBS + len(TABLE) > MAX_CONTROLS:  # pragma: no branch
    raise AssertionError("a settings record is too small for the table of parameters")

TELEMETRY_S = 0.02
"""[s] Time between two reports of the audio plane."""


def encode_settings(rig_id: int, controls: NDArray[np.float32]) -> bytes:
    """Return the record that gives rig `rig_id` these controls [n]."""
    if controls.dtype != np.float32 or controls.size > MAX_CONTROLS:
        raise ValueError(f"{controls.size} controls of {controls.dtype}: at most {MAX_CONTROLS}")
    record = _SETTINGS_HEAD.pack(rig_id, controls.size) + controls.tobytes()
    return record.ljust(SETTINGS_BYTES, b"\0")


def newest_settings(data: bytes, rig_id: int) -> NDArray[np.float32] | None:
    """Return the newest controls for this rig among whole records, or None.

    Thread: audio. Walks from the end, so a storm of records costs no more than one.
    """
    for start in range(len(data) - SETTINGS_BYTES, -1, -SETTINGS_BYTES):
        found, count = _SETTINGS_HEAD.unpack_from(data, start)
        if found == rig_id:
            return np.frombuffer(data, np.float32, count, start + _SETTINGS_HEAD.size)
    return None


class TelemetryRecord(NamedTuple):
    """What the callback tells, every `TELEMETRY_S`; counts are totals since the process began."""

    blocks: int
    """Blocks processed."""
    rig_id: int
    """The rig that is heard alone; 0 before the first."""
    clips: int
    """Blocks whose peak before the limiter was above full scale."""
    late: int
    """Blocks that began later than a whole period after their time."""
    xruns: int
    """Under- and overflows as the device counts them."""
    faults: int
    """Blocks muted because of a sample that was not finite, or an error in the callback."""
    tape_lost: int
    """Frames that the recorder was too slow for."""
    peak_in: float
    """Largest sample since the last report, +-1.0 full scale."""
    peak_out: float
    load: float
    """Mean share of the period, 0..1."""
    load_peak: float
    """Largest share of the period."""


_REPORT = struct.Struct("<7Q4d")


def encode_telemetry(report: TelemetryRecord) -> bytes:
    """Return the record of a report. Thread: audio."""
    return _REPORT.pack(*report)


def decode_telemetry(data: bytes) -> Iterator[TelemetryRecord]:
    """Yield the reports in whole records, oldest first."""
    for values in _REPORT.iter_unpack(data):
        yield TelemetryRecord(*values)


TELEMETRY_BYTES = _REPORT.size


def write_whole(fd: int, record: bytes) -> bool:
    """Write a record to a non-blocking pipe; False when it is full or nobody reads. Thread: any."""
    try:
        os.write(fd, record)
    except (BlockingIOError, BrokenPipeError):
        return False
    return True


# --- frames on a stream socket -----------------------------------------------------------------

_FRAME_HEAD = struct.Struct("<Q")
MAX_FRAME_BYTES = 1 << 30
"""[bytes] More than any rig; a larger length means that the stream is damaged."""


def encode_frame(value: object) -> bytes:
    """Return length and pickle of a value."""
    body = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return _FRAME_HEAD.pack(len(body)) + body


def send_frame(sock: socket.socket, value: object) -> None:
    """Send a value over a blocking socket."""
    sock.sendall(encode_frame(value))


def receive_frame(sock: socket.socket) -> Any:
    """Receive a value from a blocking socket.

    Raises: EOFError when the other end is gone.
    """
    (length,) = _FRAME_HEAD.unpack(_receive_exactly(sock, _FRAME_HEAD.size))
    if length > MAX_FRAME_BYTES:
        raise EOFError(f"a frame of {length} bytes: the stream is damaged")
    return pickle.loads(_receive_exactly(sock, length))


def _receive_exactly(sock: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = sock.recv_into(view)
        if not got:
            raise EOFError("the other end is gone")
        view = view[got:]
    return data


FRAME_HEAD_BYTES = _FRAME_HEAD.size


def frame_length(head: bytes) -> int:
    """Return how many bytes follow a frame's head."""
    return int(_FRAME_HEAD.unpack(head)[0])


# --- what the frames and the command line hold -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """Which device to open, as the configuration says it."""

    name: str
    input_channel: int = 1
    """Counted from 1."""
    output_channels: tuple[int, ...] = ()
    """Counted from 1; empty means the first two, or the only one."""
    rate_hz: int | None = None
    """[Hz] None is the device's own."""
    rate_is_wish: bool = False
    """Where the device refuses this rate, its own will do."""
    block_frames: int = 64
    cpu_latency_us: int | None = None
    """[us] See `nemod.engine.cpu_latency`; None lets processors sleep as they like."""

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "DeviceRequest":
        """Return the request of a command line."""
        values = json.loads(text)
        return cls(**{**values, "output_channels": tuple(values["output_channels"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioProcessArguments:
    """The descriptors that an audio plane is born with; on its command line, as JSON."""

    link_fd: int
    settings_fd: int
    report_fd: int
    tape_fd: int = -1

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "AudioProcessArguments":
        """Return the arguments of a command line."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How loud models are made; see `nemod.builder.level`."""

    normalize: bool = False
    input_dbu: float | None = None
    """[dBu] Level of a sine at the interface's input that reaches full scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """Control plane -> foundry: make a rig."""

    request_id: int
    path: str
    """The model's file; empty for a clean rig, without a model."""
    rate_hz: int
    block_frames: int
    positions: dict[str, float]
    """The positions that were set; the rig is warmed up with them, and the model's defaults."""
    level: Level = Level()
    size: float | None = None
    """0..1: which size of a model that has several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRig:
    """Foundry -> audio plane: a compiled chain with its weights and a warmed state."""

    executable: bytes
    """The serialized program; see `nemod.engine.rig.Program`."""
    weights: list[NDArray[np.float32]]
    state: list[NDArray[Any]]
    controls: NDArray[np.float32]
    """[n] The controls it was warmed up with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledResampledRig:
    """Foundry -> audio plane: a rig in three parts, the middle one at the model's own rate."""

    parts: tuple[CompiledRig, ...]
    """What stands before the model, the model, and what stands after it."""
    rate_hz: int
    model_rate_hz: int
    block_frames: int
    lead_frames: int
    """[frames] at the device's rate that lie ready at the start, so that none is ever missing."""
    latency_frames: int
    """By how many frames the answer is late; what goes past the model is held back as long."""
    rest: float
    """What the model gives when it hears silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """Foundry -> control plane: the rig, still pickled, with what the control plane must know."""

    request_id: int
    rig: bytes
    layout: tuple[str, ...]
    """Paths of the controls, in the order of a settings record."""
    latency_frames: int
    knobs: tuple[KnobSpec, ...]
    """The model's conditioning knobs, with their defaults."""
    model_rate_hz: int
    rate_policy: str
    """`exact`, `delay` or `resample`."""
    info: dict[str, Any]
    """What `/nemo/model/info` answers."""
    cached: bool
    """Whether the program came from the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailure:
    """Builder -> control plane: no rig from this file, and why."""

    request_id: int
    reason: str
    is_model_fault: bool = False
    """Whether the file is the cause, so that it is no use to try it again until it has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayRig:
    """Control plane -> audio plane: play this rig as number `rig_id`.

    `rig` is a pickled `CompiledRig` or `CompiledResampledRig`: the control plane forwards it. An
    audio process that has no device yet loads and verifies it and keeps it ready.
    """

    rig_id: int
    rig: bytes
    rate_hz: int
    """What it was made for."""
    block_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDevice:
    """Control plane -> audio plane: open the device and play."""

    request: DeviceRequest
    rig_id: int = 0
    """The rig to begin with, sent before; 0 is silence, and so is one made for another rate."""
    controls: NDArray[np.float32] | None = None
    """[n] Where its knobs stand now."""


@dataclass(frozen=True, slots=True)
class StopProcess:
    """Control plane -> audio plane: fade out and end."""


@dataclass(frozen=True, slots=True)
class ProcessReady:
    """Audio plane -> control plane: warm, without a device; the next is `OpenDevice`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOpened:
    """Audio plane -> control plane: the device runs."""

    device: str
    rate_hz: int
    block_frames: int
    latency_s: float
    notices: tuple[str, ...]
    """What the system would not grant, each with its remedy."""


@dataclass(frozen=True, slots=True)
class DeviceFailed:
    """Audio plane -> control plane: no device, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class RigFailed:
    """Audio plane -> control plane: this rig did not pass its proof; the old one plays on."""

    rig_id: int
    reason: str
