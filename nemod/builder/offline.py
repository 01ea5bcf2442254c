"""Plays samples that are all there through the same rig as the daemon's."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nemod.builder.build import build
from nemod.common.errors import ModelError, did_you_mean
from nemod.common.units import db_to_amplitude
from nemod.control.settings import Settings
from nemod.engine.rig import MAX_BLOCK_FRAMES, MIN_BLOCK_FRAMES
from nemod.formats.impulse_response import ImpulseResponse, load_impulse_response
from nemod.formats.model import Model
from nemod.fx.cabinet import ENABLE
from nemod.parameters.table import MODEL_KNOBS

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
    model: Model,
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

    `samples` [frames], mono, +-1.0 full scale, at `rate` [Hz]. `settings` are positions (0..1) of
    knobs by path (`gain`, `delay/mix`, `knob/3`); the rest stand at their defaults, and nothing
    glides at the start. `cab` is a cabinet, by the file of its impulse response; it is switched on
    unless `settings` has `cab/enable`. `outputs` is 1, or 2 for left and right: the delay is then a
    ping-pong delay, and the reverb has two channels. `block` [frames] is 1 to 65,536. With
    `model_only` nothing but the model touches the samples, which count as being at its own rate,
    and it starts as its reference engine does: zeros, or for NAM's its stored state after NAM's own
    silence, which `prewarm` False leaves out. `tail` [s] is how much silence is played after the
    samples, so that delay and reverb ring out; with `auto` the output ends where it stays below
    -90 dBFS, after 10 s at most. `progress` is called with the number of frames done, those of the
    tail included.

    Returns: float32 [frames], or with two outputs [frames, 2], as sound files have it; as long as
    `samples` and the tail. Raises: ValueError for samples that are not mono or not finite, for
    outputs, a block, a rate, a tail or a position out of range, for a setting that does not exist
    and for two outputs of a model alone; CabinetError for what is no impulse response; ModelError
    when the output is not finite.
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
    response = load_impulse_response(cab) if isinstance(cab, str | Path) else cab
    positions = Settings({ENABLE: 1.0} if response is not None else None)
    for path, position in (settings or {}).items():
        set_knob(positions, model, path, position)
    played = np.concatenate([sound, np.zeros(longest, np.float32)]) if longest else sound
    out = np.empty(played.size if outputs == 1 else (played.size, outputs), np.float32)
    done = 0
    blocks = stream(
        model,
        played,
        rate,
        positions,
        block,
        response=response,
        outputs=outputs,
        model_only=model_only,
        prewarm=prewarm,
    )
    for piece in blocks:
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


def knob_path(model: Model, path: str) -> str:
    """Return the path of a knob that is named by its path or by the model's own name for it.

    `knob/<name>` becomes `knob/<number>`. `knob/1` and `knob/2` exist for every model: where it
    has no such knob they are the drive before it and the level after it, as in OSC.

    Raises: ValueError that names the model's knobs.
    """
    names = [knob.name.casefold() for knob in model.knobs]
    given = path.removeprefix("knob/")
    if given == path:
        return path
    if given.casefold() in names:
        return f"knob/{names.index(given.casefold()) + 1}"
    count = max(len(names), len(MODEL_KNOBS))
    if path not in {f"knob/{n + 1}" for n in range(count)}:
        allowed = ", ".join(["(none)"] if not names else [knob.name for knob in model.knobs])
        raise ValueError(f"knob {given!r}: this model's knobs are {allowed}")
    return path


def set_knob(settings: Settings, model: Model, path: str, position: float) -> None:
    """Set a knob by path, a model's own knob also by name.

    Raises: ValueError that names what is allowed.
    """
    known = knob_path(model, path)
    try:
        settings.get(known)
    except KeyError:
        near = did_you_mean(path, settings.positions())
        raise ValueError(f"no setting is named {path!r}{near}") from None
    if not 0.0 <= position <= 1.0:  # NaN is none of them
        raise ValueError(f"{path} = {position:g}: a number from 0 to 1 is expected")
    settings.set(known, position)


def stream(
    model: Model,
    sound: NDArray[np.float32],
    rate: int,
    settings: Settings,
    block: int,
    *,
    response: ImpulseResponse | None = None,
    outputs: int = 1,
    model_only: bool = False,
    prewarm: bool = True,
) -> Iterator[NDArray[np.float32]]:
    """Yield the output of `sound` [frames] block by block; together as long as `sound`.

    A block is [frames], or with two outputs [frames, 2].

    Raises: ModelError at the first sample that is not finite. The daemon mutes such a block,
    because on stage the sound has to go on; a file must not have silent holes in it.
    """
    ready = build(
        model,
        rate,
        block,
        settings,
        response=response,
        outputs=outputs,
        model_only=model_only,
        prewarm=prewarm,
    )
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
                model.name, f"the output is not finite at frame {frame} ({frame / rate:.2f} s)"
            )
        skipped = min(late, piece.size)
        late -= skipped
        yield heard[skipped : piece.size]


def _first_not_finite(heard: NDArray[np.float32]) -> int:
    """Return the first frame that is not finite; 0 where only the sum of the block overflows."""
    wrong = np.flatnonzero(~np.isfinite(heard).reshape(len(heard), -1).all(axis=1))
    return int(wrong[0]) if wrong.size else 0
