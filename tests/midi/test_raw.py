"""Bytes of a named pipe and of a serial port."""

import asyncio
import os
import termios
from pathlib import Path

import pytest
import structlog

from nemod.midi.messages import Kind, Message, Port
from nemod.midi.sources import raw
from nemod.midi.sources.raw import RawMidi
from tests.midi.heard import TIMERS, Heard, run


def test_bytes_of_a_named_pipe(tmp_path: Path) -> None:
    """Programs may come and go at its other end; what is cut off by one is no message."""
    path = tmp_path / "controller"
    os.mkfifo(path)

    async def work() -> None:
        heard = Heard()
        source = RawMidi(path, heard, TIMERS)
        for data in ("b0 07 40 07", "07 41"):
            with path.open("wb", buffering=0) as pipe:
                pipe.write(bytes.fromhex(data))
        await heard.until(lambda: len(heard.messages) == 2)
        source.close()
        assert [message.value for _, message in heard.messages] == [64, 7]
        assert heard.log == ["+ controller"]
        assert heard.sends == {Port("controller"): None}

    run(work())


def test_a_file_is_opened_when_it_appears_and_again_after_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a serial port that is plugged in, which a terminal stands for; it takes messages, too."""
    monkeypatch.setattr(raw, "RETRY_S", 0.02)
    path = tmp_path / "serial"

    async def work() -> None:
        heard = Heard()
        with structlog.testing.capture_logs() as logs:
            source = RawMidi(path, heard, TIMERS)
            await asyncio.sleep(0.1)
        assert [line["reason"] for line in logs] == ["No such file or directory"]
        for count in (1, 2):
            own, other = os.openpty()
            path.unlink(missing_ok=True)
            path.symlink_to(os.ttyname(other))
            await heard.until(lambda count=count: heard.log.count("+ serial") == count)
            os.close(other)
            os.write(own, bytes.fromhex("90 0d 40 f8"))  # 0d would be a line end
            await heard.until(lambda count=count: len(heard.messages) == 2 * count)
            send = heard.sends[Port("serial")]
            assert send is not None
            send(Message(Kind.CC, 1, 10, 13))
            assert os.read(own, 10) == bytes.fromhex("b0 0a 0d")
            os.close(own)
            await heard.until(lambda count=count: heard.log.count("- serial") == count)
        source.close()

    run(work())


def test_a_regular_file_is_refused(tmp_path: Path) -> None:
    """There is nothing to wait for in it."""
    path = tmp_path / "song.mid"
    path.write_bytes(b"MThd")

    async def work() -> None:
        with structlog.testing.capture_logs() as logs:
            RawMidi(path, Heard(), TIMERS).close()
        assert logs[0]["reason"] == "neither a device nor a named pipe"

    run(work())


def test_a_serial_port_that_is_gone_in_the_moment_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is opened again later, as one that was not there."""

    def fail(_fd: int) -> None:
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(termios, "tcgetattr", fail)
    _, other = os.openpty()

    async def work() -> None:
        with structlog.testing.capture_logs() as logs:
            RawMidi(Path(os.ttyname(other)), Heard(), TIMERS).close()
        assert [line["reason"] for line in logs] == ["Input/output error"]

    run(work())
