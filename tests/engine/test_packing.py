"""Packed states and weights, and the memory that a caller and a program share."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.engine import program as programs
from nemod.engine.compiled_rig import CompiledRig
from nemod.engine.packing import Packing, leaves_of
from nemod.engine.program import (
    compiled_rig,
    fresh_state,
    load_program,
    on_device,
    state_leaves,
)
from nemod.engine.rig import RigSpec

FRAMES = 8


def tree() -> dict[str, Any]:
    """Small and large arrays, integers, a scalar, one without numbers."""
    rng = np.random.default_rng(2)
    return {
        "counts": np.array([[-1, 0, 3], [2**31 - 1, -(2**31), 5]], np.int32),
        "line": rng.normal(size=40).astype(np.float32),
        "none": np.zeros((0, 2), np.float32),
        "square": rng.normal(size=(3, 4)).astype(np.float32),
        "wide": rng.normal(size=(5, 10)).astype(np.float32),
        "number": np.array(0.5, np.float32),
    }


@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize(("limit", "arrays"), [(100, 1), (40, 3), (0, None)])
def test_a_packed_tree_comes_back_bit_by_bit(limit: int, arrays: int | None, first: int) -> None:
    """On the host and in a compiled function, with all, some or no arrays packed."""
    packing = Packing.of(tree(), limit, first)
    packed = packing.pack_host(tree())
    assert len(packed) == (len(jax.tree.leaves(tree())) + (first > 0) if arrays is None else arrays)
    start = jnp.zeros(first) if first else None
    traced = jax.jit(lambda value: packing.pack(value, start))(tree())
    for one, other in zip(packed, traced, strict=True):
        np.testing.assert_array_equal(one.view(np.int32), np.asarray(other).view(np.int32))
    for back in (packing.unpack_host(packed), jax.jit(packing.unpack)(packed)):
        jax.tree.map(np.testing.assert_array_equal, back, tree())
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), back) == jax.tree.map(
            lambda leaf: (leaf.shape, leaf.dtype), tree()
        )


def counting_rig() -> CompiledRig:
    """A rig that multiplies by its control and its weight, and counts blocks and frames."""
    spec = RigSpec(
        layout=("x",),
        latency_frames=0,
        weights=(np.array([3.0], np.float32),),
        init=lambda _weights, targets: (jnp.int32(0), jnp.zeros(5000, jnp.float32), targets),
        process=lambda weights, targets, state, block: (
            (state[0] + 1, state[1].at[:FRAMES].add(block), targets),
            block * targets[0] * weights[0][0],
        ),
    )
    return compiled_rig(spec, FRAMES, np.array([1.0], np.float32))


@pytest.mark.parametrize("shares", [True, False])
def test_a_program_gets_controls_and_block_and_gives_the_sound(
    shares: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the memory of the state, and as arguments where that is not possible."""
    assert programs._shares_memory()
    monkeypatch.setattr(programs, "_shares_memory", lambda: shares)
    rig = counting_rig()
    call, weights = load_program(rig, FRAMES).call, on_device(rig.weights)
    state, other = fresh_state(rig), fresh_state(rig)
    block = np.arange(1.0, FRAMES + 1.0, dtype=np.float32)
    sounds = []
    for number in range(3):
        control = np.array([0.5 + number], np.float32)
        state, sound = call(weights, control, state, number * block)
        sounds.append(sound)
    for number, sound in enumerate(sounds):  # the caller's own: later blocks do not change it
        np.testing.assert_array_equal(sound, 3.0 * (0.5 + number) * number * block)
    count, line, targets = state_leaves(rig, state)
    assert (int(count), float(targets[0])) == (3, 2.5)
    np.testing.assert_array_equal(line[:FRAMES], 3.0 * block)
    assert not state_leaves(rig, other)[1].any()
    assert not leaves_of(rig.state, rig.places)[1].any()


def test_a_state_that_a_failed_call_has_lost_is_refused() -> None:
    """Its memory is not the rig's any more."""
    rig = counting_rig()
    call = load_program(rig, FRAMES).call
    state = fresh_state(rig)
    block, control = np.zeros(FRAMES, np.float32), np.ones(1, np.float32)
    with pytest.raises(ValueError, match="broadcast"):
        call(on_device(rig.weights), control, state, np.zeros(FRAMES + 1, np.float32))
    with pytest.raises(RuntimeError, match="lost"):
        call(on_device(rig.weights), control, state, block)
