# ruff: noqa: T201 - a script prints
"""Switches among eight presets of different chains on JACK, in stereo.

    python tests/benchmarks/pedalboard.py [--seconds 60] [--out docs]

First each chain alone, on a JACK server that waits for its clients: what it plays is compared with
`nemod.render` of the same chain. Then the phrase of the demo device for `--seconds` without a
switch, and as long with one every two seconds. The exit status is 1 if an aim is missed.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import nemod  # noqa: E402
from nemod.chain import Chain, plain_chain, read_chain  # noqa: E402
from nemod.engine import histogram  # noqa: E402
from nemod.engine.devices.demo import phrase  # noqa: E402
from nemod.engine.histogram import Counts  # noqa: E402
from tests.benchmarks import harness  # noqa: E402
from tests.parts.jack_player import JackPlayer  # noqa: E402
from tests.parts.jackd import BLOCK, ORDINARY, RATE, jack_server  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

BOARDS = """
amp into cabinet:
  chain: [gate, {model: {file: drive-gru20}}, {cab: {file: sim-open-1x12}}, eq, delay, reverb]
  positions: {delay/mix: 0.2, reverb/mix: 0.2}
pedal into amp into cabinet:
  chain:
    - gate
    - pedal: {kind: model, file: screamer-gru24}
    - amp: {kind: model, file: drive-gru20}
    - cab: {file: sim-closed-4x12}
    - eq
    - delay
    - reverb
  positions: {delay/mix: 0.3, reverb/mix: 0.3}
fuzz into clipper, two delays:
  chain:
    - comp
    - model: {file: muff-lstm20}
    - model2: {file: clipper-lstm16}
    - cab: {file: sim-closed-2x12}
    - delay
    - delay2
    - reverb
  positions: {comp/enable: 1.0, delay/mix: 0.2, delay2/mix: 0.15, delay2/time: 0.5, reverb/mix: 0.1}
two amps side by side:
  chain:
    - gate
    - pedal: {kind: model, file: screamer-gru24}
    - split:
        a: [{model2: {file: drive-gru20}}, {cab: {file: sim-open-1x12}}]
        b: [{model3: {file: clipper-lstm16}}, {cab2: {file: sim-closed-4x12}}]
    - eq
    - reverb
  positions: {split/mix: 0.4, reverb/mix: 0.25}
clean with delay before the cabinet:
  chain: [comp, eq, delay, {cab: {file: sim-bass-1x15}}, reverb]
  positions: {comp/enable: 1.0, delay/mix: 0.3, reverb/mix: 0.2}
fuzz alone:
  chain: [gate, {model: {file: muff-gru40}}, eq]
  positions: {gate/enable: 1.0, treble: 0.4}
equalizer before the amp:
  chain:
    - eq
    - model: {file: muffcond-gru40}
    - cab: {file: sim-closed-4x12}
    - eq2
    - reverb
    - delay
  positions: {bass: 0.3, eq2/treble: 0.6, delay/mix: 0.2, reverb/mix: 0.2}
wet and dry:
  chain:
    - split: {a: [{model: {file: clipper-lstm16}}, {cab: {file: sim-open-1x12}}], b: []}
    - delay
    - reverb
  positions: {split/mix: 0.3, delay/mix: 0.3, reverb/mix: 0.4}
