"""The time of a block before and after a change, measured in one run.

    python tests/benchmarks/performance.py BEFORE [--out DIR] [--case NAME/chain ...]

BEFORE is another checkout of the project (`git worktree add BEFORE COMMIT`). Both sides build the
same rigs, each in a process of its own with its own `instructions.py`, and play blocks of 64 frames
in alternate rounds. Every call is timed on its own, and the tenth percentile of a round is taken:
what interrupts a call is not its cost. The ratio is taken round by round. Writes performance.json
and performance.png into DIR.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve()
CASES = tuple(
    f"{name}/chain"
    for name in ("LSTM-16", "LSTM-40", "GRU-40", "A1 nano", "A1 standard", "A2 Lite", "A2 Full")
)
ROUNDS, ROUND_BLOCKS = 9, 500
PERIOD_US = 1e6 * 64 / 48_000


def worker(checkout: Path, case_name: str) -> None:
    """Build a case, then play a round for every line of the standard input."""
    sys.path[:0] = [str(checkout), str(checkout / "tests" / "benchmarks")]
    import instructions

    case = instructions.case_named(case_name)
    block = np.random.default_rng(1).uniform(-0.3, 0.3, 64).astype(np.float32)
    call, weights, controls, state = case
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        times = np.empty(int(line))
        for number in range(times.size):
            begin = time.perf_counter()
            state, sound = call(weights, controls, state, block)
            np.asarray(sound)
            times[number] = time.perf_counter() - begin
        low, middle = 1e6 * np.percentile(times, (10, 50))
        sys.stdout.write(json.dumps([low, middle]) + "\n")
        sys.stdout.flush()


def start(checkout: Path, case_name: str) -> "subprocess.Popen[str]":
    """Start a worker of a checkout; it is ready after its first line."""
    return subprocess.Popen(
        [sys.executable, str(HERE), "--worker", str(checkout), case_name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
    )


def compare(before: Path, after: Path, case_name: str) -> dict[str, Any]:
    """Return the times of a case on both sides, and their ratio."""
    sides = [start(before, case_name), start(after, case_name)]
    rounds: list[list[float]] = []
    try:
        for side in sides:
            assert side.stdout is not None
            assert side.stdout.readline() == "ready\n", "a worker failed"
        for _ in range(ROUNDS + 1):
            times = []
            for side in sides:
                assert side.stdin is not None
                assert side.stdout is not None
                side.stdin.write(f"{ROUND_BLOCKS}\n")
                side.stdin.flush()
                times.append(json.loads(side.stdout.readline())[0])
            rounds.append(times)
    finally:
        for side in sides:
            side.kill()
            side.wait()
    low = np.array(rounds[1:])
    one, other = np.median(low, axis=0)
    ratio = np.median(low[:, 0] / low[:, 1])
    return {"case": case_name, "before_us": one, "after_us": other, "ratio": ratio}


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw both sides as bars."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = [row["case"].partition("/")[0] for row in rows]
    at = np.arange(len(rows))
    figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
    for shift, key, colour in ((-0.2, "before_us", "#999999"), (0.2, "after_us", "#1f77b4")):
        bars = axes.bar(
            at + shift, [row[key] for row in rows], 0.38, color=colour, label=key.partition("_")[0]
        )
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    axes.set_xticks(at, names)
    axes.set_ylabel(f"us per 64 frames (period {PERIOD_US:.0f})")
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> int:
    """Compare all cases and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--case", action="append")
    arguments = parser.parse_args()
    after = HERE.parents[2]
    rows = []
    for case_name in arguments.case or CASES:
        row = compare(arguments.before.resolve(), after, case_name)
        rows.append(row)
        cells = (case_name, f"{row['before_us']:.0f}", f"{row['after_us']:.0f}")
        sys.stdout.write(f"| {' | '.join(cells)} | {row['ratio']:.2f} |\n")
        sys.stdout.flush()
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        document = {"machine": platform.machine(), "period_us": PERIOD_US, "rows": rows}
        (arguments.out / "performance.json").write_text(json.dumps(document, indent=1) + "\n")
        draw(rows, arguments.out / "performance.png")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(Path(sys.argv[2]), sys.argv[3])
    else:
        sys.exit(main())
