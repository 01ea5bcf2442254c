"""One run of ngspice: a sound through a circuit.

The sound enters by XSPICE's code model `filesource`, which reads it as it goes, so the time a run
takes is linear in its length. (A piecewise linear source searches its whole list at every step.)
The solution is read at the steps that ngspice chose, interpolated by a cubic spline onto a grid
eight times as fine as the sample rate, and decimated by a linear-phase filter: what the circuit
makes above half the rate does not fold back.
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
"""The driving voltage is linear between points this many times as dense as the samples."""
OUTPUT_FACTOR = 8
MARGIN_FRAMES = 64
"""[frames] By which a run goes on after its last sample, for the filters."""
_TIME = re.compile(rb"Reference value\s*:\s*([-+.\deE]+)")
_FAILED_AT = re.compile(r"time\s*=\s*([-+.\deE]+)")
_NO_MODEL = re.compile(
    r"unable to find definition of model|unknown.*filesource|a?src.*unknown", re.I
)


class ConvergenceError(CircuitError):
    """ngspice found no solution; `at_s` is the time in the run."""

    def __init__(self, at_s: float, text: str) -> None:
        """`text` is what ngspice said."""
        self.at_s = at_s
        self.text = text
        super().__init__(f"the simulation does not converge at {at_s:.4f} s ({text})")


class Stopped(Exception):  # noqa: N818 - nothing is wrong: somebody asked for it
    """The run was stopped by `Runs.stop`."""


@lru_cache(maxsize=1)
def version() -> str:
    """Return ngspice's version, as `ngspice-39`.

    Raises: CircuitError when it is not installed.
    """
    program = shutil.which("ngspice")
    if program is None:
        raise CircuitError(f"ngspice is not installed: {REMEDY}")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"ngspice[- ]([\w.+-]+)", said.stdout + said.stderr)
    return f"ngspice-{found[1]}" if found else "ngspice, version unknown"


class Runs:
    """Runs of ngspice that can be stopped together. Thread: any."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def stop(self) -> None:
        """End all runs, and those that are still to begin."""
        with self._lock:
            self._stopped = True
            for child in self._children:
                child.kill()

    def run(self, folder: Path, on_time: Callable[[float], None] | None) -> tuple[int, str]:
        """Run the deck `run.cir` in `folder`; return the exit status and what was said.

        `on_time` is called with the simulated time [s], some times a second.
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
        said = b""
        try:
            assert child.stdout is not None
            with child.stdout:
                while data := os.read(child.stdout.fileno(), 4096):
                    times = _TIME.findall(data)
                    if times and on_time is not None:
                        on_time(float(times[-1]))
                    said = (said + _TIME.sub(b"", data))[-20_000:]
            status = child.wait()
        finally:
            child.kill()
            child.wait()
            with self._lock:
                self._children.discard(child)
        if self._stopped:
            raise Stopped
        return status, said.decode(errors="replace")


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
    """Return the voltage at the circuit's output [frames] for `volts` [frames] at its input.

    It starts at rest, with the coupling capacitors charged (the operating point).

    Raises: CircuitError when ngspice is missing or refuses the netlist; ConvergenceError.
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
        status, said = (runs or Runs()).run(folder, on_time)
        _raise_if_failed(circuit, status, said)
        try:
            times, out = _read_raw(folder / "out.raw")
        except (OSError, ValueError) as error:
            raise CircuitError(f"{circuit.name}: {_complaint(said) or error}") from None
    _check_complete(times, out, (volts.size - 1) / rate_hz, said)
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
    """Return the filter between two rates: flat to 0.9 of half the lower one, -100 dB above 1.1."""
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
    # Steps that ngspice tried and took back, and the doubled ones at its breakpoints, go.
    keep = np.concatenate([np.diff(times) > 1e-15, [True]])
    spline = CubicSpline(times[keep], out[keep])
    grid = np.arange((frames + MARGIN_FRAMES) * OUTPUT_FACTOR) / (OUTPUT_FACTOR * rate_hz)
    dense = spline(np.minimum(grid, times[-1]))
    # The filter sees what stood at the output before the start, not a step.
    rest = dense[0]
    sound = resample_poly(dense - rest, 1, OUTPUT_FACTOR, window=_low_pass(OUTPUT_FACTOR)) + rest
    return np.asarray(sound[:frames], np.float64)


def _read_raw(path: Path) -> tuple[Signal, Signal]:
    """Return times [steps] and output [steps] of a binary raw file.

    Raises: ValueError for what is no raw file of real vectors.
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


def _raise_if_failed(circuit: Circuit, status: int, said: str) -> None:
    if _failure(said):
        return  # judged by how far it came
    if status != 0:
        raise CircuitError(
            f"{circuit.name}: ngspice refuses the netlist: "
            f"{_complaint(said) or f'exit status {status}'}"
        )


def _check_complete(times: Signal, out: Signal, end_s: float, said: str) -> None:
    """Raise ConvergenceError unless the solution reaches `end_s` [s] and is finite."""
    failed = _failure(said)
    if failed is None and times.size > 1 and times[-1] >= end_s and np.isfinite(out).all():
        return
    at = float(times[-1]) if times.size else 0.0
    if failed is not None and (found := _FAILED_AT.search(failed)):
        at = float(found[1])
    elif not np.isfinite(out).all():
        at = float(times[np.flatnonzero(~np.isfinite(out))[0]])
    raise ConvergenceError(at, failed or "ngspice stopped early")


def _failure(said: str) -> str | None:
    """Return ngspice's line about a step or an operating point that it could not find."""
    for line in said.splitlines():
        low = line.casefold()
        if "timestep too small" in low or "iteration limit" in low or "singular matrix" in low:
            return line.strip()
    return None


def _complaint(said: str) -> str:
    """Return the first line in which ngspice names an error."""
    if _NO_MODEL.search(said) and "filesource" in said:
        return "it lacks XSPICE's code model 'filesource'; Debian's package has it"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if "error" in line.casefold():
            # A line that ends with a colon announces the line of the netlist.
            return f"{line} {following}" if line.endswith(":") else line
    return ""
