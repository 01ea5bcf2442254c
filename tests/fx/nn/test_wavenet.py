"""WaveNets with all options, compared with an explicit layer in float64."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.formats.network import (
    FILM_SITES,
    Curve,
    Film,
    WaveNet,
    WaveNetArray,
    WaveNetLayer,
)
from nemod.formats.readers.common import stack_runs
from nemod.formats.weights import (
    FilmWeights,
    WaveNetArrayWeights,
    WaveNetLayerWeights,
    WaveNetWeights,
)
from nemod.fx.nn.network import kernel

TANH, SIGMOID = Curve("tanh"), Curve("sigmoid")
PLAIN = (
    WaveNetLayer(3, 1, TANH),
    WaveNetLayer(3, 2, TANH),
    WaveNetLayer(3, 40, TANH),
    WaveNetLayer(1, 1, TANH),
)
GATED = (
    WaveNetLayer(2, 3, TANH, gate="gated"),
    WaveNetLayer(4, 1, TANH, gate="blended", second=SIGMOID),
)
FILMED = tuple(
    WaveNetLayer(
        3,
        dilation,
        TANH,
        gate="blended",
        head_channels=3,
        films=tuple(Film(site, shift=at % 2 == 0) for at, site in enumerate(FILM_SITES)),
    )
    for dilation in (1, 7)
)
ARRAYS = {
    "plain": (WaveNetArray(1, 4, 4, PLAIN, 3), WaveNetArray(4, 3, 3, PLAIN[:2], 1, 5, 2)),
    "gated": (WaveNetArray(1, 3, 5, GATED, 1),),
    "film": (WaveNetArray(1, 3, 2, FILMED, 1, 2),),
    "side by side": (WaveNetArray(1, 2, 2, PLAIN[:3], 1, concatenated=True),),
}


def _random(name: str) -> tuple[WaveNet, list[Any], WaveNetWeights]:
    """Return the network, the weights layer by layer, and the weights that the kernel takes."""
    rng = np.random.default_rng(8)

    def draw(*shape: int) -> Any:
        return rng.normal(0.0, 0.4, shape).astype(np.float32)

    loose, arrays = [], []
    for array in ARRAYS[name]:
        own = []
        for layer in array.layers:
            wide = array.bottleneck * (1 if layer.gate == "none" else 2)
            heights = {
                "conv_pre": array.channels,
                "conv_post": wide,
                "input_mixin_pre": 1,
                "input_mixin_post": wide,
                "activation_pre": wide,
                "activation_post": array.bottleneck,
                "layer1x1_post": array.channels,
                "head1x1_post": layer.head_channels,
            }
            films = tuple(
                FilmWeights(draw(rows, 1), draw(rows, 1))
                for rows in ((2 if f.shift else 1) * heights[f.site] for f in layer.films)
            )
            own.append(
                WaveNetLayerWeights(
                    draw(wide, layer.kernel * array.channels + (2 if layer.joined else 1)),
                    None if layer.joined else draw(wide, 1),
                    draw(array.channels, array.bottleneck + 1),
                    draw(layer.head_channels, array.bottleneck + 1)
                    if layer.head_channels
                    else None,
                    films,
                )
            )
        rechannel = draw(array.channels, array.inputs + 1)
        head = draw(array.head_outputs, array.head_kernel * array.head_inputs + 1)
        loose.append((rechannel, own, head))
        arrays.append(WaveNetArrayWeights(rechannel, stack_runs(array, own), head))
    network = WaveNet(ARRAYS[name])
    return network, loose, WaveNetWeights(tuple(arrays), np.float32(0.5), (), ())


def _conv(w: Any, sound: Any, kernel_size: int, dilation: int) -> Any:
    """Return w (bias last) applied to [frames, channels] in float64, after silence."""
    channels = sound.shape[1]
    out = np.tile(w[:, -1], (len(sound), 1))
    for tap in range(kernel_size):
        delay = (kernel_size - 1 - tap) * dilation
        moved = np.vstack([np.zeros((min(delay, len(sound)), channels)), sound])[: len(sound)]
        out = out + moved @ w[:, tap * channels : (tap + 1) * channels].T
    return out


def _oracle(name: str, loose: list[Any], sound: Any) -> Any:
    """Return the output for the whole signal, layer by layer, in NAM's order of operations."""
    condition = sound.astype(np.float64)
    head: Any = 0.0
    x: Any = None
    for array, (rechannel, own, head_w) in zip(ARRAYS[name], loose, strict=True):
        x = (condition if array.inputs == 1 else x) @ rechannel[:, :-1].T + rechannel[:, -1]
        heads = []
        for layer, w in zip(array.layers, own, strict=True):
            films = {f.site: (f, v) for f, v in zip(layer.films, w.films, strict=True)}

            def film(site: str, value: Any, films: Any = films) -> Any:
                if site not in films:
                    return value
                made = condition @ films[site][1].w.T.astype(np.float64) + films[site][1].bias.T
                rows = value.shape[1]
                return value * made[:, :rows] + (made[:, rows:] if films[site][0].shift else 0.0)

            fed = film("conv_pre", x)
            conv = w.conv.astype(np.float64)
            if layer.joined:
                conv, mixin = np.delete(conv, -2, axis=1), conv[:, -2:-1]
            else:
                mixin = w.mixin.astype(np.float64)
            z = film("conv_post", _conv(conv, fed, layer.kernel, layer.dilation))
            mixed = film("input_mixin_pre", condition) @ mixin.T
            z = film("activation_pre", z + film("input_mixin_post", mixed))
            a = np.tanh(z)
            if layer.gate != "none":
                one, two = np.split(z, 2, axis=1)
                share = 1.0 / (1.0 + np.exp(-two))
                a = np.tanh(one) * share
                if layer.gate == "blended":
                    a = a + (1.0 - share) * one
            a = film("activation_post", a)
            added = a @ w.residual[:, :-1].T + w.residual[:, -1]
            x = x + (film("layer1x1_post", added) if layer.gate == "blended" else added)
            if w.head is not None:
                a = film("head1x1_post", a @ w.head[:, :-1].T + w.head[:, -1])
            heads.append(a)
        given = np.hstack(heads) if array.concatenated else head + sum(heads)
        head = _conv(head_w.astype(np.float64), given, array.head_kernel, array.head_dilation)
    return 0.5 * head


