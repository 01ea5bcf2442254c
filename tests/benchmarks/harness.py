"""What the benchmarks of the running daemon share: a JACK server, the daemon, its processes."""

import ctypes
import json
import os
import platform
import queue
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NEMOD_SHARED", ROOT.parent / "shared")) / "data"
RATE = 48_000
BLOCK = 64
PERIOD_US = 1e6 * BLOCK / RATE
START_S = 120.0
"""[s] A cold start compiles; a machine under load takes its time."""
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
"""One of every family, and three families in a second size."""


def copy_models(into: Path) -> list[str]:
    """Copy the models that are switched among into a folder; return their names.

    Without the shared data they are those that ship.
    """
    into.mkdir(parents=True, exist_ok=True)
    if not DATA.is_dir():
        print(f"{DATA}: the shared data is absent; the models that ship instead")  # noqa: T201
        return [path.stem for path in sorted((ROOT / "models").glob("*.json"))]
    for name, file in FAMILIES.items():
        source = DATA / "models" / file
        shutil.copyfile(source, into / f"{name}{source.suffix}")
    return list(FAMILIES)


class Phone:
    """An OSC client: sends from one UDP port and reads what comes back to it."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)

    def send(self, address: str, *arguments: Any) -> None:
        """Send one message."""
        self.send_raw(datagram(address, *arguments))

    def send_raw(self, data: bytes) -> None:
        """Send a datagram as it is."""
        self._socket.sendto(data, self._to)

    def receive(self, seconds: float) -> OscMessage | None:
        """Return the next message, or None when none comes in this time [s]."""
        self._socket.settimeout(max(seconds, 1e-4))
        try:
            data = self._socket.recv(65_536)
        except (TimeoutError, ConnectionRefusedError):
            return None
        return None if data.startswith(b"#bundle") else OscMessage(data)

    def wait(self, *addresses: str, seconds: float = 10.0) -> OscMessage:
        """Return the next message with one of these addresses. Raises: TimeoutError."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self.receive(0.1)
            if message is not None and message.address in addresses:
                return message
        raise TimeoutError(f"no answer on {', '.join(addresses)} within {seconds:g} s")

    def ask(self, address: str) -> Any:
        """Return the value of an address. Raises: TimeoutError."""
        for _ in range(20):
            self.send(address)
            try:
                return self.wait(address, seconds=1.0).params[0]
            except TimeoutError:
                continue
        raise TimeoutError(f"no answer on {address}")

    def load(self, name: str, seconds: float = 60.0) -> None:
        """Switch to a model and wait until it is heard. Raises: RuntimeError, TimeoutError."""
        self.send("/nemo/model/load", name)
        answer = self.wait("/nemo/done", "/nemo/error", seconds=seconds)
        if answer.address == "/nemo/error":
            raise RuntimeError(f"{name}: {answer.params}")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def datagram(address: str, *arguments: Any) -> bytes:
    """Return a message as bytes, by the library that nemod's own codec is not made of."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build().dgram


@contextmanager
def jack_server(*, realtime: bool) -> Iterator[None]:
    """Run a JACK server of its own, and make it the default of this process and its children."""
    name = f"nemod-bench-{os.getpid()}"
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_AUDIO_RESERVATION="1")
    rights = ["-R", "-P", str(JACK_PRIORITY)] if realtime else ["-r"]
    driver = ["-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)]
    server = subprocess.Popen(
        ["jackd", "-n", name, *rights, *driver],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        command = ["jack_wait", "-s", name, "-w", "-t", "10"]
        subprocess.run(command, check=True, capture_output=True)
        yield
    finally:
        server.terminate()
        server.wait(10.0)
        del os.environ["JACK_DEFAULT_SERVER"]


class XrunWatch:
    """Counts what JACK reports as xruns; it has no process callback and so no part in the graph."""

    def __init__(self) -> None:
        import jack

        self.count = 0
        self._client = jack.Client("watch", no_start_server=True)
        self._client.set_xrun_callback(self._xrun)
        self._client.activate()

    def _xrun(self, _delayed_us: float) -> None:
        self.count += 1

    def close(self) -> None:
        """Leave the server."""
        self._client.deactivate()
        self._client.close()


@dataclass
class Daemon:
    """A daemon in a process of its own."""

    process: "subprocess.Popen[str]"
    port: int = 0
    lines: list[str] = field(default_factory=list)

    def pids(self) -> dict[str, int]:
        """Return the daemon's processes by role; one that is not there is left out."""
        found = {"control": self.process.pid}
        for pid in children(self.process.pid):
            title = command_line(pid)
            for role in ("audio", "foundry"):
                if title == f"nemod {role}":
                    found[role] = pid
        return found


def children(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`."""
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
    """Return the title of a process, which nemod sets, or its arguments."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return data.replace(b"\0", b" ").decode(errors="replace").strip()


@contextmanager
def daemon(
    device: str, home: Path, times: Path, *arguments: str, cache: Path | None = None
) -> Iterator[Daemon]:
    """Run the daemon with a home of its own, counting its blocks in `times`, until the end.

    Raises: RuntimeError with what it wrote when it does not start.
    """
    environment = {
        **os.environ,
        **{f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "STATE", "DATA")},
        "NEMOD_CACHE": str(cache or home / "cache"),
        "NEMOD_BLOCK_TIMES": str(times),
    }
    command = [sys.executable, "-m", "nemod", "--port", "0", "--local", "--device", device]
    process = subprocess.Popen(
        [*command, "--block", str(BLOCK), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    made = Daemon(process)
    told: queue.Queue[int] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            made.lines.append(line)
            if found := re.match(r"OSC udp://\S+:(\d+)", line):
                told.put(int(found[1]))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        end = time.monotonic() + START_S
        while not made.port:
            try:
                made.port = told.get(timeout=0.2)
            except queue.Empty:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"nemod did not start:\n{''.join(made.lines)}") from None
        yield made
    finally:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(5.0)


@contextmanager
def places() -> Iterator[tuple[Path, Path]]:
    """Yield a temporary home, and the file for block times on a memory file system."""
    shared = Path("/dev/shm")
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="nemod-bench-"))
        where = str(shared) if shared.is_dir() else None
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nemod-", dir=where))
        yield Path(home), Path(folder) / "times"


@contextmanager
def load_process(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run one of `loads.py`, from when it says that it is ready."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("loads.py")), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{arguments}: the load did not start")
        yield process
    finally:
        if process.poll() is None:
            stop_load(process)


def stop_load(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """End a load; return what it counted."""
    out, _ = process.communicate("", timeout=60.0)
    counted: dict[str, Any] = json.loads(out)
    return counted


def realtime_rights() -> str:
    """Return whether this user may have real-time priority and locked memory."""
    if os.geteuid() == 0:
        return "root: all real-time rights"
    soft, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    locked, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    memory = "unlimited" if locked == resource.RLIM_INFINITY else f"{locked} bytes"
    return f"rtprio {soft}, memlock {memory}"


def machine() -> str:
    """Return the figures of this machine, in a sentence."""
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
        said = subprocess.run(["jackd", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return "no jackd"
    found = re.search(r"jackdmp version (\S+)", said.stdout)
    return f"jackd {found[1]}" if found else "jackd"


def take_realtime_priority(priority: int) -> None:
    """Schedule the calling thread as SCHED_FIFO where that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        ctypes.set_errno(0)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a Markdown table; the first `left` columns are text."""
    rule = "|" + "---|" * left + "--:|" * (len(heads) - left)
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])
