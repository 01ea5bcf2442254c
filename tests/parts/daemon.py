"""Starts the daemon as a child process."""

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

START_S = 120.0
"""[s] The first start compiles, which takes long on a busy machine."""
END_S = 10.0


@dataclass
class Daemon:
    """A running daemon."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    """The lines of its output."""
    port: int = 0
    """UDP port for OSC."""
    reader: threading.Thread | None = None

    @property
    def text(self) -> str:
        """Its output, for error messages."""
        return "".join(self.lines)

    def http_port(self) -> int:
        """Return the TCP port for OSCQuery, waiting until it is open. Raises: RuntimeError."""
        end = time.monotonic() + END_S
        while time.monotonic() < end:
            if found := re.search(r"OSCQuery +http=(\d+)", self.text):
                return int(found[1])
            time.sleep(0.05)
        raise RuntimeError(f"nemod serves no HTTP:\n{self.text}")

    def end(self) -> None:
        """Terminate it, and kill it if it does not exit in time."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.reader is not None:
            self.reader.join(END_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


def launch(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> Daemon:
    """Start `nemod` on a free local port and wait until it accepts OSC.

    Without `--step-down` the quality stays as it is, so that a busy machine changes no result.
    `environment` is added to that of this process. Raises: RuntimeError with the daemon's output
    when it does not start.
    """
    steady = [] if "--step-down" in arguments else ["--no-step-down"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nemod", "--port", "0", "--local", *steady, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
    )
    daemon = Daemon(process)
    ports: queue.Queue[int] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            daemon.lines.append(line)
            if found := re.match(r"OSC udp://\S+:(\d+)", line):
                ports.put(int(found[1]))

    daemon.reader = threading.Thread(target=read, name="reader", daemon=True)
    daemon.reader.start()
    end = time.monotonic() + START_S
    while not daemon.port:
        try:
            daemon.port = ports.get(timeout=0.2)
        except queue.Empty:
            if process.poll() is not None or time.monotonic() > end:
                daemon.end()
                raise RuntimeError(f"nemod did not start:\n{daemon.text}") from None
    return daemon
