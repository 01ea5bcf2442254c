"""Plays synthesised strings and recordings to the tuner and writes its page and picture.

python tests/benchmarks/tuner.py [--strings 400] [--out docs]
"""

import argparse
import sys
import time
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.tuner.tuner import Tuner  # noqa: E402
from tests.tuner.played import RATES_HZ, Note, read_strings  # noqa: E402
from tests.tuner.strings import draw, synthesise  # noqa: E402

Errors = NDArray[np.float64]


def draw_errors(notes: list[Note], errors: list[Errors], path: Path) -> None:
    """Draw the median and the worst error of each string, and the time to its first reading."""
    figure, (error, first) = plt.subplots(1, 2, figsize=(10.0, 3.4), layout="constrained")
    # Some of the highest strings have faded before the note counts as steady.
    heard = [
        (note.hz, one) for note, one in zip(notes, errors, strict=True) if np.isfinite(one).any()
    ]
    steady_hz = [hz for hz, _ in heard]
    error.loglog(steady_hz, [np.nanmax(one) for _, one in heard], ".", label="worst", ms=3)
    error.loglog(steady_hz, [np.nanmedian(one) for _, one in heard], ".", label="median", ms=3)
    error.axhline(1.0, color="#555555", linewidth=0.8, linestyle="--")
    error.set(xlabel="pitch, Hz", ylabel="error, cents", title="steady note", ylim=(1e-5, 5.0))
    error.legend(loc="lower left")
    first.semilogx(
        [note.hz for note in notes], [1000.0 * note.first_s for note in notes], ".", ms=3
    )
    first.set(xlabel="pitch, Hz", ylabel="ms", title="from the pluck to the first reading")
    first.set_ylim(0.0, 300.0)
    for axes in (error, first):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def cost_ms(rate_hz: int) -> tuple[float, float]:
    """Return mean and 99 % of the processor time [ms] of one reading at a device rate."""
    rng = np.random.default_rng(3)
    sound, _ = synthesise(draw(rng, 110.0), rng, rate_hz, 10.0)
    tuner, hop = Tuner(rate_hz), rate_hz // 20
    times = []
    for start in range(0, sound.size - hop, hop):
        began = time.thread_time()
        tuner.push(sound[start : start + hop].astype(np.float32))
        times.append(1000.0 * (time.thread_time() - began))
    return float(np.mean(times)), float(np.quantile(times, 0.99))


def page(notes: list[Note], errors: list[Errors]) -> str:
    """Return the page in Markdown."""
    every = np.concatenate(errors)
    heard = every[~np.isnan(every)]
    all_readings = [(note, one) for note in notes for one in note.readings if one.note]
    octaves = sum(abs(1200.0 * np.log2(one.hz / note.hz)) > 100.0 for note, one in all_readings)
    first = np.array([note.first_s for note in notes])
    rows = "".join(
        f"| {rate / 1000:g} kHz | {mean:.2f} ms | {worst:.2f} ms |\n"
        for rate in RATES_HZ
        for mean, worst in [cost_ms(rate)]
    )
    return f"""# Tuner

Made by `python tests/benchmarks/tuner.py`; `--out` names another folder.

![Error of the tuner over its range](tuner.png)

{len(notes)} synthesised strings from B0 to E6 (`tests/tuner/strings.py`: stiff, decaying, with
noise 45 to 70 dB below the peak, at the device rates of the table below). The pitch of a string is
the frequency of its first partial, as all of its partials together give it.

| | |
|---|---|
| error of steady notes, median | {np.median(heard):.4f} cents |
| 99 % | {np.quantile(heard, 0.99):.3f} cents |
| worst | {heard.max():.3f} cents |
| readings more than 100 cents off, the attack included | {octaves} of {len(all_readings)} |
| steady notes without a reading | {100.0 * np.isnan(every).mean():.2f} % |
| first reading after the pluck, median | {1000.0 * np.median(first):.0f} ms |
| latest | {1000.0 * first.max():.0f} ms |

Processor time of one reading (20 a second), on a thread of the daemon; the event loop waits at most
as long.

| device | mean | 99 % |
|---|---|---|
{rows}"""


def main() -> int:
    """Play, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strings", type=int, default=400)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    given = parser.parse_args()
    notes = read_strings(given.strings)
    errors = [np.abs(note.errors()) for note in notes]
    draw_errors(notes, errors, given.out / "tuner.png")
    (given.out / "tuner.md").write_text(page(notes, errors))
    return 0


if __name__ == "__main__":
    sys.exit(main())
