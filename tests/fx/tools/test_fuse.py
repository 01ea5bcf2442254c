"""Fusing: the same values, compiled as one kernel.

The second half reads the compiled program. If a new version of XLA does not compile a loop that
runs once as one kernel, the output stays correct and becomes slow; these tests then name the cause.
"""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nemod.cli.bench.models import a1, random_model
from nemod.engine.chain import Content
from nemod.engine.parts import whole_rig
from nemod.engine.program import Packings, compiled_program
from nemod.formats.model import Model
from nemod.fx.tools.fuse import fused
from tests.engine.conftest import tiny

RATE_HZ, BLOCK = 48_000, 64
SMALL_CALL = 'xla_cpu_small_call="true"'


def step(state: Any, x: jax.Array, factor: jax.Array) -> tuple[Any, Any]:
    """A counter, an envelope follower and a delay line, like those of effects."""
    count, envelope, line = state
    line = jax.lax.dynamic_update_slice(line, x * factor, (count % 4 * x.shape[0],))

    def follow(last: jax.Array, level: jax.Array) -> tuple[jax.Array, jax.Array]:
        last = jnp.maximum(level, 0.9 * last)
        return last, last

    envelope, levels = jax.lax.scan(follow, envelope, jnp.abs(x))
    echo = jax.lax.dynamic_slice(line, ((count + 1) % 4 * x.shape[0],), x.shape)
    return (count + 1, envelope, line), {"wet": jnp.tanh(x + echo), "levels": levels}


def start(frames: int) -> Any:
    return jnp.int32(0), jnp.float32(0.0), jnp.zeros(4 * frames, jnp.float32)


def test_a_fused_step_gives_the_values_of_the_plain_one() -> None:
    """State and outputs, over ten blocks, with several inputs and a tree of outputs."""
    plain, one = jax.jit(step), jax.jit(fused(step))
    rng = np.random.default_rng(4)
    ours, theirs = start(16), start(16)
    for _ in range(10):
        x = rng.normal(size=16).astype(np.float32)
        ours, actual = one(ours, x, np.float32(0.7))
        theirs, expected = plain(theirs, x, np.float32(0.7))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), actual, expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), ours, theirs)
    assert int(ours[0]) == 10


def test_a_step_with_a_matrix_product_gives_its_values() -> None:
    """A product, as in a step without one."""
    w = np.random.default_rng(5).normal(size=(6, 6)).astype(np.float32)

    def product(state: Any, x: jax.Array) -> tuple[Any, jax.Array]:
        state = jnp.tanh(w @ state + x)
        return state, 2.0 * state

    x = np.ones(6, np.float32)
    state, out = jax.jit(fused(product))(jnp.zeros(6, jnp.float32), x)
    np.testing.assert_allclose(state, np.tanh(x), atol=1e-6)
    np.testing.assert_allclose(out, 2.0 * np.tanh(x), atol=1e-6)


def entry(function: Any, *arguments: Any, **options: Any) -> list[str]:
    """Return the instructions of the compiled function, without those inside kernels."""
    return instructions(jax.jit(function, **options).lower(*arguments).compile().as_text())


def instructions(text: str) -> list[str]:
    """Return the instructions of a compiled program, without those inside kernels."""
    body = text[text.index("\nENTRY ") :].split("\n}", 1)[0]
    return [line.strip() for line in body.splitlines() if " = " in line]


def kinds(lines: list[str]) -> list[str]:
    """Return the kind of each instruction, as `fusion` or `call`."""
    found = [re.search(r" ([a-z][a-z0-9-]*)\(", line.split(" = ", 1)[1]) for line in lines]
    return [match[1] for match in found if match]


def test_a_fused_step_is_compiled_as_one_kernel() -> None:
    """A call that is marked as small, no other loop, and few instructions besides."""
    lines = entry(fused(step), start(16), np.ones(16, np.float32), np.float32(0.7))
    assert len([line for line in lines if SMALL_CALL in line]) == 1
    found = kinds(lines)
    assert "while" not in found
    assert found.count("call") == 1
    assert found.count("fusion") <= 6


@pytest.mark.parametrize(
    "model", [tiny("LSTM"), tiny("GRU"), random_model(a1(4, (1, 2), (8,)))], ids=lambda m: m.name
)
def test_a_whole_rig_is_one_kernel(model: Model) -> None:
    """One call, no loop besides, and delay lines that are written in place."""
    spec = whole_rig(Content(models={"model": model}), RATE_HZ).spec
    program = compiled_program(spec, Packings.of(spec, BLOCK))
    text = program.as_text()
    lines = instructions(text)
    found = kinds(lines)
    assert len([line for line in lines if SMALL_CALL in line]) == found.count("call") == 1
    assert "while" not in found
    assert found.count("fusion") + found.count("copy") <= 3
    # A copy of the delay lines would cost more than everything else.
    copied = [line for line in text.splitlines() if re.search(r" = f32\[\d{5,}\]\S* copy\(", line)]
    assert copied == []
    memory = program.memory_analysis()
    longest = 2 * RATE_HZ * 4
    assert memory.alias_size_in_bytes > longest
    assert memory.temp_size_in_bytes < longest / 4
