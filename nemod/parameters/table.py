"""The table of parameters: one row per knob, read by everything that has to do with knobs.

Checks and conversion on every surface, queries, the settings record of the audio process, the
command line of `nemod render` and the reference page are made from `TABLE`. To add a knob, add a
row here and use its path in an effect. A row stands for the control of the first slot of its kind;
`nemod.parameters.slot_paths` has the paths of further slots.
"""

import math

from nemod.parameters.curves import FADER, FADER_UNITY, LINEAR, LOGARITHMIC
from nemod.parameters.modulation_table import MODULATION_TABLE
from nemod.parameters.notes import DEFAULT_NOTE, NOTE_BEATS
from nemod.parameters.parameter import Parameter, ParameterKind

MAX_KNOBS = 64
"""Most conditioning knobs of one model; keeps a settings record below `PIPE_BUF`."""

MODEL_KNOBS = ("gain", "level")
"""Rows that are a model's first and second conditioning knob where the model has them. `knob/1` and
`knob/2` are other paths of the same parameters."""


def _gain(
    path: str, label: str, text: str, span_db: float, *, is_in_preset: bool = True
) -> Parameter:
    return Parameter(
        path=path,
        label=label,
        help=text,
        unit="dB",
        low=-span_db,
        high=span_db,
        is_gain=True,
        is_in_preset=is_in_preset,
    )


def _switch(
    path: str,
    label: str,
    text: str,
    smooth_s: float,
    *,
    default: float = 0.0,
    has_toggle: bool = True,
    is_in_preset: bool = True,
    is_effect_control: bool = True,
    is_in_session: bool = True,
) -> Parameter:
    return Parameter(
        path=path,
        label=label,
        help=text,
        kind=ParameterKind.BOOL,
        default=default,
        smooth_s=smooth_s,
        has_toggle=has_toggle,
        is_in_preset=is_in_preset,
        is_effect_control=is_effect_control,
        is_in_session=is_in_session,
    )


def _time(
    path: str, label: str, text: str, low_ms: float, high_ms: float, default_ms: float
) -> Parameter:
    """Return a time of an effect that smooths the sound itself: its changes need no smoothing."""
    curve = LOGARITHMIC if low_ms > 0.0 else LINEAR
    return Parameter(
        path=path,
        label=label,
        help=text,
        unit="ms",
        low=low_ms,
        high=high_ms,
        default=curve.to_position(default_ms, low_ms, high_ms),
        curve=curve,
        smooth_s=0.0,
    )


def _mix(effect: str, label: str, text: str) -> Parameter:
    return Parameter(path=f"{effect}/mix", label=label, help=text, default=0.0, short_form=effect)


def _branch_level(branch: str) -> Parameter:
    return Parameter(
        path=f"split/level_{branch}",
        label=f"Split level {branch.upper()}",
        help=f"Gain of branch {branch} of the split.",
        unit="dB",
        low=-24.0,
        high=12.0,
        default=LINEAR.to_position(0.0, -24.0, 12.0),
        is_gain=True,
    )


