"""Unplugs and replugs an interface while nemod plays through it, and measures how long both take.

It needs an interface that two commands can pull out and put in, for example in a virtual machine;
`--unplug` may also be a file and what is written to it, as `/sys/.../detach=0`.

    python -m tests.benchmarks.plug_cycles "UMC" --plug "labctl plug usb" --unplug FILE=TEXT
        [--cycles 10] [--waiting] [-- nemod's options]

`--waiting`: the interface is not there at the start, and nemod waits for it.
"""

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PAUSES_S = (0.3, 1.0, 2.0)
"""[s] From an unplug to the next plug, in turn."""
LIMIT_S = 400.0


class Log:
    """The daemon's log."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> list[str]:
        """Return the lines so far."""
        return self._path.read_text(errors="replace").splitlines() if self._path.exists() else []

    def count(self, text: str) -> int:
        """Return how many lines have a text."""
        return sum(text in line for line in self.lines())

    def wait(self, text: str, after: int, limit_s: float = LIMIT_S) -> float | None:
        """Return the time [s] at which a line beyond `after` has the text, None after the limit."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if any(text in line for line in self.lines()[after:]):
                return time.monotonic()
            time.sleep(0.004)
        return None


def usage(daemon: int) -> str:
    """Return memory and descriptors of the daemon and its children."""
    rows = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if daemon not in (int(folder.name), int(fields[1])):
                continue
            resident = re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())
            size = int(resident[1]) // 1024 if resident else 0
            title = (folder / "cmdline").read_text().replace("\0", " ")[:16].strip()
            rows.append(f"{title} {size} MB {len(list((folder / 'fd').iterdir()))} fds")
    return ", ".join(sorted(rows))


def unplug(how: str) -> None:
    """Pull the interface out."""
    path, _, text = how.partition("=")
    if path.startswith("/"):
        Path(path).write_text(text)
    else:
        subprocess.run(shlex.split(how), check=True)


def is_there(name: str) -> bool:
    """Return whether the kernel has a card with this name."""
    return name in Path("/proc/asound/cards").read_text()


def milliseconds(since: float, until: float | None) -> str:
    """Return a duration as text."""
    return "never" if until is None else f"{1e3 * (until - since):.0f} ms"


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("name")
    made.add_argument("--plug", required=True)
    made.add_argument("--unplug", required=True)
    made.add_argument("--cycles", type=int, default=10)
    made.add_argument("--waiting", action="store_true")
    arguments, more = made.parse_known_args()
    options = [word for word in more if word != "--"]
    plug = shlex.split(arguments.plug)
    if not arguments.waiting and not is_there(arguments.name):
        subprocess.run(plug, check=True)
    path = Path(tempfile.mkdtemp()) / "log"
    log = Log(path)
    command = [sys.executable, "-m", "nemod", "--device", arguments.name, "--no-announce"]
    command += ["--local", "--no-state", "--log-level", "debug", *options]
    began = time.monotonic()
    with path.open("w") as file:
        daemon = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ)
    first = "device disconnected" if arguments.waiting else "playing"
    print(f"{first}: {milliseconds(began, log.wait(first, 0))} after the start")  # noqa: T201
    ready = 1
    for cycle in range(arguments.cycles):
        if "--no-standby" not in options and log.count("playing"):
            while log.count("audio process ready") <= ready and daemon.poll() is None:
                time.sleep(0.05)
        time.sleep(0.5)
        text = f"cycle {cycle + 1}:"
        if cycle or not arguments.waiting:
            after, since = len(log.lines()), time.monotonic()
            unplug(arguments.unplug)
            noticed = log.wait("device disconnected", after, 10.0)
            text += f" noticed {milliseconds(since, noticed)} after the unplug,"
            time.sleep(PAUSES_S[cycle % len(PAUSES_S)])
        ready = log.count("audio process ready")
        after = len(log.lines())
        subprocess.run(plug, check=True)
        while not is_there(arguments.name):
            time.sleep(0.002)
        since = time.monotonic()
        back = log.wait("device opened", after)
        print(f"{text} playing {milliseconds(since, back)} after the card appeared")  # noqa: T201
        print(f"    {usage(daemon.pid)}", flush=True)  # noqa: T201
    daemon.send_signal(signal.SIGTERM)
    print(f"exit status {daemon.wait(15.0)}")  # noqa: T201


if __name__ == "__main__":
    main()
