"""Runs ngspice: simulates the response of a circuit to a sound.

The sound is read by XSPICE's code model `filesource`, so that the time of a run is linear in its
length. (A piecewise linear source searches its whole list at every step.) The solution at the time
steps of ngspice is interpolated by a cubic spline onto a grid of eight times the sample rate and
decimated with a linear-phase filter, which keeps harmonics above the Nyquist frequency from
aliasing.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.signal import firwin, resample_poly

from trainer.simulate.circuit import Circuit, CircuitError

Signal = NDArray[np.float64]

PACKAGE = "ngspice"
REMEDY = f"install it (Debian, Raspberry Pi OS: apt install {PACKAGE}; Fedora: dnf install ngspice)"
RELATIVE_TOLERANCE = 1e-4
STEPS_PER_SAMPLE = 4
INPUT_FACTOR = 4
"""Points of the input voltage per sample; ngspice interpolates linearly between them."""
OUTPUT_FACTOR = 8
"""Points per sample of the grid onto which the solution is interpolated."""
MARGIN_FRAMES = 64
"""[frames] Silence appended to the input, for the delay of the filters."""
_TIME = re.compile(rb"Reference value\s*:\s*([-+.\deE]+)")
_FAILED_AT = re.compile(r"time\s*=\s*([-+.\deE]+)")
_NO_MODEL = re.compile(
    r"unable to find definition of model|unknown.*filesource|a?src.*unknown", re.I
)


class ConvergenceError(CircuitError):
    """ngspice found no solution; `at_s` [s] is the simulated time of the failure."""

    def __init__(self, at_s: float, text: str) -> None:
        """Store the time and ngspice's message `text`."""
        self.at_s = at_s
        self.text = text
        super().__init__(f"the simulation does not converge at {at_s:.4f} s ({text})")


class Stopped(Exception):  # noqa: N818 - a requested stop, not an error
    """Raised by a run that `Runs.stop` ended."""


@lru_cache(maxsize=1)
def version() -> str:
    """Return the version of ngspice, as in `ngspice-39`.

    Raises: CircuitError if ngspice is not installed.
    """
    program = shutil.which("ngspice")
    if program is None:
        raise CircuitError(f"ngspice is not installed: {REMEDY}")
    result = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"ngspice[- ]([\w.+-]+)", result.stdout + result.stderr)
    return f"ngspice-{found[1]}" if found else "ngspice, version unknown"


