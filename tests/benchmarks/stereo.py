"""Measures the two channels of delay and reverb: the table and the picture of docs/stereo.md.

python tests/benchmarks/stereo.py [--out docs]
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.common import xla  # noqa: E402

xla.prepare()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scipy import signal as dsp  # noqa: E402

from nemod.fx.delay import delay  # noqa: E402
from nemod.fx.effect import AnyEffect, stereo_form  # noqa: E402
from nemod.fx.reverb import reverb  # noqa: E402

RATE_HZ = 48_000
BLOCK = 4096
REVERB = reverb(RATE_HZ)
STEREO_REVERB = stereo_form(REVERB)
SIZES_S = (0.2, 0.5, 1.5, 4.0, 10.0)
BANDS_HZ = ((80, 250), (250, 800), (800, 2500), (2500, 8000))

Sound = NDArray[np.float64]


@cache
def compiled(effect: AnyEffect) -> Callable[..., Any]:
    """Return the compiled `process` of an effect."""
    return jax.jit(effect.process, donate_argnums=2)


def wet(effect: AnyEffect, controls: Sequence[float], sound: NDArray[np.float32]) -> Sound:
    """Return what an effect adds to a sound [frames], or [2, frames], of whole blocks."""
    targets = np.repeat(np.array(controls, np.float32)[:, None], BLOCK, axis=1)
    process = compiled(effect)
    state = effect.init(effect.weights, jnp.asarray(targets[:, 0]))
    blocks = []
    for start in range(0, sound.shape[-1], BLOCK):
        state, block = process(effect.weights, targets, state, sound[..., start : start + BLOCK])
        blocks.append(np.asarray(block))
    return np.concatenate(blocks, axis=-1).astype(np.float64) - sound


def frames(seconds: float) -> int:
    """Return the frames of whole blocks."""
    return BLOCK * math.ceil(seconds * RATE_HZ / BLOCK)


def power_db(sound: Sound) -> float:
    """Return the mean power of all samples [dB]."""
    return float(10.0 * np.log10(np.mean(sound**2)))


def correlation(left: Sound, right: Sound) -> float:
    """Return the correlation coefficient at no lag."""
    return float(left @ right / math.sqrt((left @ left) * (right @ right)))


def table() -> str:
    """Return the table of sizes."""
    titles = " | ".join(f"{low} to {high} Hz" for low, high in BANDS_HZ)
    lines = [
        f"| size | one output to mean of two | left to right | correlation | {titles} |",
        "|--:|--:|--:|--:|" + "--:|" * len(BANDS_HZ),
    ]
    for size_s in SIZES_S:
        # Steady after a time and a half of the decay; long, so that chance has little share in r.
        noise = np.random.default_rng(1).normal(0.0, 0.3, frames(1.5 * size_s + 20.0))
        sound = noise.astype(np.float32)
        steady = slice(round(1.5 * size_s * RATE_HZ), None)
        controls = (1.0, size_s, 0.0, 0.0)
        mono = wet(REVERB, controls, sound)[steady]
        both = wet(STEREO_REVERB, controls, np.stack([sound, sound]))[:, steady]
        cells = [f"{size_s:g} s", f"{power_db(mono) - power_db(both):+.2f} dB"]
        cells += [f"{power_db(both[0]) - power_db(both[1]):+.2f} dB", f"{correlation(*both):+.3f}"]
        for edges in BANDS_HZ:
            band = dsp.butter(3, edges, "bandpass", fs=RATE_HZ, output="sos")
            cells.append(f"{correlation(*dsp.sosfilt(band, both)):+.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def picture(folder: Path) -> None:
    """Draw the answers of delay and reverb to an impulse."""
    impulse = np.zeros(frames(2.0), np.float32)
    impulse[0] = 1.0
    both = np.stack([impulse, impulse])
    figure, (echoes, tail) = plt.subplots(1, 2, figsize=(10.0, 3.4), layout="constrained")
    heard = wet(stereo_form(delay(RATE_HZ)), (0.5, 250.0, 0.7), both)
    single = wet(delay(RATE_HZ), (0.5, 250.0, 0.7), impulse)
    for channel, name, colour in ((0, "left", "#1f77b4"), (1, "right", "#d95f02")):
        at = np.flatnonzero(heard[channel])
        stems = echoes.stem(at / RATE_HZ, heard[channel, at], basefmt=" ", label=name)
        plt.setp(stems, color=colour)
    at = np.flatnonzero(single)
    echoes.plot(at / RATE_HZ, single[at], "k_", markersize=12, label="one output")
    echoes.set(xlim=(0, 1.6), xlabel="s", title="echoes of a click, 250 ms, feedback 0.7")
    controls = (1.0, 1.5, 0.0, 0.0)
    sides = wet(STEREO_REVERB, controls, both)
    single = wet(REVERB, controls, impulse)
    window = RATE_HZ // 50
    for sound, name, colour in (
        (sides[0], "left", "#1f77b4"),
        (sides[1], "right", "#d95f02"),
        (single, "one output", "#333333"),
    ):
        power = np.convolve(sound**2, np.ones(window) / window, "same")[:: window // 4]
        time_s = np.arange(power.size) * (window // 4) / RATE_HZ
        tail.plot(time_s, 10.0 * np.log10(power + 1e-12), label=name, color=colour, linewidth=1.0)
    tail.set(xlim=(0, 1.6), ylim=(-95, -25), xlabel="s", ylabel="dB", title="reverberation, 1.5 s")
    for axes in (echoes, tail):
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    figure.savefig(folder / "stereo.png", dpi=110)
    plt.close(figure)


def main() -> None:
    """Print the table; draw the picture into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of the picture [none is drawn]")
    given = parser.parse_args()
    print(table())  # noqa: T201
    if given.out is not None:
        picture(given.out)


if __name__ == "__main__":
    main()
