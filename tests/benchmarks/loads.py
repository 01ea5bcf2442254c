"""Loads for the benchmarks of the daemon, each in a separate process.

    python tests/benchmarks/loads.py flood PORT --rate 2000 --seed 1
    python tests/benchmarks/loads.py malformed PORT --rate 100 --seed 1
    python tests/benchmarks/loads.py scan FOLDER --seed 1
    python tests/benchmarks/loads.py arithmetic COUNTS
    python tests/benchmarks/loads.py busy CORE --share 0.5

Prints `ready`, works until standard input is closed, then prints its counts as JSON.
"""

import argparse
import json
import os
import random
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.engine.histogram import BlockTimes  # noqa: E402
from nemod.engine.realtime import FIFO_PRIORITY  # noqa: E402
from tests.benchmarks.harness import DATA, PERIOD_US, take_realtime_priority  # noqa: E402
from tests.parts.osc_client import datagram  # noqa: E402

ARITHMETIC_US = 65.0
"""[us] Time of a block of LSTM 40 with all effects in docs/benchmarks.md."""
KNOBS = (
    "gain", "level", "input", "output", "bass", "mid", "treble", "delay/mix", "delay/time",
    "delay/feedback", "reverb/mix", "reverb/size", "reverb/damping", "reverb/predelay", "knob/1",
)  # fmt: skip
BUSY_PRIORITY = FIFO_PRIORITY + 5
"""Below that of JACK's server in these benchmarks."""
BUSY_PERIOD_S = 5e-4
"""[s] Time between two slices of a busy loop: less than a block, so that each block is slowed down
as much as all others."""
SCAN_FILES = 1000
SCAN_FILE_BYTES = 60_000
"""Larger models are not copied if there are smaller ones."""
_PREPARED = 8192
_BROKEN_SHARE = 0.05


def finished() -> bool:
    """Return whether standard input was closed."""
    readable, _, _ = select.select([sys.stdin], [], [], 0.0)
    return bool(readable) and not sys.stdin.read(1)


def knob_messages(seed: int, *, keep_bypass: bool = False) -> list[bytes]:
    """Return prepared messages: knobs, the bypass (unless `keep_bypass`), patterns, queries."""
    rng = random.Random(seed)
    made = []
    for _ in range(_PREPARED):
        knob = rng.choice(KNOBS)
        kind = rng.random()
        if kind < 0.9:
            made.append(datagram(f"/nemo/{knob}", rng.random()))
        elif kind < 0.93 and not keep_bypass:
            made.append(datagram("/nemo/bypass", rng.random() < 0.5))
        elif kind < 0.96:
            made.append(datagram("/nemo/{bass,mid,treble}", rng.random()))
        else:
            made.append(datagram(f"/nemo/{knob}"))
    return made


def malformed_messages(seed: int) -> list[bytes]:
    """Return malformed datagrams: truncated, with wrong bytes, random, bundles of negative size."""
    rng = random.Random(seed)
    made = []
    for message in knob_messages(seed)[:512]:
        kind = rng.randrange(4)
        if kind == 0:
            made.append(message[: rng.randrange(1, len(message))])
        elif kind == 1:
            at = rng.randrange(len(message))
            made.append(message[:at] + bytes([rng.randrange(128, 256)]) + message[at + 1 :])
        elif kind == 2:
            made.append(rng.randbytes(rng.randrange(1, 600)))
        else:
            made.append(b"#bundle\0" + bytes(7) + b"\1" + (-4).to_bytes(4, "big", signed=True))
    return made


def send_paced(port: int, rate: float, messages: list[bytes]) -> dict[str, float]:
    """Send messages at a constant rate [1/s] and read the answers; return both counts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.setblocking(False)
        print("ready", flush=True)  # noqa: T201 - what the parent waits for
        sent = answers = 0
        began = time.perf_counter()
        while True:
            ahead = began + sent / rate - time.perf_counter()
            if ahead > 0.0:
                time.sleep(ahead)
            try:
                client.sendto(messages[sent % len(messages)], ("127.0.0.1", port))
            except OSError:
                break
            sent += 1
            if sent % 16 == 0:
                answers += _drained(client)
                if finished():
                    break
        return {"sent": sent, "answers": answers, "seconds": time.perf_counter() - began}


def _drained(client: socket.socket) -> int:
    count = 0
    while True:
        try:
            client.recv(65_536)
        except (BlockingIOError, ConnectionRefusedError):
            return count
        count += 1


def fill_library(folder: Path, seed: int, count: int = SCAN_FILES) -> None:
    """Fill a folder with copies of real models, no two files alike, and some damaged ones."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    root = DATA / "models" if DATA.is_dir() else ROOT / "models"
    found = [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix in (".json", ".aidax", ".nam") and path.name != "manifest.json"
    ]
    # Small ones, to save disk space; all shipped models are larger.
    sources = [path for path in found if path.stat().st_size < SCAN_FILE_BYTES] or found
    texts = [(path, path.read_bytes()) for path in sources]
    for number in range(count):
        path, data = texts[number % len(texts)]
        if rng.random() < _BROKEN_SHARE:
            data = data[: rng.randrange(len(data))]
        else:
            data += b" " * number  # different contents, the same model
        (folder / f"scan-{number:04}{path.suffix}").write_bytes(data)


