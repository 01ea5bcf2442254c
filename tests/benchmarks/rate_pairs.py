# ruff: noqa: T201 - a script prints
"""Measures recurrent models at every pair of sample rates from 8 to 192 kHz: error of each policy.

    python tests/benchmarks/rate_pairs.py [--out docs]

A short sibling of `rates.py`: 14 rates, so 182 pairs of a model's and a device's rate. It takes
about eight minutes on one processor core.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.builder.rate_policy import rate_policy  # noqa: E402
from nemod.formats import Model  # noqa: E402
from nemod.formats.network import Lstm  # noqa: E402
from nemod.formats.state_delay import state_taps  # noqa: E402
from tests.benchmarks.rate_errors import errors_db, models, offline  # noqa: E402
from tests.benchmarks.rates import gain, label  # noqa: E402

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100,
            48_000, 64_000, 88_200, 96_000, 128_000, 176_400, 192_000)  # fmt: skip
PAIRS = tuple((own, device) for own in RATES_HZ for device in RATES_HZ if own != device)
"""(model's rate, device's rate) [Hz]"""
RELEASED = ("LSTM 40 (HT40)", "LSTM 32 (Chameleon)", "GRU 20 (Blues Jr)")
"""Those for which the state delay is least accurate in `rates.py`."""
SHIPPED = ("clipper-lstm16", "drive-gru20")
"""Measured where the shared data is absent."""
CELLS = ("slow-memory", "high-gain")
SOUND_S = 1.0
LOSS_DB = 3.0
"""Above this a policy counts as worse than another."""
SHOWN = 5
"""Of more pairs than this only the worst is named."""


class Result(NamedTuple):
    """One model at one pair of rates."""

    model: str
    pair: tuple[int, int]
    errors_db: dict[str, float]

    @property
    def policy(self) -> str:
        """How nemod plays a recurrent model at this pair."""
        return rate_policy(Lstm(1, 1), *self.pair)

    def loss_db(self, other: str) -> float:
        """Return by how much the chosen policy's error is above another's; -inf if that is none."""
        error = self.errors_db.get(other, math.inf)
        return self.errors_db[self.policy] - error


def ratio(pair: tuple[int, int]) -> float:
    """Return the device's rate over the model's."""
    return pair[1] / pair[0]


def largest_gain() -> tuple[float, tuple[int, int]]:
    """Return the largest gain of a state delay over the pairs that are played by one, and where."""
    delayed = [pair for pair in PAIRS if rate_policy(Lstm(1, 1), *pair) == "delay"]
    return max((gain(state_taps(ratio(pair))), pair) for pair in delayed)


def ceiling(value: float) -> float:
    """Return the next power of ten above a value, at least 1e-12."""
    return 10.0 ** math.ceil(math.log10(max(value, 1e-12)))


def picture(results: list[Result], path: Path) -> None:
    """Draw one table per model: the error of the chosen policy, coloured, `delay` in frames."""
    names = list(dict.fromkeys(result.model for result in results))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(7.0 * columns, 6.6 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    ticks = [f"{rate / 1000:g}" for rate in RATES_HZ]
    for panel, name in zip(panels, names, strict=False):
        grid = np.full((len(RATES_HZ), len(RATES_HZ)), np.nan)
        for result in (result for result in results if result.model == name):
            row, column = (RATES_HZ.index(rate) for rate in result.pair)
            error = result.errors_db[result.policy]
            grid[row, column] = error
            colour = "black" if -108.0 < error < -30.0 else "white"
            panel.text(
                column, row, f"{error:.0f}", ha="center", va="center", fontsize=8, color=colour
            )
            if result.policy == "delay":
                panel.plot(column, row, "s", ms=24, mfc="none", mec="black", mew=1.2)
        shown = panel.imshow(grid, cmap="RdYlGn_r", vmin=-120.0, vmax=-20.0)
        panel.set_xticks(range(len(RATES_HZ)), ticks, rotation=60)
        panel.set_yticks(range(len(RATES_HZ)), ticks)
        panel.set_xlabel("device [kHz]")
        panel.set_ylabel("model [kHz]")
        panel.set_title(name, fontsize=10)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    figure.colorbar(shown, ax=panels, label="error to signal [dB]", shrink=0.6)
    figure.suptitle("Error of the chosen policy: framed = delay, without a frame = resample")
    figure.savefig(path, dpi=70)


def shown(values: Iterable[float], form: str = ".1f") -> str:
    """Return the smallest and the largest of some numbers, or nothing."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    low, high = format(min(known), form), format(max(known), form)
    return low if low == high else f"{low} to {high}"


