"""Loaded rigs: verification, activation, and what is kept of them."""

import pickle
import socket
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from nemod.builder.build import build
from nemod.control.settings import Settings
from nemod.engine.compiled_rig import CompiledRig
from nemod.engine.engine import Engine
from nemod.engine.ipc import PlayRig, PrepareRig
from nemod.engine.loaded_rigs import LoadedRigs
from nemod.engine.loading import load_part
from nemod.engine.process import Helper
from tests.engine.conftest import RATE_HZ, tiny

BLOCK = 64


@pytest.fixture(scope="module")
def compiled() -> CompiledRig:
    """A model alone: the quickest rig to compile."""
    shipped = build(tiny(), RATE_HZ, BLOCK, Settings(), model_only=True).shipped
    assert isinstance(shipped, CompiledRig)
    return shipped


def play_rig(rig: CompiledRig, number: int) -> PlayRig:
    return PlayRig(rig_id=number, rig=pickle.dumps(rig), rate_hz=RATE_HZ, block_frames=BLOCK)


def test_a_rig_is_loaded_and_activated(compiled: CompiledRig) -> None:
    """It has two states in buffers of their own; its bytes are not kept."""
    rigs = LoadedRigs()
    rigs.load(play_rig(compiled, 7))
    active = rigs.activate(7)
    assert active.rig_id == 7
    assert active.state is not None
    assert active.reserve_state is not None
    arrays = (*active.state.arrays, *active.reserve_state.arrays)
    pointers = [array.unsafe_buffer_pointer() for array in arrays]
    assert len(set(pointers)) == len(pointers)
    assert rigs.loaded[7][0].rig == b""


def test_rigs_of_one_program_load_it_once(compiled: CompiledRig) -> None:
    """It stays loaded after them."""
    rigs = LoadedRigs()
    for number in (1, 2):
        rigs.load(play_rig(compiled, number))
    rigs.keep_only({2})
    assert list(rigs.loaded) == [2]
    rigs.keep_only({})
    assert rigs.loaded == {}
    assert len(rigs.programs) == 1


def test_a_rig_that_was_never_taken_is_freed(compiled: CompiledRig) -> None:
    """Another one was offered while the engine was in a crossfade."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        helper = Helper(Engine(RATE_HZ, BLOCK), theirs, LoadedRigs())
        for number in (1, 2, 3):
            helper.load(play_rig(compiled, number))
        helper.maintain()
        assert list(helper.rigs.loaded) == [3]
        out = np.zeros(BLOCK, np.float32)
        helper.engine.process(np.zeros(BLOCK, np.float32), out)
        helper.maintain()
    assert list(helper.rigs.loaded) == [3]
    assert [rig.rig_id for rig in helper.engine.active_rigs] == [3]


def test_a_rig_with_a_non_finite_output_fails_its_verification(compiled: CompiledRig) -> None:
    """It is not kept."""
    rigs = LoadedRigs()
    bad = replace(compiled, weights=[np.full_like(leaf, np.nan) for leaf in compiled.weights])
    with pytest.raises(ValueError, match="not finite"):
        rigs.load(play_rig(bad, 1))
    assert rigs.loaded == {}


def test_a_prepared_rig_has_its_program_loaded(compiled: CompiledRig) -> None:
    """It is not one of the rigs that can be played."""
    rigs = LoadedRigs()
    rigs.prepare(PrepareRig(rig=pickle.dumps(compiled), block_frames=BLOCK))
    assert rigs.loaded == {}
    (program,) = rigs.programs.values()
    rigs.load(play_rig(compiled, 1))
    assert list(rigs.programs.values()) == [program]


def test_programs_that_no_rig_uses_are_unloaded_in_the_end(
    compiled: CompiledRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest unused first; those of loaded rigs stay, however old they are."""
    monkeypatch.setattr("nemod.engine.loaded_rigs.KEPT_PROGRAMS", 2)
    program = load_part(compiled, BLOCK)
    monkeypatch.setattr("nemod.engine.loaded_rigs.load_part", lambda *_: replace(program))
    rigs = LoadedRigs()

    def load(code: bytes, number: int = 0) -> None:
        request = play_rig(replace(compiled, executable=code), number)
        if number:
            rigs.load(request)
        else:
            rigs.prepare(PrepareRig(rig=request.rig, block_frames=BLOCK))

    load(b"played", 1)
    for code in (b"a", b"b", b"a", b"c"):
        load(code)
    assert list(rigs.programs) == [sha256(code).digest() for code in (b"played", b"a", b"c")]
    load(b"other", 2)
    rigs.keep_only({2})
    load(b"d")
    assert list(rigs.programs) == [sha256(code).digest() for code in (b"c", b"other", b"d")]
    rigs.keep_only({2})
    for number in range(20):
        load(b"edit %d" % number)
    assert len(rigs.programs) == 3


def test_a_used_reserve_state_is_refilled(compiled: CompiledRig) -> None:
    """An unused one is left alone."""
    rigs = LoadedRigs()
    rigs.load(play_rig(compiled, 1))
    active = rigs.activate(1)
    unused = active.reserve_state
    rigs.refill_reserve(active)
    assert active.reserve_state is unused
    active.reset()
    assert active.reserve_state is None
    rigs.refill_reserve(active)
    assert active.reserve_state is not None


def test_a_rig_fits_the_device_that_it_was_built_for(compiled: CompiledRig) -> None:
    """By rate and block size."""
    rigs = LoadedRigs()
    rigs.load(play_rig(compiled, 1))
    assert rigs.fits(1, RATE_HZ, BLOCK)
    assert not rigs.fits(1, 44_100, BLOCK)
    assert not rigs.fits(1, RATE_HZ, 2 * BLOCK)
    assert not rigs.fits(2, RATE_HZ, BLOCK)


def test_a_rig_starts_with_its_present_controls() -> None:
    """A mute that was set since it was built is effective from the first sample."""
    built = build(tiny(), RATE_HZ, BLOCK, Settings())
    assert isinstance(built.shipped, CompiledRig)
    rigs = LoadedRigs()
    rigs.load(play_rig(built.shipped, 1))
    muted = Settings({"mute": 1.0}).vector(built.layout)
    block = np.full(BLOCK, 0.5, np.float32)
    peaks = []
    for active in (rigs.activate(1), rigs.activate(1, muted)):
        assert active.state is not None
        _, sound = active.call(active.weights, muted, active.state, block)
        peaks.append(float(np.abs(np.asarray(sound)[:BLOCK]).max()))
    assert peaks[0] > 0.1
    assert peaks[1] == 0.0


def test_a_rig_plays_no_silence_where_no_knob_was_moved(compiled: CompiledRig) -> None:
    """Nor for controls of another number, which cannot be its own."""
    rigs = LoadedRigs()
    rigs.load(play_rig(compiled, 1))
    for controls in (None, compiled.controls.copy(), np.zeros(99, np.float32)):
        active = rigs.activate(1, controls)
        assert active.state is not None
        for array, built in zip(active.state.host(), compiled.state, strict=True):
            np.testing.assert_array_equal(array.view(np.int32), built.view(np.int32))
