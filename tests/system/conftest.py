"""Fixtures for tests of the whole daemon: its process, a JACK server, OSC clients."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.parts.daemon import Daemon, launch
from tests.parts.jack_player import JackPlayer
from tests.parts.jackd import BLOCK, ORDINARY, RATE, jack_server
from tests.parts.osc_client import OscClient

Sound = NDArray[np.float32]


class Running:
    """A running daemon and its OSC clients."""

    def __init__(self, daemon: Daemon) -> None:
        self.process, self.port = daemon.process, daemon.port
        self.clients: list[OscClient] = []
        self._daemon = daemon

    def client(self) -> OscClient:
        """Return a new OSC client of the daemon."""
        client = OscClient(self.port)
        self.clients.append(client)
        return client

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(10.0)

    @property
    def lines(self) -> list[str]:
        """The lines of the daemon's output."""
        return self._daemon.lines

    @property
    def text(self) -> str:
        """The daemon's output, for messages of failed tests."""
        return self._daemon.text

    def http_port(self) -> int:
        """Return the TCP port for OSCQuery, waiting until it is open. Raises: RuntimeError."""
        return self._daemon.http_port()

    def end(self) -> None:
        """Close the clients and end the daemon."""
        for client in self.clients:
            client.close()
        self._daemon.end()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts `nemod` with arguments and waits until it runs."""
    running: list[Running] = []

    def begin(*arguments: str, env: dict[str, str] | None = None) -> Running:
        if "--standby" not in arguments:
            # A standby process takes two seconds of processor time, and most tests do not use it.
            arguments = ("--no-standby", *arguments)
        running.append(Running(launch([*arguments], tmp_path, env or {})))
        return running[-1]

    yield begin
    for daemon in running:
        daemon.end()


@pytest.fixture
def jack() -> Iterator[None]:
    """A JACK server in asynchronous mode, the default: a late client loses a block."""
    with jack_server():
        yield


@pytest.fixture
def synchronous_jack() -> Iterator[None]:
    """A JACK server that waits for its clients, so that a busy machine loses no blocks."""
    with jack_server([*ORDINARY, "-S"]):
        yield


@pytest.fixture
def guitar(shared_data: Path) -> Sound:
    """Four seconds of a real guitar, 48 kHz."""
    sound, rate = soundfile.read(shared_data / "di" / "t3k_Mayer-Guitar.wav", dtype="float32")
    assert rate == RATE
    return np.ascontiguousarray(sound[: 4 * RATE])


@pytest.fixture
def play_on_jack(start: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Return a function that starts the daemon on the JACK server and connects a `JackPlayer`."""
    players: list[JackPlayer] = []
    daemons: list[Any] = []

    def begin(*arguments: str, outputs: int = 1) -> tuple[Any, JackPlayer]:
        daemon = start("--device", "system", "--block", str(BLOCK), *arguments)
        daemons.append(daemon)
        player = JackPlayer(outputs)
        players.append(player)
        return daemon, player

    yield begin
    for player in players:
        player.close()
    for daemon in daemons:
        daemon.stop()  # before its JACK server
