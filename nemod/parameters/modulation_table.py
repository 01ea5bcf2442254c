"""The rows of the modulation effects, which the default chain does not have."""

from nemod.parameters.curves import LINEAR, LOGARITHMIC, Curve
from nemod.parameters.lfo_shapes import LFO_SHAPES
from nemod.parameters.notes import DEFAULT_NOTE, NOTE_BEATS
from nemod.parameters.parameter import Parameter, ParameterKind

PHASER_STAGES = (4, 6, 8, 10)


def _switch(kind: str, label: str, text: str) -> Parameter:
    return Parameter(
        path=f"{kind}/enable", label=label, help=text, kind=ParameterKind.BOOL, default=0.0,
        smooth_s=0.01,
    )  # fmt: skip


def _value(
    path: str,
    label: str,
    text: str,
    unit: str,
    low: float,
    high: float,
    default: float,
    curve: Curve = LINEAR,
) -> Parameter:
    position = curve.to_position(default, low, high)
    return Parameter(
        path=path, label=label, help=text, unit=unit, low=low, high=high, default=position,
        curve=curve,
    )  # fmt: skip


def _choice(path: str, label: str, text: str, choices: tuple[str, ...], default: int) -> Parameter:
    """Return an enum that its effect mixes from one choice to the next."""
    return Parameter(
        path=path, label=label, help=text, kind=ParameterKind.ENUM, high=len(choices) - 1.0,
        choices=choices, default=default / (len(choices) - 1.0),
    )  # fmt: skip


def _lfo(
    kind: str, label: str, moves: str, rate_hz: float, depth: float, spread: float
) -> tuple[Parameter, ...]:
    """Return the rows of an effect's own oscillator; `moves` is what it moves."""
    notes = tuple(NOTE_BEATS)
    return (
        Parameter(
            path=f"{kind}/rate",
            label=f"{label} rate",
            help="Cycles of its oscillator in a second; without effect while it is synchronised.",
            unit="Hz",
            low=0.05,
            high=10.0,
            curve=LOGARITHMIC,
            default=LOGARITHMIC.to_position(rate_hz, 0.05, 10.0),
            # The oscillator's phase goes on from where it is: no jump is heard.
            smooth_s=0.0,
            synced_by=(f"{kind}/sync", f"{kind}/note"),
        ),
        _value(f"{kind}/depth", f"{label} depth", f"How far it moves {moves}.", "", 0, 1, depth),
        _choice(f"{kind}/shape", f"{label} shape", "Shape of its oscillator.", LFO_SHAPES, 0),
        _value(
            f"{kind}/spread",
            f"{label} spread",
            "How far the oscillator of the right output is ahead of that of the left one.",
            "deg",
            0.0,
            180.0,
            spread,
        ),
        Parameter(
            path=f"{kind}/sync",
            label=f"{label} sync",
            help="Take the rate from the tempo and the note value.",
            kind=ParameterKind.BOOL,
            default=0.0,
            smooth_s=0.0,
            is_effect_control=False,
        ),
        Parameter(
            path=f"{kind}/note",
            label=f"{label} note",
            help="Note value of a synchronised cycle; doubled where that is too fast.",
            kind=ParameterKind.ENUM,
            high=len(notes) - 1.0,
            choices=notes,
            default=notes.index(DEFAULT_NOTE) / (len(notes) - 1.0),
            smooth_s=0.0,
            is_effect_control=False,
        ),
    )


def _mix(kind: str, label: str, default: float = 0.5) -> Parameter:
    return _value(
        f"{kind}/mix", f"{label} mix", "From the dry sound (0) to the effect alone (1).", "", 0, 1,
        default,
    )  # fmt: skip


MODULATION_TABLE: tuple[Parameter, ...] = (
    _switch("chorus", "Chorus", "Add a copy whose pitch moves; with full mix a vibrato."),
    *_lfo("chorus", "Chorus", "the delay of the copy", 0.8, 0.5, 90.0),
    _value(
        "chorus/delay", "Chorus delay", "Mean delay of the copy.", "ms", 2, 30, 10, LOGARITHMIC
    ),
    _mix("chorus", "Chorus"),
    _switch("flanger", "Flanger", "Mix with a copy that is late by a moving short time."),
    *_lfo("flanger", "Flanger", "the delay of the copy", 0.2, 0.7, 90.0),
    _value(
        "flanger/delay", "Flanger delay", "Mean delay of the copy.", "ms", 0.5, 10, 2, LOGARITHMIC
    ),
    _value(
        "flanger/feedback",
        "Flanger feedback",
        "Share of the delayed sound that is fed back; negative: inverted.",
        "",
        -0.95,
        0.95,
        0.4,
    ),
    Parameter(
        path="flanger/through_zero",
        label="Flanger through zero",
        help="Delay the dry sound by the mean delay, so that the copy overtakes it.",
        kind=ParameterKind.BOOL,
        default=0.0,
    ),
    _mix("flanger", "Flanger"),
    _switch("phaser", "Phaser", "Mix with a copy whose phase moving filters turn."),
    *_lfo("phaser", "Phaser", "the notches; 1 is two octaves up and down", 0.4, 0.6, 90.0),
    _value(
        "phaser/frequency",
        "Phaser frequency",
        "Where each filter turns the phase by 90 degrees, in the middle of the sweep.",
        "Hz",
        100.0,
        4000.0,
        800.0,
        LOGARITHMIC,
    ),
    _choice(
        "phaser/stages",
        "Phaser stages",
        "Number of filters; two make a notch.",
        tuple(str(count) for count in PHASER_STAGES),
        0,
    ),
    _value(
        "phaser/feedback",
        "Phaser feedback",
        "Share of the turned sound that is fed back.",
        "",
        0.0,
        0.9,
        0.3,
    ),
    _mix("phaser", "Phaser"),
    _switch("tremolo", "Tremolo", "Make the sound louder and quieter."),
    *_lfo("tremolo", "Tremolo", "the gain; 1 is down to silence", 4.0, 0.6, 0.0),
    Parameter(
        path="tremolo/harmonic",
        label="Tremolo harmonic",
        help="Make the treble quieter while the bass is louder, and the other way round.",
        kind=ParameterKind.BOOL,
        default=0.0,
    ),
    _switch("autowah", "Auto-wah", "Open a resonant filter the more the louder the guitar is."),
    Parameter(
        path="autowah/sensitivity",
        label="Auto-wah sensitivity",
        help="Gain of the level that moves the filter; at 0 dBFS it has moved all of its range.",
        unit="dB",
        high=40.0,
        default=14.0 / 40.0,
        is_gain=True,
    ),
    _value(
        "autowah/frequency",
        "Auto-wah frequency",
        "Resonance in silence.",
        "Hz",
        100.0,
        2000.0,
        350.0,
        LOGARITHMIC,
    ),
    _value(
        "autowah/range",
        "Auto-wah range",
        "Octaves by which loud notes move the resonance; negative: down.",
        "oct",
        -4.0,
        4.0,
        2.5,
    ),
    _value(
        "autowah/resonance", "Auto-wah resonance", "Q of the filter.", "", 0.5, 10, 3, LOGARITHMIC
    ),
    _value(
        "autowah/attack", "Auto-wah attack", "Time constant of its rise.", "ms", 1, 100, 5,
        LOGARITHMIC,
    ),
    _value(
        "autowah/release", "Auto-wah release", "Time constant of its fall.", "ms", 20, 1000, 150,
        LOGARITHMIC,
    ),
    _mix("autowah", "Auto-wah", 1.0),
)  # fmt: skip