"""
"""Eight presets over what ships with nemod: a chain and the positions that are not its defaults."""
TOLERANCE = 1e-5
SWITCH_S = 2.0
LOAD_S = 120.0
"""[s] Programs are compiled when the presets are saved."""
FLUSH_S = 0.3
LEAD_S, PIECE_S = 1.0, 3.0
TRIES = 3

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Board:
    """One of the presets."""

    name: str
    chain: Chain
    positions: dict[str, float]


@dataclass
class Alone:
    """What one chain plays without a switch."""

    board: Board
    difference: float
    """Largest difference from `nemod.render`."""
    jump: float
    """Largest step from one sample to the next."""


@dataclass
class Span:
    """What was counted while the phrase played."""

    name: str
    counts: Counts
    xruns: int
    switches: int = 0
    jumps: list[float] = field(default_factory=list)
    """Largest step from one sample to the next, for each switch with the second around it."""


def boards() -> list[Board]:
    """Return the presets."""
    tree = yaml.safe_load(BOARDS)
    return [
        Board(name, read_chain(content["chain"], name), content["positions"])
        for name, content in tree.items()
    ]


def largest_jump(sound: Sound) -> float:
    """Return the largest step from one sample to the next, in any channel."""
    return float(np.abs(np.diff(sound, axis=0)).max())


class Rig:
    """A running daemon with an OSC client and a player."""

    def __init__(self, running: harness.Daemon) -> None:
        self.client = OscClient(running.port)
        self.player = JackPlayer(outputs=2)

    def close(self) -> None:
        """Disconnect."""
        self.player.close()
        self.client.close()

    def job(self, address: str, *arguments: Any) -> None:
        """Request a job and wait for its end. Raises: RuntimeError where it fails."""
        self.client.send(address, *arguments)
        answer = self.client.wait("/nemo/done", "/nemo/error", seconds=LOAD_S)
        if answer.address == "/nemo/error":
            raise RuntimeError(f"{address} {arguments}: {answer.params}")

    def save_all(self) -> None:
        """Save each board as a preset, numbered from 0."""
        for number, board in enumerate(boards()):
            self.job("/nemo/chain/set", json.dumps(plain_chain(board.chain)))
            for path in ("delay", "delay2", "reverb"):
                if path in board.chain and f"{path}/mix" not in board.positions:
                    self.client.send(f"/nemo/{path}/mix", 0.0)
            for path, position in board.positions.items():
                self.client.send(f"/nemo/{path}", position)
            self.client.send("/nemo/sync", number)
            self.client.wait("/nemo/synced")
            self.job("/nemo/preset/save", number)

    def flush(self) -> None:
        """Empty the delay lines."""
        self.client.send("/nemo/panic")
        time.sleep(FLUSH_S)
        self.client.send("/nemo/mute", 0.0)
        time.sleep(FLUSH_S)


def compare(rig: Rig, number: int, board: Board, sound: Sound, file: Path) -> Alone:
    """Return how what the daemon plays differs from `render` of the preset's file."""
    played = np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32), sound])
    wanted = nemod.render(nemod.load_chain(file), played, RATE, outputs=2, block=BLOCK)
    rig.job("/nemo/preset/load", number)
    best = np.inf
    for _ in range(TRIES):
        rig.flush()
        before = rig.player.xruns
        output = rig.player.play(np.concatenate([played, np.zeros(RATE // 2, np.float32)]))
        lag = _lag(output[:, 0], wanted[:, 0])
        heard = output[lag : lag + played.size]
        best = min(best, float(np.abs(heard - wanted[: heard.shape[0]]).max()))
        if rig.player.xruns == before:
            break
    return Alone(board, best, largest_jump(wanted))


def _preset_file(home: Path, number: int) -> Path:
    """Return the file of a preset that was saved."""
    (file,) = home.rglob(f"presets/{number:03d}.yaml")
    return file


def _lag(output: Sound, wanted: Sound) -> int:
    """Return the delay of an output in frames: where the difference is smallest."""
    start = round(LEAD_S * RATE)
    piece = wanted[start : start + RATE]
    errors = [
        float(np.abs(output[start + lag : start + lag + RATE] - piece).max())
        for lag in range(0, 16 * BLOCK, BLOCK)
    ]
    return int(np.argmin(errors)) * BLOCK


def switching(
    rig: Rig, times: Path, sound: Sound, *, switches: bool, advance: Callable[[float], None]
) -> Span:
    """Return what is counted while a sound plays, with or without switches."""
    moments: list[int] = []

    def during() -> None:
        end = time.monotonic() + sound.size / RATE - SWITCH_S
        number = 0
        while time.monotonic() < end:
            time.sleep(SWITCH_S)
            advance(SWITCH_S)
            if switches:
                number += 1
                moments.append(sound.size - rig.player.remaining_frames)
                rig.job("/nemo/preset/next")

    before, xruns = histogram.read(times), rig.player.xruns
    output = rig.player.play(sound, during=during)
    counts = histogram.read(times) - before
    name = "a switch every two seconds" if switches else "no switch"
    jumps = [largest_jump(output[max(0, at - RATE // 2) : at + RATE]) for at in moments]
    return Span(name, counts, rig.player.xruns - xruns, len(moments), jumps)


@contextmanager
def rig_on_jack(options: list[str], home: Path, times: Path) -> Any:
    """Run the daemon on a JACK server of its own, with two outputs."""
    with jack_server(options):
        arguments = ("--output", "1,2", "--model", "clipper-lstm16")
        with harness.daemon("system", home, times, *arguments) as running:
            rig = Rig(running)
            try:
                yield rig
            except (RuntimeError, TimeoutError):
                print(running.text[-4000:], file=sys.stderr)
                raise
            finally:
                rig.close()


def page(alone: list[Alone], spans: list[Span], command: str) -> tuple[str, list[str]]:
    """Return the page and the aims that were missed."""
    own = max(one.jump for one in alone)
    worst = max((jump for span in spans for jump in span.jumps), default=0.0)
    still, moving = spans
    missed = [
        f"{one.board.name}: differs by {one.difference:.1e}"
        for one in alone
        if not one.difference <= TOLERANCE
    ]
    # An equal-power crossfade of two equal signals peaks at sqrt(2).
    if worst > np.sqrt(2.0) * own:
        missed.append(f"largest step {worst:.3f} with switches, {own:.3f} of the chains alone")
    if moving.counts.late > 1.5 * still.counts.late + 5:
        missed.append(f"late blocks: {moving.counts.late} with switches, {still.counts.late} idle")
    chains = harness.table(
        ("preset", "chain", "difference from render", "largest step"),
        [
            [
                one.board.name,
                " ".join(slot.name for slot in one.board.chain),
                f"{one.difference:.1e}",
                f"{one.jump:.3f}",
            ]
            for one in alone
        ],
        left=2,
    )
    rows = []
    for span in spans:
        shares = [1e6 * span.counts.quantile_s(share) for share in (0.5, 0.99, 0.999)]
        rows.append(
            [
                span.name,
                f"{span.counts.blocks:,}",
                str(span.switches),
                *(f"{us:.0f} ({us / harness.PERIOD_US:.0%})" for us in shares),
                str(span.counts.late),
                str(span.xruns),
                f"{max(span.jumps, default=own):.3f}",
            ]
        )
    heads = ("", "blocks", "switches", "p50 us", "p99", "p99.9", "late", "xruns", "largest step")
    verdict = "\n".join(f"- {text}" for text in missed) or "None."
    return (
        f"""# Chains on JACK: eight presets

Made by `{command}` on: {harness.machine()}.

Eight presets with different chains over the models and cabinets that ship, two outputs, {BLOCK}
frames at {RATE} Hz. Each was played alone through a JACK server that waits for its clients, and
compared with `nemod.render` of the same chain; the limit is {TOLERANCE:g}.

{chains}

Then the guitar phrase of the demo device through an ordinary JACK server. A switch is
`/nemo/preset/next`; what rings in delay and reverb goes on. The largest step between two samples is
that of the second and a half around each switch; a crossfade of two equal signals may reach the
square root of two times the step of a chain alone ({own:.3f}).

{harness.table(heads, rows)}

## Missed aims

{verdict}
""",
        missed,
    )


def main() -> int:
    """Measure; print the page, and write it where `--out` says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="with, and without switches")
    parser.add_argument("--out", type=Path, help="folder for pedalboard-jack.md")
    arguments = parser.parse_args()
    if shutil.which("jackd") is None:
        print("jackd is not installed", file=sys.stderr)
        return 1
    os.environ.setdefault("NO_COLOR", "1")
    once = phrase(RATE)
    looped = np.resize(once, round(arguments.seconds * RATE))
    piece = once[: round(PIECE_S * RATE)]
    with (
        Progress(console=Console(stderr=True)) as progress,
        harness.temporary_home() as (home, times),
    ):
        task = progress.add_task("chains alone", total=len(boards()))
        alone = []
        with rig_on_jack([*ORDINARY, "-S"], home, times) as rig:
            rig.save_all()
            for number, board in enumerate(boards()):
                alone.append(compare(rig, number, board, piece, _preset_file(home, number)))
                progress.advance(task)
        task = progress.add_task("switches", total=2.0 * arguments.seconds)
        spans = []
        with rig_on_jack([*ORDINARY], home, times) as rig:
            for switches in (False, True):
                rig.job("/nemo/preset/load", 0)
                time.sleep(SWITCH_S)
                spans.append(
                    switching(
                        rig,
                        times,
                        looped,
                        switches=switches,
                        advance=lambda step: progress.advance(task, step),
                    )
                )
    command = f"python tests/benchmarks/pedalboard.py --seconds {arguments.seconds:g}"
    text, missed = page(alone, spans, command)
    print(text)
    if arguments.out is not None:
        (arguments.out / "pedalboard-jack.md").write_text(text, encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
