"""The daemon as systemd runs it: its notifications, and its end by SIGTERM to all processes."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import start

__all__ = ["start"]

pytestmark = pytest.mark.server


def test_the_service_notifies_systemd_and_ends_cleanly(start: Any, tmp_path: Path) -> None:
    """READY, WATCHDOG, STATUS and STOPPING arrive; SIGTERM to all processes: exit status 0."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60.0)
        daemon = start(
            *("--device", "null"),
            env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"},
        )
        received: list[str] = []
        while not {"READY=1", "WATCHDOG=1"} <= set(received):
            received += manager.recv(4096).decode().splitlines()
        client = daemon.client()
        assert client.query("/nemo/status/state") == "running"
        client.send("/nemo/model/load", "drive-gru20")
        while "STATUS=running drive-gru20" not in received:
            received += manager.recv(4096).decode().splitlines()
        own = daemon.process.pid
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(own)], capture_output=True, text=True, check=True
        )
        for process in (*map(int, listed.stdout.split()), own):
            os.kill(process, signal.SIGTERM)
            time.sleep(0.05)
        assert client.wait("/nemo/bye").address == "/nemo/bye"
        assert daemon.process.wait(10.0) == 0, daemon.text
        manager.setblocking(False)
        while "STOPPING=1" not in received:
            received += manager.recv(4096).decode().splitlines()
    assert "ended" not in daemon.text, daemon.text