TABLE: tuple[Parameter, ...] = (
    _gain("input", "Input", "Trim before all effects.", 24.0, is_in_preset=False),
    _switch(
        "gate/enable", "Gate", "Silence the input below the threshold.", 0.01, has_toggle=False
    ),
    Parameter(
        path="gate/threshold",
        label="Gate threshold",
        help="Level of the input at which the gate opens; it closes 6 dB below.",
        unit="dB",
        low=-90.0,
        high=-20.0,
        default=LINEAR.to_position(-60.0, -90.0, -20.0),
        is_gain=True,
    ),
    _time("gate/attack", "Gate attack", "Time in which the gate opens.", 0.1, 50.0, 1.0),
    _time("gate/hold", "Gate hold", "Time before the gate begins to close.", 0.0, 500.0, 50.0),
    _time("gate/release", "Gate release", "Time in which it falls by 60 dB.", 5.0, 1000.0, 100.0),
    _switch("comp/enable", "Compressor", "Compress before the model.", 0.01, has_toggle=False),
    Parameter(
        path="comp/threshold",
        label="Compressor threshold",
        help="Level above which it compresses; its knee is 6 dB wide.",
        unit="dB",
        low=-60.0,
        high=0.0,
        default=LINEAR.to_position(-24.0, -60.0, 0.0),
    ),
    Parameter(
        path="comp/ratio",
        label="Compressor ratio",
        help="Decibels of the input that become one above the threshold.",
        low=1.0,
        high=20.0,
        default=LOGARITHMIC.to_position(4.0, 1.0, 20.0),
        curve=LOGARITHMIC,
    ),
    _time("comp/attack", "Compressor attack", "Time constant of its onset.", 0.1, 100.0, 5.0),
    _time("comp/release", "Compressor release", "Time constant of its end.", 10.0, 1000.0, 120.0),
    Parameter(
        path="comp/makeup",
        label="Compressor make-up",
        help="Gain after compression.",
        unit="dB",
        high=24.0,
        default=0.0,
    ),
    _gain(
        "gain",
        "Gain",
        "The model's first knob where it has one, else the drive into the model.",
        24.0,
    ),
    Parameter(
        path="level",
        label="Level",
        help="The model's second knob where it has one, else the output level; 0 is silence.",
        unit="dB",
        low=-math.inf,
        high=12.0,
        default=FADER_UNITY,
        curve=FADER,
        is_gain=True,
    ),
    _switch(
        "cab/enable",
        "Cabinet",
        "Play through the cabinet; loading one switches it on.",
        0.01,
        has_toggle=False,
    ),
    Parameter(
        path="cab/level",
        label="Cabinet level",
        help="Gain of the cabinet; all cabinets are equally loud at 0 dB.",
        unit="dB",
        low=-24.0,
        high=12.0,
        default=LINEAR.to_position(0.0, -24.0, 12.0),
        is_gain=True,
    ),
    Parameter(path="bass", label="Bass", help="Low shelf.", unit="dB", low=-12.0, high=12.0),
    Parameter(path="mid", label="Mid", help="Peaking band.", unit="dB", low=-12.0, high=12.0),
    Parameter(path="treble", label="Treble", help="High shelf.", unit="dB", low=-12.0, high=12.0),
    _mix(
        "delay",
        "Delay mix",
        "Level at which the sound is sent into the delay, and so of the first echo; at 0 the "
        "echoes ring out.",
    ),
    Parameter(
        path="delay/time",
        label="Delay time",
        help="Time between echoes; without effect while they are synchronised.",
        unit="ms",
        low=1.0,
        high=2000.0,
        curve=LOGARITHMIC,
        default=LOGARITHMIC.to_position(350.0, 1.0, 2000.0),
        # The delay crossfades from one time to the next; smoothing would bend the pitch.
        smooth_s=0.0,
        synced_by=("delay/sync", "delay/note"),
    ),
    Parameter(
        path="delay/feedback",
        label="Delay feedback",
        help="Share of each echo that is repeated.",
        low=0.0,
        high=0.95,
        default=0.35 / 0.95,
    ),
    _switch(
        "delay/sync",
        "Delay sync",
        "Take the time between echoes from the tempo and the note value.",
        0.0,
        has_toggle=False,
        is_effect_control=False,
    ),
    Parameter(
        path="delay/note",
        label="Delay note",
        help="Note value between synchronised echoes; halved where that is too long.",
        kind=ParameterKind.ENUM,
        high=len(NOTE_BEATS) - 1.0,
        choices=tuple(NOTE_BEATS),
        default=list(NOTE_BEATS).index(DEFAULT_NOTE) / (len(NOTE_BEATS) - 1.0),
        smooth_s=0.0,
        is_effect_control=False,
    ),
    _mix(
        "reverb",
        "Reverb mix",
        "Level at which the sound is sent into the reverb; at 0 the reverberation rings out.",
    ),
    Parameter(
        path="reverb/size",
        label="Reverb decay",
        help="Time in which the reverberation falls by 60 dB.",
        unit="s",
        low=0.2,
        high=10.0,
        curve=LOGARITHMIC,
        default=LOGARITHMIC.to_position(1.5, 0.2, 10.0),
    ),
    Parameter(
        path="reverb/damping",
        label="Reverb damping",
        help="How much faster high frequencies decay than low ones.",
    ),
    Parameter(
        path="reverb/predelay",
        label="Reverb pre-delay",
        help="Time before the first reflection.",
        unit="ms",
        high=200.0,
        default=10.0 / 200.0,
        smooth_s=0.0,
    ),
    Parameter(
        path="tempo/bpm",
        label="Tempo",
        help="Tempo for what is synchronised to it.",
        unit="BPM",
        low=20.0,
        high=300.0,
        default=LINEAR.to_position(120.0, 20.0, 300.0),
        smooth_s=0.0,
        in_unit=True,
        is_effect_control=False,
    ),
    _gain(
        "output", "Output", "Trim after all effects, before the limiter.", 24.0, is_in_preset=False
    ),
    _switch("bypass", "Bypass", "Bypass all effects.", 0.01),
    _switch("mute", "Mute", "Mute the output.", 0.01, is_in_preset=False),
    _switch(
        "tuner/enable",
        "Tuner",
        "Run the tuner; off after every start.",
        0.0,
        is_in_preset=False,
        is_effect_control=False,
        is_in_session=False,
    ),
    _switch(
        "tuner/mute",
        "Tuner mute",
        "Mute the output while the tuner runs.",
        0.0,
        has_toggle=False,
        is_in_preset=False,
        is_effect_control=False,
        default=1.0,
    ),
    Parameter(
        path="tuner/ref",
        label="Tuner reference",
        help="Frequency of A4 for the tuner.",
        unit="Hz",
        low=400.0,
        high=480.0,
        default=LINEAR.to_position(440.0, 400.0, 480.0),
        smooth_s=0.0,
        in_unit=True,
        is_in_preset=False,
        is_effect_control=False,
    ),
    _switch(
        "size/auto",
        "Step down",
        "Reduce the quality while the load is too high: the size of a model that has several, then "
        "the reverb.",
        0.0,
        has_toggle=False,
        is_in_preset=False,
        is_effect_control=False,
        default=1.0,
    ),
)

