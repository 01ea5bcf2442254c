"""`nemod latency` with a JACK client that acts as the loopback cable, and without a cable."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jack as jack_client
import numpy as np
import pytest

pytestmark = [pytest.mark.jack, pytest.mark.portaudio]

ROOT = Path(__file__).resolve().parents[2]
PERIOD = 64
"""A loop through JACK adds one period: the command reports the cable's delay plus this."""


@contextmanager
def cable(frames: int, gain: float) -> Iterator[None]:
    """Run a client that returns its input after a delay of `frames`, multiplied by `gain`."""
    client = jack_client.Client("cable", no_start_server=True)
    input_port: Any = client.inports.register("in")
    output_port: Any = client.outports.register("out")
    line = np.zeros(frames + PERIOD, np.float32)

    def process(_count: int) -> None:
        line[:-PERIOD] = line[PERIOD:].copy()
        line[-PERIOD:] = input_port.get_array()
        output_port.get_array()[:] = gain * line[:PERIOD]

    client.set_process_callback(process)
    client.activate()
    try:
        yield
    finally:
        client.deactivate()
        client.close()


def latency(device: str) -> "subprocess.CompletedProcess[str]":
    """Run `nemod latency` on a device."""
    command = [sys.executable, "-m", "nemod", "latency", "--device", device, "--block", "64"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60.0)


@pytest.mark.parametrize(("frames", "gain"), [(1_000, -0.5)])
def test_a_known_delay_is_measured_to_the_frame(
    synchronous_jack: None, frames: int, gain: float
) -> None:
    """Round trip (plus one period of JACK), level and polarity are those of the cable."""
    with cable(frames, gain):
        done = latency("cable")
    assert done.returncode == 0, done.stderr
    found = re.search(r"round trip +(\d+) frames +([\d.]+) ms", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) == frames + PERIOD
    assert float(found[2]) == round(1000 * (frames + PERIOD) / 48_000, 2)
    assert f"level       {20 * np.log10(abs(gain)):+.1f} dB" in done.stdout
    assert f"polarity    {'inverted' if gain < 0 else 'as played'}" in done.stdout


def test_without_a_cable_it_fails_with_instructions(synchronous_jack: None) -> None:
    """The dummy device's input is silent: exit status 1 and a remedy."""
    done = latency("system")
    assert done.returncode == 1
    assert "nothing comes back: connect the output to the input" in done.stderr
