"""Echoes and reverberation ring out after a change of rig, with real rigs in the engine."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from nemod.builder.build import BuiltRig, build
from nemod.builder.filled_chain import clean
from nemod.control.settings import Settings
from nemod.engine.active_rig import ActiveRig
from nemod.engine.engine import Engine
from nemod.engine.tails import Destination, layout_of
from nemod.fx.tools.ring import FADE_S as TAP_FADE_S
from tests.engine.conftest import tiny
from tests.engine.rigs import BLOCK, FADE_BLOCKS

Sound = NDArray[np.float32]

WET = {
    "delay/mix": 0.7,
    "delay/time": 0.3,
    "delay/feedback": 0.6,
    "reverb/mix": 0.5,
    "reverb/size": 0.6,
}
DRY = WET | {"delay/mix": 0.0, "reverb/mix": 0.0}
NOTE_S = 0.4
TAIL_S = 0.6


@cache
def rig_of(kind: str, rate_hz: int, positions: tuple[tuple[str, float], ...]) -> BuiltRig:
    """Return a rig, as the builder makes it, whose model adds nothing to silence."""
    if kind == "clean":
        return build(clean(), rate_hz, BLOCK, Settings(dict(positions)))
    model = replace(tiny(), sample_rate=48_000)
    built = build(model, rate_hz, BLOCK, Settings(dict(positions)))
    assert built.policies["model"] == "resample"
    return built


def active(
    number: int, positions: Mapping[str, float], rate_hz: int = 48_000, kind: str = "clean"
) -> ActiveRig:
    return ActiveRig(number, rig_of(kind, rate_hz, tuple(positions.items())).loaded)


def note(rate_hz: int) -> Sound:
    """Noise for `NOTE_S`, then silence for `TAIL_S`, in whole blocks."""
    rng = np.random.default_rng(4)
    blocks = round((NOTE_S + TAIL_S) * rate_hz / BLOCK)
    sound = np.zeros(blocks * BLOCK, np.float32)
    loud = round(NOTE_S * rate_hz / BLOCK) * BLOCK
    sound[:loud] = rng.uniform(-0.3, 0.3, loud)
    return sound


def played(
    engine: Engine, sound: Sound, at: Mapping[int, Callable[[Engine], None]] | None = None
) -> Sound:
    """Return the output; `at` has what is done before which block."""
    out = np.empty_like(sound)
    for number, start in enumerate(range(0, sound.size, BLOCK)):
        if at and number in at:
            at[number](engine)
        engine.process(sound[start : start + BLOCK], out[start : start + BLOCK])
    return out


def level_db(sound: Sound, window: int) -> NDArray[np.float64]:
    """Return the level of each window of the sound."""
    pieces = sound[: sound.size // window * window].reshape(-1, window).astype(np.float64)
    return 10.0 * np.log10(np.mean(pieces**2, axis=1))


def switched(
    new: ActiveRig, rate_hz: int = 48_000, after_s: float = 0.02
) -> tuple[Sound, Sound, slice]:
    """Return the output without and with a change of rig in the tail, and the tail's frames.

    The change begins `after_s` after the note.
    """
    sound = note(rate_hz)
    change = round((NOTE_S + after_s) * rate_hz / BLOCK)

    def switch(engine: Engine) -> None:
        engine.pending_rig = new

    outputs = []
    for at in ({}, {change: switch}):
        engine = Engine(rate_hz, BLOCK)
        engine.pending_rig = active(1, WET, rate_hz)
        outputs.append(played(engine, sound, at))
        assert engine.active_rigs[0].rig_id == (2 if at else 1)
    return outputs[0], outputs[1], slice(change * BLOCK, sound.size)


def test_the_tail_goes_on_through_the_next_rig() -> None:
    """With the same settings it does not change at all.

    The DC blocker before the delay starts anew, so it must have forgotten the note, to -90 dB.
    """
    still, changed, tail = switched(active(2, WET), after_s=0.3)
    assert np.abs(still[tail]).max() > 0.02
    np.testing.assert_allclose(changed, still, atol=1e-5)


@pytest.mark.parametrize("kind", ["clean", "resampled"])
def test_the_tail_keeps_its_level_when_the_next_preset_is_dry(kind: str) -> None:
    """Within 1 dB in windows of 5 ms, during the crossfade and after it."""
    rate_hz = 48_000 if kind == "clean" else 44_100
    still, changed, tail = switched(active(2, DRY, rate_hz, kind), rate_hz)
    window = round(0.005 * rate_hz)
    difference = level_db(changed[tail], window) - level_db(still[tail], window)
    assert np.abs(difference).max() < 1.0
    assert np.abs(still[tail]).max() > 0.05


def test_a_resampled_rig_leaves_its_tail_to_the_next() -> None:
    """Its delay lines are in the part after the model."""
    rate_hz = 44_100
    sound = note(rate_hz)
    change = round((NOTE_S + 0.02) * rate_hz / BLOCK)
    outputs = []
    for number in (1, 2):
        engine = Engine(rate_hz, BLOCK)
        engine.pending_rig = active(1, WET, rate_hz, "resampled")
        nxt = active(2, DRY, rate_hz)

        def switch(engine: Engine, nxt: ActiveRig = nxt) -> None:
            engine.pending_rig = nxt

        outputs.append(played(engine, sound, {change: switch} if number == 2 else None))
    tail = slice(change * BLOCK, sound.size)
    window = round(0.005 * rate_hz)
    difference = level_db(outputs[1][tail], window) - level_db(outputs[0][tail], window)
    assert np.abs(difference).max() < 1.0


def test_a_dry_rig_sends_nothing_into_the_lines() -> None:
    """A note after the change has no echo: the tail alone is added to it."""
    rate_hz = 48_000
    sound = note(rate_hz)
    change = round((NOTE_S + 0.02) * rate_hz / BLOCK)
    later = sound.copy()
    start = (change + FADE_BLOCKS + 5) * BLOCK
    later[start : start + BLOCK] = 0.1
    outputs = []
    for each in (sound, later):
        engine = Engine(rate_hz, BLOCK)
        engine.pending_rig = active(1, WET)

        def switch(engine: Engine) -> None:
            engine.pending_rig = active(2, DRY)

        outputs.append(played(engine, each, {change: switch}))
    # Where the DC blocker, which is all that remembers the note, has forgotten it to -80 dB.
    np.testing.assert_allclose(
        outputs[1][start + round(0.2 * rate_hz) :],
        outputs[0][start + round(0.2 * rate_hz) :],
        atol=1e-4,
    )


def test_another_delay_time_is_reached_by_a_crossfade_of_the_tap() -> None:
    """The next rig starts with the old one's delay and moves to its own without a click."""
    rate_hz = 48_000
    n = np.arange(round(1.0 * rate_hz / BLOCK) * BLOCK)
    sound = (0.2 * np.sin(2.0 * np.pi * 220.0 * n / rate_hz)).astype(np.float32)
    quiet = WET | {"delay/feedback": 0.0, "reverb/mix": 0.0}

    def switch(engine: Engine) -> None:
        engine.pending_rig = active(2, quiet | {"delay/time": 0.2})

    engine = Engine(rate_hz, BLOCK)
    engine.pending_rig = active(1, quiet)
    out = played(engine, sound, {500: switch})[400 * BLOCK :]
    sine_step = 2.0 * np.sin(np.pi * 220.0 / rate_hz)
    # The dry sine and its echo; the fades of the rigs and of the tap, at their steepest.
    allowed = 0.2 * 1.7 * sine_step + 0.2 * 0.7 * 2.0 * 1.5 / (TAP_FADE_S * rate_hz)
    allowed += 0.2 * 1.7 * (np.pi / 2.0) / (0.03 * rate_hz)
    assert np.abs(np.diff(out)).max() < allowed


