"""Inter-process communication over real pipes and sockets."""

import os
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.chain import MAX_MODELS, MAX_SLOTS
from nemod.engine.ipc import (
    FRAME_HEAD_BYTES,
    MAX_CONTROLS,
    MAX_FRAME_BYTES,
    SETTINGS_BYTES,
    TELEMETRY_BYTES,
    AudioProcessArguments,
    DeviceRequest,
    PlayRig,
    TelemetryRecord,
    decode_telemetry,
    encode_frame,
    encode_settings,
    encode_telemetry,
    frame_length,
    newest_settings,
    receive_frame,
    send_frame,
    write_whole,
)
from nemod.parameters.slot_paths import kind_of
from nemod.parameters.table import FURTHER_TABLE, MAX_KNOBS, TABLE

Pipe = Callable[[], tuple[int, int]]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10.0)
        theirs.settimeout(10.0)
        yield ours, theirs


def controls(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


# --- settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, len(TABLE), MAX_CONTROLS])
def test_a_settings_record_has_a_fixed_size_and_returns_its_controls(count: int) -> None:
    """Bit for bit, for any number of controls."""
    values = np.random.default_rng(1).normal(size=count).astype(np.float32)
    record = encode_settings(7, values)
    assert len(record) == SETTINGS_BYTES
    found = newest_settings(record, 7)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


def test_records_are_small_enough_for_an_atomic_write() -> None:
    """POSIX guarantees it up to `PIPE_BUF` (at least 512 bytes, 4,096 on Linux)."""
    assert max(SETTINGS_BYTES, TELEMETRY_BYTES) <= select.PIPE_BUF


def test_the_largest_chain_fits_into_a_record() -> None:
    """Four models with all knobs that they may have, and the largest effect in all other slots."""
    rows = [row for row in (*TABLE, *FURTHER_TABLE) if row.is_effect_control]
    counts = Counter(kind_of(row.path) for row in rows)
    without_slot = counts.pop("")
    model = MAX_KNOBS + counts.pop("model")
    largest = max(counts.values())
    assert largest == 9  # the flanger's
    needed = MAX_MODELS * model + (MAX_SLOTS - MAX_MODELS) * largest + without_slot
    assert needed <= MAX_CONTROLS
    assert encode_settings(1, np.zeros(needed, np.float32))


def test_controls_that_do_not_fit_are_refused() -> None:
    """Too many, or of another type."""
    with pytest.raises(ValueError, match=f"at most {MAX_CONTROLS}"):
        encode_settings(1, np.zeros(MAX_CONTROLS + 1, np.float32))
    with pytest.raises(ValueError, match="float64"):
        encode_settings(1, np.zeros(3))  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(-1, 1, width=32)), max_size=12))
def test_the_newest_record_of_a_rig_is_used(records: list[tuple[int, float]]) -> None:
    """For any mix of records of several rigs."""
    data = b"".join(encode_settings(rig, controls(value, rig)) for rig, value in records)
    for rig in (1, 2, 3):
        own = [value for number, value in records if number == rig]
        found = newest_settings(data, rig)
        if own:
            assert found is not None
            np.testing.assert_array_equal(found, controls(own[-1], rig))
        else:
            assert found is None


def test_a_full_pipe_takes_no_partial_record(pipe: Pipe) -> None:
    """A record is written whole or not at all, and the result says which."""
    read, write = pipe()
    record = encode_settings(1, controls(0.5))
    written = 0
    while write_whole(write, record):
        written += 1
    data = os.read(read, 1 << 22)
    assert written > 0
    assert len(data) == written * SETTINGS_BYTES


# --- telemetry ---------------------------------------------------------------------------------


def record(blocks: int) -> TelemetryRecord:
    counts = (3, 5, 7, 11, 13, 17)
    return TelemetryRecord(blocks, *counts, peak_in=0.25, peak_out=1e-9, load=0.1, load_peak=2.5)


def test_telemetry_records_are_decoded_in_order() -> None:
    """Every field unchanged, the oldest first."""
    expected = [record(number) for number in (1, 2, 2**63)]
    data = b"".join(map(encode_telemetry, expected))
    assert len(data) == 3 * TELEMETRY_BYTES
    assert list(decode_telemetry(data)) == expected


# --- frames ------------------------------------------------------------------------------------


def test_values_pass_through_a_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    """In order, also values larger than the socket's buffer."""
    ours, theirs = pair
    device = DeviceRequest(name="null", rate_hz=48_000)
    play = PlayRig(rig_id=1, rig=b"x" * 3_000_000, rate_hz=48_000, block_frames=64)
    values = [device, play, None]
    sender = threading.Thread(target=lambda: [send_frame(ours, value) for value in values])
    sender.start()
    received = [receive_frame(theirs) for _ in values]
    sender.join(10.0)
    assert received == values


def test_a_closed_socket_is_an_end_of_file(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """Between two frames."""
    ours, theirs = pair
    ours.close()
    with pytest.raises(EOFError, match="closed"):
        receive_frame(theirs)


@pytest.mark.parametrize("kept", [1, FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + 1, -1])
def test_a_truncated_frame_is_an_end_of_file(
    pair: tuple[socket.socket, socket.socket], kept: int
) -> None:
    """Truncated in its head or its body: never half a value."""
    ours, theirs = pair
    ours.sendall(encode_frame({"a": 1})[:kept])
    ours.close()
    with pytest.raises(EOFError):
        receive_frame(theirs)


def test_a_corrupt_length_is_refused_before_memory_is_allocated(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A gibibyte is more than any rig."""
    ours, theirs = pair
    ours.sendall(struct.pack("<Q", MAX_FRAME_BYTES + 1))
    with pytest.raises(EOFError, match="corrupt"):
        receive_frame(theirs)


def test_the_head_of_a_frame_gives_its_length() -> None:
    """For non-blocking readers."""
    frame = encode_frame(list(range(100)))
    assert frame_length(frame[:FRAME_HEAD_BYTES]) == len(frame) - FRAME_HEAD_BYTES


def test_arguments_pass_through_a_command_line() -> None:
    """As JSON text, including tuples and absent values."""
    for request in (
        DeviceRequest(name="null"),
        DeviceRequest(
            name='Scarlett "2i2"; ö',
            input_channel=2,
            output_channels=(3, 4),
            rate_hz=96_000,
            block_frames=32,
        ),
    ):
        assert DeviceRequest.from_json(request.to_json()) == request
    arguments = AudioProcessArguments(link_fd=5, settings_fd=6, telemetry_fd=7)
    assert AudioProcessArguments.from_json(arguments.to_json()) == arguments
