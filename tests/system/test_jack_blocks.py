"""The delay of a stream on a real JACK server, by the ratio of its block to the server's period."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jack as jack_client
import numpy as np
import pytest

pytestmark = [pytest.mark.jack, pytest.mark.portaudio]

ROOT = Path(__file__).resolve().parents[2]
PERIOD = 64
FRAMES = 100 * PERIOD


COPYING_STREAM = """
import sys
from nemod.engine.ipc import DeviceRequest
from nemod.engine.devices.factory import open_device

def copy(block, out, *, xrun):
    out[:] = block

request = DeviceRequest(name="system", rate_hz=48_000, block_frames=int(sys.argv[1]))
stream, _ = open_device(request)
stream.start(copy)
print("started", flush=True)
sys.stdin.read()
stream.close()
"""
"""Runs in a process of its own, because PortAudio looks for JACK's server once per process."""


def through_a_stream(block_frames: int) -> Any:
    """Return the input of a stream that copies, from one JACK client, and its output to another."""
    source = jack_client.Client("source", no_start_server=True)
    sink = jack_client.Client("sink", no_start_server=True)
    source_port: Any = source.outports.register("out")
    sink_port: Any = sink.inports.register("in")
    # By JACK's frame number, so that the order of the callbacks does not matter.
    sent: dict[int, Any] = {}
    received: dict[int, Any] = {}
    sound = np.random.default_rng(5).uniform(0.1, 0.5, 4 * FRAMES).astype(np.float32)
    sound = sound.reshape(-1, PERIOD)

    def send(frames: int) -> None:
        piece = sound[len(sent) % len(sound)]
        source_port.get_array()[:] = piece
        sent[source.last_frame_time] = piece

    def receive(frames: int) -> None:
        received[sink.last_frame_time] = sink_port.get_array().copy()

    source.set_process_callback(send)
    sink.set_process_callback(receive)
    stream = subprocess.Popen(
        [sys.executable, "-c", COPYING_STREAM, str(block_frames)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert stream.stdout is not None
        assert stream.stdout.readline() == "started\n"
        source.activate()
        sink.activate()
        own = ("system:", "source:", "sink:")
        ports = [port for port in sink.get_ports(is_audio=True) if not port.name.startswith(own)]
        stream_input = next(port for port in ports if port.is_input)
        for port in source.get_all_connections(stream_input):
            source.disconnect(port, stream_input)
        sink.connect(next(port for port in ports if port.is_output), sink_port)
        source.connect(source_port, stream_input)
        end = time.monotonic() + 10.0
        while len(received) < 2 * FRAMES // PERIOD and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        for client in (source, sink):
            client.deactivate()
            client.close()
        stream.communicate("", timeout=10.0)
    common = sorted(set(sent) & set(received))[-FRAMES // PERIOD :]
    assert len(common) > 50
    return tuple(np.concatenate([side[frame] for frame in common]) for side in (sent, received))


@pytest.mark.parametrize("block_frames", [64, 32])
def test_blocks_that_divide_the_period_add_no_delay(
    synchronous_jack: None, block_frames: int
) -> None:
    """The output of a period equals its input exactly."""
    sent, received = through_a_stream(block_frames)
    used = np.flatnonzero(received)
    assert used.size > FRAMES // 2
    np.testing.assert_array_equal(received[used[0] : used[-1] + 1], sent[used[0] : used[-1] + 1])


def test_a_block_that_does_not_divide_the_period_adds_delay_but_loses_nothing(
    synchronous_jack: None,
) -> None:
    """With blocks of 48 frames in periods of 64 the output is the delayed input, complete."""
    sent, received = through_a_stream(48)
    piece = sent[FRAMES // 2 : FRAMES // 2 + 512].astype(np.float64)
    piece -= piece.mean()
    lags = np.array([float(received[FRAMES // 2 + lag :][:512] @ piece) for lag in range(512)])
    lag = int(np.argmax(lags))
    assert lag > 0
    end = min(sent.size, received.size - lag)
    np.testing.assert_array_equal(received[FRAMES // 2 + lag : end], sent[FRAMES // 2 : end - lag])
