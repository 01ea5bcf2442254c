"""Inter-process communication of the daemon, the audio process and the builder.

Settings go down a pipe as records of one fixed size below `PIPE_BUF`, so that a write is atomic and
the newest record is the last one. Telemetry comes up another pipe in the same form. Rigs and rare
messages are framed on a stream socket: a length, then a pickle; both ends are our own processes.
"""

import fcntl
import json
import os
import pickle
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_SETTINGS_HEAD = struct.Struct("<II")
SETTINGS_BYTES = 2048
"""[bytes] One settings record: rig id, count, float32 controls, padding. The largest chain needs
less; see `tests/engine/test_ipc.py`."""
MAX_CONTROLS = (SETTINGS_BYTES - _SETTINGS_HEAD.size) // 4

TELEMETRY_S = 0.02
"""[s] Time between two telemetry records."""
LOAD_BINS_PER_PERIOD = 20
LOAD_BINS = 32
"""Bins of the load of blocks, each 5 % of the period wide; the last one has no upper end."""


def encode_settings(rig_id: int, controls: NDArray[np.float32]) -> bytes:
    """Return the record that sets the controls [n] of rig `rig_id`."""
    if controls.dtype != np.float32 or controls.size > MAX_CONTROLS:
        raise ValueError(f"{controls.size} controls of {controls.dtype}: at most {MAX_CONTROLS}")
    record = _SETTINGS_HEAD.pack(rig_id, controls.size) + controls.tobytes()
    return record.ljust(SETTINGS_BYTES, b"\0")


PANIC_ID = 0xFFFF_FFFF
"""The rig id of a record that requests a panic; see `nemod.engine.panic`. It is a settings record,
so that it overtakes rigs that are being sent and loaded, and keeps its order with the mute."""


def encode_panic() -> bytes:
    """Return the record that requests a panic."""
    return encode_settings(PANIC_ID, np.zeros(0, np.float32))


INPUT_ID = 0xFFFF_FFFE
"""The rig id of a record that starts or stops the stream of the input, for the tuner."""


def encode_input_stream(*, is_on: bool) -> bytes:
    """Return the record that starts or stops the stream of the input."""
    return encode_settings(INPUT_ID, np.array([is_on], np.float32))


def newest_settings(data: bytes, rig_id: int) -> NDArray[np.float32] | None:
    """Return the newest controls for this rig among whole records, or None.

    Thread: audio. Searches from the end, so that many records cost no more than one.
    """
    for start in range(len(data) - SETTINGS_BYTES, -1, -SETTINGS_BYTES):
        found, count = _SETTINGS_HEAD.unpack_from(data, start)
        if found == rig_id:
            return np.frombuffer(data, np.float32, count, start + _SETTINGS_HEAD.size)
    return None


class TelemetryRecord(NamedTuple):
    """State of the engine, sent every `TELEMETRY_S`; counts are totals since the process began."""

    blocks: int
    """Blocks processed."""
    rig_id: int
    """The rig that sounds alone; 0 before the first and during a crossfade."""
    clips: int
    """Blocks whose peak before the limiter was above full scale."""
    late: int
    """Blocks that began later than a whole period after their time."""
    xruns: int
    """Underflows and overflows as the device counts them."""
    faults: int
    """Blocks muted because of a non-finite sample or an error in the callback."""
    recording_lost: int
    """Frames dropped because the recorder was too slow."""
    peak_in: float
    """Largest sample since the last record, +-1.0 full scale."""
    peak_out: float
    load: float
    """Mean share of the period, 0..1."""
    load_peak: float
    """Largest share of the period since the last record."""
    load_counts: Sequence[int] = (0,) * LOAD_BINS
    """[LOAD_BINS] Blocks since the last record by their share of the period, those of crossfades
    excluded: they take longer for a moment, whatever plays."""


_TELEMETRY = struct.Struct(f"<7Q4d{LOAD_BINS}I")
_SCALARS = len(TelemetryRecord._fields) - 1


def encode_telemetry(record: TelemetryRecord) -> bytes:
    """Return the bytes of a record. Thread: audio."""
    return _TELEMETRY.pack(*record[:_SCALARS], *record.load_counts)


def decode_telemetry(data: bytes) -> Iterator[TelemetryRecord]:
    """Yield the records in `data`, oldest first."""
    for values in _TELEMETRY.iter_unpack(data):
        yield TelemetryRecord._make((*values[:_SCALARS], values[_SCALARS:]))


TELEMETRY_BYTES = _TELEMETRY.size


def write_whole(fd: int, record: bytes) -> bool:
    """Write a record to a non-blocking pipe; False when it is full or closed. Thread: any."""
    try:
        os.write(fd, record)
    except (BlockingIOError, BrokenPipeError):
        return False
    return True


def enlarge_pipe(fd: int) -> None:
    """Give a pipe room for seconds of sound, so that a slow reader loses nothing."""
    # The largest that an unprivileged process may set; a smaller one works too.
    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)


# --- frames on a stream socket -----------------------------------------------------------------

