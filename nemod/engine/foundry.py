"""The foundry makes rigs: it reads a model, compiles, proves it by its probe, and warms it up.

It runs in a process of its own (`nemod foundry`), so that a compilation stalls nothing. What it
ships is ready to be played: nothing is left to be done on the audio plane but to load it.
"""

import math
import pickle
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import setproctitle
from numpy.typing import NDArray

from nemod.engine import programs
from nemod.engine.link import Built, Order, Refused, Rig, receive_frame, send_frame
from nemod.engine.rig import (
    Program,
    Recipe,
    compile_recipe,
    first_state,
    flat_weights,
    load_program,
    model_recipe,
    recipe,
)
from nemod.errors import ModelError, NemodError
from nemod.formats import load_model
from nemod.formats.model import Model
from nemod.formats.summary import parameters, summary
from nemod.fx.network import kernel
from nemod.settings import Settings

REST_PEAK = 1e-4
"""Largest sample at which a rig that hears silence counts as resting (-80 dBFS)."""
REST_STEADY_S = 0.05
"""[s] How long it has to stay there."""
WARM_UP_CAP_S = 2.0
"""[s] Some models oscillate by themselves and never rest."""
PROBE_ERROR = 1e-3
"""Largest difference from a file's own probe output, relative to its peak (at least 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A rig that can be played here and now."""

    recipe: Recipe
    program: Program
    executable: bytes
    weights: list[NDArray[np.float32]]
    state: list[NDArray[Any]]
    controls: NDArray[np.float32]
    cached: bool


def compiled(made: Recipe, block_frames: int, *what: object) -> tuple[bytes, bool]:
    """Return a recipe's program and whether it came from the disk. `what` names the recipe."""
    name = programs.key(block_frames, made.layout, *what)
    executable = programs.fetch(name)
    if executable is not None:
        return executable, True
    executable = compile_recipe(made, block_frames)
    programs.store(name, executable)
    return executable, False


def build(
    model: Model,
    rate_hz: int,
    block_frames: int,
    settings: Settings,
    *,
    model_only: bool = False,
) -> Ready:
    """Return the rig of a model at a device's rate, warmed up with these settings.

    `model_only` leaves out everything around the model, and the warm-up too.
    """
    made = model_recipe(model) if model_only else recipe(model, rate_hz)
    what = ("model", model.network) if model_only else ("rig", model.network, rate_hz)
    executable, cached = compiled(made, block_frames, *what, len(model.knobs))
    weights = flat_weights(made)
    controls = settings.vector(made.layout)
    state = first_state(made, controls)
    program = load_program(executable, len(weights), len(state), block_frames)
    if not model_only:
        state = warm_up(made, program, weights, controls, rate_hz)
    return Ready(
        recipe=made,
        program=program,
        executable=executable,
        weights=weights,
        state=state,
        controls=controls,
        cached=cached,
    )


def warm_up(
    made: Recipe,
    program: Program,
    weights: list[NDArray[np.float32]],
    controls: NDArray[np.float32],
    rate_hz: int,
) -> list[NDArray[Any]]:
    """Play silence until the model rests, or the cap is reached; return the state to begin with.

    Most recurrent models start far from where silence leaves them; heard, that is a thump. The
    model's knobs stand where `controls` [n] say; all else is flat and open meanwhile, for neither
    an echo nor a closed fader tells whether the model rests.
    """
    flat = Settings().vector(made.layout)
    is_knob = np.array([path.startswith("knob/") for path in made.layout])
    waiting = np.where(is_knob, controls, flat)
    silence = np.zeros(program.block_frames, np.float32)
    blocks_needed = math.ceil(REST_STEADY_S * rate_hz / program.block_frames)
    resting = 0
    now: list[Any] = first_state(made, waiting)
    for _ in range(math.ceil(WARM_UP_CAP_S * rate_hz / program.block_frames)):
        now, sound = program.call(weights, waiting, now, silence)
        peak = float(np.abs(np.asarray(sound)[:-3]).max())
        resting = resting + 1 if peak < REST_PEAK else 0
        if resting >= blocks_needed:
            break
    fresh = made.init(made.weights, jax.numpy.asarray(controls))
    warm = jax.tree.unflatten(jax.tree.structure(fresh), [np.array(leaf) for leaf in now])
    return [np.array(leaf) for leaf in jax.tree.leaves(made.settle(warm, fresh))]


def prove(model: Model) -> float | None:
    """Play a file's own probe; return the largest error, relative to its peak, or None without one.

    Raises: ModelError when the file's own answer does not come out.
    """
    if model.probe is None:
        return None
    inputs, expected = model.probe
    out = play_alone(model, inputs[:, 0], inputs[:, 1:])
    error = float(np.abs(out - expected).max()) / max(1.0, float(np.abs(expected).max()))
    if not error <= PROBE_ERROR:
        raise ModelError(
            model.name,
            f"the probe inside the file does not come out: off by {error:.2g}, allowed is "
            f"{PROBE_ERROR:g}; the weights or the layout are not what the file's maker played",
        )
    return error


def play_alone(
    model: Model, sound: NDArray[np.float32], knobs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the network's answer [frames] to sound [frames] and knob values [frames, knobs]."""
    net = kernel(model.network)
    inputs = np.concatenate([sound[:, None], knobs], axis=1)
    _, out = jax.jit(net.process)(model.weights, net.init(model.weights), inputs)
    return np.asarray(out)[:, 0]


def answer(order: Order) -> Built | Refused:
    """Carry out an order; whatever is wrong with the file becomes a sentence."""
    try:
        model = load_model(Path(order.path))
        probe_error = prove(model)
        ready = build(model, order.rate_hz, order.block_frames, Settings(order.positions))
    except NemodError as error:
        return Refused(order_id=order.order_id, reason=str(error))
    except Exception as error:
        reason = f"{order.path}: {type(error).__name__}: {error}"
        return Refused(order_id=order.order_id, reason=reason)
    rig = Rig(
        executable=ready.executable,
        weights=ready.weights,
        state=ready.state,
        controls=ready.controls,
    )
    info = describe(model) | {"probe_error": probe_error}
    return Built(
        order_id=order.order_id,
        rig=pickle.dumps(rig, protocol=pickle.HIGHEST_PROTOCOL),
        layout=ready.recipe.layout,
        latency_frames=ready.recipe.latency_frames,
        knob_names=tuple(knob.name for knob in model.knobs),
        model_rate_hz=model.sample_rate,
        info=info,
        cached=ready.cached,
    )


def describe(model: Model) -> dict[str, Any]:
    """Return what there is to know of a model, as JSON types."""
    known = ("author", "licence", "esr", "name", "gear", "description", "date")
    return {
        "name": model.name,
        "dialect": model.dialect,
        "architecture": summary(model.network),
        "parameters": parameters(model.weights),
        "knobs": [knob.name for knob in model.knobs],
        "sample_rate": model.sample_rate,
        "sample_rate_stated": model.rate_stated,
        **{key: model.metadata[key] for key in known if key in model.metadata and key != "name"},
    }


def main(argv: list[str]) -> int:
    """Run the foundry: orders in, rigs out, until the other end closes. `argv[1]`: the socket."""
    setproctitle.setproctitle("nemod foundry")
    with socket.socket(fileno=int(argv[1])) as link:
        while True:
            try:
                order = receive_frame(link)
                send_frame(link, answer(order))
            except (EOFError, ConnectionError):
                return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
