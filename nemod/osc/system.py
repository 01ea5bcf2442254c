"""Leaves that are neither knobs nor models: status, meters, info, toggles, ping, sync, tx."""

import math
import socket
from collections.abc import Callable
from importlib import metadata

from nemod.common.errors import OscError
from nemod.common.units import SILENCE_DB
from nemod.osc.codec import Value
from nemod.osc.encode import encode
from nemod.osc.host import Host
from nemod.osc.leaf import Action, Leaf, Request, nothing, reader
from nemod.osc.values import Kind, to_int, to_trigger

PROTOCOL = "1"
"""Version of the address space; it changes when an address loses or changes its meaning."""
TRANSACTION = "/nemo/tx"
METER_FLOOR_DB = -60.0
"""[dBFS] Level at position 0 of a meter; position 1 is full scale."""

_STATUS = (
    ("state", Kind.STRING, "`starting`, `running`, `restarting`, `no_device` or `error`."),
    ("load", Kind.FLOAT, "Share of the period that a block takes."),
    ("load_peak", Kind.FLOAT, "The largest share of late."),
    ("xruns", Kind.INT, "Blocks that came too late."),
    ("latency_ms", Kind.FLOAT, "From input to output, in ms."),
    ("rate", Kind.INT, "Sample rate of the device, in Hz."),
    ("block", Kind.INT, "Frames per block."),
    ("model_rate", Kind.INT, "Sample rate of the model, in Hz."),
    ("rate_policy", Kind.STRING, "What is done where the two rates differ."),
    ("bad_packets", Kind.INT, "Packets that were malformed, foreign or too many."),
    ("uptime", Kind.INT, "Seconds since the start."),
)
_TOGGLES = ("bypass", "mute")


def system_leaves() -> list[Leaf]:
    """Return the leaves that are always there."""
    return [
        *(_toggle(path) for path in _TOGGLES),
        *_meter("in", "Level of the input."),
        *_meter("out", "Level of the output."),
        _asked(
            "meter/clip",
            Kind.INT,
            "How often the output was above full scale.",
            lambda host: int(host.meters()["clip"]),
        ),
        _fired("meter/reset", "Set the clip count to zero.", _reset_meters),
        *(_status(name, kind, text) for name, kind, text in _STATUS),
        *_info(),
        _fired("ping", "Is answered by `/nemo/pong`.", _pong),
        _sync(),
        _transaction(),
    ]


def _asked(
    path: str, kind: Kind, text: str, value: Callable[[Host], str | int | float | bool]
) -> Leaf:
    address = f"/nemo/{path}"
    return Leaf(
        address=address,
        kind=kind,
        help=text,
        read=reader(address, kind, value),
        by_pattern=kind is not Kind.STRING,
    )


def _fired(path: str, text: str, action: Action) -> Leaf:
    address = f"/nemo/{path}"

    def check(host: Host, tag: str, value: Value) -> Action:
        return action if to_trigger(address, tag, value) else nothing

    return Leaf(address=address, kind=Kind.TRIGGER, help=text, check=check)


def _toggle(path: str) -> Leaf:
    def flip(request: Request) -> None:
        request.set(path, 0.0 if request.host.settings.get(path) >= 0.5 else 1.0)

    return _fired(f"toggle/{path}", f"Flips `/nemo/{path}`.", flip)


def _meter(name: str, text: str) -> list[Leaf]:
    def level_db(host: Host) -> float:
        level = float(host.meters()[name])
        return max(level, SILENCE_DB) if math.isfinite(level) else SILENCE_DB

    def position(host: Host) -> float:
        return min(max((level_db(host) - METER_FLOOR_DB) / -METER_FLOOR_DB, 0.0), 1.0)

    return [
        _asked(f"meter/{name}", Kind.FLOAT, text, position),
        _asked(f"real/meter/{name}", Kind.FLOAT, f"{text[:-1]}, in dBFS.", level_db),
    ]


def _status(name: str, kind: Kind, text: str) -> Leaf:
    return _asked(f"status/{name}", kind, text, lambda host: host.status()[name])


def _info() -> list[Leaf]:
    texts = {
        "name": ("nemod", "What this is."),
        "version": (metadata.version("nemod"), "Version of the program."),
        "protocol": (PROTOCOL, "Version of these addresses."),
        "host": (socket.gethostname(), "Name of the machine."),
    }

    def leaf(name: str, value: str, text: str) -> Leaf:
        return _asked(f"info/{name}", Kind.STRING, text, lambda host: value)

    return [leaf(name, value, text) for name, (value, text) in texts.items()]


def _reset_meters(request: Request) -> None:
    request.host.reset_meters()


def _pong(request: Request) -> None:
    request.reply(encode("/nemo/pong"))


def _sync() -> Leaf:
    address = "/nemo/sync"

    def check(host: Host, tag: str, value: Value) -> Action:
        number = to_int(address, tag, value)
        return lambda request: request.sync(number)

    return Leaf(
        address=address,
        kind=Kind.INT,
        help="Is answered by `/nemo/synced` with the same number, when your slow work is done.",
        check=check,
    )


def _transaction() -> Leaf:
    def check(host: Host, tag: str, value: Value) -> Action:
        raise OscError("tx", TRANSACTION, "stands first in a bundle, with a number (i)")

    return Leaf(
        address=TRANSACTION,
        kind=Kind.INT,
        help="First in a bundle: everything in the bundle is done, or nothing.",
        check=check,
    )
