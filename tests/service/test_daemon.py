"""The daemon as systemd runs it: what it tells, and how it ends when all its processes are told."""

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


def test_the_service_is_ready_alive_and_ends_in_order(start: Any, tmp_path: Path) -> None:
    """All of READY, WATCHDOG, STATUS and STOPPING arrive; SIGTERM to all is a fade and a 0."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60.0)
        daemon = start(
            *("--device", "null"),
            env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"},
        )
        heard: list[str] = []
        while not {"READY=1", "WATCHDOG=1"} <= set(heard):
            heard += manager.recv(4096).decode().splitlines()
        phone = daemon.client()
        assert phone.query("/nemo/status/state") == "running"
        phone.send("/nemo/model/load", "drive-gru20")
        while "STATUS=running drive-gru20" not in heard:
            heard += manager.recv(4096).decode().splitlines()
        own = daemon.process.pid
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(own)], capture_output=True, text=True, check=True
        )
        for process in (*map(int, listed.stdout.split()), own):
            os.kill(process, signal.SIGTERM)
            time.sleep(0.05)
        assert phone.wait("/nemo/bye").address == "/nemo/bye"
        assert daemon.process.wait(10.0) == 0, daemon.text
        manager.setblocking(False)
        while "STOPPING=1" not in heard:
            heard += manager.recv(4096).decode().splitlines()
    assert "ended" not in daemon.text, daemon.text
