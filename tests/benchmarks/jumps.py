# ruff: noqa: T201 - a script prints
"""Counts which simulated jumps of the latency are found, and which recordings cause false alarms.

    python tests/benchmarks/jumps.py [--only NAME] [--verbose]

Buffers are lost or inserted in synthetic recordings, and in real ones where ../shared has them: in
the middle, close to the start and the end of the sound, and several in one recording. A case
counts as found if all jumps are reported, and nothing else, with the right size (within 2 frames)
and place (within 20 ms of the missing or inserted frames).
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.trainer.data.conftest import RATE, pedal, plucked  # noqa: E402
from trainer.data.align import measure  # noqa: E402
from trainer.data.jumps import find_jumps  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
SIZES = (-256, -64, -16, 16, 64, 512)
SHARES = (0.1, 0.37, 0.9)
BESIDE_S = (0.5, 0.25, 0.12)
"""[s] Sound between a jump and the start or the end."""
END_SIZES = (-256, 64)
SEVERAL = (((0.5, -128), (0.8, -128)), ((1.5, 64), (0.3, -256)), ((3.0, -16), (2.0, 16)))
"""Distance to the previous jump [s] and size [frames] of two jumps; the first begins at 40 %."""
AUDIBLE = 0.03
"""Level relative to the loudest 20 ms above which something is played."""
SIZE_FRAMES, PLACE_S = 2, 0.02

Sound = NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """Dry and wet sound of a device."""

    name: str
    dry: Sound
    wet: Sound
    rate: int


@dataclass(frozen=True)
class Case:
    """A recording with jumps."""

    group: str
    recording: Recording
    wet: Sound
    jumps: tuple[tuple[int, int], ...]
    """Place and size of each jump [frames]."""


def lose(wet: Sound, at: int, frames: int) -> Sound:
    """Return wet with `frames` inserted at a position, or lost if negative, at the same length."""
    if frames < 0:
        return np.concatenate([wet[:at], wet[at - frames :], np.zeros(-frames)])
    return np.concatenate([wet[:at], np.zeros(frames), wet[at:]])[: wet.size]


def synthetic() -> Iterator[Recording]:
    """Yield recordings of simulated pedals."""
    yield Recording("plucked, overdrive", plucked(1), pedal(plucked(1)), RATE)
    yield Recording("plucked, fuzz", plucked(5), -pedal(plucked(5), 300.0), RATE)


def real() -> Iterator[Recording]:
    """Yield recordings of real guitars, through real and simulated pedals."""
    for name in ("hudson_broadcast", "ts9_guitarlstm"):
        yield _read(name, *(SHARED / "pairs" / name / f"{side}.wav" for side in ("dry", "wet")))
    muff = (SHARED / "spice" / "muff" / f"train-{side}.wav" for side in ("input", "target"))
    yield _read("muff", *muff)


def _read(name: str, dry: Path, wet: Path) -> Recording:
    (before, rate), (after, _) = soundfile.read(dry), soundfile.read(wet)
    frames = min(before.size, after.size, 25 * rate)
    return Recording(name, before[:frames], after[:frames], rate)


def cases(recording: Recording) -> Iterator[Case]:
    """Yield the recording with jumps."""

    def case(group: str, *jumps: tuple[int, int]) -> Case:
        wet, places, moved = recording.wet, [], 0
        for at, frames in jumps:
            wet = lose(wet, at + moved, frames)
            places.append((at + moved, frames))
            moved += frames
        return Case(group, recording, wet, tuple(places))

    rate = recording.rate
    first, last = _audible(recording.wet, rate)
    for share in SHARES:
        for size in SIZES:
            at = round(first + share * (last - first))
            yield case(
                f"{abs(size)} frames" if abs(size) < 100 else "128 frames or more", (at, size)
            )
    for beside in BESIDE_S:
        for size in END_SIZES:
            yield case(f"{beside} s after the start", (first + round(beside * rate), size))
            yield case(f"{beside} s before the end", (last - round(beside * rate), size))
    for (_, one), (apart, two) in SEVERAL:
        at = round(first + 0.4 * (last - first))
        yield case("two jumps", (at, one), (at + round(apart * rate), two))


def _audible(wet: Sound, rate: int) -> tuple[int, int]:
    """Return the first and the last frame of the sound."""
    size = rate // 50
    levels = np.sqrt(np.mean(wet[: wet.size // size * size].reshape(-1, size) ** 2, axis=1))
    loud = np.flatnonzero(levels > AUDIBLE * levels.max())
    return int(loud[0]) * size, int(loud[-1] + 1) * size


def intact(recording: Recording) -> Iterator[tuple[str, Sound, Sound]]:
    """Yield the recording without a jump: unchanged, with drift, and through modulation."""
    dry, wet, rate = recording.dry, recording.wet, recording.rate
    frames = np.arange(wet.size)
    seconds = frames / rate

    def delayed(delay_s: Sound | float) -> Sound:
        return np.asarray(np.interp(frames - rate * np.asarray(delay_s), frames, wet))

    noise = np.random.default_rng(2).normal(0.0, 0.01 * np.sqrt(np.mean(wet**2)) * 3, wet.size)
    yield "unchanged", dry, wet
    for parts in (-300, -80, 15, 80, 200):
        yield f"drift of {parts} ppm", dry, delayed(parts * 1e-6 * seconds)
    yield "noise", dry, wet + noise
    yield "vibrato", dry, delayed(0.008 + 0.004 * np.sin(2 * np.pi * 0.8 * seconds))
    yield "slow vibrato", dry, delayed(0.008 + 0.006 * np.sin(2 * np.pi * 0.1 * seconds))
    yield "slight vibrato", dry, delayed(0.002 + 0.0005 * np.sin(2 * np.pi * 2.0 * seconds))
    yield "chorus", dry, wet + delayed(0.008 + 0.004 * np.sin(2 * np.pi * 0.8 * seconds))
    yield "echo", dry, wet + 0.5 * delayed(0.35)
    yield "tremolo", dry, wet * (0.55 + 0.45 * np.sin(2 * np.pi * 5 * seconds))
    yield "a knob is turned", dry, _turned(wet, rate)
    yield "another recording", dry[::-1].copy(), wet


def _turned(wet: Sound, rate: int) -> Sound:
    """Return wet whose tone is darker in its second half, which moves its group delay."""
    dark = signal.lfilter(*signal.butter(2, 1_200, fs=rate), wet)
    return np.concatenate([wet[: wet.size // 2], dark[wet.size // 2 :]])


def is_found(case: Case) -> bool:
    """Return whether the jumps are reported as they are."""
    rate = case.recording.rate
    found = find(case.recording.dry, case.wet, rate)
    return len(found) == len(case.jumps) and all(
        abs(size - frames) <= SIZE_FRAMES
        and at - PLACE_S * rate <= place <= at + max(0, frames) + PLACE_S * rate
        for (place, size), (at, frames) in zip(found, case.jumps, strict=True)
    )


def find(dry: Sound, wet: Sound, rate: int) -> list[tuple[int, int]]:
    """Return place and size of the jumps, as `nemod-train check` finds them."""
    before, after = dry.astype(np.float32), wet.astype(np.float32)
    lag = measure(before, after).frames
    return [(jump.at, jump.frames) for jump in find_jumps(before, after, rate, lag)]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="recordings whose name contains this")
    parser.add_argument("--verbose", action="store_true", help="name each case that fails")
    options = parser.parse_args()
    groups: dict[str, list[bool]] = {}
    alarms: dict[str, list[bool]] = {}
    sources: list[Callable[[], Iterator[Recording]]] = [synthetic]
    sources += [real] if SHARED.is_dir() else []
    began, searched = time.process_time(), 0.0
    for source in sources:
        for recording in source():
            if options.only not in recording.name:
                continue
            for case in cases(recording):
                good = is_found(case)
                groups.setdefault(case.group, []).append(good)
                searched += case.wet.size / recording.rate
                if options.verbose and not good:
                    found = find(recording.dry, case.wet, recording.rate)
                    print(
                        f"{recording.name}: {case.group}: {case.jumps}, found {found}", flush=True
                    )
            for name, dry, wet in intact(recording):
                found = find(dry, wet, recording.rate)
                alarms.setdefault(name, []).append(not found)
                searched += wet.size / recording.rate
                if options.verbose and found:
                    print(f"{recording.name}: {name}: false alarm {found}", flush=True)
    print("| jumps | found |\n|---|--:|")
    for name, results in groups.items():
        print(f"| {name} | {sum(results)} of {len(results)} |")
    every = [good for results in groups.values() for good in results]
    print(f"| all | {sum(every)} of {len(every)} |")
    print("\n| without a jump | false alarms |\n|---|--:|")
    for name, results in alarms.items():
        print(f"| {name} | {results.count(False)} of {len(results)} |")
    print(
        f"\n{(time.process_time() - began) / searched:.3f} s of processor time per second of sound"
    )


if __name__ == "__main__":
    main()
