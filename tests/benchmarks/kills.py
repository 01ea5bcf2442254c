"""Measures the gap in the sound after the audio process or the builder is killed.

A JACK client plays a tone into the daemon and records its output. The audio process is killed
(SIGKILL) repeatedly, and the time from the last period with sound to the next is measured; then the
builder, each time just before a model is loaded. All knobs must keep their positions.

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

from tests.benchmarks.harness import daemon, jack_server, machine, processes, temporary_home
from tests.parts.daemon import Daemon
from tests.parts.jackd import RATE
from tests.parts.osc_client import OscClient

SILENCE = 1e-4
"""Peak below which a period counts as silent (-80 dBFS)."""
GAP_S = 0.02
"""[s] Shortest silence that counts as a gap."""
STEADY_S = 0.5
"""[s] Sound without a gap for this long counts as restored."""
LIMIT_S = 60.0
"""[s] Longest time to wait until the sound is restored."""


class GapMeter:
    """A JACK client that plays a tone into the daemon and measures gaps in the daemon's output.

    It connects to the ports of every new audio process.
    """

    def __init__(self) -> None:
        import jack

        self._client = jack.Client("gap-meter", no_start_server=True)
        self._in: Any = self._client.inports.register("in")
        self._out: Any = self._client.outports.register("out")
        self._tone = (0.2 * np.sin(2 * np.pi * 440.0 * np.arange(RATE) / RATE)).astype(np.float32)
        self._at = 0
        self.last_sound_s = 0.0
        """[s] Time of the last period with sound, on the monotonic clock."""
        self.since_s = 0.0
        """[s] Start of the sound without a gap, on the monotonic clock."""
        self.gap_s = 0.0
        """[s] The longest silence since `reset`."""
        self._client.set_process_callback(self._process)
        self._client.activate()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._connect, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        """Forget the gaps so far."""
        self.gap_s = 0.0

    def _process(self, frames: int) -> None:
        self._tone.take(range(self._at, self._at + frames), mode="wrap", out=self._out.get_array())
        self._at = (self._at + frames) % self._tone.size
        if np.abs(self._in.get_array()).max() > SILENCE:
            now = time.monotonic()
            if now - self.last_sound_s > GAP_S:
                self.since_s = now
            if self.last_sound_s:
                self.gap_s = max(self.gap_s, now - self.last_sound_s)
            self.last_sound_s = now

    def _connect(self) -> None:
        while not self._ended.wait(0.003):
            with suppress(Exception):  # the ports of a process that has just ended
                for port in self._client.get_ports(is_audio=True):
                    if port.name.startswith(("system:", "gap-meter:")):
                        continue
                    pair = (port, self._in) if port.is_output else (self._out, port)
                    ours = pair[1] if port.is_output else pair[0]
                    known = [other.name for other in self._client.get_all_connections(port)]
                    if ours.name not in known:
                        self._client.connect(*pair)

    def close(self) -> None:
        """Disconnect from the server."""
        self._ended.set()
        self._thread.join()
        self._client.deactivate()
        self._client.close()


def kill_audio(running: Daemon, meter: GapMeter) -> float:
    """Kill the audio process; return the length of the gap [s]."""
    before = processes(running)["audio"]
    meter.reset()
    os.kill(before, signal.SIGKILL)
    killed = time.monotonic()
    while time.monotonic() < killed + LIMIT_S:
        time.sleep(0.01)
        is_new = processes(running).get("audio", before) != before
        # JACK repeats the last period of the killed process until it notices its end.
        if is_new and killed < meter.since_s < time.monotonic() - STEADY_S:
            return meter.gap_s
    raise RuntimeError(f"no sound for {LIMIT_S:g} s:\n{''.join(running.lines)}")


def kill_builder(running: Daemon, meter: GapMeter, client: OscClient, model: str) -> float:
    """Kill the builder and load a model; return the longest silence [s]."""
    meter.reset()
    os.kill(processes(running)["builder"], signal.SIGKILL)
    client.load(model)
    return meter.gap_s


def main() -> None:
    """Print the gaps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="kills of the audio process")
    parser.add_argument("--builder", type=int, default=10, help="kills of the builder")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two kills")
    parser.add_argument("options", nargs="*", help="options of nemod")
    given = parser.parse_args()
    with (
        temporary_home() as (home, times),
        jack_server(realtime=True),
        daemon("system", home, times, *given.options) as running,
    ):
        meter, client = GapMeter(), OscClient(running.port)
        try:
            measure(given, running, meter, client)
        finally:
            meter.close()
            client.close()
    print(machine())  # noqa: T201


def measure(given: argparse.Namespace, running: Daemon, meter: GapMeter, client: OscClient) -> None:
    """Kill the processes and print the gaps. Raises: RuntimeError where a knob has moved."""
    knobs = {"bass": 0.625, "treble": 0.375, "output": 0.4375}
    for name, position in knobs.items():
        client.send(f"/nemo/{name}", position)
    gaps = []
    for number in range(given.kills):
        time.sleep(given.pause)
        gaps.append(kill_audio(running, meter))
        print(f"{number + 1}: {1000 * gaps[-1]:.0f} ms", flush=True)  # noqa: T201
    pauses = []
    for number in range(given.builder):
        name = ("drive-gru20", "clipper-lstm16")[number % 2]
        pauses.append(kill_builder(running, meter, client, name))
    for name, position in knobs.items():
        found = client.query(f"/nemo/{name}")
        if found != position:
            raise RuntimeError(f"{name} is at {found}, expected {position}")
    if gaps:
        middle, worst = 1000 * statistics.median(gaps), 1000 * max(gaps)
        what = f"audio process killed {len(gaps)} times"
        print(f"{what}: gap {middle:.0f} ms in the median, {worst:.0f} ms at worst")  # noqa: T201
    if pauses:
        longest = 1000 * max(pauses)
        print(f"builder killed {len(pauses)} times: longest gap {longest:.0f} ms")  # noqa: T201
    print("all knobs kept their positions")  # noqa: T201


if __name__ == "__main__":
    main()
