"""Two outputs: the rig, the engine around it, and what it plays into."""

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

import nemod
from nemod.builder.build import BuiltRig, build
from nemod.builder.filled_chain import FilledChain
from nemod.chain import Chain, Slot, read_chain
from nemod.control.settings import Settings
from nemod.engine.active_rig import ActiveRig, LoadedRig
from nemod.engine.chain import Content
from nemod.engine.engine import Engine
from nemod.engine.ipc import PlayRig, TelemetryRecord, encode_panic
from nemod.engine.loaded_rigs import LoadedRigs
from nemod.engine.parts import rig_parts
from nemod.engine.rig import AnyRigSpec
from tests.engine.conftest import RATE_HZ, tiny
from tests.engine.rigs import BLOCK, FADE_BLOCKS, Amp, Block, records, rise

Sound = NDArray[np.float32]
Pipe = Callable[[], tuple[int, int]]

EFFECTS = {"gain": 0.6, "bass": 0.7, "delay/mix": 0.5, "delay/time": 0.3, "reverb/mix": 0.4}
EFFECTS["output"] = 0.2  # so that the limiter has nothing to do
FLAT = {"delay/mix": 0.0, "reverb/mix": 0.0}


# --- the rig -------------------------------------------------------------------------------------


def test_only_the_part_after_the_model_has_two_channels() -> None:
    """The controls are the same; what stands before the model is built in one way only."""
    content = Content(models={"model": tiny()})
    one, two = (rig_parts(content, RATE_HZ, outputs=outputs) for outputs in (1, 2))
    assert [part.paths for part in one] == [part.paths for part in two]
    for part, other in zip(one, two, strict=True):
        assert (shapes(part.spec) == shapes(other.spec)) == (part is not one[-1])


def shapes(part: AnyRigSpec) -> list[tuple[int, ...]]:
    """Return the shapes of the state of a part."""
    controls = np.zeros(len(part.layout), np.float32)
    state = jax.eval_shape(part.init, part.weights, controls)
    return [leaf.shape for leaf in jax.tree.leaves(state)]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("model", "eq", "delay", "reverb"), ["dc_blocker", "eq", "|", "delay", "reverb"]),
        (
            ("model", "reverb", "comp", "delay"),
            ["dc_blocker", "|", "reverb", "compressor", "delay"],
        ),
        (("delay", "model", "eq"), ["dc_blocker", "eq", "gain:level", "gain:output", "|"]),
    ],
)
def test_the_first_effect_behind_the_model_that_makes_two_channels_does(
    kinds: tuple[str, ...], expected: list[str]
) -> None:
    """From there on everything is in stereo; without one both outputs get the same at the end."""
    chain = Chain(tuple(Slot(name=kind, kind=kind) for kind in kinds))
    content = Content(chain=chain, models={"model": tiny()})
    one, two = (rig_parts(content, RATE_HZ, outputs=outputs) for outputs in (1, 2))
    names = [name.replace("both_channels", "|") for name, *_ in two[-1].signature[2]]
    assert names[: len(expected)] == expected
    assert [name for name in names if name != "|"] == [name for name, *_ in one[-1].signature[2]]
    assert two[-1].signature != one[-1].signature


@pytest.fixture(scope="module")
def stereo(guitar: Sound) -> Sound:
    """What a rig with two outputs makes of the guitar, every effect on."""
    return nemod.render(tiny(), guitar, RATE_HZ, settings=EFFECTS, outputs=2)


def test_two_outputs_differ_and_their_sum_is_the_single_one(stereo: Sound, guitar: Sound) -> None:
    """Of the wet sound of the delay and of the reverb, each alone, divided by sqrt(2)."""
    assert stereo.shape == (guitar.size, 2)
    assert np.abs(stereo[:, 0] - stereo[:, 1]).max() > 0.001
    dry = nemod.render(tiny(), guitar, RATE_HZ, settings=EFFECTS | FLAT)
    for other in ("delay/mix", "reverb/mix"):
        settings = EFFECTS | {other: 0.0}
        one = nemod.render(tiny(), guitar, RATE_HZ, settings=settings)
        two = nemod.render(tiny(), guitar, RATE_HZ, settings=settings, outputs=2)
        wet = (two - dry[:, None]).sum(axis=1) / np.sqrt(2.0)
        np.testing.assert_allclose(wet, one - dry, atol=2e-6)


