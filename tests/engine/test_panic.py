"""Panic: silence within 10 ms, empty delay lines, and then the rig plays on."""

import os
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.builder.build import build
from nemod.builder.filled_chain import clean
from nemod.control.settings import Settings
from nemod.engine.active_rig import SETTLE_S, ActiveRig
from nemod.engine.engine import Engine
from nemod.engine.ipc import encode_panic, encode_settings
from nemod.engine.panic import FADE_S
from tests.engine.rigs import BLOCK, FADE_BLOCKS, RATE_HZ, Amp, play, playing, rig, rise

Pipe = Callable[[], tuple[int, int]]

PANIC_FRAMES = round(FADE_S * RATE_HZ)
PANIC_BLOCKS = -(-PANIC_FRAMES // BLOCK)
SETTLE_BLOCKS = round(SETTLE_S * RATE_HZ / BLOCK) + 1
WITHIN_FRAMES = round(0.01 * RATE_HZ)


@pytest.fixture
def settings(pipe: Pipe) -> tuple[int, int]:
    """Read and write end of the settings pipe."""
    return pipe()


def fall(frames: int) -> NDArray[np.float64]:
    """Return the fade-out of a panic, a quarter of a cosine, then 0, in float64."""
    done = (np.arange(frames) + 1) / PANIC_FRAMES
    return np.cos(np.minimum(done, 1.0) * np.pi / 2)


def test_the_sound_fades_to_exact_silence(settings: tuple[int, int]) -> None:
    """Along a quarter of a cosine, which is steepest at its end."""
    read, write = settings
    engine = playing(settings_fd=read)
    os.write(write, encode_panic())
    out = play(engine, PANIC_BLOCKS + SETTLE_BLOCKS)
    np.testing.assert_allclose(out, 0.5 * fall(out.size), atol=1e-6)
    assert not out[PANIC_FRAMES - 1 :].any()
    assert PANIC_FRAMES + BLOCK <= WITHIN_FRAMES


def test_the_rig_fades_in_again_from_its_first_state(settings: tuple[int, int]) -> None:
    """After it has played silence unheard, so that its knobs have reached their positions."""
    read, write = settings
    amp = Amp()
    engine = playing(amp, settings_fd=read)
    os.write(write, encode_panic())
    play(engine, PANIC_BLOCKS)
    before = len(amp.states)
    assert not play(engine, SETTLE_BLOCKS).any()
    assert amp.states[before:] == list(range(SETTLE_BLOCKS))
    np.testing.assert_allclose(play(engine, FADE_BLOCKS + 1), 0.5 * rise(), atol=1e-6)


def test_settings_that_arrive_with_a_panic_are_effective_after_it(
    settings: tuple[int, int],
) -> None:
    """As the mute that the control side sets."""
    read, write = settings
    engine = playing(settings_fd=read)
    os.write(write, encode_settings(1, np.array([0.0], np.float32)) + encode_panic())
    play(engine, PANIC_BLOCKS)
    assert not play(engine, 2 * SETTLE_BLOCKS).any()


def test_a_panic_during_a_crossfade_ends_it(settings: tuple[int, int]) -> None:
    """Both rigs fade out; the old one is dropped, and the new one plays on."""
    read, write = settings
    engine = playing(settings_fd=read)
    engine.pending_rig = rig(2, 0.25)
    start = play(engine, 3)
    os.write(write, encode_panic())
    out = play(engine, PANIC_BLOCKS + SETTLE_BLOCKS)
    assert not out[PANIC_FRAMES - 1 :].any()
    # The fades of the panic and of the crossfade, both at their steepest.
    steepest = 0.5 * (np.pi / 2) * (1.0 / PANIC_FRAMES + 2.0 / 1440)
    assert np.abs(np.diff(np.concatenate([start[-1:], out]))).max() < steepest
    assert [each.rig_id for each in engine.retired] == [1]
    assert [each.rig_id for each in engine.active_rigs] == [2]
    np.testing.assert_allclose(play(engine, FADE_BLOCKS + 1), 0.125 * rise(), atol=1e-6)


def test_a_second_panic_during_the_first_changes_nothing(settings: tuple[int, int]) -> None:
    """Neither while it fades nor while it is silent."""
    read, write = settings
    engine = playing(settings_fd=read)
    outputs = []
    os.write(write, encode_panic())
    for blocks in (2, PANIC_BLOCKS, SETTLE_BLOCKS - 2):
        outputs.append(play(engine, blocks))
        if len(outputs) < 3:
            os.write(write, encode_panic())
    out = np.concatenate(outputs)
    np.testing.assert_allclose(out, 0.5 * fall(out.size), atol=1e-6)
    assert play(engine, FADE_BLOCKS + 1)[-1] == 0.5


def test_a_panic_after_a_panic_fades_out_from_where_the_sound_is(
    settings: tuple[int, int],
) -> None:
    """In the fade-in; the rig has no reserve state until the helper thread has refilled it."""
    read, write = settings
    amp = Amp()
    engine = playing(amp, settings_fd=read)
    (current,) = engine.active_rigs
    os.write(write, encode_panic())
    play(engine, PANIC_BLOCKS + SETTLE_BLOCKS)
    assert current.reserve_state is None
    rising = play(engine, 5)
    os.write(write, encode_panic())
    out = play(engine, PANIC_BLOCKS)
    steepest = 0.5 * (np.pi / 2) * (1.0 / PANIC_FRAMES + 1.0 / 1440)
    assert np.abs(np.diff(np.concatenate([rising, out]))).max() < steepest
    played = len(amp.states)
    assert not play(engine, 2 * SETTLE_BLOCKS).any()
    assert len(amp.states) == played
    current.reserve_state = [np.zeros(1, np.int64)]
    assert not play(engine, SETTLE_BLOCKS).any()
    assert amp.states[played:] == list(range(SETTLE_BLOCKS))
    assert play(engine, FADE_BLOCKS + 1)[-1] == 0.5


def test_a_panic_without_a_rig_is_over_at_once(settings: tuple[int, int]) -> None:
    """The first rig starts as always."""
    read, write = settings
    engine = Engine(RATE_HZ, BLOCK, settings_fd=read)
    os.write(write, encode_panic())
    assert not play(engine, PANIC_BLOCKS).any()
    engine.pending_rig = rig(1)
    np.testing.assert_allclose(play(engine, FADE_BLOCKS + 1), 0.5 * rise(), atol=1e-6)


def test_a_rig_that_arrives_during_a_panic_takes_the_place_of_the_silent_one(
    settings: tuple[int, int],
) -> None:
    """It starts with its knobs at their positions, after a silence of its own."""
    read, write = settings
    amp = Amp()
    engine = playing(settings_fd=read)
    os.write(write, encode_panic())
    play(engine, PANIC_BLOCKS + 20)
    engine.pending_rig = rig(2, 0.25, amp)
    assert not play(engine, SETTLE_BLOCKS).any()
    assert amp.states == list(range(SETTLE_BLOCKS))
    assert [each.rig_id for each in engine.active_rigs] == [2]
    assert [each.rig_id for each in engine.retired] == [1]
    np.testing.assert_allclose(play(engine, FADE_BLOCKS + 1), 0.125 * rise(), atol=1e-6)


def test_a_rig_that_keeps_failing_after_a_panic_can_be_replaced(
    settings: tuple[int, int],
) -> None:
    """It never gets to the end of its silence."""
    read, write = settings
    amp = Amp()
    engine = playing(amp, settings_fd=read)
    os.write(write, encode_panic())
    play(engine, PANIC_BLOCKS)
    amp.fails = True
    play(engine, 3 * SETTLE_BLOCKS)
    engine.pending_rig = rig(2, 0.25)
    play(engine, SETTLE_BLOCKS + FADE_BLOCKS + 1)
    assert (play(engine, 1) == 0.125).all()


@pytest.mark.parametrize("block", [32, 65, 1024, 4096])
def test_a_panic_fits_any_block(block: int, pipe: Pipe) -> None:
    """Shorter and longer than its fade and its silence."""
    read, write = pipe()
    engine = Engine(RATE_HZ, block, settings_fd=read)
    engine.pending_rig = rig(1)
    ones = np.full(block, 0.5, np.float32)

    def sound(frames: int) -> NDArray[np.float32]:
        outputs = []
        for _ in range(-(-frames // block)):
            out = np.empty(block, np.float32)
            engine.process(ones, out)
            outputs.append(out)
        return np.concatenate(outputs)

    assert sound(RATE_HZ // 10)[-1] == 0.5
    os.write(write, encode_panic())
    out = sound(PANIC_FRAMES)
    np.testing.assert_allclose(out, 0.5 * fall(out.size), atol=1e-6)
    assert not out[PANIC_FRAMES - 1 :].any()
    settle = (round(SETTLE_S * RATE_HZ / block) + 1) * block
    assert not sound(settle).any()
    assert sound(RATE_HZ // 10)[-1] == 0.5


def test_no_echo_of_what_was_played_before_is_left(settings: tuple[int, int]) -> None:
    """With a real rig, unmuted long after the panic: the delay lines are empty."""
    read, write = settings
    positions = {"delay/mix": 1.0, "delay/feedback": 0.9, "delay/time": 0.6, "reverb/mix": 1.0}
    built = build(clean(), RATE_HZ, BLOCK, Settings(positions))
    muted = Settings(positions | {"mute": 1.0}).vector(built.layout)
    engine = Engine(RATE_HZ, BLOCK, settings_fd=read)
    engine.pending_rig = ActiveRig(1, built.loaded)
    play(engine, 200, 0.3)
    os.write(write, encode_settings(1, muted) + encode_panic())
    out = play(engine, PANIC_BLOCKS, 0.3)
    assert not out[PANIC_FRAMES - 1 :].any()
    # Also the guitar that goes on during the panic must not get into the delay lines.
    assert not play(engine, SETTLE_BLOCKS, 0.3).any()
    assert not play(engine, 20, 0.0).any()
    os.write(write, encode_settings(1, built.loaded.controls))
    assert not play(engine, 1000, 0.0).any()
    assert np.abs(play(engine, 1, 0.3)).max() > 0.2
