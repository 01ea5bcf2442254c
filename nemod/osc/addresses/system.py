"""Leaves that are neither knobs nor models: status, meters, info, toggles, tap tempo, panic."""

import math
import socket
from collections.abc import Callable

from nemod.common.units import SILENCE_DB
from nemod.common.version import __version__
from nemod.control.controller import Controller
from nemod.osc.addresses.flags import NO_FLAGS, PARAMS, Flag, Flags
from nemod.osc.addresses.leaf import Action, Leaf, Request, reader, trigger
from nemod.osc.addresses.meter_rate import FASTEST_HZ, SLOWEST_HZ, MeterRate
from nemod.osc.addresses.values import LeafKind, to_float
from nemod.osc.codec import Value
from nemod.osc.counters import Counters
from nemod.parameters.parameter_set import TOGGLES

PROTOCOL = "2"
"""Version of the address space; raised when an address is removed or changes its meaning."""
METER_RATE = "/nemo/meter/rate"
METER_FLOOR_DB = -60.0
"""[dBFS] Level at position 0 of a meter; position 1 is full scale."""

STATUS: Flags = frozenset({Flag.STATUS})
METERS: Flags = frozenset({Flag.METERS})
METERS_REAL: Flags = frozenset({Flag.METERS, Flag.REAL})

_STATUS = (
    ("state", LeafKind.STRING, "", "`starting`, `running`, `restarting`, `no_device` or `error`."),
    ("load", LeafKind.FLOAT, "", "DSP load: share of the period that a block takes."),
    ("load_peak", LeafKind.FLOAT, "", "Peak DSP load since the last reset."),
    ("xruns", LeafKind.INT, "", "Buffer underruns and overruns that the sound card reported."),
    (
        "late",
        LeafKind.INT,
        "",
        "Blocks that began late; without a sound card: late wake-ups of the clock.",
    ),
    ("latency_ms", LeafKind.FLOAT, "ms", "Latency from input to output, in ms."),
    ("rate", LeafKind.INT, "Hz", "Sample rate of the device, in Hz."),
    ("block", LeafKind.INT, "", "Block size, in frames."),
    ("model_rate", LeafKind.INT, "Hz", "Sample rate of the model, in Hz."),
    ("rate_policy", LeafKind.STRING, "", "How a model of another sample rate is played."),
    (
        "reduced",
        LeafKind.STRING,
        "",
        "What is reduced because the load is too high: `size`, `reverb`, both as `size, reverb`, "
        "and `overload` where that is not enough; empty for full quality.",
    ),
    ("uptime", LeafKind.INT, "s", "Seconds since the start."),
)
"""(name, kind, unit, help)"""


def system_leaves(counters: Counters, meter_rate: MeterRate) -> list[Leaf]:
    """Return the leaves that do not depend on the model."""
    *status, uptime = (_status(*row) for row in _STATUS)
    return [
        *(_toggle(word, path) for word, path in TOGGLES.items()),
        *_meter("in", "Level of the input"),
        *_meter("out", "Level of the output, before the limiter"),
        _asked(
            "meter/clip",
            LeafKind.INT,
            "How many blocks of the output were above full scale before the limiter.",
            lambda controller: controller.meters().clips,
            METERS,
        ),
        trigger(
            "/nemo/meter/reset", "Set the clip count and the peak DSP load to zero.", _reset_meters
        ),
        _meter_rate(meter_rate),
        *status,
        _asked(
            "status/bad_packets",
            LeafKind.INT,
            "OSC packets and messages that were malformed, from a foreign source or too many.",
            lambda controller: counters.dropped,
            STATUS,
        ),
        uptime,
        *_info(),
        trigger(
            "/nemo/tempo/tap",
            "Tap the tempo; the time tag of a bundle is the time of the tap.",
            _tap,
        ),
        trigger(
            "/nemo/panic",
            "Fade to silence in 10 ms and end all echoes; the sound returns with `/nemo/mute F`.",
            lambda request: request.controller.panic(request.source),
        ),
    ]


