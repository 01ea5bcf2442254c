"""A stream on a real JACK server adds no delay, whatever its block is to the server's period."""

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


COPIES = """
import sys
from nemod.engine.ipc import DeviceRequest
from nemod.engine.devices.portaudio import open_stream

def copy(block, out, *, xrun):
    out[:] = block

request = DeviceRequest(name="system", rate_hz=48_000, block_frames=int(sys.argv[1]))
stream = open_stream(request)
stream.start(copy)
print("started", flush=True)
sys.stdin.read()
stream.close()
"""
"""A process, because PortAudio looks for JACK's server once in the life of one."""


def heard_through_a_stream(block_frames: int) -> Any:
    """Return what one JACK client gives to a copying stream, and what another hears of it."""
    giver = jack_client.Client("giver", no_start_server=True)
    ear = jack_client.Client("hearer", no_start_server=True)
    gives: Any = giver.outports.register("out")
    hears: Any = ear.inports.register("in")
    # By JACK's frame number, so that it does not matter who is called when.
    given: dict[int, Any] = {}
    heard: dict[int, Any] = {}
    sound = np.random.default_rng(5).uniform(0.1, 0.5, 4 * FRAMES).astype(np.float32)
    sound = sound.reshape(-1, PERIOD)

    def give(frames: int) -> None:
        piece = sound[len(given) % len(sound)]
        gives.get_array()[:] = piece
        given[giver.last_frame_time] = piece

    def hear(frames: int) -> None:
        heard[ear.last_frame_time] = hears.get_array().copy()

    giver.set_process_callback(give)
    ear.set_process_callback(hear)
    stream = subprocess.Popen(
        [sys.executable, "-c", COPIES, str(block_frames)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert stream.stdout is not None
        assert stream.stdout.readline() == "started\n"
        giver.activate()
        ear.activate()
        own = ("system:", "giver:", "hearer:")
        ports = [port for port in ear.get_ports(is_audio=True) if not port.name.startswith(own)]
        sink = next(port for port in ports if port.is_input)
        for port in giver.get_all_connections(sink):
            giver.disconnect(port, sink)
        ear.connect(next(port for port in ports if port.is_output), hears)
        giver.connect(gives, sink)
        end = time.monotonic() + 10.0
        while len(heard) < 2 * FRAMES // PERIOD and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        for client in (giver, ear):
            client.deactivate()
            client.close()
        stream.communicate("", timeout=10.0)
    common = sorted(set(given) & set(heard))[-FRAMES // PERIOD :]
    assert len(common) > 50
    return tuple(np.concatenate([side[frame] for frame in common]) for side in (given, heard))


@pytest.mark.parametrize("block_frames", [64, 32])
def test_whole_blocks_of_a_period_are_heard_in_the_same_period(
    patient_jack: None, block_frames: int
) -> None:
    """What goes in with a period comes out with it, to the bit."""
    given, heard = heard_through_a_stream(block_frames)
    moved = np.flatnonzero(heard)
    assert moved.size > FRAMES // 2
    np.testing.assert_array_equal(heard[moved[0] : moved[-1] + 1], given[moved[0] : moved[-1] + 1])


def test_a_block_that_is_no_part_of_the_period_is_played_late_but_whole(
    patient_jack: None,
) -> None:
    """With 48 frames in periods of 64 the sound comes later, with none of its frames lost."""
    given, heard = heard_through_a_stream(48)
    piece = given[FRAMES // 2 : FRAMES // 2 + 512].astype(np.float64)
    piece -= piece.mean()
    lags = np.array([float(heard[FRAMES // 2 + lag :][:512] @ piece) for lag in range(512)])
    lag = int(np.argmax(lags))
    assert lag > 0
    end = min(given.size, heard.size - lag)
    np.testing.assert_array_equal(heard[FRAMES // 2 + lag : end], given[FRAMES // 2 : end - lag])
