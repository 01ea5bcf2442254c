"""A data set of a circuit: which settings, which sounds, and the work in pieces.

A piece is a few seconds of one pair. Every piece but a pair's first begins `LEAD_S` early, from
the circuit at rest, so that capacitors have their charge by the time that counts. A finished piece
is a file named by the hash of all that went into it; work that was interrupted goes on from there.
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
from trainer.folder import NUMBERED, claim, open_folder, write_manifest, write_sound
from trainer.simulate import spice
from trainer.simulate.circuit import Circuit, CircuitError

Sound = NDArray[np.float32]

PIECE_S = 5.0
"""[s] Of a piece, without its lead."""
LEAD_S = 1.0
"""[s] Longer than any capacitor of a pedal remembers."""
FADE_S = 0.005
"""[s] In which a lead begins, since the circuit is at rest."""
SPLITS = ("train", "validation", "test")
SHARES = (0.8, 0.1, 0.1)
"""Of a recording, and of the sound of a single setting."""
WORK = ".pieces"
FORMAT = 1
"""Of the pieces; a change of how they are made begins anew."""

Progress = Callable[[float, str], None]
"""Called with the seconds simulated so far and the setting at work; on any thread."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One pair to make."""

    split: str
    setting: Mapping[str, float]
    dry: Sound
    """[frames] In volts."""

    @property
    def name(self) -> str:
        """Its files' name: the split and where the knobs stand."""
        knobs = "_".join(f"{knob}{value:.2f}" for knob, value in self.setting.items())
        return f"{self.split}_{knobs}" if knobs else self.split


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames `start` to `stop` of pair number `pair`."""

    pair: int
    start: int
    stop: int
    key: str


def single(setting: Mapping[str, float], sound: Sound) -> list[Wanted]:
    """Return three pairs at one setting: `sound` [frames], cut 80:10:10."""
    parts = cut(sound)
    return [Wanted(split, setting, part) for split, part in zip(SPLITS, parts, strict=True)]


def grid(
    circuit: Circuit,
    fixed: Mapping[str, float],
    positions: Sequence[float],
    others: int,
    sound: Sound,
    frames: int,
    seed: int,
) -> list[Wanted]:
    """Return pairs of `frames` each: all positions of all knobs to train on, others to judge by.

    `fixed` knobs stay where they are. `others` settings each for validation and test are drawn at
    random, to two digits. Each split has its own tenths of `sound`, and goes through it round and
    round.
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
    wanted = []
    for split, part in zip(SPLITS, cut(sound), strict=True):
        for index, chosen in enumerate(settings[split]):
            at = index * frames % max(1, part.size - frames + 1)
            wanted.append(Wanted(split, chosen, faded(part[at : at + frames], frames // 100)))
    return wanted


def cut(sound: Sound) -> tuple[Sound, Sound, Sound]:
    """Return a sound's parts for training, validation and test, each silent at its start."""
    first, second = (round(sum(SHARES[: n + 1]) * sound.size) for n in range(2))
    parts = sound[:first], sound[first:second], sound[second:]
    fade = max(1, min(part.size for part in parts) // 100)
    return faded(parts[0], fade), faded(parts[1], fade), faded(parts[2], fade)


def faded(sound: Sound, frames: int) -> Sound:
    """Return a sound that rises from silence over its first `frames`."""
    out = sound.copy()
    count = min(frames, out.size)
    out[:count] *= np.linspace(0.0, 1.0, count, dtype=np.float32)
    return out


def build(
    circuit: Circuit,
    wanted: Sequence[Wanted],
    rate_hz: int,
    folder: Path,
    *,
    source: str,
    command: str,
    jobs: int | None = None,
    progress: Progress = lambda seconds, what: None,
) -> bool:
    """Simulate what is not there yet and write the data set; False where all was there.

    Raises: CircuitError, that names the setting and the second where no solution was found;
    FolderError.
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
        "data_sha256": _digest(circuit, wanted, rate_hz, version),
    }
    work = folder / WORK
    begun = work.is_dir()
    there = claim(folder, lambda sound: begun and NUMBERED.fullmatch(sound.name) is not None)
    if there is not None:
        before = there[1]
        if before.get("data_sha256") == made["data_sha256"]:
            return False
        raise CircuitError(
            f"{folder}: holds a set of {before.get('circuit', 'something else')} made by "
            f"`{before.get('command', 'another command')}`; choose another folder, or remove it"
        )
    open_folder(work)
    pieces = list(_pieces(circuit, wanted, rate_hz, version))
    _simulate_all(circuit, wanted, pieces, rate_hz, work, jobs, progress)
    pairs = []
    for index, pair in enumerate(wanted):
        parts = [np.load(work / f"{p.key}.npy") for p in pieces if p.pair == index]
        name = f"{index:03d}_{pair.name}"
        files = {"dry": f"{name}-input.wav", "wet": f"{name}-target.wav"}
        write_sound(folder / files["dry"], pair.dry, rate_hz)
        write_sound(folder / files["wet"], np.concatenate(parts), rate_hz)
        pairs.append({"name": name, "split": pair.split, **files, "knobs": dict(pair.setting)})
    write_manifest(
        folder, name=folder.resolve().name, knobs=list(circuit.knobs), pairs=pairs, made=made
    )
    shutil.rmtree(work)
    return True


def _pieces(
    circuit: Circuit, wanted: Sequence[Wanted], rate_hz: int, version: str
) -> Iterator[Piece]:
    length = round(PIECE_S * rate_hz)
    for index, pair in enumerate(wanted):
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


def _digest(circuit: Circuit, wanted: Sequence[Wanted], rate_hz: int, version: str) -> str:
    keys = [f"{pair.split} {pair.name}" for pair in wanted]
    keys += [piece.key for piece in _pieces(circuit, wanted, rate_hz, version)]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def _simulate_all(
    circuit: Circuit,
    wanted: Sequence[Wanted],
    pieces: Sequence[Piece],
    rate_hz: int,
    work: Path,
    jobs: int | None,
    progress: Progress,
) -> None:
    """Leave every piece in `work`, several at a time, each in a process of ngspice's own."""
    runs = spice.Runs()
    lock = threading.Lock()
    done = {piece: _seconds(piece, rate_hz) for piece in pieces if _is_there(work, piece)}

    def told(piece: Piece, seconds: float) -> None:
        with lock:
            done[piece] = seconds
            progress(sum(done.values()), wanted[piece.pair].name)

    def make(piece: Piece) -> None:
        pair = wanted[piece.pair]
        lead = min(piece.start, round(LEAD_S * rate_hz))
        volts = pair.dry[piece.start - lead : piece.stop].astype(np.float64)
        if lead:
            fade = round(FADE_S * rate_hz)
            volts[:fade] *= np.linspace(0.0, 1.0, fade)
        share = (piece.stop - piece.start) / volts.size
        try:
            out = spice.simulate(
                circuit,
                pair.setting,
                volts,
                rate_hz,
                runs=runs,
                on_time=lambda at: told(piece, min(at * share, _seconds(piece, rate_hz))),
            )
        except spice.ConvergenceError as error:
            at = error.at_s + (piece.start - lead) / rate_hz
            stand = ", ".join(f"{knob} {value:g}" for knob, value in pair.setting.items())
            raise CircuitError(
                f"{circuit.name} at {stand or 'its only setting'} does not converge at {at:.3f} s "
                f"of {pair.name} ({error.text}); a softer input (--peak) may help"
            ) from None
        with replacing(work / f"{piece.key}.npy") as draft, draft.open("wb") as file:
            np.save(file, out[lead:].astype(np.float32))
        told(piece, _seconds(piece, rate_hz))

    progress(sum(done.values()), "")
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1, "nemod spice") as pool:
        futures: list[Future[None]] = [
            pool.submit(make, piece) for piece in pieces if piece not in done
        ]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = [f.exception() for f in futures if f.done() and not f.cancelled()]
        finally:
            # A failure or Ctrl-C ends the rest; what is finished stays for the next time.
            pool.shutdown(wait=False, cancel_futures=True)
            if any(not future.done() for future in futures):
                runs.stop()
    for error in failed:
        if error is not None:
            raise error


def _is_there(work: Path, piece: Piece) -> bool:
    return (work / f"{piece.key}.npy").is_file()


def _seconds(piece: Piece, rate_hz: int) -> float:
    return (piece.stop - piece.start) / rate_hz
