"""Compares what is recorded behind a rig on an ALSA card with `nemod.render`, sample by sample.

It needs snd-aloop, whose two devices are the two ends of a cable: the engine plays a model on one
of them, as in the audio process; a player at the other one plays noise and records. What the engine
was given goes through `nemod.render`, and is rounded to the card's format; every sample of the
recording has to be equal to that.

    python -m tests.benchmarks.alsa_render MODEL [--rates 48000 ...] [--blocks 64 ...]
        [--formats S32_LE S16_LE] [--engine NAME] [--player NAME] [--prepare]

`--prepare` only compiles the programs that the run needs, into the cache.
"""

import argparse
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nemod.common import xla

xla.prepare()  # before jax compiles for the first time

from nemod.builder.build import build  # noqa: E402
from nemod.builder.offline import render  # noqa: E402
from nemod.common.errors import AudioError  # noqa: E402
from nemod.control.settings import Settings  # noqa: E402
from nemod.engine.devices.alsa import pcm  # noqa: E402
from nemod.engine.devices.alsa.formats import FORMATS, SampleFormat  # noqa: E402
from nemod.engine.devices.base import Block, Device  # noqa: E402
from nemod.engine.devices.duplex import Duplex  # noqa: E402
from nemod.engine.devices.factory import open_device  # noqa: E402
from nemod.engine.engine import Engine  # noqa: E402
from nemod.engine.ipc import DeviceRequest, PlayRig  # noqa: E402
from nemod.engine.loaded_rigs import LoadedRigs  # noqa: E402
from nemod.formats import load_model  # noqa: E402
from nemod.formats.model import Model  # noqa: E402

CABLE = "Loopback: Loopback PCM (card Loopback, device {})"
SOUND_S, REST_S = 0.3, 0.2
"""[s] Noise, and the silence after it, in which the last sample comes back."""
PLAYER_BLOCK = 512
TRIES = 4
"""How often a combination is tried while there are xruns in it."""

Sound = NDArray[np.float32]


class Case(NamedTuple):
    """A combination."""

    rate_hz: int
    block: int
    periods: int
    sample_format: SampleFormat

    def __str__(self) -> str:
        """As it is printed."""
        return f"{self.rate_hz} Hz, {self.block} x {self.periods}, {self.sample_format.name}"


class LiveRig:
    """The engine on a device; it keeps what it was given."""

    def __init__(self, model: Model, case: Case, name: str) -> None:
        built = build(model, case.rate_hz, case.block, Settings())
        self._rigs = LoadedRigs()
        self._rigs.load(
            PlayRig(
                rig_id=1,
                rig=pickle.dumps(built.shipped),
                rate_hz=case.rate_hz,
                block_frames=case.block,
            )
        )
        self._case = case
        self._request = DeviceRequest(
            name=name, rate_hz=case.rate_hz, block_frames=case.block, periods=case.periods
        )
        self.policy = built.policy
        self.inputs: list[Block] = []
        self.xruns = 0

    def start(self) -> Device:
        """Open the device and play the rig in its first state. Raises: AudioError."""
        self.inputs = []
        self._engine = Engine(self._case.rate_hz, self._case.block)
        self._engine.pending_rig = self._rigs.activate(1)
        device, _ = open_device(self._request)
        device.prepare()
        device.start(self._process)
        return device

    def _process(self, block: Block, out: Block, *, xrun: bool) -> None:
        """Thread: audio."""
        self.inputs.append(block.copy())
        self.xruns += xrun
        self._engine.process(block, out, xrun=xrun)


def sound(rate_hz: int) -> Sound:
    """Return noise that fades out, then silence."""
    count = round(SOUND_S * rate_hz)
    noise = np.random.default_rng(3).uniform(-0.5, 0.5, count) * np.linspace(1.0, 0.0, count)
    return np.concatenate([noise, np.zeros(round(REST_S * rate_hz))]).astype(np.float32)


