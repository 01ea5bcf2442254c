"""Instructions of a block, for a counting emulator: marks the blocks that it is to count.

    python tests/benchmarks/instructions.py OUT CASE...

    CASE: empty/W,S     a call with W weight and S state arrays and no arithmetic
          NAME/chain    a whole rig; NAME is LSTM-40, GRU-16, ..., an architecture of
                        `nemod bench --models`, or the path of a model
          NAME/model    its model alone

Each case plays SHORT blocks and then LONG blocks of 64 frames, with a mark before, between and
after them; the difference of the two counts is free of what happens once. A mark is a system call
that does nothing: getpriority of a process that does not exist, with the number of the mark. Of
each case OUT/PID-NN.json says what it was. The environment variables SHORT and LONG set the
numbers of blocks. The file runs alone: a copy of it works wherever `nemod` can be imported.
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
from nemod.engine.program import compile_spec, load_program, on_device  # noqa: E402
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
    """A rig that is called, with its arguments."""

    call: Call
    weights: RigWeights
    controls: Frames
    state: RigState

    def play(self, block: Frames, times: int) -> "Case":
        """Play a block this many times; return the case with the state after it."""
        call, weights, controls, state = self
        for _ in range(times):
            state, sound = call(weights, controls, state, block)
            np.asarray(sound)
        return self._replace(state=state)


def mark(number: int) -> None:
    """Tell the emulator that section `number` ends here."""
    with suppress(ProcessLookupError):
        os.getpriority(os.PRIO_PROCESS, FIRST_MARK + number)


def empty_case(weights: int, state: int) -> Case:
    """Return a program with this many weight and state arrays of four numbers."""
    spec = RigSpec(
        layout=("x",),
        latency_frames=0,
        weights=tuple(np.zeros(4, np.float32) for _ in range(weights)),
        init=lambda _weights, _targets: tuple(jnp.zeros(4, jnp.float32) for _ in range(state)),
        process=lambda _weights, targets, state, block: (
            state,
            jnp.concatenate([block * targets[0], *[targets[:1]] * 3]),
        ),
    )
    program = load_program(compile_spec(spec, BLOCK_FRAMES), weights, state, BLOCK_FRAMES)
    zeros = np.zeros(4, np.float32)
    ones = np.ones(1, np.float32)
    return Case(program.call, on_device([zeros] * weights), ones, on_device([zeros] * state))


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
    """Play the case number `at` between its marks and write what it was."""
    began = time.time()
    case = case_named(text)
    maxrss_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    built_s = time.time() - began
    say(text, f"built {built_s:.0f} s")
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
        "state": len(case.state),
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
    say(text, "done")


def say(*words: str) -> None:
    """Print a line with the time of day."""
    print(time.strftime("%T"), *words, flush=True)  # noqa: T201


def main(argv: list[str]) -> int:
    """Count every case; one that fails does not stop the others."""
    out, cases = Path(argv[1]), argv[2:]
    short, long = int(os.environ.get("SHORT", "200")), int(os.environ.get("LONG", "1200"))
    for at, text in enumerate(cases):
        try:
            count(text, at, out, short, long)
        except Exception as error:
            say(text, f"FAILED {error!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
