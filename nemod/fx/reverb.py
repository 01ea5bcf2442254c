"""Reverb: a feedback delay network of eight lines, or of four for a machine that is too slow.

A feedback delay network (J. Stautner and M. Puckette, "Designing multi-channel reverberators",
Computer Music Journal 6(1), 1982; J.-M. Jot and A. Chaigne, "Digital delay networks for designing
artificial reverberators", 90th AES Convention, 1991). The lengths of the lines are different
primes, so that their echoes do not coincide. The feedback matrix is orthogonal and preserves
energy, so the decay is set in the lines: each has a gain that makes the loss per second the same
for every length, and a one-pole low-pass that does the same for the treble.

With two channels the mono output is the middle, and another sum of the lines the side signal.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nemod.fx.effect import Block, Controls, Effect, Nothing
from nemod.fx.tools.ring import Ring, fade_frames, in_even_pieces, move
from nemod.parameters.table import param

MIX = "reverb/mix"
SIZE = "reverb/size"
DAMPING = "reverb/damping"
PREDELAY = "reverb/predelay"

LINES_MS = (21.1, 24.7, 28.3, 32.9, 37.1, 42.3, 48.1, 54.9)
"""[ms] Lengths of the lines before rounding up to primes."""
CHEAP_LINES_MS = LINES_MS[1::2]
"""Likewise for half the work: every other line, so that the echoes spread over the same times."""
TREBLE_HZ = 5000.0
"""[Hz] Where `reverb/damping` sets the decay time."""
TREBLE_LOSS = 0.9
"""At full damping the decay time at `TREBLE_HZ` is shorter than that of the bass by this share."""


class Lines(NamedTuple):
    """The lines of a reverb, whose number is a power of two, and what they are heard in."""

    lengths_ms: tuple[float, ...]
    middle: tuple[int, ...]
    """Signs in the middle signal."""
    side: tuple[int, ...]
    """Signs in the side signal. Any two lines have in common what went through both of them, in
    either order; as the signs in the middle add up to 0, and those here and their products with
    those in the middle, too, it cancels out in the correlation of the two signals. The first line,
    to whose input all others add with one sign, is the loudest and stays in the middle."""
    side_gain: float
    """Makes the side as loud as the middle, within 0.3 dB for any size."""
    is_left: tuple[bool, ...]
    """Into which the left channel is sent: those that are louder there, and one more."""


LINES = Lines(
    lengths_ms=LINES_MS,
    middle=(1, -1, 1, -1, 1, -1, 1, -1),
    side=(0, -1, 0, 1, -1, 1, 1, -1),
    side_gain=math.sqrt(8.5 / 6.0),
    is_left=(False, True, True, False, False, False, True, True),
)
CHEAP_LINES = Lines(
    lengths_ms=CHEAP_LINES_MS,
    middle=(1, -1, 1, -1),
    side=(0, 1, 0, -1),
    side_gain=math.sqrt(4.5 / 2.0),
    is_left=(False, False, True, True),
)
_T60 = math.log(1000.0)
"""60 dB as the exponent of e."""


class ReverbState(NamedTuple):
    """The state of a reverb."""

    memory: jax.Array
    """float32: a ring of the low-passed input of the lines, then a ring of what is sent into them,
    for the pre-delay, of one channel or of both."""
    tap: jax.Array
    """int32 [5]: the tap of the pre-delay (see `ring.move`) and the positions in both rings."""


def line_frames(rate_hz: float, lines_ms: tuple[float, ...] = LINES_MS) -> tuple[int, ...]:
    """Return the lengths of the lines: for each of `lines_ms` the next prime upwards."""
    return tuple(_next_prime(math.ceil(ms * rate_hz / 1000.0)) for ms in lines_ms)


def _next_prime(number: int) -> int:
    while any(number % divisor == 0 for divisor in range(2, math.isqrt(number) + 1)):
        number += 1
    return number


def _mix_lines(lines: jax.Array) -> jax.Array:
    """Return lines [frames, lines] multiplied by Sylvester's orthogonal Hadamard matrix.

    Computed by sums and differences (the fast Walsh-Hadamard transform): fewer operations than a
    matrix product, which would also prevent `nemod.fx.tools.fuse` from compiling one kernel.
    """
    frames, count = lines.shape
    span = 1
    while span < count:
        pairs = lines.reshape(frames, count // (2 * span), 2, span)
        one, other = pairs[:, :, 0], pairs[:, :, 1]
        lines = jnp.stack([one + other, one - other], axis=2).reshape(frames, count)
        span *= 2
    return lines * np.float32(1.0 / math.sqrt(count))


def cheap_reverb(rate_hz: float) -> Effect[Nothing, ReverbState]:
    """Return a reverb with the knobs, the level and the decay of `reverb`, but fewer echoes."""
    return reverb(rate_hz, lines=CHEAP_LINES)


def reverb(rate_hz: float, channels: int = 1, lines: Lines = LINES) -> Effect[Nothing, ReverbState]:
    """Return a reverb: out = in + wet, where wet is the reverberation of mix * in.

    The dry sound stays at unity and `reverb/mix` is the level at which it is sent into the lines.
    At 0 the reverberation of earlier notes rings out; then no bit changes. `reverb/size` [s] is the
    time in which the bass falls by 60 dB; `reverb/damping` (0..1) makes that time shorter at
    `TREBLE_HZ`, down to a tenth. At full mix the wet sound is about as loud as the input for any
    size. When `reverb/predelay` [ms] changes, the input crossfades to the new delay (see
    `ring.move`).

    With two channels the left one is sent into half of the lines and the right one into the others;
    the feedback mixes all. The wet channels are (middle + side) / sqrt(2) and
    (middle - side) / sqrt(2), which are not correlated, as middle and side are equally loud. So for
    equal inputs the wet sum of both channels, divided by sqrt(2), is the mono reverberation, whose
    power is the mean of theirs.
    """
    lengths = line_frames(rate_hz, lines.lengths_ms)
    count = len(lengths)
    shortest, longest = lengths[0], lengths[-1]
    predelay = round(param(PREDELAY).high * rate_hz / 1000.0)
    line_ring = Ring(length=longest, margin=shortest, lines=count)
    before_ring = Ring(
        length=predelay + shortest, margin=shortest, start=line_ring.stop, lines=channels
    )
    fade = fade_frames(rate_hz)
    taps = (np.array(lines.middle) / math.sqrt(count)).astype(np.float32)
    side_taps = (np.array(lines.side) * lines.side_gain / math.sqrt(count)).astype(np.float32)
    is_left = np.array(lines.is_left)
    half = np.float32(math.sqrt(0.5))
    exponents = np.array([-_T60 * length / rate_hz for length in lengths], np.float32)
    cosine = math.cos(2.0 * math.pi * TREBLE_HZ / rate_hz)

    def to_frames(time_ms: jax.Array) -> jax.Array:
        frames = jnp.round(time_ms * (rate_hz / 1000.0)).astype(jnp.int32)
        return jnp.clip(frames, 0, predelay)

    def losses(size_s: jax.Array, damping: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the gain at 0 Hz and the pole of the low-pass, both [frames, lines]."""
        decibels = exponents[None, :] / size_s[:, None]
        gain = jnp.exp(decibels)
        # The low-pass (1 - p) / (1 - p / z) must have the gain r at TREBLE_HZ: a quadratic in p,
        # whose root inside the unit circle is written in a form that stays exact as r goes to 1.
        loss = TREBLE_LOSS * damping
        ratio = jnp.exp(decibels * (loss / (1.0 - loss))[:, None])
        square = ratio * ratio
        width = jnp.sqrt((1.0 - cosine) * (2.0 - (1.0 + cosine) * square))
        return gain, (1.0 - square) / (1.0 - cosine * square + ratio * width)

    def init(_weights: Nothing, controls: jax.Array) -> ReverbState:
        at = to_frames(controls[3])
        still = jnp.zeros_like(at)
        return ReverbState(
            jnp.zeros(before_ring.stop, jnp.float32),
            jnp.stack([at, at, still, still, still]),
        )

    def process(
        _weights: Nothing, controls: Controls, state: ReverbState, block: Block
    ) -> tuple[ReverbState, Block]:
        memory, tap = state
        mix, size_s, damping, time_ms = controls[0], controls[1], controls[2], controls[3]
        frames = block.shape[-1]

        before_at, lines_at = tap[3], tap[4]
        after, first, second, weight = move(tap[:3], to_frames(time_ms), fade)
        if channels == 1:
            memory = before_ring.write(memory, before_at, mix * block)
            here = before_ring.read(memory, before_at, first)
            there = before_ring.read(memory, before_at, second)
            sent = ((1.0 - weight) * here + weight * there)[:, None]
        else:
            memory = before_ring.write(memory, before_at, (mix[None] * block).T)
            here = before_ring.read_lines(memory, before_at, first)
            there = before_ring.read_lines(memory, before_at, second)
            late = (1.0 - weight)[None] * here + weight[None] * there
            sent = jnp.where(is_left[None], late[0][:, None], late[1][:, None])

        delays = jnp.broadcast_to(np.array(lengths, np.int32), (frames, count))
        delayed = line_ring.read(memory, lines_at, delays)
        gain, pole = losses(size_s, damping)
        # A line with little loss accumulates more energy: its input is weighted by its loss.
        fed = gain * _mix_lines(delayed) + jnp.sqrt(1.0 - gain * gain) * sent
        # The last rows written are the states of the low-passes.
        last = line_ring.read(memory, lines_at, jnp.ones((1, count), jnp.int32))[0]

        def damp(low: jax.Array, frame: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            low = frame[0] * low + frame[1]
            return low, low

        _, damped = jax.lax.scan(damp, last, (pole, (1.0 - pole) * fed))
        memory = line_ring.write(memory, lines_at, damped)
        positions = [
            before_ring.advance(before_at, frames),
            line_ring.advance(lines_at, frames),
        ]
        wet = jnp.sum(delayed * taps[None], axis=1)
        if channels == 2:
            side = jnp.sum(delayed * side_taps[None], axis=1)
            wet = half * jnp.stack([wet + side, wet - side])
        tap = jnp.append(after, jnp.stack(positions))
        return ReverbState(memory, tap), block + wet

    effect = Effect(
        name="reverb" if lines == LINES else "cheap reverb",
        controls=(MIX, SIZE, DAMPING, PREDELAY),
        weights=(),
        init=init,
        process=process,
        tails=lambda state: {"reverb": state},
        in_stereo=lambda: reverb(rate_hz, channels=2, lines=lines),
        makes_stereo=True,
    )
    return in_even_pieces(effect, shortest)
