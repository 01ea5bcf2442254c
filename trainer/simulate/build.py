"""Builds a data set from a circuit: selects settings and sounds and simulates them in pieces.

A piece is a few seconds of one pair, so that several processes of ngspice share the work. Every
piece except a pair's first starts `LEAD_S` early with the circuit at rest, so that its capacitors
are charged by the time the piece starts. A finished piece is a file named after the hash of
everything that determines it; an interrupted build resumes from the finished pieces.
"""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nemod.common.files import replacing
from trainer.data.folder import NUMBERED, claim, open_folder, write_manifest, write_sound
from trainer.simulate import spice
from trainer.simulate.circuit import Circuit, CircuitError

Sound = NDArray[np.float32]

PIECE_S = 5.0
"""[s] Length of a piece without its lead."""
LEAD_S = 1.0
"""[s] Simulated before a piece and discarded; longer than the time constants of a pedal."""
FADE_S = 0.005
"""[s] Fade-in of a lead, because the circuit starts at rest."""
SPLITS = ("train", "validation", "test")
SHARES = (0.8, 0.1, 0.1)
"""Share of a recording that each of `SPLITS` gets."""
WORK = ".pieces"
FORMAT = 1
"""Version of the pieces; increase it when they are computed differently."""

Progress = Callable[[float, str], None]
"""Called with the seconds simulated so far and the name of the current pair. Thread: any."""


