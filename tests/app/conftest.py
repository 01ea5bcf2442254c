"""Real parts for the whole daemon: its process, a JACK server, OSC clients."""

import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

RATE = 48_000
BLOCK = 64
START_S = 60.0
"""[s] A cold start compiles; on a busy machine that takes its time."""

Sound = NDArray[np.float32]


class OscClient:
    """A phone: sends messages from one UDP port and reads what comes back to it."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)

    def send(self, address: str, *arguments: Any) -> None:
        """Send one message."""
        builder = OscMessageBuilder(address)
        for argument in arguments:
            builder.add_arg(argument)
        self._socket.sendto(builder.build().dgram, self._to)

    def wait(self, *addresses: str, seconds: float = 5.0) -> OscMessage:
        """Return the next message with one of these addresses; fail when none comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = OscMessage(self._socket.recv(65536))
            except (TimeoutError, ConnectionRefusedError):
                continue
            if message.address in addresses:
                return message
        raise AssertionError(f"no answer on {addresses} within {seconds} s")

    def query(self, address: str, seconds: float = 5.0) -> Any:
        """Return the value of an address."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(address)
            try:
                return self.wait(address, seconds=0.5).params[0]
            except AssertionError:
                continue
        raise AssertionError(f"no answer on {address} within {seconds} s")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@dataclass
class Running:
    """A daemon in a process of its own."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    clients: list[OscClient] = field(default_factory=list)
    port: int = 0
    reader: threading.Thread | None = None

    def client(self) -> OscClient:
        """Return a new OSC client of it."""
        made = OscClient(self.port)
        self.clients.append(made)
        return made

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(10.0)

    @property
    def text(self) -> str:
        """What it wrote, for messages of failed tests."""
        return "".join(self.lines)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts `nemod` with arguments and waits until it plays."""
    running: list[Running] = []

    def begin(*arguments: str, env: dict[str, str] | None = None) -> Running:
        if "--spare" not in arguments:
            # Two seconds of a processor for something that most tests never use.
            arguments = ("--no-spare", *arguments)
        process = subprocess.Popen(
            [sys.executable, "-m", "nemod", "--port", "0", "--local", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
        )
        daemon = Running(process)
        running.append(daemon)
        told: queue.Queue[int] = queue.Queue()

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                daemon.lines.append(line)
                found = re.match(r"OSC udp://\S+:(\d+)", line)
                if found:
                    told.put(int(found[1]))

        daemon.reader = threading.Thread(target=read, name="reader", daemon=True)
        daemon.reader.start()
        end = time.monotonic() + START_S
        while not daemon.port:
            try:
                daemon.port = told.get(timeout=0.2)
            except queue.Empty:
                dead = process.poll() is not None
                if dead or time.monotonic() > end:
                    pytest.fail(f"nemod did not start:\n{daemon.text}")
        return daemon

    yield begin
    for daemon in running:
        for client in daemon.clients:
            client.close()
        if daemon.process.poll() is None:
            daemon.process.terminate()
        try:
            daemon.process.wait(5.0)
        except subprocess.TimeoutExpired:
            daemon.process.kill()
            daemon.process.wait()
        if daemon.reader is not None:
            daemon.reader.join(10.0)
        if daemon.process.stdout is not None:
            daemon.process.stdout.close()


@contextlib.contextmanager
def jack_server(*options: str) -> Iterator[None]:
    """Run a JACK server of its own: the dummy driver, 48 kHz, 64 frames, two channels each way."""
    name = f"nemod-test-{os.getpid()}{''.join(options)}"
    old = {key: os.environ.get(key) for key in ("JACK_DEFAULT_SERVER", "JACK_NO_AUDIO_RESERVATION")}
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_AUDIO_RESERVATION="1")
    server = subprocess.Popen(
        ["jackd", "-n", name, "-r", *options, "-d", "dummy", "-r", "48000", "-p", "64"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        waited = subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], capture_output=True)
        assert waited.returncode == 0, waited.stdout
        yield
    finally:
        server.terminate()
        server.wait(10.0)
        for key, value in old.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@pytest.fixture
def jack() -> Iterator[None]:
    """A JACK server as most people run it: a client that is late loses a block."""
    with jack_server():
        yield


@pytest.fixture
def patient_jack() -> Iterator[None]:
    """A JACK server that waits for its clients, so that a busy machine costs time, not sound."""
    with jack_server("-S"):
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
