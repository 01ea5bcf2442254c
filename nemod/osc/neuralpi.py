"""NeuralPi's addresses, so that its plug-in can be the remote control of nemod.

Addresses as in NeuralPi 1.3, files PluginEditor.h and PluginEditor.cpp: the plug-in sends one
float32 of 0..1 to `/parameter/NeuralPi/<name>`, by default to UDP port 24024 of its target. What
the values mean is stated in its PluginProcessor.cpp:

- Gain is the drive, or the first conditioning knob; Bass, Mid and Treble are -12..+12 dB; Delay
  and Reverb are the share of the effect. These are positions of nemod's parameters as they are.
- Master is an amplitude of 0..2, or the second conditioning knob.
- Model is the index of the model divided by the index of the last, in alphabetical order. The
  plug-in counts the models in its own folder, so both programs need the same models.

Presence and Ir have no counterpart in nemod; they are answered as unknown addresses. The plug-in
receives on another port than it sends from, and follows no changes that others make.
"""

import math
from collections.abc import Mapping

from nemod.common.units import amplitude_to_db, db_to_amplitude
from nemod.control.controller import Controller
from nemod.osc.addresses.leaf import Action, Leaf, Request, ignore, reader
from nemod.osc.addresses.values import LeafKind, to_float
from nemod.osc.codec import Value
from nemod.osc.errors import OscError

PORT = 24024
"""UDP port to which the plug-in sends."""
ROOT = "/parameter/NeuralPi/"
PATHS: Mapping[str, str] = {
    "Gain": "gain",
    "Bass": "bass",
    "Mid": "mid",
    "Treble": "treble",
    "Delay": "delay/mix",
    "Reverb": "reverb/mix",
}
"""Name in NeuralPi to path of the parameter that has the same positions."""
LEVEL = "level"
MASTER_RANGE = 2.0
"""Amplitude at which Master is 1; it is unity in the middle."""


def neuralpi_leaves() -> list[Leaf]:
    """Return the leaves of NeuralPi's addresses."""
    positions = [_position(ROOT + name, path) for name, path in PATHS.items()]
    return [*positions, _master(ROOT + "Master"), _model(ROOT + "Model")]


def _position(address: str, path: str) -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        return _setter(path, to_float(address, tag, value))

    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        path=path,
        help=f"`/nemo/{path}`, as NeuralPi's plug-in sends it.",
        range="0..1",
        read=reader(address, LeafKind.FLOAT, lambda controller: controller.position(path)),
        check=check,
        wildcard_settable=True,
    )


def _master(address: str) -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        row = controller.describe(LEVEL)
        if not row.is_gain:
            return _setter(LEVEL, given)
        amplitude = MASTER_RANGE * min(max(given, 0.0), 1.0)
        return _setter(LEVEL, row.position(amplitude_to_db(amplitude)))

    def read(controller: Controller) -> float:
        if not controller.describe(LEVEL).is_gain:
            return controller.position(LEVEL)
        return min(db_to_amplitude(controller.value(LEVEL)) / MASTER_RANGE, 1.0)

    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        path=LEVEL,
        help="`/nemo/level`, as NeuralPi's plug-in sends it: 0.5 is 0 dB, 1 is +6 dB.",
        range="0..1",
        read=reader(address, LeafKind.FLOAT, read),
        check=check,
        wildcard_settable=True,
    )


def _model(address: str) -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)
        names = controller.model_names
        if not names:
            raise OscError("not_found", address, "the library has no models")
        last = len(names) - 1
        # A half is rounded up, as C++ does and Python does not.
        name = names[math.floor(min(max(given, 0.0), 1.0) * last + 0.5)]
        if name == controller.requested_model:
            return ignore
        return lambda request: request.job(
            address, lambda: request.controller.load_model(name, request.source)
        )

    def read(controller: Controller) -> float:
        return max(controller.model_index, 0) / max(len(controller.model_names) - 1, 1)

    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        help="Load a model by its share of the list: index / (count - 1); background job.",
        range="0..1",
        read=reader(address, LeafKind.FLOAT, read),
        check=check,
    )


def _setter(path: str, position: float) -> Action:
    def act(request: Request) -> None:
        request.controller.set(path, position, request.source)

    return act
