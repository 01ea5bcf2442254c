"""The old rig of a crossfade on a second core, and what happens when that core has no time."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.engine import engine as engine_module
from nemod.engine.crossfade import Crossfade
from nemod.engine.engine import Engine
from nemod.engine.ipc import encode_panic
from nemod.engine.second_core import SecondCore
from tests.engine.rigs import BLOCK, FADE, FADE_BLOCKS, RATE_HZ, Amp, play, rig

Block = NDArray[np.float32]

PATIENT, IMPATIENT = 1e4, 0.0
"""Shares of the period: 13 s, so that a busy machine is no cause of a failure, and no time."""


class HeldAmp(Amp):
    """A rig that waits for the test's permission on every thread but the first."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go = threading.Event()
        self.may_go.set()
        self.has_begun = threading.Event()
        self.threads: set[int] = set()

    def __call__(
        self, weights: list[Any], controls: Block, state: list[Any], block: Block
    ) -> tuple[list[Any], Block]:
        self.threads.add(threading.get_ident())
        self.has_begun.set()
        assert self.may_go.wait(10.0)
        return super().__call__(weights, controls, state, block)


@pytest.fixture
def second_core() -> Iterator[SecondCore]:
    """A second core that is closed after the test."""
    made = SecondCore((BLOCK,))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return `patience(share)`: how long the engine waits; at first as long as it takes."""

    def wait(share: float) -> None:
        monkeypatch.setattr(engine_module, "WAIT_SHARE", share)

    wait(PATIENT)
    return wait


def started(second_core: SecondCore | None, amp: Amp, factor: float = 1.0, **fds: int) -> Engine:
    """Return an engine whose first rig, number 1, has faded in."""
    made = Engine(RATE_HZ, BLOCK, second_core=second_core, **fds)
    made.pending_rig = rig(1, factor, amp)
    play(made, FADE_BLOCKS + 1)
    return made


def sine(engine: Engine, first: int, blocks: int) -> Block:
    """Return the output for a sine of 220 Hz that goes on from block `first`."""
    frames = np.arange(first * BLOCK, (first + blocks) * BLOCK)
    sound = (0.5 * np.sin(2.0 * np.pi * 220.0 * frames / RATE_HZ)).astype(np.float32)
    out = np.empty_like(sound)
    for start in range(0, sound.size, BLOCK):
        engine.process(sound[start : start + BLOCK], out[start : start + BLOCK])
    return out


def test_the_sound_is_that_of_one_core(second_core: SecondCore) -> None:
    """To the bit, also for rigs that follow each other."""
    sounds = []
    for core in (None, second_core):
        engine = started(core, Amp(), 0.5)
        pieces = []
        for number, factor in ((2, 1.5), (3, -0.7), (4, 0.2)):
            engine.pending_rig = rig(number, factor)
            pieces.append(sine(engine, 100 * number, FADE_BLOCKS + 2))
        sounds.append(np.concatenate(pieces))
        assert [each.rig_id for each in engine.retired] == [1, 2, 3]
    assert np.array_equal(*sounds)


def test_only_the_old_rig_plays_there(second_core: SecondCore) -> None:
    """And on the audio thread until it is the old one; never after it has been retired."""
    old, new = HeldAmp(), HeldAmp()
    engine = started(second_core, old)
    assert old.threads == {threading.get_ident()}
    engine.pending_rig = rig(2, 1.0, new)
    play(engine, FADE_BLOCKS)
    assert len(old.threads) == 2
    assert new.threads == {threading.get_ident()}
    played = len(old.states)
    play(engine, 2)
    assert (played, [each.rig_id for each in engine.retired]) == (len(old.states), [1])


@pytest.mark.parametrize("blocks", [0, 1, FADE_BLOCKS // 2, FADE_BLOCKS - 1])
def test_without_time_the_fade_ends_early_and_without_a_click(
    second_core: SecondCore, patience: Callable[[float], None], blocks: int
) -> None:
    """Within one block, in steps no larger than those of the rigs and of the fade itself."""
    old = HeldAmp()
    engine = started(second_core, old)
    before = sine(engine, 0, 4)
    engine.pending_rig = rig(2, 0.4)
    fade = sine(engine, 4, blocks)
    old.may_go.clear()
    patience(IMPATIENT)
    ending = sine(engine, 4 + blocks, 1)
    after = sine(engine, 5 + blocks, 2)
    sound = np.concatenate([before, fade, ending, after])
    own = 0.5 * 2.0 * np.pi * 220.0 / RATE_HZ
    assert np.abs(np.diff(sound)).max() < own + 0.5 * np.pi / 2.0 / BLOCK
    alone = started(None, Amp(), 0.4)
    np.testing.assert_array_equal(after, sine(alone, 5 + blocks, 2))
    old.may_go.set()


def test_a_rig_that_is_still_being_played_is_not_retired(
    second_core: SecondCore, patience: Callable[[float], None]
) -> None:
    """It is not touched before its block has ended; other crossfades do without the core."""
    old = HeldAmp()
    engine = started(second_core, old)
    engine.pending_rig = rig(2)
    old.may_go.clear()
    old.has_begun.clear()
    patience(IMPATIENT)
    play(engine, 3)
    assert old.has_begun.wait(10.0)
    assert (list(engine.retired), [each.rig_id for each in engine.active_rigs]) == ([], [2])
    third = HeldAmp()
    engine.pending_rig = rig(3, 1.0, third)
    play(engine, FADE_BLOCKS + 1)
    engine.pending_rig = rig(4)
    play(engine, FADE_BLOCKS + 1)
    assert [each.rig_id for each in engine.retired] == [2, 3]
    assert third.threads == {threading.get_ident()}
    old.may_go.set()
    assert second_core.wait(time.perf_counter() + 10.0)
    play(engine, 1)
    assert [each.rig_id for each in engine.retired] == [2, 3, 1]


@pytest.mark.parametrize("damage", ["fails", "gives_nan"])
def test_a_fault_of_the_old_rig_is_muted(second_core: SecondCore, damage: str) -> None:
    """It restarts, and the crossfade goes on to its end."""
    old = Amp()
    engine = started(second_core, old)
    engine.pending_rig = rig(2, 0.0)
    play(engine, 2)
    setattr(old, damage, True)
    assert not play(engine, 1).any()
    setattr(old, damage, False)
    assert engine._faults == 1
    assert play(engine, 1).any()
    assert old.states[-1] == 0
    play(engine, FADE_BLOCKS)
    assert [each.rig_id for each in engine.retired] == [1]


def test_an_unexpected_error_there_does_not_end_the_thread(second_core: SecondCore) -> None:
    """As a rig whose sound has another length."""

    class Short(Amp):
        is_short = False

        def __call__(self, *arguments: Any) -> tuple[list[Any], Block]:
            state, samples = super().__call__(*arguments)
            return state, samples[5:] if self.is_short else samples

    amp = Short()
    engine = started(second_core, amp)
    amp.is_short = True
    for number in (2, 3):
        engine.pending_rig = rig(number)
        play(engine, FADE_BLOCKS + 1)
    assert [each.rig_id for each in engine.retired] == [1, 2]


def test_a_panic_ends_the_crossfade(
    second_core: SecondCore, pipe: Callable[[], tuple[int, int]]
) -> None:
    """Both rigs fade out, and the old one is retired when it plays no more."""
    read, write = pipe()
    old = Amp()
    engine = started(second_core, old, settings_fd=read)
    engine.pending_rig = rig(2)
    play(engine, 3)
    os.write(write, encode_panic())
    assert not play(engine, 10)[-BLOCK:].any()
    assert [each.rig_id for each in engine.retired] == [1]
    played = len(old.states)
    play(engine, 200)
    assert len(old.states) == played
    assert [each.rig_id for each in engine.active_rigs] == [2]


def test_stopping_during_a_crossfade_fades_both(second_core: SecondCore) -> None:
    """To silence."""
    engine = started(second_core, Amp())
    engine.pending_rig = rig(2)
    play(engine, 3)
    engine.stopping = True
    assert not play(engine, FADE_BLOCKS + 1)[FADE:].any()
    assert engine.is_stopped


def test_closing_waits_for_the_block_that_is_played() -> None:
    """And ends the thread; closing twice is once."""
    core = SecondCore((BLOCK,))
    amp = Amp()
    core.start(rig(1, 0.5, amp), np.ones(BLOCK, np.float32))
    core.close()
    core.close()
    assert amp.states == [0]
    assert not core._thread.is_alive()


def test_what_is_called_on_the_thread_first_has_ended_when_it_can_be_used() -> None:
    """There it takes its priority."""
    threads: list[int] = []
    core = SecondCore((BLOCK,), on_start=lambda: threads.append(threading.get_ident()))
    assert threads == [core._thread.ident]
    core.close()


def test_an_early_end_has_the_power_of_a_crossfade() -> None:
    """Equal power over one block, for an old rig that plays on as its last block backwards."""
    fade = Crossfade(RATE_HZ, BLOCK)
    fade.start()
    for _ in range(10):
        fade.mix(np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32))
        fade.advance(BLOCK)
    begun = 10 * BLOCK / FADE
    phase = (begun + (1.0 - begun) * (np.arange(BLOCK) + 1.0) / BLOCK) * np.pi / 2.0
    last = np.sin(np.arange(BLOCK) / 5.0).astype(np.float32)
    out = np.zeros(BLOCK, np.float32)
    fade.end_early(out, last)
    np.testing.assert_allclose(out, np.cos(phase) * last[::-1].astype(np.float64), atol=1e-6)
    assert out[-1] == 0.0
    assert not fade.is_active