def rounded(samples: Sound, sample_format: SampleFormat) -> Sound:
    """Return samples as they come back from a card, as float32; in float64 arithmetic."""
    full = 2.0 ** (sample_format.bits - 1)
    whole = np.clip(np.rint(samples.astype(np.float64) * full), -full, full - 1.0)
    return (whole / full).astype(np.float32)


def lag(recorded: Sound, expected: Sound) -> int:
    """Return the frame of `expected` at which `recorded` begins."""
    size = 1 << (recorded.size + expected.size).bit_length()
    spectrum = np.fft.rfft(expected, size) * np.fft.rfft(recorded, size).conj()
    return int(np.argmax(np.fft.irfft(spectrum, size)[: expected.size]))


class Take(NamedTuple):
    """What went into the rig and what was recorded behind it."""

    heard: Sound
    recorded: Sound
    latency_frames: int
    xruns: int


def take(live: LiveRig, case: Case, player_name: str) -> Take:
    """Play and record once. Raises: AudioError."""
    device = live.start()
    try:
        request = DeviceRequest(name=player_name, rate_hz=case.rate_hz, block_frames=PLAYER_BLOCK)
        with Duplex(request) as player:
            # Only xruns while it plays matter; opening the other end may cause one.
            live.xruns = 0
            done = player.play_and_record(sound(case.rate_hz))
        latency = round(device.latency_s * case.rate_hz)
    finally:
        device.close()
    return Take(np.concatenate(live.inputs), done.recorded, latency, done.xruns + live.xruns)


def differences(done: Take, expected: Sound) -> tuple[int, str]:
    """Return how many samples of the recording differ from what is expected, and a text."""
    at = lag(done.recorded, expected)
    count = min(done.recorded.size, expected.size - at)
    recorded, expected = done.recorded[:count], expected[at : at + count]
    differ = int(np.count_nonzero(recorded != expected))
    largest = float(np.abs(recorded.astype(np.float64) - expected).max())
    return differ, (
        f"{differ} of {count} samples differ ({np.count_nonzero(expected)} are not zero, peak "
        f"{np.abs(expected).max():.3f}, largest difference {largest:.1e})"
    )


def measure(model: Model, case: Case, engine_name: str, player_name: str) -> str:
    """Return the line of a case: of the first take that is equal, or of the last one.

    Several are made: one without an xrun was not equal, for a reason that is not known.
    Raises: AudioError.
    """
    live = LiveRig(model, case, engine_name)
    for number in range(1, TRIES + 1):
        done = take(live, case, player_name)
        text = f"{live.policy}, latency {done.latency_frames}, take {number}: {done.xruns} xruns, "
        if done.xruns:
            text += "not compared"
            continue
        played = render(model, done.heard, case.rate_hz, block=case.block)
        differ, result = differences(done, rounded(played, case.sample_format))
        text += result
        if not differ:
            break
    return text


def main(argv: Sequence[str] | None = None) -> None:
    """Compare and print."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("model", type=Path)
    made.add_argument("--rates", type=int, nargs="+", default=[44_100, 48_000, 96_000])
    made.add_argument("--blocks", type=int, nargs="+", default=[32, 64, 256, 1024])
    made.add_argument("--formats", nargs="+", default=["S32_LE"])
    made.add_argument("--periods", type=int, default=3)
    made.add_argument("--engine", default=CABLE.format(1))
    made.add_argument("--player", default=CABLE.format(0))
    made.add_argument("--prepare", action="store_true")
    given = made.parse_args(argv)
    model = load_model(given.model)
    for sample_format in (one for one in FORMATS if one.name in given.formats):
        pcm.FORMATS = (sample_format,)
        for rate_hz in given.rates:
            for block in given.blocks:
                case = Case(rate_hz, block, given.periods, sample_format)
                if given.prepare:
                    line = build(model, rate_hz, block, Settings()).policy
                else:
                    try:
                        line = measure(model, case, given.engine, given.player)
                    except AudioError as error:
                        line = str(error)
                print(f"{case}: {line}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
