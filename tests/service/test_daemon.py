"""The daemon as systemd runs it: its notifications, and its end by SIGTERM to all processes."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import start

__all__ = ["start"]

pytestmark = pytest.mark.server


class Manager:
    """What systemd is for the daemon: it reads all notifications as they come."""

    def __init__(self, path: Path) -> None:
        self.received: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        # The socket of a manager that does not read is soon full, and then messages are lost.
        self._reader = threading.Thread(target=self._read, name="manager")
        self._reader.start()

    def _read(self) -> None:
        while text := self._socket.recv(4096).decode():
            self.received += text.splitlines()

    def wait(self, *wanted: str, seconds: float = 60.0) -> None:
        """Return when all these lines have arrived."""
        end = time.monotonic() + seconds
        while not set(wanted) <= set(self.received):
            assert time.monotonic() < end, self.received
            time.sleep(0.05)

    def close(self, path: Path) -> None:
        """Read no more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"", str(path))
        self._reader.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A manager that listens at `notify`."""
    made = Manager(tmp_path / "notify")
    yield made
    made.close(tmp_path / "notify")


def test_the_service_notifies_systemd_and_ends_cleanly(
    start: Any, manager: Manager, tmp_path: Path
) -> None:
    """READY, WATCHDOG, STATUS and STOPPING arrive; SIGTERM to all processes: exit status 0."""
    daemon = start(
        *("--device", "null"),
        env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"},
    )
    manager.wait("READY=1", "WATCHDOG=1")
    client = daemon.client()
    assert client.query("/nemo/status/state") == "running"
    client.send("/nemo/model/load", "drive-gru20")
    manager.wait("STATUS=running drive-gru20")
    own = daemon.process.pid
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(own)], capture_output=True, text=True, check=True
    )
    for process in (*map(int, listed.stdout.split()), own):
        os.kill(process, signal.SIGTERM)
        time.sleep(0.05)
    assert client.wait("/nemo/bye").address == "/nemo/bye"
    assert daemon.process.wait(10.0) == 0, daemon.text
    manager.wait("STOPPING=1", seconds=5.0)
    assert "ended" not in daemon.text, daemon.text