def scan_repeatedly(folder: Path) -> dict[str, float]:
    """Run `nemod models scan` on a folder repeatedly; return the counts."""
    scans = files = 0
    process: subprocess.Popen[bytes] | None = None
    with tempfile.TemporaryDirectory(prefix="nemod-scan-") as home:
        environment = {f"XDG_{kind}_HOME": home for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
        command = [sys.executable, "-m", "nemod", "models", "scan", "--force", str(folder)]
        print("ready", flush=True)  # noqa: T201 - what the parent waits for
        began = time.perf_counter()
        while not finished():
            if process is None or process.poll() is not None:
                scans += process is not None
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, **environment},
                )
            time.sleep(0.05)
        if process is not None:
            process.terminate()
            process.wait()
        files = sum(1 for _ in folder.iterdir())
        return {"scans": scans, "files": files, "seconds": time.perf_counter() - began}


def arithmetic(counts: Path) -> dict[str, float]:
    """Do the same arithmetic once per period, with the audio thread's priority.

    Any variation of its time is caused by the machine: there is no allocation, no lock and no other
    thread. The times are counted in the same way as the daemon counts its blocks.
    """
    times = BlockTimes(counts)
    # Orthogonal, so that the state neither grows nor decays.
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((40, 40)))[0].astype(
        np.float32
    )

    def work(steps: int) -> None:
        state = rotation[0]
        for _ in range(steps):
            state = rotation @ state

    began = time.perf_counter()
    for _ in range(200):
        work(100)
    steps = round(100 * 200e-6 * ARITHMETIC_US / (time.perf_counter() - began))
    take_realtime_priority(FIFO_PRIORITY)
    print("ready", flush=True)  # noqa: T201 - what the parent waits for
    period_s = 1e-6 * PERIOD_US
    began = due = time.perf_counter()
    periods = late = 0
    while periods % 100 or not finished():
        due += period_s
        time.sleep(max(due - time.perf_counter(), 0.0))
        started = time.perf_counter()
        if started - due > period_s:
            late += 1
            due = started
        work(steps)
        times.count(time.perf_counter() - started, late=late, xruns=0, faults=0)
        periods += 1
    return {"periods": periods, "seconds": time.perf_counter() - began}


def keep_busy(core: int, share: float) -> dict[str, float]:
    """Use a share (0..1) of a processor's time, above the audio thread's priority.

    The loads of several processors are busy at the same moments, so that a thread that is
    preempted on one of them finds no other.
    """
    os.sched_setaffinity(0, {core})
    take_realtime_priority(BUSY_PRIORITY)
    print("ready", flush=True)  # noqa: T201 - what the parent waits for
    began, slices = time.monotonic(), 0
    while slices % 100 or not finished():
        slices += 1
        begin = (time.monotonic() // BUSY_PERIOD_S + 1.0) * BUSY_PERIOD_S
        time.sleep(max(begin - time.monotonic(), 0.0))
        end = begin + share * BUSY_PERIOD_S
        while time.monotonic() < end:
            pass
    return {"slices": slices, "seconds": time.monotonic() - began}


def main() -> int:
    """Run a load until standard input is closed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("load", choices=("flood", "malformed", "scan", "arithmetic", "busy"))
    parser.add_argument("target", help="port, folder, file or processor")
    parser.add_argument("--share", type=float, default=0.5, help="of a processor's time")
    parser.add_argument("--rate", type=float, default=2000.0, help="messages per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-bypass", action="store_true", help="send no message to the bypass")
    arguments = parser.parse_args()
    loads: dict[str, Callable[[], dict[str, float]]] = {
        "flood": lambda: send_paced(
            int(arguments.target),
            arguments.rate,
            knob_messages(arguments.seed, keep_bypass=arguments.keep_bypass),
        ),
        "malformed": lambda: send_paced(
            int(arguments.target), arguments.rate, malformed_messages(arguments.seed)
        ),
        "scan": lambda: scan_repeatedly(Path(arguments.target)),
        "arithmetic": lambda: arithmetic(Path(arguments.target)),
        "busy": lambda: keep_busy(int(arguments.target), arguments.share),
    }
    print(json.dumps(loads[arguments.load]()))  # noqa: T201 - what the parent reads
    return 0


if __name__ == "__main__":
    sys.exit(main())
