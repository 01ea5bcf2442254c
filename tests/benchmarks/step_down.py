# ruff: noqa: T201 - a script prints
"""Shows how the daemon reduces the quality under a load that it cannot bear, and restores it.

    python tests/benchmarks/step_down.py [--out docs]

JACK's server runs with real-time priority, and beside the daemon a busy loop on every processor
whose priority is above that of the audio thread. The model is a NAM A2 file with three sizes.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.daemon import step_down  # noqa: E402
from nemod.daemon.load_window import WINDOW_S  # noqa: E402
from nemod.engine import histogram  # noqa: E402
from tests.benchmarks import harness  # noqa: E402
from tests.benchmarks.harness import PERIOD_US  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

MODEL = "slimmable"
CHANNELS = (4, 12, 32)
"""Channels of the sizes of the model."""
DILATIONS = [2**power for power in range(10)] * 2
KERNEL = 3
LOOK_S = 0.25
WEIGHT = 1.1
"""Load in periods that the busy loops are to make of the full size, with all cores busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at a moment."""

    at_s: float
    busy: float
    """Share of each processor's time that the busy loops take."""
    p99: float
    """Share of the period, since the last look."""
    late: int
    """Late blocks since the last look."""
    reduced: str


def write_model(path: Path, seed: int = 1) -> None:
    """Write a slimmable WaveNet with random weights, as NAM's trainer writes it."""
    rng = np.random.default_rng(seed)
    channels = CHANNELS[-1]
    per_layer = (channels * channels * KERNEL, channels, channels, channels**2, channels)
    scales = (1.0 / np.sqrt(channels * KERNEL), 0.1, 0.5, 0.3 / np.sqrt(channels), 0.0)
    parts = [rng.normal(0.0, 0.5, channels)]
    for _ in DILATIONS:
        parts += [rng.normal(0.0, s, n) for n, s in zip(per_layer, scales, strict=True)]
    parts += [rng.normal(0.0, 0.3 / np.sqrt(channels), channels), np.array([0.2])]
    array = {
        "input_size": 1,
        "condition_size": 1,
        "head_size": 1,
        "channels": channels,
        "kernel_size": KERNEL,
        "dilations": DILATIONS,
        "activation": "Tanh",
        "gated": False,
        "head_bias": False,
        "slimmable": {
            "method": "slice_channels_uniform",
            "kwargs": {"allowed_channels": list(CHANNELS)},
        },
    }
    document = {
        "version": "0.6.0",
        "architecture": "WaveNet",
        "config": {"layers": [array], "head": None, "head_scale": 0.2},
        "weights": [round(float(weight), 6) for weight in np.concatenate(parts)],
        "sample_rate": 48_000,
    }
    path.write_text(json.dumps(document), encoding="utf-8")


@contextmanager
def busy(share: float) -> Iterator[None]:
    """Run a busy loop on every processor."""
    with ExitStack() as stack:
        for core in sorted(os.sched_getaffinity(0)):
            arguments = ("busy", str(core), "--share", f"{share:.3f}")
            stack.enter_context(harness.load_process(*arguments))
        yield


class Watch:
    """Looks at the daemon four times a second."""

    def __init__(self, client: OscClient, times: Path) -> None:
        self.looks: list[Look] = []
        self._client = client
        self._times = times
        self._began = time.monotonic()
        self._before = histogram.read(times)

    def look(self, share: float) -> Look:
        """Wait for the next look, and return it."""
        time.sleep(LOOK_S)
        counts = histogram.read(self._times)
        since, self._before = counts - self._before, counts
        made = Look(
            at_s=time.monotonic() - self._began,
            busy=share,
            p99=1e6 * since.quantile_s(0.99) / PERIOD_US,
            late=since.late,
            reduced=str(self._client.query("/nemo/status/reduced")),
        )
        self.looks.append(made)
        return made

    def until(self, share: float, seconds: float, reduced: str | None = None) -> bool:
        """Look for some seconds, or until this is reduced; return whether it is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.look(share).reduced == reduced:
                return True
        return False


def demonstrate(seconds: float) -> tuple[list[Look], list[str]]:
    """Return what was seen, and the log: without load, with a load of `seconds`, and after it."""
    with ExitStack() as stack:
        home, times = stack.enter_context(harness.temporary_home())
        library = home / "library"
        library.mkdir()
        write_model(library / f"{MODEL}.nam")
        stack.enter_context(harness.jack_server(realtime=True))
        options = ("--step-down", "--library", str(library), "--model", MODEL, "--no-announce")
        daemon = stack.enter_context(harness.daemon("system", home, times, *options))
        client = OscClient(daemon.port)
        stack.callback(client.close)
        for size in (0.0, 0.5, 1.0):  # compiled now, as after a day on which they were needed
            client.send("/nemo/size", size)
            time.sleep(4.0)
        watch = Watch(client, times)
        watch.until(0.0, 4.0)
        full = max(look.p99 for look in watch.looks[4:])
        share = min(max(1.0 - full / WEIGHT, 0.3), 0.85)
        with busy(share):
            watch.until(share, seconds)
        longest = 6.0 * step_down.RESTORE_S
        watch.until(0.0, longest, reduced="")
        watch.until(0.0, 2.0)
        return watch.looks, [line for line in daemon.lines if _is_told(line)]


def _is_told(line: str) -> bool:
    """Whether a line of the daemon's output belongs to the log of the page."""
    return any(text in line for text in ("quality", "load too high", "restarted"))


