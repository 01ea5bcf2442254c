"""Plays models at another rate than their own by each policy, and measures the error.

Used by `rates.py` and `rate_pairs.py`.
"""

import math
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from nemod.engine.compiled_rig import Conversion
from nemod.engine.resampled import MODEL_BLOCK_FRAMES, RateConverter, lead_and_latency
from nemod.formats import Model, load_model
from nemod.formats.network import Network
from nemod.formats.rate import is_recurrent, with_state_delay, with_taps
from nemod.formats.state_delay import lagrange_delay
from nemod.fx.effect import Effect
from nemod.fx.nn.neural import model_weights, neural
from tests.parts.cells import high_gain, slow_memory

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NEMOD_SHARED", ROOT.parent / "shared")) / "data"
Sound = NDArray[np.float32]
BLOCK = 64
PIECE = 64
"""[blocks] Played by one call, so that a network is compiled once for all lengths of sound."""
PROGRAMS: dict[tuple[Network, int], Any] = {}
"""Compiled functions by network and number of knobs."""
SOUND_S = 3.0
WARM_S = 0.5
MODELS = {
    "LSTM 20 (TS9)": "aga/GuitarML__NeuralPi/models_TS9.json",
    "LSTM 40 (HT40)": "aga/GuitarML__ToneLibrary/Proteus_BlackstarHT40_AmpHighGain.json",
    "LSTM 32 (Chameleon)": "aga/GuitarML__Chameleon/models_gold.json",
    "GRU 8 (TS9)": "aga/GuitarML__NeuralSeed/models_gru8_ts9_pytorch.json",
    "GRU 20 (Blues Jr)": "aga/GuitarML__NeuralPi/hist_aab061b_models_BluesJr.json",
    "A1 standard": "nam/mikeoliphant__NeuralAudio/Utils_Models_BossWN-standard.nam",
    "A1 feather": "nam/mikeoliphant__NeuralAudio/Utils_Models_BossWN-feather.nam",
    "A2 lite": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_wavenet_a2_lite.nam",
    "ConvNet": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_convnet_test.nam",
}


def offline(sound: Sound, old_hz: int, new_hz: int) -> Sound:
    """Return sound at another rate, by a linear-phase filter with 64 zero crossings per side."""
    common = math.gcd(old_hz, new_hz)
    up, down = new_hz // common, old_hz // common
    widest = max(up, down)
    taps = firwin(2 * 64 * widest + 1, 0.95 / widest, window=("kaiser", 12.0))
    return np.asarray(resample_poly(sound.astype(np.float64), up, down, window=taps), np.float32)


def alone(model: Model, sound: Sound) -> Sound:
    """Return a model's output [frames], with all knobs at 0.5, from its start state."""
    effect, weights = neural(model), model_weights(model)
    name = (model.network, len(effect.controls))
    if name not in PROGRAMS:
        PROGRAMS[name] = jax.jit(partial(jax.lax.scan, partial(step, effect)))
    knobs = jnp.full((len(effect.controls), BLOCK), 0.5, jnp.float32)
    carry = (weights, knobs, effect.init(weights, knobs[:, 0]))
    count = -(-sound.size // (PIECE * BLOCK))
    padded = np.pad(sound, (0, count * PIECE * BLOCK - sound.size))
    out = []
    for piece in padded.reshape(count, PIECE, BLOCK):
        carry, answer = PROGRAMS[name](carry, piece)
        out.append(np.asarray(answer).ravel())
    return np.concatenate(out)[: sound.size]


def step(effect: Effect[Any, Any], carry: Any, block: Any) -> Any:
    """Play a block, as `jax.lax.scan` wants it; the weights are in the carry."""
    weights, knobs, state = carry
    state, out = effect.process(weights, knobs, state, block)
    return (weights, knobs, state), out


def through_resamplers(model: Model, sound: Sound, device_hz: int) -> tuple[Sound, int]:
    """Return a model's output between the rig's streaming resamplers, and its latency [frames]."""
    lead, latency = lead_and_latency(device_hz, model.sample_rate, BLOCK)
    conversion = Conversion(
        rate_hz=device_hz, model_rate_hz=model.sample_rate, lead_frames=lead, rest=0.0
    )
    converter, taken = RateConverter(conversion), []
    blocks = sound[: sound.size // BLOCK * BLOCK].reshape(-1, BLOCK)
    for block in blocks:
        converter.push_input(block)
        taken.append([])
        while converter.input_queue.size >= MODEL_BLOCK_FRAMES:
            taken[-1].append(converter.pop_input())
    answer = alone(model, np.concatenate([piece for pieces in taken for piece in pieces]))
    answers = iter(answer.reshape(-1, MODEL_BLOCK_FRAMES))
    out = []
    for pieces in taken:
        converter.push_output([next(answers) for _ in pieces])
        out.append(converter.pop_output(BLOCK))
    return np.concatenate(out), latency


def delayed(model: Model, device_hz: int) -> Model:
    """Return a recurrent model with its state delayed for a device's rate."""
    return replace(model, network=with_state_delay(model.network, device_hz / model.sample_rate))


def delayed_with_gain(model: Model, device_hz: int) -> Model:
    """Return the same by third-order Lagrange interpolation, whose gain exceeds 1 below ratio 2."""
    taps = lagrange_delay(device_hz / model.sample_rate, range(1, 5))
    return replace(model, network=with_taps(model.network, taps))


def errors_db(
    model: Model, guitar: Sound, device_hz: int, *, with_plain: bool = False
) -> dict[str, float]:
    """Return the error-to-signal ratio [dB] of each policy, infinite where it is unstable."""
    silence = np.zeros(round(WARM_S * device_hz), np.float32)
    sound = np.concatenate([silence, guitar])
    exact = alone(model, offline(sound, device_hz, model.sample_rate))
    wanted = offline(exact, model.sample_rate, device_hz)
    found = {}
    if with_plain:
        found["plain"] = (alone(model, sound), 0)
    if is_recurrent(model.network) and device_hz > model.sample_rate:
        found["delay"] = (alone(delayed(model, device_hz), sound), 0)
        if device_hz < 2 * model.sample_rate:
            found["cubic"] = (alone(delayed_with_gain(model, device_hz), sound), 0)
    found["resample"] = through_resamplers(model, sound, device_hz)
    ratios = {}
    for policy, (out, lag) in found.items():
        end = min(wanted.size, out.size - lag) - 1000
        begin = silence.size
        reference = wanted[begin:end].astype(np.float64)
        error = out[begin + lag : end + lag] - reference
        if np.isfinite(error).all():
            ratio = np.sum(error**2) / np.sum(reference**2)
            ratios[policy] = 10.0 * math.log10(ratio + 1e-20)
        else:
            ratios[policy] = math.inf
    return ratios


def models() -> tuple[dict[str, Model], Sound]:
    """Return the models by name, and three seconds of guitar at 48 kHz."""
    own = {path.stem: load_model(path) for path in sorted((ROOT / "models").glob("*.json"))}
    own |= {model.name: model for model in (slow_memory(), high_gain())}
    if not DATA.is_dir():
        print(f"{DATA}: the shared data is absent; using the shipped models with noise")  # noqa: T201
        noise = np.random.default_rng(0).normal(0.0, 0.1, round(SOUND_S * 48_000))
        return own, noise.astype(np.float32)
    sound, _ = soundfile.read(DATA / "di" / "t3k_Mayer-Guitar.wav", dtype="float32")
    released = {name: load_model(DATA / "models" / path) for name, path in MODELS.items()}
    return released | own, np.ascontiguousarray(sound[: round(SOUND_S * 48_000)])
