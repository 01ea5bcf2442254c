"""What controls do that nobody has bound."""

from nemod.midi.binding import ANY_PROGRAM, Binding, Mode
from nemod.midi.messages import Kind
from nemod.parameters.curves import FADER_UNITY

DEFAULTS: tuple[Binding, ...] = (
    Binding(kind=Kind.PROGRAM, number=ANY_PROGRAM, target="preset/load"),
    Binding(kind=Kind.CC, number=7, target="level"),
    # A volume pedal: silence at the heel, no gain at the toe.
    Binding(kind=Kind.CC, number=11, target="level", range=(0.0, FADER_UNITY)),
    Binding(kind=Kind.CC, number=60, target="preset/prev"),
    Binding(kind=Kind.CC, number=61, target="preset/next"),
    Binding(kind=Kind.CC, number=62, target="bypass", mode=Mode.TOGGLE),
    Binding(kind=Kind.CC, number=63, target="tuner/enable", mode=Mode.TOGGLE, long="tempo/tap"),
)
