"""The audio process reports a device that fails, without delay."""

import os
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from nemod.engine import process
from nemod.engine.engine import Engine
from nemod.engine.ipc import DeviceFailed, receive_frame
from nemod.engine.loaded_rigs import LoadedRigs

LONG_S = 20.0


class _EndedError(Exception):
    """In place of the end of the process."""


def serve(device: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[str]]:
    """Serve until the process ends; return what it has sent, and what it did before its end."""
    ours, theirs = socket.socketpair()
    steps: list[str] = []

    def end(status: int) -> None:
        steps.append(f"exit {status}")
        raise _EndedError

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(process, "drop_realtime_priority", lambda: steps.append("normal priority"))
    with ours, theirs:
        helper = process.Helper(Engine(48_000, 64), theirs, LoadedRigs())
        with pytest.raises(_EndedError):
            process._serve(helper, device)
        return receive_frame(ours), steps


def test_a_failure_wakes_the_helper_thread_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for its next look at the device. Freeing the memory then delays nobody."""
    fd = os.eventfd(0)
    device: Any = SimpleNamespace(name="card", failure="", failure_fd=fd, may_vanish=True)

    def fail() -> None:
        device.failure = "it was disconnected"
        os.eventfd_write(fd, 1)

    monkeypatch.setattr(process, "POLL_S", LONG_S)
    timer = threading.Timer(0.05, fail)
    began = time.monotonic()
    timer.start()
    try:
        sent, steps = serve(device, monkeypatch)
    finally:
        timer.join()
        os.close(fd)
    assert sent == DeviceFailed("it was disconnected")
    assert steps == ["normal priority", "exit 1"]
    assert time.monotonic() - began < LONG_S / 2.0


def test_a_device_without_a_descriptor_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio's streams only have a text."""
    device: Any = SimpleNamespace(name="card", failure="stopped", failure_fd=-1, may_vanish=True)
    sent, _ = serve(device, monkeypatch)
    assert sent == DeviceFailed("stopped")
