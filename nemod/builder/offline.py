"""Plays samples that are all there through the same rig as the daemon's."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nemod.builder.build import BuiltRig, build, build_chain
from nemod.builder.filled_chain import FilledChain, default_chain
from nemod.common.errors import ModelError, did_you_mean
from nemod.common.units import db_to_amplitude
from nemod.control.settings import Settings
from nemod.engine.rig import MAX_BLOCK_FRAMES, MIN_BLOCK_FRAMES
from nemod.formats.impulse_response import ImpulseResponse, load_impulse_response
from nemod.formats.model import Model
from nemod.parameters.parameter_set import ParameterSet

DEFAULT_BLOCK_FRAMES = 64
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 768_000
"""[Hz] Below, the treble's shelf would lie above half the rate."""
AUTO_TAIL_S = 10.0
"""[s] The longest tail that `auto` renders."""
TAIL_END_DB = -90.0
"""[dBFS] The tail `auto` ends where the output stays below this level."""
MAX_TAIL_S = 3600.0
_PEAKS = 3
"""Numbers that follow the sound in what a rig returns; see `nemod.engine.rig.peaks`."""

Tail = float | Literal["auto"]


def render(
    played: Model | FilledChain,
    samples: ArrayLike,
    rate: int,
    *,
    settings: Mapping[str, float] | None = None,
    cab: ImpulseResponse | str | Path | None = None,
    outputs: int = 1,
    block: int = DEFAULT_BLOCK_FRAMES,
    model_only: bool = False,
    prewarm: bool = True,
    tail: Tail = 0.0,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the rig's output for a recording.

    `played` is a model, in the default chain, or a chain with its files, as `nemod.load_chain`
    reads it. `samples` [frames], mono, +-1.0 full scale, at `rate` [Hz]. `settings` are positions
    (0..1) of knobs by path (`gain`, `delay/mix`, `knob/3`, `delay2/mix`); the rest stand where the
    chain's file says, else at their defaults, and nothing glides at the start. `cab` is a cabinet
    behind a model, by the file of its impulse response; a cabinet is switched on unless `settings`
    has `cab/enable`. `outputs` is 1, or 2 for left and right: delays are then ping-pong delays, and
    reverbs have two channels. `block` [frames] is 1 to 65,536. With `model_only` nothing but the
    model touches the samples, which count as being at its own rate, and it starts as its reference
    engine does: zeros, or for NAM's its stored state after NAM's own silence, which `prewarm` False
    leaves out. `tail` [s] is how much silence is played after the samples, so that delay and reverb
    ring out; with `auto` the output ends where it stays below -90 dBFS, after 10 s at most.
    `progress` is called with the number of frames done, those of the tail included.

    Returns: float32 [frames], or with two outputs [frames, 2], as sound files have it; as long as
    `samples` and the tail. Raises: ValueError for samples that are not mono or not finite, for
    outputs, a block, a rate, a tail or a position out of range, for a setting that does not exist,
    for two outputs of a model alone and for `cab` or `model_only` of a chain; CabinetError for what
    is no impulse response; ModelError when the output is not finite.
    """
    sound = np.asarray(samples, np.float32)
    if sound.ndim != 1:
        raise ValueError(f"samples of shape {sound.shape}: mono [frames] is expected")
    if not np.isfinite(sound).all():
        first = int(np.flatnonzero(~np.isfinite(sound))[0])
        raise ValueError(f"sample {first} is {sound[first]}: finite samples are expected")
    if outputs not in (1, 2):
        raise ValueError(f"outputs {outputs}: 1 and 2 (left and right) are allowed")
    if model_only and outputs == 2:
        raise ValueError("outputs 2 with model_only: a model alone has one output")
    if not MIN_BLOCK_FRAMES <= block <= MAX_BLOCK_FRAMES:
        raise ValueError(f"block {block}: {MIN_BLOCK_FRAMES} to {MAX_BLOCK_FRAMES} are allowed")
    if not model_only and not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise ValueError(f"rate {rate}: {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are allowed")
    longest = tail_frames(tail, rate)
    filled = _filled(played, cab, model_only=model_only)
    positions = Settings(filled.first_positions, chain=filled.chain)
    positions.use_knobs(filled.knobs)
    for path, position in (settings or {}).items():
        set_knob(positions, path, position)
    whole = np.concatenate([sound, np.zeros(longest, np.float32)]) if longest else sound
    if isinstance(played, Model) and model_only:
        ready = build(played, rate, block, positions, model_only=True, prewarm=prewarm)
    else:
        ready = build_chain(filled, rate, block, positions, outputs)
    out = np.empty(whole.size if outputs == 1 else (whole.size, outputs), np.float32)
    done = 0
    for piece in stream(ready, filled.name, whole, rate, block, outputs):
        out[done : done + len(piece)] = piece
        done += len(piece)
        if progress is not None:
            progress(done)
    return out[: sound.size + _audible_frames(out[sound.size :])] if tail == "auto" else out


def tail_frames(tail: Tail, rate: int) -> int:
    """Return the length of a tail [frames], for `auto` the longest.

    Raises: ValueError for a length that is not allowed.
    """
    seconds = AUTO_TAIL_S if tail == "auto" else float(tail)
    if not 0.0 <= seconds <= MAX_TAIL_S:  # NaN is none of them
        raise ValueError(f"tail {tail}: 0 to {MAX_TAIL_S:g} s, or auto, are allowed")
    return round(seconds * rate)


def _audible_frames(tail: NDArray[np.float32]) -> int:
    """Return the frames of a tail up to the last that is not below `TAIL_END_DB` in all channels.

    Between two echoes the output may be silent for 2 s, so only the end of all tells.
    """
    peaks = np.abs(tail.reshape(len(tail), -1)).max(axis=1, initial=0.0)
    loud = np.flatnonzero(peaks >= db_to_amplitude(TAIL_END_DB))
    return int(loud[-1]) + 1 if loud.size else 0


def _filled(
    played: Model | FilledChain, cab: ImpulseResponse | str | Path | None, *, model_only: bool
) -> FilledChain:
    """Return what is played as a chain. Raises: ValueError."""
    if isinstance(played, Model):
        response = load_impulse_response(cab) if isinstance(cab, str | Path) else cab
        return default_chain(played, response)
    if cab is not None:
        raise ValueError("cab with a chain: its cabinets are in its own slots")
    if model_only:
        raise ValueError("model_only with a chain: a model is expected")
    return played


def known_path(parameters: ParameterSet, path: str) -> str:
    """Return the canonical path of a setting by any of its paths.

    A model's own knob may be named in any case. Raises: ValueError that names what is allowed.
    """
    if path in parameters:
        return parameters.canonical(path)
    head, is_knob, name = path.rpartition("knob/")
    slot = head.removesuffix("/") or next(iter(parameters.knobs), "")
    if is_knob and slot in parameters.knobs:
        names = [knob.name for knob in parameters.knobs[slot]]
        folded = [each.casefold() for each in names]
        if name.casefold() in folded:
            return parameters.canonical(f"{slot}/knob/{folded.index(name.casefold()) + 1}")
        raise ValueError(f"knob {name!r}: this model's knobs are {', '.join(names) or '(none)'}")
    near = did_you_mean(path, parameters.all_paths())
    raise ValueError(f"no setting is named {path!r}{near}")


def set_knob(settings: Settings, path: str, position: float) -> None:
    """Set a parameter by any of its paths. Raises: ValueError that names what is allowed."""
    known = known_path(settings.parameters, path)
    if not 0.0 <= position <= 1.0:  # NaN is none of them
        raise ValueError(f"{path} = {position:g}: a number from 0 to 1 is expected")
    settings.set(known, position)


def stream(
    ready: BuiltRig,
    name: str,
    sound: NDArray[np.float32],
    rate: int,
    block: int,
    outputs: int = 1,
) -> Iterator[NDArray[np.float32]]:
    """Yield the output of a rig for `sound` [frames] block by block; together as long as `sound`.

    A block is [frames], or with two outputs [frames, 2].

    Raises: ModelError, of the `name`, at the first sample that is not finite. The daemon mutes such
    a block, because on stage the sound has to go on; a file must not have silent holes in it.
    """
    rig = ready.loaded
    state = rig.fresh()
    # A resampler holds frames back at the start; as many are added at the end: the length stays.
    late = ready.latency_frames
    sound = np.concatenate([sound, np.zeros(late, np.float32)]) if late else sound
    for start in range(0, sound.size, block):
        piece = sound[start : start + block]
        # The last block is filled up with silence; causal effects cannot tell.
        padded = piece if piece.size == block else np.pad(piece, (0, block - piece.size))
        state, answer = rig.call(rig.weights, rig.controls, state, padded)
        answer = np.asarray(answer)
        heard = answer[:-_PEAKS] if outputs == 1 else answer[:-_PEAKS].reshape(outputs, block).T
        if not math.isfinite(answer[-1]):
            frame = max(0, start - ready.latency_frames + _first_not_finite(heard))
            raise ModelError(
                name, f"the output is not finite at frame {frame} ({frame / rate:.2f} s)"
            )
        skipped = min(late, piece.size)
        late -= skipped
        yield heard[skipped : piece.size]


def _first_not_finite(heard: NDArray[np.float32]) -> int:
    """Return the first frame that is not finite; 0 where only the sum of the block overflows."""
    wrong = np.flatnonzero(~np.isfinite(heard).reshape(len(heard), -1).all(axis=1))
    return int(wrong[0]) if wrong.size else 0