_PROGRAMS = {name: jax.jit(kernel(WaveNet(arrays)).process) for name, arrays in ARRAYS.items()}


@pytest.mark.parametrize("name", [name for name in ARRAYS if name != "side by side"])
@settings(deadline=None, max_examples=8)
@given(cuts=st.lists(st.sampled_from([1, 5, 64, 130]), min_size=1, max_size=4))
def test_output_is_the_equations_however_the_signal_is_cut(name: str, cuts: Any) -> None:
    """Gates, FiLM, heads, two arrays; blocks shorter and longer than a piece."""
    network, loose, weights = _random(name)
    sound = np.random.default_rng(sum(cuts)).normal(size=(sum(cuts), 1)).astype(np.float32)
    state, pieces = kernel(network).init(weights), []
    for low, high in itertools.pairwise([0, *itertools.accumulate(cuts)]):
        state, out = _PROGRAMS[name](weights, state, sound[low:high])
        pieces.append(np.asarray(out))
    expected = _oracle(name, loose, sound)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-5, rtol=1e-5)


def test_heads_side_by_side_equal_the_equations() -> None:
    """PedalNet's head takes the channels of every layer separately."""
    network, loose, weights = _random("side by side")
    sound = np.random.default_rng(1).normal(size=(200, 1)).astype(np.float32)
    _, out = _PROGRAMS["side by side"](weights, kernel(network).init(weights), sound)
    expected = _oracle("side by side", loose, sound)
    np.testing.assert_allclose(np.asarray(out), expected, atol=1e-5, rtol=1e-5)


def test_neighbours_of_one_kind_are_one_run() -> None:
    """A layer that differs in more than its dilation begins another run."""
    runs = ARRAYS["plain"][0].runs
    assert [run.dilations for run in runs] == [(1, 2, 40), (1,)]