def by_ratio(results: list[Result]) -> list[str]:
    """Return the table of the pairs on faster devices: a row per ratio and policy, all models."""
    lines = [
        "| ratio | pairs | delay [dB] | resample [dB] | delay - cubic [dB] | chosen |",
        "|--:|---|--:|--:|--:|---|",
    ]
    upward = [result for result in results if ratio(result.pair) > 1.0]
    for value, policy in sorted({(ratio(result.pair), result.policy) for result in upward}):
        group = [r for r in upward if (ratio(r.pair), r.policy) == (value, policy)]
        errors = [result.errors_db for result in group]
        pairs = list(dict.fromkeys(label(result.pair).removesuffix(" kHz") for result in group))
        named = ", ".join(pairs) if len(pairs) < 5 else f"{pairs[0]} and {len(pairs) - 1} more"
        lines.append(
            f"| {value:.4g} | {named} | {shown(e['delay'] for e in errors)} "
            f"| {shown(e['resample'] for e in errors)} "
            f"| {shown(e['delay'] - e['cubic'] for e in errors if 'cubic' in e)} | {policy} |"
        )
    return lines


def losses(results: list[Result], policy: str, other: str) -> str:
    """Return where `policy` is chosen and more than `LOSS_DB` worse than `other`, for any model."""
    chosen = [result for result in results if result.policy == policy]
    worst: dict[tuple[int, int], Result] = {}
    for result in sorted(chosen, key=lambda result: -result.loss_db(other)):
        if result.loss_db(other) > LOSS_DB:
            worst.setdefault(result.pair, result)
    found = [
        f"{label(pair)} ({result.loss_db(other):.1f} dB: {result.errors_db[policy]:.1f} against "
        f"{result.errors_db[other]:.1f}, {result.model})"
        for pair, result in worst.items()
    ]
    if len(found) > SHOWN:
        return f"{len(found)} of {len({r.pair for r in chosen})} pairs, at most {found[0]}"
    return "; ".join(found) or "none"


def page(results: list[Result]) -> str:
    """Return the page."""
    largest, where = largest_gain()
    newline = "\n"
    names = list(dict.fromkeys(result.model for result in results))
    chosen = [result.policy for result in results if result.model == names[0]]
    unstable = sum(math.isinf(result.errors_db[result.policy]) for result in results)
    return f"""# Models at every pair of sample rates

Made by `python tests/benchmarks/rate_pairs.py`; `--out` names another folder. The policies are
explained in [Models at another sample rate](rates.md).

![Error of the chosen policy at every pair of rates](rate-pairs.png)

Error-to-signal ratio [dB] against the model at its own rate, resampled offline before and after, on
{SOUND_S:g} s of guitar, without the latency, for all {len(PAIRS)} ordered pairs of {len(RATES_HZ)}
rates. A model is played as if it had been trained at the model's rate. The models are
{", ".join(names)}; the last two are random cells (`tests/parts/cells.py`).
{chosen.count("delay")} pairs are played by `delay`, {chosen.count("resample")} by `resample`.

## Gain inside the loop

The largest gain at any frequency over all pairs that are played by `delay` is {largest:.6f}, and
above 1 by less than {ceiling(largest - 1.0):.0e} ({label(where)}). {unstable} of {len(results)}
outputs are unstable.

## Devices above the model's rate

Ranges are over all models and all pairs of the row. `delay - cubic` is what the gain of at most 1
costs against third-order Lagrange interpolation where that one is stable; below 0 `delay` is the
more accurate one. From a ratio of 2 on they are the same.

{newline.join(by_ratio(results))}

## Where the chosen policy is more than {LOSS_DB:g} dB worse than another

At the model for which it is worst:

- `delay` against `cubic`: {losses(results, "delay", "cubic")}.
- `resample` against `delay`: {losses(results, "resample", "delay")}.
- `delay` against `resample`, the price of having no latency:
  {losses(results, "delay", "resample")}.

Where `cubic` has a gain above 1 and is stable all the same, that depends on the model and the
sound: at 48 to 88.2 kHz it oscillates with all models but `high-gain`.
"""


def measured(name: str, model: Model, guitars: dict[int, np.ndarray]) -> Iterable[Result]:
    """Yield the errors of a model at all pairs; `guitars` is the test sound by rate."""
    for own, device in PAIRS:
        played = replace(model, sample_rate=own)
        yield Result(name, (own, device), errors_db(played, guitars[device], device))


def main() -> int:
    """Measure all pairs; write the page and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    folder = parser.parse_args().out
    known, guitar = models()
    names = [name for name in RELEASED if name in known] or list(SHIPPED)
    guitar = guitar[: round(SOUND_S * 48_000)]
    guitars = {rate: offline(guitar, 48_000, rate) for rate in RATES_HZ if rate != 48_000}
    guitars[48_000] = guitar
    results: list[Result] = []
    total, begun = len(PAIRS) * (len(names) + len(CELLS)), time.monotonic()
    for name in (*names, *CELLS):
        for result in measured(name, known[name], guitars):
            results.append(result)
            spent = time.monotonic() - begun
            left = spent / len(results) * (total - len(results))
            errors = {policy: round(error, 1) for policy, error in result.errors_db.items()}
            print(f"{len(results)} of {total}, {left:.0f} s left: {name}, {label(result.pair)}: "
                  f"{errors}", flush=True)  # fmt: skip
    (folder / "rate-pairs.md").write_text(page(results))
    picture(results, folder / "rate-pairs.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
