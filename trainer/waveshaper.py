"""Fits the models that ship with nemod to a simulated overdrive circuit.

    python -m trainer.waveshaper clipper-lstm16 --minutes 6
    python -m trainer.waveshaper drive-gru20 --minutes 10

Nothing is recorded: the guitar is plucked strings made here, and the "pedal" is a gain stage, two
antiparallel diodes across a capacitor, solved as a differential equation in float64 at four times
the sample rate, and a tone filter. The network is trained by truncated backpropagation with the
very kernels that the daemon plays.
"""

import argparse
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

from nemod.formats import Knob, Model, Probe, save_model
from nemod.formats.info_reader import info_of
from nemod.formats.network import (
    Dense,
    DenseWeights,
    Gru,
    GruWeights,
    Lstm,
    LstmWeights,
    Network,
    Residual,
    Stack,
)
from nemod.fx.nn.network import kernel

Signal = NDArray[np.float64]

RATE_HZ = 48_000
OVERSAMPLING = 4
SEGMENT_FRAMES = RATE_HZ
"""One second: the unit of which all material is made."""
CHUNK_FRAMES = 512
"""Frames of one step of backpropagation; the state is carried from one to the next."""
BATCH = 48
PROBE_FRAMES = 2048


class Recipe(NamedTuple):
    """One model that ships."""

    network: Network
    knobs: tuple[Knob, ...]
    description: str


def _recipe(layer: Lstm | Gru, knobs: tuple[Knob, ...], description: str) -> Recipe:
    body = Stack((layer, Dense(layer.hidden, 1)))
    return Recipe(Residual(body), knobs, description)


DRIVE_DB = (6.0, 36.0)
"""[dB] Gain before the diodes at drive 0 and 1."""
LEVEL_DB = (-18.0, 0.0)
"""[dB] Output level at level 0 and 1."""
FIXED_DRIVE = 0.6

RECIPES = {
    "clipper-lstm16": _recipe(
        Lstm(1, 16), (), "Diode clipper with tone filter, 24 dB of drive, no knobs"
    ),
    "drive-gru20": _recipe(
        Gru(3, 20),
        (Knob("gain", default=0.5), Knob("level", default=0.8)),
        "The same circuit with its drive and its output level as knobs",
    ),
}


# The guitar


def pluck(rng: np.random.Generator, frames: int) -> Signal:
    """Return one plucked string [frames]: a lossy delay loop (Karplus and Strong)."""
    period = (
        RATE_HZ
        / rng.choice([82.4, 110.0, 146.8, 196.0, 246.9, 329.6])
        / 2.0 ** (rng.integers(0, 13) / 12.0)
    )
    delay = int(period)
    burst = lfilter([1.0], [1.0, -rng.uniform(0.2, 0.8)], rng.standard_normal(delay))
    burst -= burst.mean()
    loss = rng.uniform(0.990, 0.999)
    loop = np.zeros(delay + 2)
    loop[0] = 1.0
    loop[delay : delay + 2] = -0.5 * loss
    excitation = np.zeros(frames)
    excitation[:delay] = burst[:frames]
    sound: Signal = lfilter([1.0], loop, excitation)
    sound /= np.abs(sound).max() + 1e-9
    return sound


