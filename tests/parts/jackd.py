"""Runs a real JACK server with the dummy driver, which has a clock but needs no sound card."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

RATE = 48_000
BLOCK = 64
ORDINARY = ("-r",)
"""Without real-time priority, for users who have no right to it."""


@contextmanager
def jack_server(options: Sequence[str] = ORDINARY) -> Iterator[None]:
    """Run a separate server: 48 kHz, 64 frames, two inputs and two outputs.

    Within the context it is the default server of this process and its children. Raises:
    RuntimeError when it does not start.
    """
    name = f"nemod-{os.getpid()}{''.join(options)}"
    old = {key: os.environ.get(key) for key in ("JACK_DEFAULT_SERVER", "JACK_NO_AUDIO_RESERVATION")}
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_AUDIO_RESERVATION="1")
    server = subprocess.Popen(
        ["jackd", "-n", name, *options, "-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        waited = subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], capture_output=True)
        if waited.returncode:
            raise RuntimeError(f"jackd did not start: {waited.stdout!r}")
        yield
    finally:
        server.terminate()
        server.wait(10.0)
        for key, value in old.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
