"""`nemod latency` through a JACK client that is the cable, and without one."""

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
"""JACK hears a loop one period later: the command's answer is the cable's delay and this."""


@contextmanager
def cable(frames: int, gain: float) -> Iterator[None]:
    """Run a client that gives back what it hears, so many frames later."""
    client = jack_client.Client("cable", no_start_server=True)
    hears: Any = client.inports.register("in")
    gives: Any = client.outports.register("out")
    line = np.zeros(frames + PERIOD, np.float32)

    def process(_count: int) -> None:
        line[:-PERIOD] = line[PERIOD:].copy()
        line[-PERIOD:] = hears.get_array()
        gives.get_array()[:] = gain * line[:PERIOD]

    client.set_process_callback(process)
    client.activate()
    try:
        yield
    finally:
        client.deactivate()
        client.close()


def latency(device: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    command = [sys.executable, "-m", "nemod", "latency", "--device", device, "--block", "64"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60.0)


@pytest.mark.parametrize(("frames", "gain"), [(1_000, -0.5)])
def test_a_known_delay_is_measured_to_the_frame(
    patient_jack: None, frames: int, gain: float
) -> None:
    """Round trip, level and polarity are the cable's, with JACK's own period on top."""
    with cable(frames, gain):
        done = latency("cable")
    assert done.returncode == 0, done.stderr
    found = re.search(r"round trip +(\d+) frames +([\d.]+) ms", done.stdout)
    assert found is not None, done.stdout
    assert int(found[1]) == frames + PERIOD
    assert float(found[2]) == round(1000 * (frames + PERIOD) / 48_000, 2)
    assert f"level       {20 * np.log10(abs(gain)):+.1f} dB" in done.stdout
    assert f"polarity    {'inverted' if gain < 0 else 'as played'}" in done.stdout


def test_without_a_cable_it_says_so(patient_jack: None) -> None:
    """The dummy card's input is silent: status 1, and what to do."""
    done = latency("system")
    assert done.returncode == 1
    assert "nothing comes back: connect the output to the input" in done.stderr