def test_without_delay_and_reverb_both_outputs_are_the_single_one(guitar: Sound) -> None:
    """To the rounding of another program."""
    one = nemod.render(tiny(), guitar, RATE_HZ, settings=EFFECTS | FLAT)
    two = nemod.render(tiny(), guitar, RATE_HZ, settings=EFFECTS | FLAT, outputs=2)
    assert np.array_equal(two[:, 0], two[:, 1])
    np.testing.assert_allclose(two[:, 0], one, atol=1e-6)


@pytest.mark.long
def test_two_outputs_do_not_depend_on_the_block(stereo: Sound, guitar: Sound) -> None:
    """Nor does a last block that is not full lose a frame."""
    cut = nemod.render(tiny(), guitar, RATE_HZ, settings=EFFECTS, outputs=2, block=100)
    np.testing.assert_allclose(cut, stereo, atol=1e-5)


def test_bypass_gives_the_dry_sound_to_both(guitar: Sound) -> None:
    """Bit for bit."""
    settings = EFFECTS | {"bypass": 1.0}
    out = nemod.render(tiny(), guitar, RATE_HZ, settings=settings, outputs=2)
    assert np.array_equal(out, np.stack([guitar, guitar], axis=1))


@pytest.mark.long
def test_a_resampled_rig_has_two_outputs_too(guitar: Sound) -> None:
    """Its last part alone; flat, both are what one output is."""
    model = replace(tiny("GRU"), sample_rate=44_100, rate_follows_device=False)
    sound = guitar[:1000]
    one = nemod.render(model, sound, RATE_HZ, settings=FLAT)
    two = nemod.render(model, sound, RATE_HZ, settings=FLAT, outputs=2)
    np.testing.assert_allclose(two, np.stack([one, one], axis=1), atol=1e-6)


def test_the_tail_ends_where_both_outputs_are_silent() -> None:
    """An echo every 100 ms, left and right in turn, each 0.3 times the one before.

    The first is as loud as the sound, so the eighth, -85 dBFS, is the last above -90: on the right.
    """
    sound = np.zeros(100, np.float32)
    sound[:2] = 0.25, -0.25  # the sum is 0, so that the DC blocker adds nothing
    settings = {
        "delay/mix": 1.0,
        "delay/time": float(np.log(100.0) / np.log(2000.0)),
        "delay/feedback": 0.3 / 0.95,
    }
    delay = FilledChain(chain=read_chain(["delay"]))
    out = nemod.render(delay, sound, RATE_HZ, settings=settings, outputs=2, tail="auto")
    assert abs(len(out) - 8 * 4_800) < 480
    left, right = np.abs(out[-480:]).max(axis=0)
    assert left < 10 ** (-90.0 / 20.0) <= right


@pytest.mark.long
def test_a_chain_has_two_channels_behind_its_last_mono_effect(guitar: Sound) -> None:
    """A delay in front of a cabinet or in a branch stays mono, one behind them does not."""
    delays = ["delay", {"split": {"a": ["delay2"]}}, "delay3", "eq", "reverb"]
    chain = read_chain(delays)
    parts = rig_parts(Content(chain=chain), RATE_HZ, outputs=2)
    states = [shapes(part.spec) for part in parts]
    one = [shapes(part.spec) for part in rig_parts(Content(chain=chain), RATE_HZ)]
    assert [a == b for a, b in zip(states, one, strict=True)] == [True] * (len(one) - 1) + [False]
    settings = {f"{slot}/mix": 0.5 for slot in ("delay", "delay2")} | {"bass": 0.7}
    filled = FilledChain(chain=chain)
    mono = nemod.render(filled, guitar[:800], RATE_HZ, settings=settings)
    two = nemod.render(filled, guitar[:800], RATE_HZ, settings=settings, outputs=2)
    np.testing.assert_allclose(two, np.stack([mono, mono], axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"outputs": 3}, r"outputs 3: 1 and 2 \(left and right\) are allowed"),
        ({"outputs": 0}, "outputs 0"),
        ({"outputs": 2, "model_only": True}, "a model alone has one output"),
    ],
)
def test_outputs_that_there_are_not_are_refused(wanted: dict[str, Any], text: str) -> None:
    """Before anything is built."""
    with pytest.raises(ValueError, match=text):
        nemod.render(tiny(), np.zeros(10), RATE_HZ, **wanted)