FURTHER_TABLE: tuple[Parameter, ...] = (
    *MODULATION_TABLE,
    Parameter(
        path="split/mix",
        label="Split mix",
        help="From branch a alone (0) to branch b alone (1); in the middle both at full level.",
    ),
    _branch_level("a"),
    _branch_level("b"),
)
"""The rows of slots that the default chain does not have."""

BY_PATH: dict[str, Parameter] = {row.path: row for row in (*TABLE, *FURTHER_TABLE)}


def knob(number: int, label: str = "", default: float = 0.5) -> Parameter:
    """Return the row of a model's conditioning knob; numbers count from 1."""
    return Parameter(
        path=f"knob/{number}",
        label=label or f"Knob {number}",
        help="A conditioning knob of the current model.",
        default=default,
    )


def param(path: str) -> Parameter:
    """Return the row of a path, those of `knob/<number>` included.

    Raises: KeyError for a path that is not in the table.
    """
    number = knob_number(path)
    return BY_PATH[path] if number is None else knob(number)


def knob_number(path: str) -> int | None:
    """Return the number in `knob/<number>`, or None for another path.

    Raises: KeyError for a number out of 1..`MAX_KNOBS`, or one not written in plain digits.
    """
    if not path.startswith("knob/"):
        return None
    digits = path.removeprefix("knob/")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(MAX_KNOBS))):
        raise KeyError(path)
    number = int(digits)
    if not 1 <= number <= MAX_KNOBS or str(number) != digits:
        raise KeyError(path)
    return number


def canonical(path: str) -> str:
    """Return the path under which a position is stored: `knob/1` is `gain`, `knob/2` is `level`.

    Raises: KeyError for a path that is not in the table.
    """
    number = knob_number(path)
    if number is None:
        return BY_PATH[path].path
    return path if number > len(MODEL_KNOBS) else MODEL_KNOBS[number - 1]
