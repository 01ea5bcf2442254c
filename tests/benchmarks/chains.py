# ruff: noqa: T201 - a script prints
"""Measures what chains cost: each additional program, and a change of one of two models.

    python tests/benchmarks/chains.py [--turns 40] [--switches 20]

All chains take turns of 50 blocks, so that whatever else the machine does meets them all.
"""

import argparse
import os
import pickle
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.common import xla  # noqa: E402

xla.prepare()

import numpy as np  # noqa: E402

from nemod.builder.answer import answer  # noqa: E402
from nemod.builder.build import build_chain, build_with_policies  # noqa: E402
from nemod.builder.chain_files import read_files  # noqa: E402
from nemod.builder.messages import BuildRequest, BuildResult  # noqa: E402
from nemod.chain import read_chain  # noqa: E402
from nemod.control.settings import Settings  # noqa: E402
from nemod.engine.active_rig import LoadedRig  # noqa: E402
from nemod.engine.compiled_rig import CompiledSteps  # noqa: E402
from nemod.engine.ipc import PlayRig  # noqa: E402
from nemod.engine.loaded_rigs import LoadedRigs  # noqa: E402

RATE_HZ, BLOCK = 48_000, 64
TURN_BLOCKS, UNMEASURED_BLOCKS = 50, 10
PEDAL, AMP, OTHER = "screamer-gru24", "clipper-lstm16", "drive-gru20"
EFFECTS = ["eq", "delay", "reverb"]
CHAINS: Mapping[str, tuple[list[Any], dict[str, str]]] = {
    "pedal": (["model", *EFFECTS], {"model": PEDAL}),
    "amp": (["model", *EFFECTS], {"model": AMP}),
    "pedal, amp": (["model", "model2", *EFFECTS], {"model": PEDAL, "model2": AMP}),
    "pedal, EQ, amp": (
        ["model", "eq", "model2", "delay", "reverb"],
        {"model": PEDAL, "model2": AMP},
    ),
    "pedal and amp in a split": (
        [{"split": {"a": ["model"], "b": ["model2"]}}, *EFFECTS],
        {"model": PEDAL, "model2": AMP},
    ),
}


def files_of(names: Mapping[str, str]) -> dict[str, str]:
    return {slot: str(ROOT / "models" / f"{name}.json") for slot, name in names.items()}


def rigs() -> Iterator[tuple[str, int, LoadedRig]]:
    """Yield chains with their number of programs, among them one model in several programs."""
    for name, (slots, models) in CHAINS.items():
        filled = read_files(read_chain(slots), files_of(models)).filled
        settings = Settings({"delay/mix": 0.3, "reverb/mix": 0.3}, chain=filled.chain)
        built = build_chain(filled, RATE_HZ, BLOCK, settings)
        count = len(built.shipped.steps) if isinstance(built.shipped, CompiledSteps) else 1
        yield name, count, built.loaded
        if len(models) == 1:
            settings = settings.copy_for(filled.chain, filled.knobs)
            apart = build_with_policies(
                filled, {}, {"model": "exact"}, RATE_HZ, BLOCK, settings, in_steps=True
            )
            assert isinstance(apart.shipped, CompiledSteps)
            yield f"{name}, in parts", len(apart.shipped.steps), apart.loaded


def costs(turns: int) -> None:
    """Print the time of a block of each chain."""
    made = list(rigs())
    rng = np.random.default_rng(0)
    blocks = rng.uniform(-0.2, 0.2, (TURN_BLOCKS, BLOCK)).astype(np.float32)
    states = [rig.fresh() for _, _, rig in made]
    times: list[list[float]] = [[] for _ in made]
    for _ in range(turns):
        for at, (_, _, rig) in enumerate(made):
            state = states[at]
            for number, block in enumerate(blocks):
                begin = time.perf_counter()
                state, sound = rig.call(rig.weights, rig.controls, state, block)
                np.asarray(sound)
                if number >= UNMEASURED_BLOCKS:
                    times[at].append(time.perf_counter() - begin)
            states[at] = state
    print(f"{platform.machine()}, {os.cpu_count()} cores, {BLOCK} frames at {RATE_HZ} Hz")
    print("chain                       programs   median us   best us")
    for (name, count, _), own in zip(made, times, strict=True):
        middle, best = 1e6 * float(np.median(own)), 1e6 * min(own)
        print(f"{name:28}{count:8}{middle:12.1f}{best:10.1f}")


def switches(count: int) -> None:
    """Print how long a change of one of two models takes: built, and loaded for the engine."""
    chain = read_chain(["model", "model2", *EFFECTS])
    loaded = LoadedRigs()
    built_ms, loaded_ms = [], []
    for number in range(count + 4):
        second = (AMP, OTHER)[number % 2]
        request = BuildRequest(
            request_id=number + 1,
            chain=chain,
            files=files_of({"model": PEDAL, "model2": second}),
            rate_hz=RATE_HZ,
            block_frames=BLOCK,
            positions={"gain": 0.4 + 0.01 * number},
        )
        begin = time.perf_counter()
        result = answer(request)
        middle = time.perf_counter()
        assert isinstance(result, BuildResult), result
        rig = pickle.loads(pickle.dumps(result)).rig
        loaded.load(
            PlayRig(rig_id=request.request_id, rig=rig, rate_hz=RATE_HZ, block_frames=BLOCK)
        )
        loaded.activate(request.request_id)
        end = time.perf_counter()
        if number >= 4:
            built_ms.append(1e3 * (middle - begin))
            loaded_ms.append(1e3 * (end - middle))
    print(f"\na change of one of two models, {count} times, every program compiled before")
    for name, own in (("built", built_ms), ("loaded", loaded_ms)):
        print(f"{name:8} median {np.median(own):6.1f} ms   longest {max(own):6.1f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--switches", type=int, default=20)
    arguments = parser.parse_args()
    costs(arguments.turns)
    switches(arguments.switches)


if __name__ == "__main__":
    main()
