"""A rig is tested once before it is played: noise, then silence, through its compiled program.

A model that is carried to another sample rate could oscillate there. Its rig passes when all of its
output is finite and, a second after the noise has ended, what is left without its offset is below
`SILENCE_DB` or at most `ALLOWANCE_DB` above what the same model gives at its own rate (some models
hum by themselves). A rig with a delayed state that fails is replaced by a resampled one.

Everything around the model is flat, so that no echo counts as an oscillation. The model's knobs
stand at their defaults, then all at their lowest, then all at their highest position; other
combinations are not tried.

The verdict on a model at another rate depends neither on the device's block size nor on the user's
settings: the rig that is tested has blocks of `BLOCK_FRAMES` and starts with all knobs at their
defaults. Otherwise a model that hums near the limit would have another rate policy, and so another
latency, at another block size. At its own rate only finite output is asked for, so the rig that
will play is tested itself, and nothing else has to be compiled. The verdict is kept on the disk
beside the compiled programs, and a rig whose verdict is known is not tested again.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

import jax
import numpy as np
from numpy.typing import NDArray

from nemod.builder import program_cache
from nemod.builder.rate_policy import RatePolicy
from nemod.chain import DEFAULT_CHAIN, Chain
from nemod.chain.chain import MODEL
from nemod.common.errors import ModelError
from nemod.common.units import amplitude_to_db
from nemod.control.settings import Settings
from nemod.engine.active_rig import LoadedRig
from nemod.formats.model import Model
from nemod.parameters.slot_paths import in_table
from nemod.parameters.table import knob_number

BLOCK_FRAMES = 64
"""[frames] Of the rig that is tested; the default of `--block`, whose program is needed anyway."""
NOISE_S = 1.0
NOISE_AMPLITUDE = 0.1
"""Root of the mean square (-20 dBFS) of white noise: as loud as a guitar that is played hard."""
SILENCE_S = 1.0
TAIL_S = 0.25
"""[s] At the end of the silence: what is measured."""
SILENCE_DB = -60.0
"""[dB] re full scale, root of the mean square."""
ALLOWANCE_DB = 6.0
_PASSED = b"passed"
"""The verdict on a rig without a fault; not empty, which a damaged file could be."""
_SOURCES = (
    "builder/build.py",
    "builder/build_steps.py",
    "builder/rate_policy.py",
    "builder/verify.py",
    "builder/warm_up.py",
    "engine/resampled.py",
    "engine/steps.py",
    "formats/rate.py",
    "formats/state_delay.py",
)
"""What a verdict depends on beside the program's own sources."""


class Playable(Protocol):
    """A built rig, as far as it is needed here."""

    @property
    def layout(self) -> tuple[str, ...]:
        """Paths of the controls."""

    @property
    def loaded(self) -> LoadedRig:
        """The program to play."""

    @property
    def block_frames(self) -> int:
        """Length of its blocks."""


@dataclass(frozen=True, slots=True)
class Residue:
    """What a rig gives after noise and silence, at one position of the model's knobs."""

    is_finite: bool
    """Whether every sample was, from the first on."""
    level_db: float
    """[dB] At the end of the silence, without the offset."""


class Place(NamedTuple):
    """Where a model stands: a chain, and the slot of the model in it."""

    chain: Chain
    slot: str


ALONE = Place(DEFAULT_CHAIN, MODEL)


def verified(
    model: Model,
    policy: RatePolicy,
    rate_hz: int,
    make: Callable[[RatePolicy, int], Playable],
    place: Place = ALONE,
) -> RatePolicy:
    """Return `policy`, or `resample` where the model's rig by `policy` fails the test.

    `make(policy, rate_hz)` returns the model's rig for a device at that rate, with blocks of
    `BLOCK_FRAMES` and the knobs at their defaults (any of both for `exact` at the model's rate), in
    the chain of `place`; it is called only where no verdict is known.
    Raises: ModelError when no rig of the model passes.
    """
    fault = ""
    for way in _ways(policy):
        name = _verdict_name(model, way, rate_hz)
        verdict = program_cache.fetch(name)
        if verdict is None:
            own = lambda: make("exact", model.sample_rate)  # noqa: E731
            fault = find_fault(
                model, make(way, rate_hz), rate_hz, None if way == "exact" else own, place
            )
            program_cache.store(name, fault.encode() or _PASSED)
        else:
            fault = "" if verdict == _PASSED else verdict.decode()
        if not fault:
            return way
    raise ModelError(model.name, f"at {rate_hz} Hz {fault}")


