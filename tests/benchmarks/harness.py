"""Shared by the benchmarks of the running daemon: JACK server, daemon, processes, page tables."""

import ctypes
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.parts import jackd  # noqa: E402
from tests.parts.daemon import Daemon, launch  # noqa: E402
from tests.parts.jackd import BLOCK, RATE  # noqa: E402

DATA = Path(os.environ.get("NEMOD_SHARED", ROOT.parent / "shared")) / "data"
PERIOD_US = 1e6 * BLOCK / RATE
JACK_PRIORITY = 80
FAMILIES = {
    "lstm-8": "aga/GuitarML__NeuralSeed/models_lstm8_ts9_pytorch.json",
    "gru-8": "aga/GuitarML__NeuralSeed/models_gru8_ts9_pytorch.json",
    "lstm-40": "aga/GuitarML__ToneLibrary/Proteus_BlackstarHT40_AmpHighGain.json",
    "aida-x": "keras/a-carson__resampling_neural_afx/AIDA-X_BossDs-1_Dist_12oclock_.json",
    "nam-lstm": "nam/mikeoliphant__neural-amp-modeler-lv2/hist_1741e0b_models_BossLSTM-2x16.nam",
    "nam-a1-nano": "nam/mikeoliphant__NeuralAudio/Utils_Models_BossWN-nano.nam",
    "nam-a1-standard": "nam/mikeoliphant__NeuralAudio/Utils_Models_BossWN-standard.nam",
    "nam-a2": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_wavenet_a2_lite.nam",
    "nam-convnet": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_convnet_nobn.nam",
    "nam-linear": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_linear_fft_rf320.nam",
    "wavenetva": "wavenetva/GuitarML__SmartGuitarAmp/models_bluej_clean_p0088.json",
}
"""One model of every family, and a second size of three families."""


def copy_models(into: Path) -> list[str]:
    """Copy the models for the benchmark into a folder; return their names.

    Without the shared data the shipped models are used.
    """
    into.mkdir(parents=True, exist_ok=True)
    if not DATA.is_dir():
        print(f"{DATA}: the shared data is absent; using the shipped models")  # noqa: T201
        return [path.stem for path in sorted((ROOT / "models").glob("*.json"))]
    for name, file in FAMILIES.items():
        source = DATA / "models" / file
        shutil.copyfile(source, into / f"{name}{source.suffix}")
    return list(FAMILIES)


def jack_server(*, realtime: bool) -> AbstractContextManager[None]:
    """Run a separate JACK server, with or without real-time priority."""
    return jackd.jack_server(("-R", "-P", str(JACK_PRIORITY)) if realtime else jackd.ORDINARY)


class XrunCounter:
    """Counts the xruns that JACK reports; without a process callback it is not in the graph."""

    def __init__(self) -> None:
        import jack

        self.count = 0
        self._client = jack.Client("xrun-counter", no_start_server=True)
        self._client.set_xrun_callback(self._xrun)
        self._client.activate()

    def _xrun(self, _delayed_us: float) -> None:
        self.count += 1

    def close(self) -> None:
        """Disconnect from the server."""
        self._client.deactivate()
        self._client.close()


def processes(daemon: Daemon) -> dict[str, int]:
    """Return the pid of the daemon, the audio process and the builder, as far as they exist."""
    found = {"daemon": daemon.process.pid}
    for pid in children(daemon.process.pid):
        title = command_line(pid)
        for role in ("audio", "builder"):
            if title == f"nemod {role}":
                found[role] = pid
    return found


def children(pid: int) -> list[int]:
    """Return the child processes of `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            if int(status.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def command_line(pid: int) -> str:
    """Return the title that a process of nemod has set, or the arguments of another process."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return data.replace(b"\0", b" ").decode(errors="replace").strip()


@contextmanager
def daemon(
    device: str, home: Path, times: Path, *arguments: str, cache: Path | None = None
) -> Iterator[Daemon]:
    """Run the daemon with a separate home; it counts its block times in the file `times`.

    Raises: RuntimeError with the daemon's output when it does not start.
    """
    environment = {
        **{f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "STATE", "DATA")},
        "NEMOD_CACHE": str(cache or home / "cache"),
        "NEMOD_BLOCK_TIMES": str(times),
    }
    running = launch(["--device", device, "--block", str(BLOCK), *arguments], ROOT, environment)
    try:
        yield running
    finally:
        running.end()


@contextmanager
def temporary_home() -> Iterator[tuple[Path, Path]]:
    """Yield a temporary home and the path of a file for block times, in memory where possible."""
    shared = Path("/dev/shm")
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="nemod-bench-"))
        where = str(shared) if shared.is_dir() else None
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nemod-", dir=where))
        yield Path(home), Path(folder) / "times"


def load_process(*arguments: str) -> AbstractContextManager["subprocess.Popen[str]"]:
    """Run a load of `loads.py`; the context begins when the load is ready."""
    return child(Path(__file__).with_name("loads.py"), *arguments)


@contextmanager
def child(script: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a script that prints `ready`, and ends when its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            process.kill()
            process.wait()
            raise RuntimeError(f"{script.name} {arguments}: it did not start")
        yield process
    finally:
        if process.poll() is None:
            stop_load(process)


def stop_load(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Stop a load and return its counts."""
    out, _ = process.communicate("", timeout=240.0)
    counts: dict[str, Any] = json.loads(out)
    return counts


def realtime_rights() -> str:
    """Return whether this user may have real-time priority and locked memory."""
    if os.geteuid() == 0:
        return "root: all real-time rights"
    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    locked, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    memory = "unlimited" if locked == resource.RLIM_INFINITY else f"{locked} bytes"
    return f"rtprio {soft}, memlock {memory}"


def machine() -> str:
    """Return a description of this machine: processor, memory, system, versions."""
    model = platform.processor() or platform.machine()
    flags = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
        if line.startswith("flags") and " hypervisor " in f"{line} ":
            flags = ", a virtual machine"
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores{flags}, {memory_gb:.0f} GiB, Linux {platform.release()} "
        f"({platform.machine()}), {realtime_rights()}, Python {platform.python_version()}, "
        f"jax {metadata.version('jax')}, {jack_version()}"
    )


def jack_version() -> str:
    """Return the version of the JACK server."""
    try:
        output = subprocess.run(["jackd", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return "no jackd"
    found = re.search(r"jackdmp version (\S+)", output.stdout)
    return f"jackd {found[1]}" if found else "jackd"


def take_realtime_priority(priority: int) -> None:
    """Schedule the calling thread as SCHED_FIFO if that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        ctypes.set_errno(0)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table; the first `left` columns are aligned left, the others right."""
    rule = "|" + "---|" * left + "--:|" * (len(heads) - left)
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])
