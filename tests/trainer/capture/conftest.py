"""A JACK server that tolerates a busy machine, and a simulated pedal as its client."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

RATE = 48_000
PERIOD = 4096
"""[frames] Long, so that a busy machine does not cost takes."""
PEDAL_DELAY = 137
"""[frames] What the pedal's own converters would take."""

Sound = NDArray[np.float32]

PEDAL = f"""
import sys, time
import jack
import numpy as np
client = jack.Client("pedal", no_start_server=True)
into, out = client.inports.register("in"), client.outports.register("out")
line = np.zeros({PEDAL_DELAY}, np.float32)

def process(frames):
    global line
    recorded = np.concatenate([line, into.get_array()])
    line = recorded[frames:].copy()
    out.get_array()[:] = np.float32(-0.5) * np.tanh(np.float32(4.0) * recorded[:frames])

client.set_process_callback(process)
with client:
    print("up", flush=True)
    sys.stdin.read()
"""


def pedal(dry: Sound) -> Sound:
    """Return the output of the pedal without its delay [frames]: clipped and inverted."""
    wet: Sound = np.float32(-0.5) * np.tanh(np.float32(4.0) * dry)
    return wet


@pytest.fixture
def pedal_on_jack() -> Iterator[str]:
    """Run a JACK server with the pedal as its client; return its device name."""
    name = f"nemod-capture-{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("JACK_DEFAULT_SERVER", name)
        patch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
        server = subprocess.Popen(
            ["jackd", "-n", name, "-r", "-S", "-d", "dummy", "-r", str(RATE), "-p", str(PERIOD)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(server.wait, 10.0)
        stack.callback(server.terminate)
        waited = subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], capture_output=True)
        assert waited.returncode == 0, waited.stdout
        client = subprocess.Popen(
            [sys.executable, "-c", PEDAL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        stack.callback(client.communicate, timeout=10.0)  # closes its standard input, which ends it
        assert client.stdout is not None
        assert client.stdout.readline() == "up\n"
        yield "pedal"