def _asked(
    path: str,
    kind: LeafKind,
    text: str,
    value: Callable[[Controller], str | int | float | bool],
    flags: Flags = NO_FLAGS,
    *,
    unit: str = "",
    low: float | None = 0,
    high: float | None = None,
) -> Leaf:
    address = f"/nemo/{path}"
    is_number = kind is not LeafKind.STRING
    return Leaf(
        address=address,
        kind=kind,
        help=text,
        low=low if is_number else None,
        high=high,
        unit=unit,
        read=reader(address, kind, value),
        wildcard_settable=is_number,
        flags=flags,
    )


def _toggle(word: str, path: str) -> Leaf:
    def flip(request: Request) -> None:
        request.controller.toggle(path, request.source)

    return trigger(f"/nemo/toggle/{word}", f"Flip `/nemo/{path}`.", flip)


def _meter(name: str, text: str) -> list[Leaf]:
    def level_db(controller: Controller) -> float:
        meters = controller.meters()
        level = meters.in_dbfs if name == "in" else meters.out_dbfs
        return max(level, SILENCE_DB) if math.isfinite(level) else SILENCE_DB

    def position(controller: Controller) -> float:
        return min(max((level_db(controller) - METER_FLOOR_DB) / -METER_FLOOR_DB, 0.0), 1.0)

    return [
        _asked(
            f"meter/{name}",
            LeafKind.FLOAT,
            f"{text}: 0 is {METER_FLOOR_DB:g} dBFS, 1 full scale; `/nemo/real/meter/{name}` is "
            "in dBFS.",
            position,
            METERS,
            high=1.0,
        ),
        _asked(
            f"real/meter/{name}",
            LeafKind.FLOAT,
            f"{text}, in dBFS.",
            level_db,
            METERS_REAL,
            unit="dB",
            low=SILENCE_DB,
        ),
    ]


def _meter_rate(meter_rate: MeterRate) -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(METER_RATE, tag, value)

        def act(request: Request) -> None:
            request.set_meter_rate(given)
            if meter_rate.hz == given:
                request.unchanged(METER_RATE)
            else:
                request.adjusted(METER_RATE)

        return act

    return Leaf(
        address=METER_RATE,
        kind=LeafKind.FLOAT,
        help="How often the meters are sent to all subscribers that want them.",
        range=f"{SLOWEST_HZ:g}..{FASTEST_HZ:g} Hz [{MeterRate().hz:g}]",
        low=SLOWEST_HZ,
        high=FASTEST_HZ,
        unit="Hz",
        read=reader(METER_RATE, LeafKind.FLOAT, lambda controller: meter_rate.hz),
        check=check,
        flags=PARAMS,
    )


def _status(name: str, kind: LeafKind, unit: str, text: str) -> Leaf:
    def value(controller: Controller) -> str | int | float:
        return _field(controller, name)

    return _asked(f"status/{name}", kind, text, value, STATUS, unit=unit)


def _field(controller: Controller, name: str) -> str | int | float:
    value: str | int | float = getattr(controller.status(), name)
    return value


def _info() -> list[Leaf]:
    texts = {
        "name": ("nemod", "Name of the program."),
        "version": (__version__, "Version of the program."),
        "protocol": (PROTOCOL, "Version of these addresses."),
        "host": (socket.gethostname(), "Name of the machine."),
    }

    def leaf(name: str, value: str, text: str) -> Leaf:
        return _asked(f"info/{name}", LeafKind.STRING, text, lambda controller: value)

    return [leaf(name, value, text) for name, (value, text) in texts.items()]


def _reset_meters(request: Request) -> None:
    request.controller.reset_meters()


def _tap(request: Request) -> None:
    request.controller.tempo.tap(request.source, request.time_s)