@dataclass(frozen=True, slots=True)
class PairSpec:
    """A pair to simulate."""

    split: str
    setting: Mapping[str, float]
    dry: Sound
    """[frames] Input voltage [V]."""

    @property
    def name(self) -> str:
        """Base name of its files: the split and the knob positions."""
        knobs = "_".join(f"{knob}{value:.2f}" for knob, value in self.setting.items())
        return f"{self.split}_{knobs}" if knobs else self.split


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames `start` to `stop` of the pair with index `pair`."""

    pair: int
    start: int
    stop: int
    key: str


def single(setting: Mapping[str, float], sound: Sound) -> list[PairSpec]:
    """Return three pairs at one setting: `sound` [frames] cut into 80, 10 and 10 %."""
    parts = cut(sound)
    return [PairSpec(split, setting, part) for split, part in zip(SPLITS, parts, strict=True)]


def grid(
    circuit: Circuit,
    fixed: Mapping[str, float],
    positions: Sequence[float],
    others: int,
    sound: Sound,
    frames: int,
    seed: int,
) -> list[PairSpec]:
    """Return pairs of `frames` each: a grid for training, random settings for validation and test.

    The grid has every combination of `positions` over all knobs except the `fixed` ones. Validation
    and test get `others` settings each, rounded to two digits. Each split has its own part of
    `sound` and repeats it from the start when it reaches the end.
    """
    rng = np.random.default_rng(seed)
    turned = [knob for knob in circuit.knobs if knob not in fixed]
    base = circuit.setting(fixed)

    def setting(values: Sequence[float]) -> dict[str, float]:
        return base | dict(zip(turned, map(float, values), strict=True))

    def drawn() -> list[float]:
        return [round(float(value), 2) for value in rng.uniform(0.0, 1.0, len(turned))]

    settings = {
        "train": [setting(values) for values in product(positions, repeat=len(turned))],
        "validation": [setting(drawn()) for _ in range(others)],
        "test": [setting(drawn()) for _ in range(others)],
    }
    specs = []
    for split, part in zip(SPLITS, cut(sound), strict=True):
        for index, chosen in enumerate(settings[split]):
            at = index * frames % max(1, part.size - frames + 1)
            specs.append(PairSpec(split, chosen, faded(part[at : at + frames], frames // 100)))
    return specs


def cut(sound: Sound) -> tuple[Sound, Sound, Sound]:
    """Return the parts of a sound for training, validation and test, each with a fade-in."""
    first, second = (round(sum(SHARES[: n + 1]) * sound.size) for n in range(2))
    parts = sound[:first], sound[first:second], sound[second:]
    fade = max(1, min(part.size for part in parts) // 100)
    return faded(parts[0], fade), faded(parts[1], fade), faded(parts[2], fade)


def faded(sound: Sound, frames: int) -> Sound:
    """Return a sound with a linear fade-in over its first `frames`."""
    out = sound.copy()
    count = min(frames, out.size)
    out[:count] *= np.linspace(0.0, 1.0, count, dtype=np.float32)
    return out


def build(
    circuit: Circuit,
    specs: Sequence[PairSpec],
    rate_hz: int,
    folder: Path,
    *,
    source: str,
    command: str,
    jobs: int | None = None,
    progress: Progress = lambda seconds, what: None,
) -> bool:
    """Simulate missing pieces and write the data set; return False if it already exists.

    `source` and `command` are recorded in the manifest.

    Raises: CircuitError for a folder that holds another data set, for a netlist that ngspice
        refuses, and, with the setting and the time, where ngspice finds no solution; FolderError.
    """
    version = spice.version()
    made = {
        "by": "nemod-train simulate",
        "command": command,
        "circuit": circuit.name,
        "title": circuit.title,
        "netlist_sha256": circuit.digest,
        "simulator": version,
        "rate_hz": rate_hz,
        "method": "trapezoidal",
        "relative_tolerance": spice.RELATIVE_TOLERANCE,
        "steps_per_sample": spice.STEPS_PER_SAMPLE,
        "full_scale_volts": 1.0,
        "source": source,
        "data_sha256": _digest(circuit, specs, rate_hz, version),
    }
    work = folder / WORK
    interrupted = work.is_dir()
    existing = claim(folder, lambda sound: interrupted and bool(NUMBERED.fullmatch(sound.name)))
    if existing is not None:
        before = existing[1]
        if before.get("data_sha256") == made["data_sha256"]:
            return False
        raise CircuitError(
            f"{folder}: already holds a data set of {before.get('circuit', 'something else')} "
            f"(`{before.get('command', 'another command')}`); choose another folder or remove it"
        )
    open_folder(work)
    pieces = list(_pieces(circuit, specs, rate_hz, version))
    _simulate_all(circuit, specs, pieces, rate_hz, work, jobs, progress)
    pairs = []
    for index, pair in enumerate(specs):
        parts = [np.load(work / f"{p.key}.npy") for p in pieces if p.pair == index]
        name = f"{index:03d}_{pair.name}"
        files = {"dry": f"{name}-input.wav", "wet": f"{name}-target.wav"}
        write_sound(folder / files["dry"], pair.dry, rate_hz)
        write_sound(folder / files["wet"], np.concatenate(parts), rate_hz)
        pairs.append({"name": name, "split": pair.split, **files, "knobs": dict(pair.setting)})
    write_manifest(
        folder,
        name=folder.resolve().name,
        knobs=list(circuit.knobs),
        pairs=pairs,
        made=made,
        defaults=circuit.knobs,
    )
    shutil.rmtree(work)
    return True


def _pieces(
    circuit: Circuit, specs: Sequence[PairSpec], rate_hz: int, version: str
) -> Iterator[Piece]:
    length = round(PIECE_S * rate_hz)
    for index, pair in enumerate(specs):
        whole = hashlib.sha256(
            json.dumps(
                [FORMAT, circuit.digest, version, rate_hz, list(pair.setting.items())]
            ).encode()
        )
        whole.update(pair.dry.tobytes())
        for start in range(0, pair.dry.size, length):
            yield Piece(
                index, start, min(start + length, pair.dry.size), f"{whole.hexdigest()}-{start}"
            )


def _digest(circuit: Circuit, specs: Sequence[PairSpec], rate_hz: int, version: str) -> str:
    keys = [f"{pair.split} {pair.name}" for pair in specs]
    keys += [piece.key for piece in _pieces(circuit, specs, rate_hz, version)]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def _simulate_all(
    circuit: Circuit,
    specs: Sequence[PairSpec],
    pieces: Sequence[Piece],
    rate_hz: int,
    work: Path,
    jobs: int | None,
    progress: Progress,
) -> None:
    """Write every missing piece to `work`, `jobs` at a time, each with its own ngspice process."""
    runs = spice.Runs()
    lock = threading.Lock()
    done = {piece: _seconds(piece, rate_hz) for piece in pieces if _is_finished(work, piece)}

    def report_progress(piece: Piece, seconds: float) -> None:
        with lock:
            done[piece] = seconds
            progress(sum(done.values()), specs[piece.pair].name)

    def make(piece: Piece) -> None:
        pair = specs[piece.pair]
        lead = min(piece.start, round(LEAD_S * rate_hz))
        volts = pair.dry[piece.start - lead : piece.stop].astype(np.float64)
        if lead:
            fade = round(FADE_S * rate_hz)
            volts[:fade] *= np.linspace(0.0, 1.0, fade)
        seconds, share = _seconds(piece, rate_hz), (piece.stop - piece.start) / volts.size
        try:
            out = spice.simulate(
                circuit,
                pair.setting,
                volts,
                rate_hz,
                runs=runs,
                on_time=lambda at: report_progress(piece, min(at * share, seconds)),
            )
        except spice.ConvergenceError as error:
            at = error.at_s + (piece.start - lead) / rate_hz
            knobs = ", ".join(f"{knob} {value:g}" for knob, value in pair.setting.items())
            raise CircuitError(
                f"{circuit.name} at {knobs or 'its only setting'} does not converge at {at:.3f} s "
                f"of {pair.name} ({error.text}); a lower input voltage (--peak) may help"
            ) from None
        with replacing(work / f"{piece.key}.npy") as draft, draft.open("wb") as file:
            np.save(file, out[lead:].astype(np.float32))
        report_progress(piece, seconds)

    progress(sum(done.values()), "")
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1, "nemod spice") as pool:
        futures: list[Future[None]] = [
            pool.submit(make, piece) for piece in pieces if piece not in done
        ]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = [f.exception() for f in futures if f.done() and not f.cancelled()]
        finally:
            # A failure or Ctrl-C stops the other runs; finished pieces are kept for the next build.
            pool.shutdown(wait=False, cancel_futures=True)
            if any(not future.done() for future in futures):
                runs.stop()
    for error in failed:
        if error is not None:
            raise error


def _is_finished(work: Path, piece: Piece) -> bool:
    return (work / f"{piece.key}.npy").is_file()


def _seconds(piece: Piece, rate_hz: int) -> float:
    return (piece.stop - piece.start) / rate_hz
