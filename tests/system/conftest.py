"""Real parts for the whole daemon: its process, a JACK server, OSC clients."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.parts.daemon import Daemon, launch
from tests.parts.jackd import BLOCK, ORDINARY, RATE, jack_server
from tests.parts.phone import Phone

Sound = NDArray[np.float32]


class Running:
    """A daemon in a process of its own, and its clients."""

    def __init__(self, daemon: Daemon) -> None:
        self.process, self.port = daemon.process, daemon.port
        self.clients: list[Phone] = []
        self._daemon = daemon

    def client(self) -> Phone:
        """Return a new OSC client of it."""
        made = Phone(self.port)
        self.clients.append(made)
        return made

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(10.0)

    @property
    def lines(self) -> list[str]:
        """What it wrote."""
        return self._daemon.lines

    @property
    def text(self) -> str:
        """What it wrote, for messages of failed tests."""
        return self._daemon.text

    def end(self) -> None:
        """Leave nothing behind."""
        for client in self.clients:
            client.close()
        self._daemon.end()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts `nemod` with arguments and waits until it plays."""
    running: list[Running] = []

    def begin(*arguments: str, env: dict[str, str] | None = None) -> Running:
        if "--spare" not in arguments:
            # Two seconds of a processor for something that most tests never use.
            arguments = ("--no-spare", *arguments)
        running.append(Running(launch([*arguments], tmp_path, env or {})))
        return running[-1]

    yield begin
    for daemon in running:
        daemon.end()


@pytest.fixture
def jack() -> Iterator[None]:
    """A JACK server as most people run it: a client that is late loses a block."""
    with jack_server():
        yield


@pytest.fixture
def patient_jack() -> Iterator[None]:
    """A JACK server that waits for its clients, so that a busy machine costs time, not sound."""
    with jack_server([*ORDINARY, "-S"]):
        yield


class Player:
    """A JACK client that plays a sound into the daemon and records what it answers."""

    def __init__(self) -> None:
        import jack

        self._client = jack.Client("guitar", no_start_server=True)
        self._out: Any = self._client.outports.register("out")
        self._in: Any = self._client.inports.register("in")
        self._sound: Sound = np.zeros(0, np.float32)
        self._heard: Sound = np.zeros(0, np.float32)
        self._at = 0
        self.xruns = 0
        self.programme: Sound = np.zeros(0, np.float32)
        self._ahead = False
        self._client.set_process_callback(self._process)
        self._client.set_xrun_callback(self._xrun)
        self._client.activate()
        source, sink = self._daemon_ports()
        for port in self._client.get_all_connections(sink):
            self._client.disconnect(port, sink)  # the silence of system:capture_1
        self._client.connect(self._out, sink)
        self._client.connect(source, self._in)

    def _daemon_ports(self) -> tuple[Any, Any]:
        """Output and input port of the daemon."""
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            ours = [
                port
                for port in self._client.get_ports(is_audio=True)
                if not port.name.startswith(("system:", "guitar:"))
            ]
            sources = [port for port in ours if port.is_output]
            sinks = [port for port in ours if port.is_input]
            if sources and sinks:
                return sources[0], sinks[0]
            time.sleep(0.05)
        raise AssertionError("the daemon has no ports")

    def _process(self, frames: int) -> None:
        if not self._ahead:
            self._ahead = True
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(75))
        start, stop = self._at, min(self._at + frames, self._sound.size)
        out = self._out.get_array()
        out[:] = 0.0
        out[: stop - start] = self._sound[start:stop]
        self._heard[start:stop] = self._in.get_array()[: stop - start]
        self._at = stop

    def _xrun(self, delayed_usecs: float) -> None:
        self.xruns += 1

    def play(self, sound: Sound, during: Callable[[], None] = lambda: None) -> Sound:
        """Play a sound and return what was heard meanwhile, as long as it."""
        self._sound, self._at = np.zeros(0, np.float32), 0
        self._heard = np.zeros(sound.size, np.float32)
        self._sound = sound
        during()
        end = time.monotonic() + sound.size / RATE + 10.0
        while self._at < sound.size and time.monotonic() < end:
            time.sleep(0.05)
        assert self._at == sound.size, "JACK did not call back"
        return self._heard

    @property
    def left(self) -> int:
        """How many frames are still to be played."""
        return self._sound.size - self._at

    def close(self) -> None:
        """Leave the server."""
        self._client.deactivate()
        self._client.close()


@pytest.fixture
def guitar(shared_data: Path) -> Sound:
    """Four seconds of a real guitar, 48 kHz."""
    sound, rate = soundfile.read(shared_data / "di" / "t3k_Mayer-Guitar.wav", dtype="float32")
    assert rate == RATE
    return np.ascontiguousarray(sound[: 4 * RATE])


@pytest.fixture
def play_on_jack(start: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Return a function that starts the daemon on the JACK server, with a client around it."""
    players: list[Player] = []
    daemons: list[Any] = []

    def begin(*arguments: str) -> tuple[Any, Player]:
        daemon = start("--device", "system", "--block", str(BLOCK), *arguments)
        daemons.append(daemon)
        player = Player()
        players.append(player)
        return daemon, player

    yield begin
    for player in players:
        player.close()
    for daemon in daemons:
        daemon.stop()  # before its server