def _ways(policy: RatePolicy) -> tuple[RatePolicy, ...]:
    """Return what to try, in order."""
    return ("delay", "resample") if policy == "delay" else (policy,)


def find_fault(
    model: Model,
    rig: Playable,
    rate_hz: int,
    own_rate: Callable[[], Playable] | None,
    place: Place = ALONE,
) -> str:
    """Test a rig; return what is wrong with it, or an empty text.

    `own_rate` builds the model's rig at its own rate, which is done only where it is needed; None
    where `rig` is that one.
    """
    found = list(residues(model, rig, rate_hz, place))
    if not all(residue.is_finite for residue in found):
        return "its output is not finite (NaN or infinite samples)"
    if own_rate is None or all(residue.level_db < SILENCE_DB for residue in found):
        return ""
    expected = residues(model, own_rate(), model.sample_rate, place)
    for residue, own in zip(found, expected, strict=True):
        if residue.level_db >= max(SILENCE_DB, own.level_db + ALLOWANCE_DB):
            return (
                f"it still gives {residue.level_db:.0f} dBFS a second after its input has ended, "
                f"at its own rate of {model.sample_rate} Hz {own.level_db:.0f} dBFS"
            )
    return ""


def residues(model: Model, rig: Playable, rate_hz: int, place: Place = ALONE) -> Iterator[Residue]:
    """Yield what is left of noise after silence, for each position of the model's knobs."""
    blocks = _test_signal(rate_hz, rig.block_frames)
    tail = int(TAIL_S * rate_hz)
    for controls in _test_controls(model, rig.layout, place):
        state = rig.loaded.fresh()
        is_finite, heard = True, []
        for block in blocks:
            state, sound = rig.loaded.call(rig.loaded.weights, controls, state, block)
            samples = np.asarray(sound)
            # The last number is the sum of all magnitudes.
            is_finite = is_finite and bool(np.isfinite(samples[-1]))
            # Of two outputs, which are equal while nothing is sent into delay and reverb, the left.
            heard.append(samples[: rig.block_frames].copy())
        rest = np.concatenate(heard)[-tail:].astype(np.float64)
        yield Residue(is_finite, amplitude_to_db(float(np.std(rest))) if is_finite else np.inf)


def _test_signal(rate_hz: int, block_frames: int) -> NDArray[np.float32]:
    """Return noise and then silence [blocks, frames], the same every time."""
    noise = np.random.default_rng(0).normal(0.0, NOISE_AMPLITUDE, int(NOISE_S * rate_hz))
    count = -(-int((NOISE_S + SILENCE_S) * rate_hz) // block_frames)
    sound = np.zeros(count * block_frames, np.float32)
    sound[: noise.size] = noise
    return sound.reshape(count, block_frames)


def _test_controls(
    model: Model, layout: Sequence[str], place: Place
) -> Iterator[NDArray[np.float32]]:
    """Yield the controls [n] of a flat rig: knobs at their defaults, lowest and highest."""
    flat = Settings(chain=place.chain).vector(layout)
    knobs = {}
    for n, path in enumerate(layout):
        slot, in_its_kind = in_table(place.chain, path)
        number = knob_number(in_its_kind) if slot == place.slot else None
        if number is not None:
            knobs[n] = model.knobs[number - 1].default
    for extreme in (None, 0.0, 1.0) if knobs else (None,):
        controls = flat.copy()
        for n, default in knobs.items():
            controls[n] = default if extreme is None else extreme
        yield controls


def _verdict_name(model: Model, policy: str, rate_hz: int) -> str:
    """Return the name under which the verdict on a rig is kept."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(model.weights):
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return program_cache.key(
        "verdict", policy, rate_hz, model.network, model.sample_rate, model.knobs,
        digest.hexdigest(), _sources_digest(),
    )  # fmt: skip


@cache
def _sources_digest() -> str:
    """Return a digest of the code that the verdict depends on and no program does."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for source in _SOURCES:
        digest.update((root / source).read_bytes())
    return digest.hexdigest()
