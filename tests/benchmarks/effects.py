"""Measures what each effect costs, with one output and with two, and writes docs/effects.md.

python tests/benchmarks/effects.py [--block 64] [--turns 60] [--out docs]

Each effect is a program of its own: a trim and the effect. Its cost is the time of a block less
that of the trim alone. All programs take turns of 50 blocks, so that whatever else the machine does
meets them all.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.common import xla  # noqa: E402

xla.prepare()

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from nemod.builder.build import build  # noqa: E402
from nemod.builder.filled_chain import clean  # noqa: E402
from nemod.chain import KINDS, SPLIT, Chain, Slot  # noqa: E402
from nemod.control.settings import Settings  # noqa: E402
from nemod.engine.active_rig import LoadedRig  # noqa: E402
from nemod.engine.loading import load_rig  # noqa: E402
from nemod.engine.program import compiled_rig  # noqa: E402
from nemod.engine.rig import RigSpec  # noqa: E402
from nemod.fx.autowah import autowah  # noqa: E402
from nemod.fx.cabinet import cabinet  # noqa: E402
from nemod.fx.chorus import chorus  # noqa: E402
from nemod.fx.compressor import compressor  # noqa: E402
from nemod.fx.dc import dc_blocker  # noqa: E402
from nemod.fx.delay import delay  # noqa: E402
from nemod.fx.effect import AnyEffect, chain, stereo_form  # noqa: E402
from nemod.fx.eq import eq  # noqa: E402
from nemod.fx.flanger import flanger  # noqa: E402
from nemod.fx.gain import gain  # noqa: E402
from nemod.fx.gate import gate  # noqa: E402
from nemod.fx.limiter import limiter  # noqa: E402
from nemod.fx.phaser import phaser  # noqa: E402
from nemod.fx.reverb import reverb  # noqa: E402
from nemod.fx.stereo import both_channels  # noqa: E402
from nemod.fx.tools.smooth import smoothed  # noqa: E402
from nemod.fx.tremolo import tremolo  # noqa: E402

RATE_HZ = 48_000
TAPS = 2048
TURN_BLOCKS, UNMEASURED_BLOCKS = 50, 10
"""Length of a turn, and how many blocks of it fill the caches."""
ON = {
    "gate/enable": 1.0, "comp/enable": 1.0, "cab/enable": 1.0, "bass": 0.7, "treble": 0.6,
    "delay/mix": 0.5, "reverb/mix": 0.5,
}  # fmt: skip
"""Everything is on, and every knob that costs something is turned."""
MODULATION = {
    f"{kind}/enable": 1.0 for kind in ("autowah", "phaser", "chorus", "flanger", "tremolo")
} | {"phaser/stages": 1.0, "tremolo/harmonic": 1.0}
"""Likewise for effects that the default chain does not have."""
EVERY_KIND = Chain(tuple(Slot(name=kind, kind=kind) for kind in KINDS if kind != SPLIT))
WITHOUT_DYNAMICS = ON | {"gate/enable": 0.0, "comp/enable": 0.0}


class Case(NamedTuple):
    """A row of the table."""

    name: str
    effect: AnyEffect
    is_mono_only: bool = False


def cases(block: int) -> list[Case]:
    """Return the effects of the rig in the order of the signal."""
    taps = np.random.default_rng(0).normal(size=TAPS)
    return [
        Case("noise gate", gate(RATE_HZ)),
        Case("compressor", compressor(RATE_HZ)),
        Case("DC blocker", dc_blocker(RATE_HZ)),
        Case(f"cabinet, {TAPS:,} taps", cabinet(taps, block), is_mono_only=True),
        Case("three-band EQ", eq(RATE_HZ)),
        Case("auto-wah", autowah(RATE_HZ)),
        Case("phaser, 10 stages", phaser(RATE_HZ)),
        Case("chorus", chorus(RATE_HZ)),
        Case("flanger", flanger(RATE_HZ)),
        Case("tremolo, harmonic", tremolo(RATE_HZ)),
        Case("delay", delay(RATE_HZ)),
        Case("reverb", reverb(RATE_HZ)),
        Case("limiter", limiter(RATE_HZ)),
    ]


def program(effects: Sequence[AnyEffect], block: int) -> LoadedRig:
    """Return effects, one after the other, as a program with smoothed controls."""
    whole = chain("measured", *effects)
    played = smoothed(whole, RATE_HZ)

    def process(weights: Any, targets: Any, state: Any, sound: Any) -> tuple[Any, Any]:
        state, out = played.process(weights, targets, state, sound)
        return state, out.reshape(-1)

    spec = RigSpec(
        layout=whole.controls,
        latency_frames=0,
        weights=whole.weights,
        init=played.init,
        process=process,
    )
    controls = Settings(ON | MODULATION, chain=EVERY_KIND).vector(spec.layout)
    return load_rig(compiled_rig(spec, block, controls), block)


def times_us(rigs: Sequence[LoadedRig], block: int, turns: int) -> NDArray[np.float64]:
    """Return the time of a block of each rig: the tenth percentile, without interrupted calls."""
    sound = np.random.default_rng(1).normal(0.0, 0.1, block).astype(np.float32)
    states = [rig.fresh() for rig in rigs]
    taken = np.zeros((len(rigs), turns, TURN_BLOCKS))
    for turn in range(turns):
        for at, rig in enumerate(rigs):
            for number in range(TURN_BLOCKS):
                began = time.perf_counter()
                states[at], out = rig.call(rig.weights, rig.controls, states[at], sound)
                np.asarray(out)
                taken[at, turn, number] = time.perf_counter() - began
    return 1e6 * np.percentile(taken[:, :, UNMEASURED_BLOCKS:], 10, axis=(1, 2))


def effect_rows(block: int, turns: int) -> list[str]:
    """Return the table of effects."""
    period_us = 1e6 * block / RATE_HZ
    rows = cases(block)
    trim, both = gain("input"), both_channels()
    mono = [program([trim], block), *(program([trim, row.effect], block) for row in rows)]
    two = [row for row in rows if not row.is_mono_only]
    stereo = [program([trim, both], block)]
    stereo += [program([trim, both, stereo_form(row.effect)], block) for row in two]
    base, *of_mono = times_us(mono, block, turns)
    stereo_base, *of_stereo = times_us(stereo, block, turns)
    costs = dict(zip([row.name for row in two], np.subtract(of_stereo, stereo_base), strict=True))

    def cells(cost: float | None) -> str:
        return "- | -" if cost is None else f"{cost:.1f} | {cost / period_us:.2%}"

    lines = [
        "| effect | one channel, us | share | two channels, us | share |",
        "|---|--:|--:|--:|--:|",
    ]
    for row, cost in zip(rows, np.subtract(of_mono, base), strict=True):
        lines.append(f"| {row.name} | {cells(cost)} | {cells(costs.get(row.name))} |")
    return lines


def rig_rows(block: int, turns: int) -> list[str]:
    """Return the table of whole rigs."""
    period_us = 1e6 * block / RATE_HZ
    titles = {"gate and compressor off": WITHOUT_DYNAMICS, "all on": ON}
    rigs = [
        build(clean(), RATE_HZ, block, Settings(settings), outputs=outputs).loaded
        for settings in titles.values()
        for outputs in (1, 2)
    ]
    found = times_us(rigs, block, turns)
    lines = [
        "| default chain without model and cabinet | one output, us | share | "
        "two outputs, us | share |",
        "|---|--:|--:|--:|--:|",
    ]
    for number, title in enumerate(titles):
        one, two = found[2 * number : 2 * number + 2]
        lines.append(
            f"| {title} | {one:.1f} | {one / period_us:.1%} | {two:.1f} | {two / period_us:.1%} |"
        )
    return lines


def page(block: int, turns: int) -> str:
    """Return the page."""
    period_us = 1e6 * block / RATE_HZ
    where = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    text = [
        "# What the effects cost",
        "",
        f"Microseconds for a block of {block} frames at 48 kHz, which lasts {period_us:,.0f} us, "
        f"and the share of it; {where}. Made by `python tests/benchmarks/effects.py --out docs`. "
        "Models: [benchmarks.md](benchmarks.md).",
        "",
        "Every effect is on. Its cost is what a program with it takes longer than one without it, "
        "by the tenth percentile of the times; differences below 0.3 us are chance.",
        "",
        *effect_rows(block, turns),
        "",
        "A rig with two outputs is mono up to the delay: only from there on are there two channels "
        "([stereo.md](stereo.md)).",
        "",
        *rig_rows(block, turns),
        "",
        "Gate, compressor and the effects of [modulation.md](modulation.md) compute nothing while "
        "they are off.",
        "",
    ]
    return "\n".join(text)


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--out", type=Path, help="folder of the page [print it]")
    given = parser.parse_args()
    text = page(given.block, given.turns)
    if given.out is None:
        print(text)  # noqa: T201
    else:
        (given.out / "effects.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
