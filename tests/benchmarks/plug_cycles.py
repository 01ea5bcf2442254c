"""Unplugs and replugs an interface while nemod plays through it, and measures how long both take.

It needs an interface that two commands can pull out and put in, for example in a virtual machine;
`--unplug` may also be a file and what is written to it, as `/sys/.../detach=0`.

    python -m tests.benchmarks.plug_cycles "UMC" --plug "labctl plug usb" --unplug FILE=TEXT
        [--cycles 10] [--waiting] [-- nemod's options]

`--waiting`: the interface is not there at the start, and nemod waits for it.

The times are those of the daemon's log, so that reading it late does not count. A line for each
cycle has what the log says since the unplug, in order, in ms after the unplug; then memory and open
descriptors of the daemon and its children.
"""

import argparse
import json
import os
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

PAUSES_S = (0.3, 1.0, 2.0)
"""[s] From an unplug to the next plug, in turn."""
LIMIT_S = 400.0
POLL_S = 0.05
GONE, BACK, READY = "device disconnected", "device opened", "audio process ready"


class Entry(NamedTuple):
    """A line of the daemon's log."""

    at: float
    """[s] Time of day."""
    event: str


class Log:
    """The daemon's log, as JSON."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> list[Entry]:
        """Return the whole lines so far."""
        found = []
        for line in self._path.read_text(errors="replace").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                fields = json.loads(line)
                at = datetime.fromisoformat(fields["timestamp"]).timestamp()
                found.append(Entry(at, fields["event"]))
        return found

    def count(self, event: str) -> int:
        """Return how many lines begin with an event."""
        return sum(entry.event.startswith(event) for entry in self.entries())

    def wait(
        self,
        event: str,
        daemon: "subprocess.Popen[bytes]",
        after: int = 0,
        limit_s: float = LIMIT_S,
    ) -> float | None:
        """Return the time of the event beyond the first `after` lines, None if it never comes."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end and daemon.poll() is None:
            for entry in self.entries()[after:]:
                if entry.event.startswith(event):
                    return entry.at
            time.sleep(POLL_S)
        return None


class Usage(NamedTuple):
    """Memory and descriptors of a process."""

    title: str
    megabytes: int
    descriptors: int

    def __str__(self) -> str:
        """As it is printed."""
        return f"{self.title} {self.megabytes} MB {self.descriptors} fds"


def usage(daemon: int) -> list[Usage]:
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
            rows.append(Usage(title, size, len(list((folder / "fd").iterdir()))))
    return sorted(rows)


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


def summary(what: str, durations_s: Sequence[float]) -> str:
    """Return count, median and range of durations."""
    if not durations_s:
        return f"{what}: never"
    ordered = [1e3 * one for one in sorted(durations_s)]
    extent = f"{ordered[0]:.0f} to {ordered[-1]:.0f} ms"
    return f"{what}: {len(ordered)} times, {extent}, median {statistics.median(ordered):.0f} ms"


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)  # noqa: T201


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
    waits, has_standby = arguments.waiting, "--no-standby" not in options
    if is_there(arguments.name) == waits:
        if waits:
            unplug(arguments.unplug)
        else:
            subprocess.run(plug, check=True)
    path = Path(tempfile.mkdtemp()) / "log"
    log = Log(path)
    command = [sys.executable, "-m", "nemod", "--device", arguments.name, "--no-announce"]
    command += ["--local", "--no-state", "--log-level", "debug", "--log-json", *options]
    if waits:
        command.append("--wait-for-device")
    began = time.time()
    with path.open("w") as file:
        daemon = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ)
    first = GONE if waits else BACK
    say(f"{first}: {milliseconds(began, log.wait(first, daemon))} after the start")
    noticed_s, playing_s = [], []
    used: list[list[Usage]] = []
    ready = 1
    for cycle in range(arguments.cycles):
        if has_standby:
            while log.count(READY) <= ready and daemon.poll() is None:
                time.sleep(POLL_S)
        time.sleep(0.5)
        after, pulled = len(log.entries()), time.time()
        if cycle or not waits:
            unplug(arguments.unplug)
            gone = log.wait(GONE, daemon, after, 10.0)
            if gone is not None:
                noticed_s.append(gone - pulled)
            time.sleep(PAUSES_S[cycle % len(PAUSES_S)])
        ready = log.count(READY)
        with subprocess.Popen(plug):
            while not is_there(arguments.name):
                time.sleep(0.002)
            there = time.time()
        back = log.wait(BACK, daemon, after)
        if back is not None:
            playing_s.append(back - there)
        events = [Entry(there, "card appeared"), *log.entries()[after:]]
        order = ", ".join(
            f"{entry.event} {1e3 * (entry.at - pulled):.0f}" for entry in sorted(events)
        )
        used.append(usage(daemon.pid))
        say(f"cycle {cycle + 1}: playing {milliseconds(there, back)} after the card appeared")
        say(f"    {order}")
        say(f"    {', '.join(map(str, used[-1]))}")
        if daemon.poll() is not None:
            say("\n".join(path.read_text(errors="replace").splitlines()[-30:]))
            break
    say(summary("unplug to the report", noticed_s))
    say(summary("card to the first block", playing_s))
    say(f"after the first cycle: {', '.join(map(str, used[0]))}")
    say(f"after the last cycle: {', '.join(map(str, used[-1]))}")
    daemon.send_signal(signal.SIGTERM)
    say(f"exit status {daemon.wait(15.0)}")


if __name__ == "__main__":
    main()