# --- in the audio process ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built() -> BuiltRig:
    return build(tiny(), RATE_HZ, BLOCK, Settings({"reverb/mix": 0.5}), outputs=2)


def test_a_loaded_rig_is_checked_for_its_outputs(built: BuiltRig) -> None:
    """One with two is not taken for one with one, and the device has to fit."""
    request = PlayRig(
        rig_id=1, rig=pickle.dumps(built.shipped), rate_hz=RATE_HZ, block_frames=BLOCK, outputs=2
    )
    rigs = LoadedRigs()
    rigs.load(request)
    assert rigs.fits(1, RATE_HZ, BLOCK, 2)
    assert not rigs.fits(1, RATE_HZ, BLOCK, 1)
    with pytest.raises(ValueError, match="has shape"):
        rigs.load(replace(request, outputs=1))


def test_delay_and_reverb_ring_out_into_the_next_rig(built: BuiltRig) -> None:
    """The lines of both channels are taken over as they are."""
    old, new = ActiveRig(1, built.loaded), ActiveRig(2, built.loaded)
    block = np.random.default_rng(1).uniform(-0.5, 0.5, BLOCK).astype(np.float32)
    for _ in range(3):
        old.state, _ = old.call(old.weights, old.controls, old.state, block)
    new.continue_tails(old)
    found = [built.loaded.tails(rig.state) for rig in (old, new)]
    assert {"delay/delay", "reverb/reverb"} <= set(found[0])
    for name in ("delay/delay", "reverb/reverb"):
        pairs = zip(*(tails[name] for tails in found), strict=True)
        assert all(np.array_equal(one.read(), other.read()) for one, other in pairs)
    assert any(tail.read().any() for tail in found[1]["delay/delay"])


class Sides(Amp):
    """A rig that multiplies by its first control on the left and its second on the right."""

    def __call__(
        self, weights: list[Any], controls: Block, state: list[Any], block: Block
    ) -> tuple[list[Any], Block]:
        out = np.concatenate([controls[0] * block, controls[1] * block])
        if self.gives_nan:
            out[BLOCK + 3] = np.nan
        peaks = [np.abs(block).max(), np.abs(out).max(), np.abs(out).sum()]
        return [state[0] + 1], np.concatenate([out, np.array(peaks, np.float32)])


def rig(number: int, left: float, right: float, amp: Sides | None = None) -> ActiveRig:
    loaded = LoadedRig(
        call=amp or Sides(),
        weights=[],
        controls=np.array([left, right], np.float32),
        fresh=lambda: [np.zeros(1, np.int64)],
    )
    return ActiveRig(number, loaded)


def play(engine: Engine, blocks: int) -> Block:
    """Return the output [2, frames] for a constant input of 0.5."""
    outputs = []
    for _ in range(blocks):
        out = np.full((2, BLOCK), 9.0, np.float32)
        engine.process(np.full(BLOCK, 0.5, np.float32), out)
        outputs.append(out)
    return np.concatenate(outputs, axis=1)