class Runs:
    """Processes of ngspice that can be stopped together. Thread: any."""

    def __init__(self) -> None:
        """Start without a process."""
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def stop(self) -> None:
        """Kill all processes; runs that start later end at once."""
        with self._lock:
            self._stopped = True
            for child in self._children:
                child.kill()

    def run(self, folder: Path, on_time: Callable[[float], None] | None) -> tuple[int, str]:
        """Simulate `run.cir` in `folder`; return the exit status and the last 20 kB of output.

        `on_time` is called with the simulated time [s], several times a second.

        Raises: Stopped.
        """
        with self._lock:
            if self._stopped:
                raise Stopped
            child = subprocess.Popen(
                ["ngspice", "-b", "-r", "out.raw", "run.cir"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            self._children.add(child)
        output = b""
        try:
            assert child.stdout is not None
            with child.stdout:
                while data := os.read(child.stdout.fileno(), 4096):
                    times = _TIME.findall(data)
                    if times and on_time is not None:
                        on_time(float(times[-1]))
                    output = (output + _TIME.sub(b"", data))[-20_000:]
            status = child.wait()
        finally:
            child.kill()
            child.wait()
            with self._lock:
                self._children.discard(child)
        if self._stopped:
            raise Stopped
        return status, output.decode(errors="replace")


def simulate(
    circuit: Circuit,
    setting: Mapping[str, float],
    volts: Signal,
    rate_hz: int,
    *,
    runs: Runs | None = None,
    on_time: Callable[[float], None] | None = None,
    steps_per_sample: int = STEPS_PER_SAMPLE,
) -> Signal:
    """Return the output voltage [frames] of a circuit for the input voltage `volts` [frames].

    The run starts from the operating point, with the coupling capacitors charged.

    Raises: CircuitError if ngspice is missing or rejects the netlist; ConvergenceError.
    """
    version()
    padded = np.concatenate([volts, np.zeros(MARGIN_FRAMES)])
    with tempfile.TemporaryDirectory(prefix="nemod-spice-") as name:
        folder = Path(name)
        _write_input(folder / "in.txt", padded, rate_hz)
        (folder / "circuit.cir").write_text(circuit.netlist, encoding="utf-8")
        (folder / "run.cir").write_text(
            _deck(circuit, setting, (padded.size - 1) / rate_hz, rate_hz, steps_per_sample),
            encoding="utf-8",
        )
        status, output = (runs or Runs()).run(folder, on_time)
        _raise_if_rejected(circuit, status, output)
        try:
            times, out = _read_raw(folder / "out.raw")
        except (OSError, ValueError) as error:
            raise CircuitError(f"{circuit.name}: {_error_line(output) or error}") from None
    _check_complete(times, out, (volts.size - 1) / rate_hz, output)
    return _on_grid(times, out, volts.size, rate_hz)


def _deck(
    circuit: Circuit,
    setting: Mapping[str, float],
    seconds: float,
    rate_hz: int,
    steps_per_sample: int,
) -> str:
    step = 1.0 / (steps_per_sample * rate_hz)
    parameters = "".join(f".param {name}={value:.9g}\n" for name, value in setting.items())
    return (
        f"* {circuit.name}\n"
        f".include circuit.cir\n{parameters}"
        "anemod %vd([in 0]) nemod_source\n"
        '.model nemod_source filesource(file="in.txt" amploffset=[0] amplscale=[1])\n'
        f".options method=trap reltol={RELATIVE_TOLERANCE:g}\n"
        ".save v(out)\n"
        f".tran {step:.12e} {seconds:.12e} 0 {step:.12e}\n.end\n"
    )


@lru_cache(maxsize=8)
def _low_pass(factor: int) -> Signal:
    """Return a low-pass at the lower Nyquist frequency: flat to 0.9, -100 dB from 1.1 of it."""
    taps: Signal = firwin(2 * 36 * factor + 1, 1.0 / factor, window=("kaiser", 10.0))
    return taps


def _write_input(path: Path, volts: Signal, rate_hz: int) -> None:
    dense = resample_poly(volts, INPUT_FACTOR, 1, window=_low_pass(INPUT_FACTOR))
    dense[0] = 0.0 if volts[0] == 0.0 else dense[0]
    times = np.arange(dense.size) / (INPUT_FACTOR * rate_hz)
    with path.open("w", encoding="ascii") as file:
        pairs = zip(times.tolist(), dense.tolist(), strict=True)
        file.writelines(f"{time:.12e} {volt:.9e}\n" for time, volt in pairs)


def _on_grid(times: Signal, out: Signal, frames: int, rate_hz: int) -> Signal:
    # Remove steps that ngspice rejected and the duplicates at its breakpoints.
    keep = np.concatenate([np.diff(times) > 1e-15, [True]])
    spline = CubicSpline(times[keep], out[keep])
    grid = np.arange((frames + MARGIN_FRAMES) * OUTPUT_FACTOR) / (OUTPUT_FACTOR * rate_hz)
    dense = spline(np.minimum(grid, times[-1]))
    # Without its initial value the signal starts at 0, and the filter does not see a step.
    initial = dense[0]
    sound = resample_poly(dense - initial, 1, OUTPUT_FACTOR, window=_low_pass(OUTPUT_FACTOR))
    sound += initial
    return np.asarray(sound[:frames], np.float64)


def _read_raw(path: Path) -> tuple[Signal, Signal]:
    """Return times [steps] and output voltage [steps] of a binary raw file.

    Raises: ValueError if the file does not hold real vectors.
    """
    head, found, data = path.read_bytes().partition(b"Binary:\n")
    text = head.decode(errors="replace")
    count = re.search(r"No\. Variables:\s*(\d+)", text)
    if not found or count is None or "complex" in text.lower():
        raise ValueError("ngspice wrote no result")
    listed = text.partition("Variables:\n")[2].split("\n")
    names = [line.split()[1].casefold() for line in listed if len(line.split()) >= 3]
    variables = int(count[1])
    values = np.frombuffer(data, "<f8", len(data) // (8 * variables) * variables)
    table = values.reshape(-1, variables)
    return table[:, names.index("time")], table[:, names.index("v(out)")]


def _raise_if_rejected(circuit: Circuit, status: int, output: str) -> None:
    if status == 0 or _failure(output):  # _check_complete finds out where a run failed
        return
    reason = _error_line(output) or f"exit status {status}"
    raise CircuitError(f"{circuit.name}: ngspice rejects the netlist: {reason}")


def _check_complete(times: Signal, out: Signal, end_s: float, output: str) -> None:
    """Raise ConvergenceError unless the solution reaches `end_s` [s] and is finite."""
    failed = _failure(output)
    if failed is None and times.size > 1 and times[-1] >= end_s and np.isfinite(out).all():
        return
    at = float(times[-1]) if times.size else 0.0
    if failed is not None and (found := _FAILED_AT.search(failed)):
        at = float(found[1])
    elif not np.isfinite(out).all():
        at = float(times[np.flatnonzero(~np.isfinite(out))[0]])
    raise ConvergenceError(at, failed or "ngspice stopped early")


def _failure(output: str) -> str | None:
    """Return ngspice's message about a time step or operating point that it did not find."""
    for line in output.splitlines():
        low = line.casefold()
        if "timestep too small" in low or "iteration limit" in low or "singular matrix" in low:
            return line.strip()
    return None


def _error_line(output: str) -> str:
    """Return the first error message of ngspice, or an empty string."""
    if _NO_MODEL.search(output) and "filesource" in output:
        return "this build has no XSPICE code model 'filesource'; Debian's package includes it"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if "error" in line.casefold():
            # After a colon the next line is the line of the netlist.
            return f"{line} {following}" if line.endswith(":") else line
    return ""
