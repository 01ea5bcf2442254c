"""Plays blocks under an instruction-counting emulator and marks the blocks to count.

    python tests/benchmarks/instructions.py OUT CASE...

    CASE: empty/W,S     a call with W weight and S state arrays and no arithmetic
          NAME/chain    a whole rig; NAME is LSTM-40, GRU-16, ..., an architecture of
                        `nemod bench --models`, or the path of a model
          NAME/model    the model alone

Each case plays SHORT blocks and then LONG blocks of 64 frames, with a mark before, between and
after them; in the difference of the two counts the one-time costs cancel. A mark is a system call
without effect: getpriority of a process that does not exist, whose id is the number of the mark.
OUT/PID-NN.json describes each case. The environment variables SHORT and LONG set the numbers of
blocks. The file depends on nothing else in this folder: a copy works wherever `nemod` can be
imported.
"""

import json
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nemod.common import xla

xla.prepare()  # before jax compiles for the first time

import jax.numpy as jnp  # noqa: E402

from nemod.builder.build import build  # noqa: E402
from nemod.cli.bench.models import MODELS, random_model, recurrent  # noqa: E402
from nemod.control.settings import Settings  # noqa: E402
from nemod.engine.active_rig import Call, Frames, RigState, RigWeights  # noqa: E402
from nemod.engine.loading import load_rig  # noqa: E402
from nemod.engine.packing import STATE_LIMIT, WEIGHTS_LIMIT  # noqa: E402
from nemod.engine.program import compiled_rig  # noqa: E402
from nemod.engine.rig import RigSpec  # noqa: E402
from nemod.formats import load_model  # noqa: E402
from nemod.formats.model import Model  # noqa: E402

RATE_HZ = 48_000
BLOCK_FRAMES = 64
FIRST_MARK = 424_200
WARM_UP_BLOCKS, TIMED_BLOCKS = 30, 50
SETTINGS = {"delay/mix": 0.3, "reverb/mix": 0.3, "bass": 0.6, "treble": 0.6}
"""All effects on."""


class Case(NamedTuple):
    """A compiled rig and the arguments of its call."""

    call: Call
    weights: RigWeights
    controls: Frames
    state: RigState

    def play(self, block: Frames, times: int) -> "Case":
        """Play a block `times` times; return the case with the state after that."""
        call, weights, controls, state = self
        for _ in range(times):
            state, _ = call(weights, controls, state, block)
        return self._replace(state=state)


def mark(number: int) -> None:
    """Mark the end of section `number` for the emulator."""
    with suppress(ProcessLookupError):
        os.getpriority(os.PRIO_PROCESS, FIRST_MARK + number)


def empty_case(weights: int, state: int) -> Case:
    """Return a program with this many weight and state arrays that are passed on their own."""
    spec = RigSpec(
        layout=("x",),
        latency_frames=0,
        weights=tuple(np.zeros(WEIGHTS_LIMIT, np.float32) for _ in range(weights)),
        init=lambda _weights, _targets: tuple(
            jnp.zeros(STATE_LIMIT, jnp.float32) for _ in range(state)
        ),
        process=lambda _weights, targets, state, block: (
            state,
            jnp.concatenate([block * targets[0], *[targets[:1]] * 3]),
        ),
    )
    compiled = compiled_rig(spec, BLOCK_FRAMES, np.ones(1, np.float32))
    rig = load_rig(compiled, BLOCK_FRAMES)
    return Case(rig.call, rig.weights, rig.controls, rig.fresh())


def model_named(name: str) -> Model:
    """Return a model by its architecture and size, by its name in `nemod bench`, or by its path."""
    unit, _, hidden = name.partition("-")
    if name in MODELS:
        return random_model(MODELS[name])
    if unit in ("LSTM", "GRU") and hidden.isdecimal():
        return random_model(recurrent(unit, int(hidden)))
    return load_model(Path(name))


def case_named(text: str) -> Case:
    """Return the case of a command-line argument."""
    name, _, mode = text.rpartition("/")
    if name == "empty":
        weights, state = map(int, mode.split(","))
        return empty_case(weights, state)
    if mode not in ("chain", "model"):
        raise ValueError(f"{text!r}: NAME/chain, NAME/model or empty/W,S is expected")
    settings = Settings(SETTINGS)
    is_alone = mode == "model"
    rig = build(model_named(name), RATE_HZ, BLOCK_FRAMES, settings, model_only=is_alone).loaded
    return Case(rig.call, rig.weights, rig.controls, rig.fresh())


def count(text: str, at: int, out: Path, short: int, long: int) -> None:
    """Play case number `at` between its marks and write its description."""
    began = time.time()
    case = case_named(text)
    maxrss_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    built_s = time.time() - began
    log(text, f"built {built_s:.0f} s")
    block = np.random.default_rng(1).uniform(-0.3, 0.3, BLOCK_FRAMES).astype(np.float32)
    case = case.play(block, WARM_UP_BLOCKS)
    mark(3 * at)
    case = case.play(block, short)
    mark(3 * at + 1)
    case = case.play(block, long)
    mark(3 * at + 2)
    begin = time.perf_counter()
    case.play(block, TIMED_BLOCKS)
    us_here = 1e6 * (time.perf_counter() - begin) / TIMED_BLOCKS
    facts = {
        "what": text,
        "weights": len(case.weights),
        "state": len(case.state.arrays),
        "maxrss_kb": maxrss_kb,
        "built_s": built_s,
        "us_here": us_here,
        "at": at,
        "short": short,
        "long": long,
        "pid": os.getpid(),
        "maps": Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace"),
        "cpuinfo": Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")[:400],
    }
    (out / f"{os.getpid()}-{at:02d}.json").write_text(json.dumps(facts), encoding="utf-8")
    log(text, "done")


def log(*words: str) -> None:
    """Print a line with the time of day."""
    print(time.strftime("%T"), *words, flush=True)  # noqa: T201


def main(argv: list[str]) -> int:
    """Play every case; a failed one does not stop the others."""
    out, cases = Path(argv[1]), argv[2:]
    short, long = int(os.environ.get("SHORT", "200")), int(os.environ.get("LONG", "1200"))
    for at, text in enumerate(cases):
        try:
            count(text, at, out, short, long)
        except Exception as error:
            log(text, f"FAILED {error!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