def guitar(rng: np.random.Generator) -> Signal:
    """Return a second of playing [SEGMENT_FRAMES]: notes and chords, loud and soft, and rests."""
    sound = np.zeros(SEGMENT_FRAMES)
    for _ in range(rng.integers(1, 5)):
        start = int(rng.integers(0, SEGMENT_FRAMES // 2))
        for _ in range(rng.choice([1, 1, 2, 3, 5])):
            sound[start:] += rng.uniform(0.4, 1.0) * pluck(rng, SEGMENT_FRAMES - start)
    sound[: int(rng.integers(0, SEGMENT_FRAMES // 8))] = 0.0
    sound *= 10.0 ** (rng.uniform(-26.0, -1.0) / 20.0) / np.abs(sound).max()
    return sound


# The circuit


def clipper(sounds: Signal, drive: Signal, level: Signal) -> Signal:
    """Return what the circuit makes of sounds [segments, frames]; drive, level [segments] 0..1.

    The clipper is C dv/dt = (u - v) / R - 2 Is sinh(v / Vt) (D. T. Yeh, "Digital implementation of
    musical distortion circuits by analysis and simulation", 2009), stepped by the trapezoidal rule
    with Newton's method.
    """
    gain = 10.0 ** ((DRIVE_DB[0] + drive * (DRIVE_DB[1] - DRIVE_DB[0])) / 20.0)
    out_gain = 10.0 ** ((LEVEL_DB[0] + level * (LEVEL_DB[1] - LEVEL_DB[0])) / 20.0)
    # A coupling capacitor takes the bass off before the diodes.
    corner = np.exp(-2.0 * np.pi * 150.0 / RATE_HZ)
    driven = lfilter([1.0, -1.0], [1.0, -corner], sounds, axis=1) * gain[:, None] * 0.25
    u = resample_poly(driven, OVERSAMPLING, 1, axis=1)
    resistance, capacitance, saturation, thermal = 2.2e3, 10e-9, 2.52e-9, 0.0453
    half_step = 0.5 / (RATE_HZ * OVERSAMPLING)
    a = half_step / (resistance * capacitance)
    b = half_step * 2.0 * saturation / capacitance

    voltage = np.zeros(len(sounds))
    slope = np.zeros(len(sounds))
    out = np.empty_like(u)
    for n in range(u.shape[1]):
        known = voltage + slope + a * u[:, n]
        v = voltage
        for _ in range(6):
            x = np.clip(v / thermal, -40.0, 40.0)
            error = v + a * v + b * np.sinh(x) - known
            step = error / (1.0 + a + b / thermal * np.cosh(x))
            v = v - np.clip(step, -0.1, 0.1)
        slope = a * (u[:, n] - v) - b * np.sinh(np.clip(v / thermal, -40.0, 40.0))
        voltage = v
        out[:, n] = v
    clipped = resample_poly(out, 1, OVERSAMPLING, axis=1)
    # Tone: treble rolls off above 4.5 kHz.
    pole = np.exp(-2.0 * np.pi * 4_500.0 / RATE_HZ)
    toned: Signal = lfilter([1.0 - pole], [1.0, -pole], clipped, axis=1)
    return toned * out_gain[:, None]


class Material(NamedTuple):
    """Segments for training or testing."""

    inputs: NDArray[np.float32]
    """[segments, frames, 1 + knobs]"""
    target: NDArray[np.float32]
    """[segments, frames]"""


def material(seed: int, segments: int, knobs: int) -> Material:
    """Return dry and wet segments; settings differ from one to the next."""
    rng = np.random.default_rng(seed)
    sounds = np.stack([guitar(rng) for _ in range(segments)])
    settings = rng.uniform(0.0, 1.0, (segments, 2))
    settings[: segments // 4] = np.round(settings[: segments // 4])
    if not knobs:
        settings[:] = (FIXED_DRIVE, 1.0)
    wet = clipper(sounds, settings[:, 0], settings[:, 1])
    constant = np.broadcast_to(settings[:, None, :knobs], (*sounds.shape, knobs))
    inputs = np.concatenate([sounds[:, :, None], constant], axis=2)
    return Material(inputs.astype(np.float32), wet.astype(np.float32))


# The fit


def initial(network: Network, seed: int) -> Any:
    """Return weights drawn as PyTorch draws them: uniform within 1 / sqrt(hidden)."""
    assert isinstance(network, Residual)
    assert isinstance(network.body, Stack)
    layer = network.body.layers[0]
    assert isinstance(layer, (Lstm, Gru))
    hidden = layer.hidden
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> NDArray[np.float32]:
        return rng.uniform(-(hidden**-0.5), hidden**-0.5, shape).astype(np.float32)

    recurrent: Any
    if isinstance(layer, Lstm):
        gates = 4 * hidden
        recurrent = LstmWeights(
            draw(gates, layer.inputs),
            draw(gates, hidden),
            draw(gates),
            np.zeros((2, hidden), np.float32),
        )
    else:
        gates = 3 * hidden
        recurrent = GruWeights(
            draw(gates, layer.inputs),
            draw(gates, hidden),
            draw(gates),
            draw(hidden),
            np.zeros(hidden, np.float32),
        )
    return (recurrent, DenseWeights(draw(1, hidden), np.zeros(1, np.float32)))


def loss(target: jax.Array, output: jax.Array) -> jax.Array:
    """Return the error-to-signal ratio, the same with the treble raised, and that of the mean.

    The floor under each energy keeps a chunk of rests from outweighing all music.
    """
    error = output - target
    raised, raised_error = (x[:, 1:] - 0.85 * x[:, :-1] for x in (target, error))
    energy = jnp.mean(target**2) + 1e-3
    return (
        jnp.mean(error**2) / energy
        + jnp.mean(raised_error**2) / (jnp.mean(raised**2) + 1e-4)
        + jnp.mean(error.mean(axis=1) ** 2) / energy
    )


def fit(recipe: Recipe, train: Material, minutes: float, seed: int) -> Any:
    """Return trained weights."""
    inner = kernel(recipe.network)
    play = jax.vmap(inner.process, in_axes=(None, 0, 0))
    # The rate falls with the share of the time that is used up, not with a count of steps.
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())

    def fixed_start(weights: Any) -> Any:
        recurrent, head = weights
        return recurrent._replace(start=jax.lax.stop_gradient(recurrent.start)), head

    @jax.jit
    def step(weights: Any, memory: Any, state: Any, inputs: Any, target: Any, rate: Any) -> Any:
        def objective(weights: Any) -> Any:
            after, output = play(fixed_start(weights), state, inputs)
            return loss(target, output[:, :, 0]), after

        (value, after), slope = jax.value_and_grad(objective, has_aux=True)(weights)
        updates, memory = optimizer.update(slope, memory)
        updates = jax.tree.map(lambda update: -rate * update, updates)
        return optax.apply_updates(weights, updates), memory, after, value

    @jax.jit
    def rest(weights: Any) -> Any:
        state = inner.init(weights)
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[None], (BATCH, *leaf.shape)), state)

    weights = initial(recipe.network, seed)
    memory = optimizer.init(weights)
    rng = np.random.default_rng(seed)
    began = time.monotonic()
    steps = 0
    done = 0.0
    while done < 1.0:
        chosen = rng.choice(len(train.inputs), BATCH, replace=False)
        inputs, target = train.inputs[chosen], train.target[chosen]
        state = rest(weights)
        values = []
        for at in range(0, SEGMENT_FRAMES - CHUNK_FRAMES + 1, CHUNK_FRAMES):
            span = slice(at, at + CHUNK_FRAMES)
            done = (time.monotonic() - began) / (60.0 * minutes)
            rate = np.float32(4e-3 * 0.5 * (1.0 + np.cos(np.pi * min(done, 1.0))) + 2e-5)
            weights, memory, state, value = step(
                weights, memory, state, inputs[:, span], target[:, span], rate
            )
            values.append(float(value))
            steps += 1
            if done >= 1.0:
                break
        sys.stdout.write(f"{done:6.1%}  {steps} steps  loss {np.mean(values):.4f}\n")
        sys.stdout.flush()
    return jax.tree.map(np.asarray, weights)


@partial(jax.jit, static_argnums=0)
def _play_all(network: Network, weights: Any, inputs: Any) -> Any:
    inner = kernel(network)
    return jax.vmap(lambda one: inner.process(weights, inner.init(weights), one)[1][:, 0])(inputs)


def report(name: str, recipe: Recipe, weights: Any, minutes: float) -> Model:
    """Return the model with its probe and what is honest to say of it."""
    unseen = material(seed=99, segments=32, knobs=len(recipe.knobs))
    output = np.asarray(_play_all(recipe.network, weights, unseen.inputs))
    ratio = float(np.sum((unseen.target - output) ** 2) / np.sum(unseen.target**2))
    silent = np.zeros((1, RATE_HZ, recipe.network.inputs), np.float32)
    silent[:, :, 1:] = 0.5
    resting = float(np.asarray(_play_all(recipe.network, weights, silent))[0, -1])
    probe_inputs = unseen.inputs[0, :PROBE_FRAMES]
    sys.stdout.write(f"{name}: test ESR {ratio:.5f}, output at rest {resting:+.5f}\n")
    return Model(
        name=name,
        dialect="guitarml",
        network=recipe.network,
        weights=weights,
        knobs=recipe.knobs,
        sample_rate=RATE_HZ,
        rate_stated=True,
        probe=Probe(probe_inputs, output[0, :PROBE_FRAMES]),
        info=info_of(
            {
                "esr": round(ratio, 6),
                "author": "the nemod project",
                "licence": "MIT",
                "description": recipe.description,
                "made_by": f"python -m trainer.waveshaper {name} --minutes {minutes:g}",
            }
        ),
    )


def main() -> None:
    """Fit one of the models and write it."""
    parser = argparse.ArgumentParser(description="Fit a model that ships with nemod.")
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--minutes", type=float, default=6.0, help="time to train")
    parser.add_argument("--segments", type=int, default=240, help="seconds of material")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder to write to")
    given = parser.parse_args()
    recipe = RECIPES[given.name]
    train = material(given.seed, given.segments, len(recipe.knobs))
    weights = fit(recipe, train, given.minutes, given.seed)
    model = report(given.name, recipe, weights, given.minutes)
    save_model(replace(model), given.out / f"{given.name}.json")


if __name__ == "__main__":
    main()
