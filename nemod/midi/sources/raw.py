"""MIDI bytes of a file: a raw MIDI device, a serial port with a MIDI socket, or a named pipe.

For machines without the ALSA sequencer, and for a DIN socket at the pins of a Raspberry Pi. The
file is opened again when it ends or disappears. Thread: control, inside a running event loop.
"""

import asyncio
import errno
import os
import stat
import termios
from collections.abc import Sequence
from pathlib import Path

import structlog

from nemod.common.timers import Timer, Timers
from nemod.midi.binding import Binding
from nemod.midi.messages import Message, Port
from nemod.midi.parser import Parser, to_bytes
from nemod.midi.sources.base import RETRY_S, Receiver, Send

_PIECE = 4096
"""[bytes] Read at once."""

log = structlog.get_logger("nemod")


class RawMidi:
    """One file with MIDI bytes."""

    def __init__(self, path: Path, receiver: Receiver, timers: Timers) -> None:
        """Open the file as soon as it can be opened."""
        self._path = path
        self._port = Port(path.name)
        self._receiver = receiver
        self._timers = timers
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        self._parser = Parser()
        self._timer: Timer | None = None
        self._reason = ""
        self._open()

    def use(self, bindings: Sequence[Binding], inputs: Sequence[str]) -> None:
        """Change nothing: the configuration names the file."""

    def close(self) -> None:
        """Close the file."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._timer = None
        try:
            fd, can_send = _open(self._path)
        except OSError as error:
            self._wait(error.strerror or str(error))
            return
        try:
            self._loop.add_reader(fd, self._read)
        except OSError as error:  # a regular file: nothing to wait for
            os.close(fd)
            self._wait(error.strerror or str(error))
            return
        self._fd, self._parser, self._reason = fd, Parser(), ""
        self._receiver.connected(self._port, self._sender() if can_send else None)

    def _wait(self, reason: str) -> None:
        """Try again later; each reason is logged once."""
        if reason != self._reason:
            self._reason = reason
            log.warning("MIDI file not opened", file=str(self._path), reason=reason)
        self._timer = self._timers.later(RETRY_S, self._open)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended()
            return
        messages = self._parser.feed(data)
        if messages:
            self._receiver.received([(self._port, message) for message in messages])

    def _ended(self) -> None:
        self.close()
        self._receiver.disconnected(self._port)
        log.info("MIDI file ended", file=str(self._path))
        self._timer = self._timers.later(RETRY_S, self._open)

    def _sender(self) -> Send:
        fd = self._fd

        def send(message: Message) -> None:
            data = to_bytes(message)
            if data and fd == self._fd:
                try:
                    os.write(fd, data)
                except OSError as error:
                    log.debug("MIDI not sent", reason=error.strerror)

        return send


def _open(path: Path) -> tuple[int, bool]:
    """Return a descriptor and whether it can be written to. Raises: OSError."""
    flags = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    mode = os.stat(path).st_mode
    if stat.S_ISFIFO(mode):
        # Open for writing, too: the pipe does not end with each program that writes to it.
        return os.open(path, os.O_RDWR | flags), False
    if not stat.S_ISCHR(mode):
        raise OSError(errno.EINVAL, "neither a device nor a named pipe")
    try:
        fd, can_send = os.open(path, os.O_RDWR | flags), True
    except OSError:
        fd, can_send = os.open(path, os.O_RDONLY | flags), False
    if os.isatty(fd):
        try:
            _make_raw(fd)
        except termios.error as error:  # not an OSError: unplugged in this moment
            os.close(fd)
            raise OSError(*error.args) from None
    return fd, can_send


def _make_raw(fd: int) -> None:
    """Have a serial port deliver bytes as they come; its speed is left as it is set."""
    settings = termios.tcgetattr(fd)
    settings[0] = settings[1] = settings[3] = 0
    settings[2] = settings[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8 | termios.CREAD
    settings[2] |= termios.CLOCAL
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, settings)
