"""The same rig as the daemon's, over samples that are all there."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nemod.builder.build import build
from nemod.common.errors import did_you_mean
from nemod.control.settings import Settings
from nemod.engine.rig import MAX_BLOCK_FRAMES, MIN_BLOCK_FRAMES
from nemod.formats.model import Model

DEFAULT_BLOCK_FRAMES = 64
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 768_000
"""[Hz] Below, the treble's shelf would lie above half the rate."""


def render(
    model: Model,
    samples: ArrayLike,
    rate: int,
    *,
    settings: Mapping[str, float] | None = None,
    block: int = DEFAULT_BLOCK_FRAMES,
    model_only: bool = False,
    prewarm: bool = True,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Return what the rig makes of a recording.

    `samples` [frames], mono, +-1.0 full scale, at `rate` [Hz]. `settings` are positions (0..1) of
    knobs by path (`gain`, `delay/mix`, `knob/3`); the rest stand at their defaults, and nothing
    glides at the start. `block` [frames] is 1 to 65,536. With `model_only` nothing but the model
    touches the samples, which count as being at its own rate, and it starts as its reference
    engine does: zeros, or for NAM's its stored state after NAM's own silence, which `prewarm` False
    leaves out. `progress` is called with the number of frames done.

    Returns: float32 [frames], as long as `samples`. Raises: ValueError for samples that are not
    mono or not finite, for a block or a rate out of range and for a setting that does not exist.
    """
    sound = np.asarray(samples, np.float32)
    if sound.ndim != 1:
        raise ValueError(f"samples of shape {sound.shape}: mono [frames] is expected")
    if not np.isfinite(sound).all():
        first = int(np.flatnonzero(~np.isfinite(sound))[0])
        raise ValueError(f"sample {first} is {sound[first]}: finite samples are expected")
    if not MIN_BLOCK_FRAMES <= block <= MAX_BLOCK_FRAMES:
        raise ValueError(f"block {block}: {MIN_BLOCK_FRAMES} to {MAX_BLOCK_FRAMES} are allowed")
    if not model_only and not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise ValueError(f"rate {rate}: {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz are allowed")
    knobs = Settings()
    for path, position in (settings or {}).items():
        set_knob(knobs, model, path, position)
    out = np.empty_like(sound)
    done = 0
    for piece in stream(model, sound, rate, knobs, block, model_only=model_only, prewarm=prewarm):
        out[done : done + piece.size] = piece
        done += piece.size
        if progress is not None:
            progress(done)
    return out


def set_knob(settings: Settings, model: Model, path: str, position: float) -> None:
    """Set a knob by path, a model's own knob also by name.

    Raises: ValueError that names what is allowed.
    """
    names = [knob.name.casefold() for knob in model.knobs]
    given = path.removeprefix("knob/")
    if path.startswith("knob/") and given.casefold() in names:
        path = f"knob/{names.index(given.casefold()) + 1}"
    elif path.startswith("knob/") and path not in {f"knob/{n + 1}" for n in range(len(names))}:
        allowed = ", ".join(["(none)"] if not names else [knob.name for knob in model.knobs])
        raise ValueError(f"knob {given!r}: this model's knobs are {allowed}")
    if not np.isfinite(position):
        raise ValueError(f"{path} = {position}: a number from 0 to 1 is expected")
    try:
        settings.set(path, position)
    except KeyError:
        near = did_you_mean(path, settings.positions())
        raise ValueError(f"no setting is named {path!r}{near}") from None


def stream(
    model: Model,
    sound: NDArray[np.float32],
    rate: int,
    settings: Settings,
    block: int,
    *,
    model_only: bool = False,
    prewarm: bool = True,
) -> Iterator[NDArray[np.float32]]:
    """Yield the output of `sound` [frames] block by block; together as long as `sound`.

    What a non-finite sample would have come out as is silence, as in the daemon.
    """
    ready = build(model, rate, block, settings, model_only=model_only, prewarm=prewarm)
    rig = ready.loaded
    state = rig.fresh()
    # What a resampler holds back at the start is taken from the end: the length stays.
    late = ready.latency_frames
    sound = np.concatenate([sound, np.zeros(late, np.float32)]) if late else sound
    for start in range(0, sound.size, block):
        piece = sound[start : start + block]
        # The last block is filled up with silence; causal effects cannot tell.
        padded = piece if piece.size == block else np.pad(piece, (0, block - piece.size))
        state, answer = rig.call(rig.weights, rig.controls, state, padded)
        heard = np.asarray(answer)
        if not np.isfinite(heard[-1]):
            state = rig.fresh()
            heard = np.zeros_like(heard)
        skipped = min(late, piece.size)
        late -= skipped
        yield heard[skipped : piece.size]
