"""How long the sound is gone when the audio process is killed, and what a dead builder costs.

A JACK client plays a tone into the daemon and listens to its answer. The audio process is killed
(SIGKILL) again and again, and the time from the last period with sound to the next is measured;
then the builder, each time before a model is loaded. The knobs must stand where they stood.

    python -m tests.benchmarks.kills [--kills 50] [--builder 10] [--pause 5] [-- nemod's options]
"""

import argparse
import os
import signal
import statistics
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np

from tests.benchmarks.harness import daemon, jack_server, machine, places, processes
from tests.parts.daemon import Daemon
from tests.parts.jackd import RATE
from tests.parts.osc_client import OscClient

SILENCE = 1e-4
"""Peak below which a period counts as silent (-80 dBFS)."""
BREAK_S = 0.02
"""[s] A pause as long as this is a break."""
STEADY_S = 0.5
"""[s] Sound without a break for this long is back."""
LIMIT_S = 60.0
"""[s] Sound that is not back by then never comes back."""


class Ear:
    """A JACK client around the daemon, which it connects to whenever that has new ports."""

    def __init__(self) -> None:
        import jack

        self._client = jack.Client("ear", no_start_server=True)
        self._in: Any = self._client.inports.register("in")
        self._out: Any = self._client.outports.register("out")
        self._tone = (0.2 * np.sin(2 * np.pi * 440.0 * np.arange(RATE) / RATE)).astype(np.float32)
        self._at = 0
        self.last_sound_s = 0.0
        """[s] When a period with sound was heard last, on the monotonic clock."""
        self.since_s = 0.0
        """[s] Since when there has been sound without a break."""
        self.gap_s = 0.0
        """[s] The longest pause since `listen`."""
        self._client.set_process_callback(self._process)
        self._client.activate()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._connect, daemon=True)
        self._thread.start()

    def listen(self) -> None:
        """Forget the pauses so far."""
        self.gap_s = 0.0

    def _process(self, frames: int) -> None:
        self._tone.take(range(self._at, self._at + frames), mode="wrap", out=self._out.get_array())
        self._at = (self._at + frames) % self._tone.size
        if np.abs(self._in.get_array()).max() > SILENCE:
            now = time.monotonic()
            if now - self.last_sound_s > BREAK_S:
                self.since_s = now
            if self.last_sound_s:
                self.gap_s = max(self.gap_s, now - self.last_sound_s)
            self.last_sound_s = now

    def _connect(self) -> None:
        while not self._ended.wait(0.003):
            with suppress(Exception):  # ports of a process that has just died
                for port in self._client.get_ports(is_audio=True):
                    if port.name.startswith(("system:", "ear:")):
                        continue
                    pair = (port, self._in) if port.is_output else (self._out, port)
                    ours = pair[1] if port.is_output else pair[0]
                    known = [other.name for other in self._client.get_all_connections(port)]
                    if ours.name not in known:
                        self._client.connect(*pair)

    def close(self) -> None:
        """Leave the server."""
        self._ended.set()
        self._thread.join()
        self._client.deactivate()
        self._client.close()


def kill_audio(running: Daemon, ear: Ear) -> float:
    """Kill the audio process; return how long [s] there was no sound."""
    before = processes(running)["audio"]
    ear.listen()
    os.kill(before, signal.SIGKILL)
    killed = time.monotonic()
    while time.monotonic() < killed + LIMIT_S:
        time.sleep(0.01)
        is_new = processes(running).get("audio", before) != before
        # The old process is heard for a moment still: JACK plays its last period until it knows.
        if is_new and killed < ear.since_s < time.monotonic() - STEADY_S:
            return ear.gap_s
    raise RuntimeError(f"no sound for {LIMIT_S:g} s:\n{''.join(running.lines)}")


def kill_builder(running: Daemon, ear: Ear, client: OscClient, model: str) -> float:
    """Kill the builder and load a model; return the longest pause [s] of the sound."""
    ear.listen()
    os.kill(processes(running)["builder"], signal.SIGKILL)
    client.load(model)
    return ear.gap_s


def main() -> None:
    """Print the gaps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--builder", type=int, default=10)
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("options", nargs="*", help="of nemod")
    given = parser.parse_args()
    with (
        places() as (home, times),
        jack_server(realtime=True),
        daemon("system", home, times, *given.options) as running,
    ):
        ear, client = Ear(), OscClient(running.port)
        try:
            measure(given, running, ear, client)
        finally:
            ear.close()
            client.close()
    print(machine())  # noqa: T201


def measure(given: argparse.Namespace, running: Daemon, ear: Ear, client: OscClient) -> None:
    """Kill, listen, and print what came of it."""
    knobs = {"bass": 0.625, "treble": 0.375, "output": 0.4375}
    for name, position in knobs.items():
        client.send(f"/nemo/{name}", position)
    gaps = []
    for number in range(given.kills):
        time.sleep(given.pause)
        gaps.append(kill_audio(running, ear))
        print(f"{number + 1}: {1000 * gaps[-1]:.0f} ms", flush=True)  # noqa: T201
    pauses = []
    for number in range(given.builder):
        name = ("drive-gru20", "clipper-lstm16")[number % 2]
        pauses.append(kill_builder(running, ear, client, name))
    for name, position in knobs.items():
        found = client.query(f"/nemo/{name}")
        if found != position:
            raise RuntimeError(f"{name} stands at {found}, not at {position}")
    if gaps:
        middle, worst = 1000 * statistics.median(gaps), 1000 * max(gaps)
        what = f"audio process killed {len(gaps)} times"
        print(f"{what}: sound gone for {middle:.0f} ms in the median, {worst:.0f} ms at worst")  # noqa: T201
    if pauses:
        longest = 1000 * max(pauses)
        print(f"builder killed {len(pauses)} times: longest pause {longest:.0f} ms")  # noqa: T201
    print("the knobs stand where they stood")  # noqa: T201


if __name__ == "__main__":
    main()