def playing(left: float, right: float, amp: Sides | None = None, **fds: int) -> Engine:
    engine = Engine(RATE_HZ, BLOCK, outputs=2, **fds)
    engine.pending_rig = rig(1, left, right, amp)
    out = play(engine, FADE_BLOCKS + 1)
    np.testing.assert_allclose(out, 0.5 * np.array([[left], [right]]) * rise(), atol=1e-6)
    return engine


def test_both_outputs_crossfade_with_one_gain() -> None:
    """From left to right, two rigs that have nothing in common: sine and cosine."""
    engine = playing(1.0, 0.0)
    engine.pending_rig = rig(2, 0.0, 1.0)
    left, right = play(engine, FADE_BLOCKS + 1) / 0.5
    np.testing.assert_allclose(right, rise(), atol=1e-6)
    np.testing.assert_allclose(left**2 + right**2, 1.0, atol=1e-5)
    assert engine.frames_played == 2 * (FADE_BLOCKS + 1) * BLOCK
    assert [each.rig_id for each in engine.retired] == [1]


def test_the_correlation_of_a_crossfade_is_that_of_both_outputs() -> None:
    """Of two rigs that are equal on the left and opposite on the right it is 0."""
    engine = playing(0.5, 0.5)
    engine.pending_rig = rig(2, 0.5, -0.5)
    left, _ = play(engine, FADE_BLOCKS + 1) / 0.25
    new = rise()
    old = np.sqrt(np.maximum(1.0 - new**2, 0.0))
    np.testing.assert_allclose(left, new + old, atol=1e-3)


def test_the_recording_is_frame_by_frame(pipe: Pipe) -> None:
    """Left and right alternate, as in a file."""
    read, write = pipe()
    engine = playing(1.0, 0.5, recording_fd=write)
    os.read(read, 1 << 20)
    play(engine, 1)
    recorded = np.frombuffer(os.read(read, 1 << 20), np.float32)
    assert np.array_equal(recorded.reshape(BLOCK, 2), np.full((BLOCK, 2), [0.5, 0.25], np.float32))


def test_what_does_not_fit_into_the_pipe_counts_in_frames(pipe: Pipe) -> None:
    """Not in samples."""
    read, write = pipe()
    telemetry, end = pipe()
    engine = playing(1.0, 0.5, recording_fd=write, telemetry_fd=end)
    while True:
        try:
            os.write(write, bytes(4096))
        except BlockingIOError:
            break
    before = play_record(engine, telemetry).recording_lost
    assert play_record(engine, telemetry).recording_lost == before + BLOCK
    assert os.read(read, 1)


def play_record(engine: Engine, read: int) -> TelemetryRecord:
    """Play a block; return its telemetry."""
    engine._next_telemetry = 0.0
    play(engine, 1)
    engine._next_telemetry = float("inf")
    return records(read)[-1]


def test_the_meter_shows_the_louder_output_and_a_bad_sample_of_either_mutes(pipe: Pipe) -> None:
    """Both outputs; the rig restarts."""
    read, write = pipe()
    amp = Sides()
    engine = playing(0.25, 0.75, amp, telemetry_fd=write)
    play_record(engine, read)
    assert play_record(engine, read).peak_out == pytest.approx(0.375)
    amp.gives_nan = True
    assert not play(engine, 1).any()
    amp.gives_nan = False
    assert play_record(engine, read).faults == 1
    assert play(engine, 1)[1, -1] == np.float32(0.375)


def test_panic_and_stop_fade_both_outputs(pipe: Pipe) -> None:
    """To exact silence."""
    read, write = pipe()
    engine = playing(1.0, 0.5, settings_fd=read)
    os.write(write, encode_panic())
    out = play(engine, 12)
    assert out[:, 0].all()
    np.testing.assert_allclose(out[1], 0.5 * out[0], atol=1e-7)
    assert not out[:, 5 * 48 + BLOCK :].any()
    engine = playing(1.0, 0.5)
    engine.stopping = True
    out = play(engine, FADE_BLOCKS + 1)
    assert out[:, 0].all()
    assert not out[:, -BLOCK:].any()
    assert engine.is_stopped