def changes(looks: list[Look]) -> list[list[str]]:
    """Return the rows of the table: when something changed, and what the load was before that."""
    rows = []
    before = Look(at_s=0.0, busy=0.0, p99=0.0, late=0, reduced="")
    recent: list[Look] = []
    for look in looks:
        what = []
        if look.busy != before.busy:
            what.append(f"busy loops take {look.busy:.0%}" if look.busy else "busy loops end")
        if look.reduced != before.reduced:
            what.append(f"`/nemo/status/reduced` is `{look.reduced}`" if look.reduced else "full")
        if what:
            known = [one for one in recent if one.at_s > look.at_s - WINDOW_S] or [look]
            load = float(np.median([one.p99 for one in known]))
            late = sum(one.late for one in known)
            rows.append([f"{look.at_s:.1f}", "; ".join(what), f"{load:.0%}", str(late)])
            recent = []
        recent.append(look)
        before = look
    last = looks[-4:]
    load = float(np.median([one.p99 for one in last]))
    rows.append([f"{looks[-1].at_s:.1f}", "end", f"{load:.0%}", str(sum(o.late for o in last))])
    return rows


def page(looks: list[Look], log: list[str], command: str) -> str:
    """Return the page."""
    heads = ("time [s]", "event", "p99 before it", "late before it")
    table = harness.table(heads, changes(looks), left=2)
    lines = "\n".join(line.strip() for line in log)
    return f"""# Less quality under load

Made by `{command}` on: {harness.machine()}.

While the load stays too high, nemod reduces the quality step by step, and restores it afterwards.
`/nemo/size/auto F`, or `--no-step-down`, keeps the full quality.

1. A model that has several sizes plays in a smaller one. Each step leaves half of the sizes.
   `/nemo/size`, the size that you want, stays what it is and is the largest that plays.
2. The reverb has four lines instead of eight. Its decay, damping and level stay the same.
3. When that is not enough there is a warning: `overload`.

`/nemo/status/reduced` shows what is reduced: `size`, `reverb`, `size, reverb`, each with
`overload` where it is not enough, and nothing for the full quality. It is sent to subscribers, the
page shows it, and the log has a line for each step. Each change is a crossfade. At a change between
eight lines and four the reverberation that rings ends with the crossfade.

| the load is | when | then |
|---|---|---|
| too high | more than 1 of 100 blocks took {step_down.LIMIT:.0%} of the period or more, in three \
quarters of the last {WINDOW_S:g} s; or {step_down.LATE_LIMIT} blocks of them began late, some in \
each of three quarters | \
one step down |
| low | for {step_down.RESTORE_S:g} s less than 1 of 100 blocks took {step_down.CALM:.0%} of the \
period or more, and no more than one block in {WINDOW_S:g} s began late | one step back |
| between | | nothing changes |

After each step the load is measured anew for {WINDOW_S:g} s. Blocks of a crossfade do not count. A
step that is needed again within {step_down.RELAPSE_S:g} s after it was undone waits twice as long
the next time, up to {step_down.LONGEST_RESTORE_S / 60.0:g} minutes. Another model starts with what
is reduced. The switch is kept in the session and is no part of a preset.

## A busy loop beside the daemon

![Load and quality](step-down.png)

JACK's server (`jackd -R -P 80 -d dummy -r 48000 -p 64`) and a model with {len(CHANNELS)} sizes
({", ".join(map(str, CHANNELS))} channels of a WaveNet with {len(DILATIONS)} layers). A busy loop
runs on every processor, above the priority of the audio thread, in slices of less than a block.

{table}
{_unrestored(looks)}
The log:

```
{lines}
```
"""


def _unrestored(looks: list[Look]) -> str:
    """Return a paragraph where the full quality did not come back."""
    if not looks[-1].reduced:
        return ""
    return f"""
The full quality did not come back in this run: at its end `{looks[-1].reduced}` is still reduced.
"""


def picture(looks: list[Look], path: Path) -> None:
    """Draw the load over time, with what is reduced as shading."""
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    axes = figure.subplots()
    times = [look.at_s for look in looks]
    axes.plot(times, [100.0 * look.p99 for look in looks], lw=1.0, label="99 % of the blocks")
    axes.plot(times, [100.0 * look.busy for look in looks], lw=1.0, label="busy loops")
    for limit, text in ((step_down.LIMIT, "too high"), (step_down.CALM, "low")):
        axes.axhline(100.0 * limit, color="grey", ls="--", lw=0.8)
        axes.annotate(text, (0.0, 100.0 * limit), va="bottom", fontsize=8)
    depths = [len(look.reduced.split(", ")) if look.reduced else 0 for look in looks]
    for depth, label in ((1, "size"), (2, "size, reverb"), (3, "and overload")):
        if depth in depths:
            shown = [each >= depth for each in depths]
            axes.fill_between(
                times, 0.0, 160.0, where=shown, step="post", alpha=0.12, color="C3", label=label
            )
    axes.set(ylim=(0.0, 160.0), xlabel="time [s]", ylabel="share of the period [%]")
    axes.legend(fontsize=8, loc="upper right")
    figure.savefig(path, dpi=110)


def main() -> int:
    """Run the demonstration; write the page and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="of load (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    looks, log = demonstrate(arguments.seconds)
    text = page(looks, log, "python tests/benchmarks/step_down.py")
    print(text)
    (arguments.out / "step-down.md").write_text(text, encoding="utf-8")
    picture(looks, arguments.out / "step-down.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