def test_a_rig_that_restarts_has_no_tail() -> None:
    """After a fault the old rig may have no state; the next one starts as it is."""
    old, new = active(1, WET), active(2, WET)
    old.state = old.reserve_state = None
    new.continue_tails(old)
    assert new.state is not None
    assert not new._tails(new.state)["delay/delay"][0].read().any()


def test_tails_of_another_layout_are_left_alone() -> None:
    """As those of a rig for another rate, or of an effect that only one of the rigs has."""
    low, high = active(1, WET, 44_100), active(2, WET)
    assert low.state is not None
    assert high.state is not None
    theirs, mine = low._tails(low.state), high._tails(high.state)
    assert set(mine) == {"gate/gate", "comp/compressor", "delay/delay", "reverb/reverb"}
    Destination.of(mine).fill(theirs, layout_of(theirs))
    Destination.of(mine).fill({}, {})
    assert not mine["delay/delay"][0].read().any()


def test_a_settled_rig_gets_the_tail_too() -> None:
    """Its program may have moved the state to other buffers."""
    new = active(2, DRY)
    controls = rig_of("clean", 48_000, tuple(DRY.items())).loaded.controls
    new.play_silence(controls, BLOCK, 20)
    still, changed, tail = switched(new)
    window = 240
    difference = level_db(changed[tail], window) - level_db(still[tail], window)
    assert np.abs(difference).max() < 1.0


def test_the_reserve_state_stays_empty() -> None:
    """A rig that restarts after a fault is silent, not in the middle of an old echo."""
    new = active(2, WET)
    switched(new)
    assert new.reserve_state is not None
    assert not new._tails(new.reserve_state)["delay/delay"][0].read().any()