_FRAME_HEAD = struct.Struct("<Q")
MAX_FRAME_BYTES = 1 << 30
"""[bytes] More than any rig; a larger length means that the stream is corrupt."""


def encode_frame(value: object) -> bytes:
    """Return length and pickle of a value."""
    body = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return _FRAME_HEAD.pack(len(body)) + body


def send_frame(sock: socket.socket, value: object) -> None:
    """Send a value over a blocking socket."""
    sock.sendall(encode_frame(value))


def receive_frame(sock: socket.socket) -> Any:
    """Receive a value from a blocking socket.

    Raises: EOFError when the other end has closed, or the stream is corrupt.
    """
    (length,) = _FRAME_HEAD.unpack(_receive_exactly(sock, _FRAME_HEAD.size))
    if length > MAX_FRAME_BYTES:
        raise EOFError(f"a frame of {length} bytes: the stream is corrupt")
    return pickle.loads(_receive_exactly(sock, length))


def _receive_exactly(sock: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = sock.recv_into(view)
        if not got:
            raise EOFError("the other end has closed")
        view = view[got:]
    return data


FRAME_HEAD_BYTES = _FRAME_HEAD.size


def frame_length(head: bytes) -> int:
    """Return the number of bytes that follow the head of a frame."""
    return int(_FRAME_HEAD.unpack(head)[0])


# --- messages and command lines ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """The device to open, as configured."""

    name: str
    input_name: str = ""
    """The device of the input, where that is another one than the output's."""
    last_name: str = ""
    """A name of the device that was open last, which is tried first."""
    input_channel: int = 1
    """Counted from 1."""
    output_channels: tuple[int, ...] = ()
    """Counted from 1: one, or two for left and right; empty for the same sound in the first two, or
    in the only one."""
    rate_hz: int | None = None
    """[Hz] None selects the device's default."""
    rate_is_wish: bool = False
    """If the device refuses this rate, its default is acceptable."""
    block_frames: int = 64
    periods: int = 3
    """Periods of the card's buffer; JACK's server has its own."""
    cpu_latency_us: int | None = None
    """[us] See `nemod.engine.cpu_latency`; None sets no limit."""

    @property
    def outputs(self) -> int:
        """Outputs of the rigs that it plays: 2 where left and right have channels of their own."""
        return max(1, len(self.output_channels))

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
    """The descriptors that an audio process inherits; on its command line, as JSON."""

    link_fd: int
    settings_fd: int
    telemetry_fd: int
    recording_fd: int = -1
    """-1: the output is not recorded."""
    input_fd: int = -1
    """-1: the input is never streamed."""

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "AudioProcessArguments":
        """Return the arguments of a command line."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayRig:
    """Daemon -> audio process: play this rig as number `rig_id`.

    `rig` is a pickled `AnyCompiledRig`, which the daemon forwards without unpickling it. A
    standby process loads and verifies it and keeps it ready.
    """

    rig_id: int
    rig: bytes
    rate_hz: int
    """Rate of the device that it was built for."""
    block_frames: int
    """Block size that it was built for."""
    outputs: int = 1
    """Outputs that it was built for."""
    controls: NDArray[np.float32] | None = field(default=None, compare=False)
    """[n] Its present controls, with which it starts; None for those that it was built with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRig:
    """Daemon -> audio process: load the programs of a rig that may have to be played soon.

    Loading a program takes longer than everything else between `PlayRig` and the first sample.
    """

    rig: bytes
    """A pickled `AnyCompiledRig`."""
    block_frames: int
    outputs: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDevice:
    """Daemon -> audio process: open the device and play."""

    request: DeviceRequest
    rig_id: int = 0
    """The rig to start with, sent before. Silence for 0 and for a rig of another rate or block."""
    controls: NDArray[np.float32] | None = None
    """[n] The present controls of that rig."""


@dataclass(frozen=True, slots=True)
class StopProcess:
    """Daemon -> audio process: fade out and exit."""


@dataclass(frozen=True, slots=True)
class ProcessReady:
    """Audio process -> daemon: started, without a device; expects `OpenDevice`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOpened:
    """Audio process -> daemon: the device is running."""

    device: str
    rate_hz: int
    block_frames: int
    outputs: int = 1
    """1, or 2 for left and right."""
    latency_s: float
    counts_xruns: bool = True
    """Whether it reports lost samples; see `nemod.engine.devices.base.Device`."""
    notices: tuple[str, ...]
    """Rights that the system refused, each with its remedy, and what is not as requested."""
    details: str = ""
    """Formats, periods and buffers, for the log."""
    reopen_name: str = ""
    """See `nemod.engine.devices.base.Device`."""
    is_card: bool = False
    """See `nemod.engine.devices.base.Device`."""


@dataclass(frozen=True, slots=True)
class DeviceFailed:
    """Audio process -> daemon: the device could not be opened, or failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class RigFailed:
    """Audio process -> daemon: the rig failed its verification; the old one keeps playing."""

    rig_id: int
    reason: str
