"""sd_notify: against a real datagram socket, as systemd's is, and against systemd's own client."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from nemod.daemon import notify


@pytest.fixture(params=["file", "abstract"])
def supervisor(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The socket of a supervisor, of either kind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5.0)
        if request.param == "file":
            listening.bind(str(tmp_path / "notify"))
            monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        else:
            listening.bind(f"\0nemod-test-{os.getpid()}")
            monkeypatch.setenv("NOTIFY_SOCKET", f"@nemod-test-{os.getpid()}")
        yield listening


@pytest.mark.parametrize(
    ("tell", "expected"),
    [
        (notify.ready, b"READY=1"),
        (partial(notify.ready, "Amp Clean"), b"READY=1\nSTATUS=Amp Clean"),
        (partial(notify.status, "Überdrive"), "STATUS=Überdrive".encode()),
        (notify.watchdog, b"WATCHDOG=1"),
        (notify.stopping, b"STOPPING=1"),
    ],
)
def test_each_word_is_one_datagram(
    supervisor: socket.socket, tell: Callable[[], bool], expected: bytes
) -> None:
    """The lines that sd_notify(3) names."""
    assert tell() is True
    assert supervisor.recv(4096) == expected


def test_a_status_of_several_lines_says_nothing_else(supervisor: socket.socket) -> None:
    """A model named with a line break cannot stop the service; half a character is no error."""
    assert notify.status("amp\nSTOPPING=1\r\0\ud800")
    assert supervisor.recv(4096) == b"STATUS=amp STOPPING=1  ?"


@pytest.mark.parametrize("target", [None, "", "relative", "/nowhere/notify", "/" + "x" * 300, "@"])
def test_without_a_supervisor_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, target: str | None
) -> None:
    """No variable, no file, a name that no socket can have: False, and no error."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if target is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", target)
    told = [notify.ready(), notify.status("x"), notify.watchdog(), notify.stopping()]
    assert told == [False] * 4


def test_a_socket_that_died_is_no_error(supervisor: socket.socket) -> None:
    """Its file may still lie there."""
    supervisor.close()
    assert notify.watchdog() is False


def test_a_full_socket_does_not_hold_the_daemon(supervisor: socket.socket) -> None:
    """A supervisor that does not read gets what fits; the rest is dropped without waiting."""
    told = [notify.watchdog() for _ in range(2000)]
    assert told[0] is True
    assert told[-1] is False


@pytest.mark.parametrize(
    ("period", "process", "expected"),
    [
        ("20000000", "own", 20.0),
        ("1500000", None, 1.5),
        ("20000000", "1", None),
        (None, None, None),
        ("", None, None),
        ("0", None, None),
        ("-5", None, None),
        ("soon", None, None),
        ("9" * 5000, None, None),
        ("²", None, None),
    ],
)
def test_the_watchdog_period_is_this_process_s(
    monkeypatch: pytest.MonkeyPatch, period: str | None, process: str | None, expected: float | None
) -> None:
    """In seconds; None for another process and for what is no number."""
    for name, value in (("WATCHDOG_USEC", period), ("WATCHDOG_PID", process)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
    assert notify.watchdog_period() == expected


@pytest.mark.skipif(shutil.which("systemd-notify") is None, reason="systemd-notify is not here")
def test_systemd_s_own_client_says_the_same(supervisor: socket.socket) -> None:
    """Not all of its datagram: it adds the process for which it speaks."""
    # Without --no-block it waits for the service manager to have read it.
    command = ["systemd-notify", "--no-block", "--ready", "--status=Amp Clean"]
    subprocess.run(command, check=True, timeout=10)
    theirs = set(supervisor.recv(4096).splitlines())
    assert notify.ready("Amp Clean")
    assert set(supervisor.recv(4096).splitlines()) <= theirs
