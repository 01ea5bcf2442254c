# ruff: noqa: T201 - a script prints
"""Measures models at another sample rate than their own: error, latency and cost of each policy.

    python tests/benchmarks/rates.py [--out docs]

Uses the shared data (`NEMOD_SHARED`, or the folder `shared` beside the repository) if it exists,
otherwise the shipped models with noise.
"""

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.common import xla  # noqa: E402

xla.prepare()

from nemod.builder import build  # noqa: E402
from nemod.builder.filled_chain import default_chain  # noqa: E402
from nemod.builder.rate_policy import rate_policy  # noqa: E402
from nemod.control.settings import Settings  # noqa: E402
from nemod.engine.resampled import lead_and_latency  # noqa: E402
from nemod.formats import Model  # noqa: E402
from nemod.formats.network import Lstm  # noqa: E402
from nemod.formats.rate import is_recurrent  # noqa: E402
from nemod.formats.state_delay import lagrange_delay, state_taps  # noqa: E402
from tests.benchmarks.rate_errors import (  # noqa: E402
    BLOCK,
    SOUND_S,
    Sound,
    delayed,
    errors_db,
    models,
    offline,
)

CASES = (
    (44_100, 48_000),
    (48_000, 44_100),
    (48_000, 64_000),
    (48_000, 88_200),
    (48_000, 96_000),
    (48_000, 176_400),
    (48_000, 192_000),
)
"""(model's rate, device's rate) [Hz]"""
CONVOLUTIONAL_CASES = CASES[:2]
"""Convolutional models are resampled at every pair: two are enough."""
MAIN_CASES = (CASES[0], CASES[1], CASES[4])
"""Measured with all recurrent models, and with the error of `plain`."""
EVERYWHERE = ("LSTM 40 (HT40)", "LSTM 32 (Chameleon)", "GRU 20 (Blues Jr)", "clipper-lstm16",
              "drive-gru20", "slow-memory", "high-gain")  # fmt: skip
"""Measured in all cases: those for which the state delay is least accurate, and some others."""
RATIOS = ((44_100, 48_000), (48_000, 64_000), (32_000, 44_100), (44_100, 64_000), (32_000, 48_000),
          (48_000, 88_200), (48_000, 96_000), (44_100, 96_000), (44_100, 192_000))  # fmt: skip
"""Every ratio between 1 and 2 that two of 14 rates from 8 to 192 kHz have, and some above."""
COSTED = ("LSTM 40 (HT40)", "GRU 20 (Blues Jr)", "A1 standard", "clipper-lstm16")  # fmt: skip
ROUNDS = 9
POLICIES = ("plain", "cubic", "delay", "resample")


class Row(NamedTuple):
    """One model in one case."""

    model: str
    case: tuple[int, int]
    errors_db: dict[str, float]


def costs_us(model: Model, device_hz: int) -> dict[str, float]:
    """Return the processor time of a block of the whole rig [us] by each policy, the best round."""
    settings = Settings()
    native = replace(model, sample_rate=device_hz)
    ready = {"plain": build.build(native, device_hz, BLOCK, settings)}
    if is_recurrent(model.network):
        slowed = replace(delayed(model, device_hz), sample_rate=device_hz)
        ready["delay"] = build.build(slowed, device_hz, BLOCK, settings)
    ready["resample"] = build.build_with_policies(
        default_chain(model), {}, {"model": "resample"}, device_hz, BLOCK, settings
    )
    block = np.random.default_rng(1).uniform(-0.3, 0.3, BLOCK).astype(np.float32)
    costs = {}
    for policy, made in ready.items():
        rig, best = made.loaded, math.inf
        state = rig.fresh()
        for _ in range(ROUNDS):
            begin = time.process_time()
            for _ in range(150):
                state, sound = rig.call(rig.weights, rig.controls, state, block)
                np.asarray(sound)
            best = min(best, (time.process_time() - begin) / 150)
        costs[policy] = 1e6 * best
    return costs


def cases_of(name: str, model: Model) -> tuple[tuple[int, int], ...]:
    """Return the pairs of rates that a model is measured at."""
    if not is_recurrent(model.network):
        return CONVOLUTIONAL_CASES
    return CASES if name in EVERYWHERE else MAIN_CASES


def measured(name: str, model: Model, case: tuple[int, int], guitar: Sound) -> Row:
    """Return the errors of a model in one case; `guitar` is at 48 kHz."""
    sound = offline(guitar, 48_000, case[1]) if case[1] != 48_000 else guitar
    ratios = errors_db(
        replace(model, sample_rate=case[0]), sound, case[1], with_plain=case in MAIN_CASES
    )
    return Row(name, case, ratios)


def label(case: tuple[int, int]) -> str:
    """Return the name of a case for tables."""
    return f"{case[0] / 1000:g} to {case[1] / 1000:g} kHz"


def picture(rows: list[Row], path: Path) -> None:
    """Draw the errors, one panel per case."""
    figure = Figure(figsize=(13.0, 9.5), layout="constrained")
    panels = figure.subplots(2, -(-len(CASES) // 2), sharey=True).ravel()
    names = list(dict.fromkeys(row.model for row in rows))
    marks = dict(zip(POLICIES, "x^os", strict=True))
    for panel, case in zip(panels, CASES, strict=False):
        for policy, mark in marks.items():
            points = [
                (row.errors_db[policy], names.index(row.model))
                for row in rows
                if row.case == case and math.isfinite(row.errors_db.get(policy, math.inf))
            ]
            shown = np.array(points).reshape(-1, 2).T
            panel.plot(*shown, mark, color=f"C{POLICIES.index(policy)}", label=policy)
        panel.set_yticks(range(len(names)), names)
        panel.set_title(f"model to device: {label(case)}", fontsize=10)
        panel.set_xlabel("error to signal [dB]")
        panel.grid(alpha=0.3)
    for panel in panels[len(CASES) :]:
        panel.set_axis_off()
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=100)


def gain(taps: tuple[float, ...]) -> float:
    """Return the largest gain of FIR weights at any frequency."""
    frequencies = np.exp(-1j * np.outer(np.linspace(0.0, np.pi, 2001), np.arange(len(taps))))
    return float(np.abs(frequencies @ np.array(taps)).max())


def gains() -> list[str]:
    """Return the table of the interpolators' gains."""
    rows = ["| ratio | for example | cubic | delay | chosen |", "|--:|---|--:|--:|---|"]
    for case in RATIOS:
        ratio = case[1] / case[0]
        first = max(1, math.floor(ratio) - 1)
        whole = ratio == round(ratio)
        cubic = "" if whole else f"{gain(lagrange_delay(ratio, range(first, first + 4))):.3f}"
        chosen = rate_policy(Lstm(1, 1), *case)
        rows.append(
            f"| {ratio:.4f} | {label(case)} | {cubic} | {gain(state_taps(ratio)):.3f} | {chosen} |"
        )
    return rows


def errors(rows: list[Row], known: dict[str, Model]) -> list[str]:
    """Return the table of errors, with the chosen policy in bold type."""
    lines = [
        "| model | model to device | plain | cubic | delay | resample |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        chosen = rate_policy(known[row.model].network, *row.case)
        cells = []
        for policy in POLICIES:
            value = row.errors_db.get(policy)
            text = "" if value is None else f"{value:.1f}" if math.isfinite(value) else "unstable"
            cells.append(f"**{text}**" if policy == chosen else text)
        lines.append(f"| {row.model} | {label(row.case)} | {' | '.join(cells)} |")
    return lines


def page(rows: list[Row], costs: dict[str, dict[str, float]], known: dict[str, Model]) -> str:
    """Return the page."""
    latencies = ["| model to device | plain, delay | resample |", "|---|--:|--:|"]
    for case in CASES:
        frames = lead_and_latency(case[1], case[0], BLOCK)[1]
        latencies.append(f"| {label(case)} | 0 ms | {1e3 * frames / case[1]:.2f} ms |")
    shown = ("plain", "delay", "resample")
    prices = ["| model | plain | delay | resample |", "|---|--:|--:|--:|"]
    for name, cost in costs.items():
        cells = [f"{cost[p]:.0f}" if p in cost else "" for p in shown]
        prices.append(f"| {name} | {' | '.join(cells)} |")
    newline = "\n"
    return f"""# Models at another sample rate

Made by `python tests/benchmarks/rates.py`; `--out` names another folder.

![Error of each policy](rates.png)

Three ways to play a model whose rate is not the device's: `plain` plays it as if the rates were
equal; `delay` delays a recurrent model's state by the ratio of the rates
(`nemod/formats/state_delay.py`); `resample` runs it at its own rate between streaming resamplers
(`nemod/engine/resampled.py`). `cubic`, for comparison, is `delay` by third-order Lagrange
interpolation.

## Gain inside the loop

The delay is part of a feedback loop. Where its gain exceeds 1, a model with a slow memory
oscillates: a 48 kHz model played by `cubic` at 88.2 kHz gives -9 dBFS on silence. The largest gain
at any frequency:

{newline.join(gains())}

The first six are all ratios between 1 and 2 that two of the rates 8, 11.025, 12, 16, 22.05, 24, 32,
44.1, 48, 64, 88.2, 96, 128, 176.4 and 192 kHz have; a test checks the gain over a dense grid of
ratios.

## Error

Error-to-signal ratio [dB] against the model at its own rate, resampled offline before and after, on
{SOUND_S:g} s of guitar, knobs in the middle, without the latency. The model alone; in bold what is
chosen for the pair. `slow-memory` and `high-gain` are random cells made for this test
(`tests/parts/cells.py`).

{newline.join(errors(rows, known))}

## Latency

{newline.join(latencies)}

## Cost

Microseconds of processor time for a block of {BLOCK} frames of the whole rig, {label(CASES[0])}:
the best of {ROUNDS} rounds, on one machine. A block lasts 1333.

{newline.join(prices)}

## What is chosen

At a whole ratio a recurrent model is played by `delay`: it adds no latency, and nothing is
interpolated. Between ratios 1 and 2 no delay without gain is as accurate as `cubic` at low
frequencies. At 44.1 to 48 kHz (ratio 1.088) the difference is at most 3 dB, so `delay` is chosen
there, and at ratios nearer to 1; above 44.1 kHz it is larger, so a model for 88.2 or 176.4 kHz is
resampled at that ratio. At 1.33 to 1.5 it is up to 12.5 dB: `resample` is chosen. From 1.72 on the
error is again below that at 1.088, for a frame of the device is a smaller part of the model's, and
`cubic` oscillates: `delay`. From 2 on `cubic` has no gain, and `delay` is the same. The limits are
in `nemod/builder/rate_policy.py`; [every pair of rates](rate-pairs.md) shows their effect.

Below the model's rate the delay is shorter than a frame, so states would be needed that are not
known yet. There, and for all convolutional models, `resample` is chosen. Its error is the smallest,
but for `slow-memory` from a ratio of 1.33 on, where it is -115 dB.

The builder tests every rig once with noise and silence (`nemod/builder/verify.py`). A delayed rig
that fails is resampled; the table above does not show that. Of the models that ship, at the rates
above, that is `screamer-gru24` at 96 kHz.
"""


def main() -> int:
    """Measure all cases; write the page and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    folder = parser.parse_args().out
    known, guitar = models()
    rows, costs = [], {}
    todo = [(name, model, case) for name, model in known.items() for case in cases_of(name, model)]
    for number, (name, model, case) in enumerate(todo, start=1):
        rows.append(measured(name, model, case, guitar))
        print(f"{number} of {len(todo)}: {rows[-1]}", flush=True)
    for name in [name for name in COSTED if name in known]:
        costs[name] = costs_us(replace(known[name], sample_rate=CASES[0][0]), CASES[0][1])
        print(name, costs[name], flush=True)
    rows.sort(key=lambda row: CASES.index(row.case))
    (folder / "rates.md").write_text(page(rows, costs, known))
    picture(rows, folder / "rates.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
