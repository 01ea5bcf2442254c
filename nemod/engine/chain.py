"""The default chain: the effects before and after the model, in order.

This is the only place that defines the order. To add an effect, write it in `nemod.fx`, give each
of its knobs a row in `nemod.parameters.table`, and add a `Slot` here.
"""

from collections.abc import Callable
from typing import NamedTuple

from nemod.formats.model import Model
from nemod.fx.bypass import mute
from nemod.fx.compressor import compressor
from nemod.fx.dc import dc_blocker
from nemod.fx.delay import delay
from nemod.fx.effect import AnyEffect
from nemod.fx.eq import eq
from nemod.fx.gain import gain
from nemod.fx.gate import gate
from nemod.fx.limiter import limiter
from nemod.fx.reverb import cheap_reverb, reverb


def _always(_model: Model) -> bool:
    return True


def _unless_model_has_knob(number: int) -> Callable[[Model], bool]:
    """Return the condition of an effect that replaces a knob, counted from 1."""
    return lambda model: len(model.knobs) < number


class Slot(NamedTuple):
    """A place in the chain, and the effect that it holds."""

    make: Callable[[float], AnyEffect]
    """sample rate [Hz] -> effect"""
    condition: Callable[[Model], bool] = _always
    """Whether the rig of this model has the effect."""


class Chain(NamedTuple):
    """The slots of a rig; the model follows `before_model`, the cabinet `after_model`.

    The bypass mixes the input of the chain with the output of `after_cabinet`.
    """

    before_model: tuple[Slot, ...]
    after_model: tuple[Slot, ...]
    after_bypass: tuple[Slot, ...]
    last: Slot
    """The output meter shows the peak of its input."""
    after_cabinet: tuple[Slot, ...] = ()

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All slots in the order of the signal."""
        wet = (*self.before_model, *self.after_model, *self.after_cabinet)
        return (*wet, *self.after_bypass, self.last)


DEFAULT_CHAIN = Chain(
    before_model=(
        Slot(lambda _rate_hz: gain("input")),
        Slot(gate),
        Slot(compressor),
        Slot(lambda _rate_hz: gain("gain"), _unless_model_has_knob(1)),
    ),
    after_model=(Slot(dc_blocker),),
    after_cabinet=(
        Slot(eq),
        Slot(delay),
        Slot(reverb),
        Slot(lambda _rate_hz: gain("level"), _unless_model_has_knob(2)),
        Slot(lambda _rate_hz: gain("output")),
    ),
    after_bypass=(Slot(lambda _rate_hz: mute()),),
    last=Slot(limiter),
)
"""The model's first and second knob are `gain` and `level`; where a model lacks one, a drive before
it or a fader behind the effects takes its place."""


def with_cheap_reverb(chain: Chain) -> Chain:
    """Return a chain whose reverb takes less time, for a machine that is too slow."""

    def cheaper(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(
            slot._replace(make=cheap_reverb) if slot.make is reverb else slot for slot in slots
        )

    return chain._replace(
        after_model=cheaper(chain.after_model),
        after_cabinet=cheaper(chain.after_cabinet),
        after_bypass=cheaper(chain.after_bypass),
    )


def effects(slots: tuple[Slot, ...], model: Model, rate_hz: float) -> list[AnyEffect]:
    """Return the effects that a model's rig has in these slots."""
    return [slot.make(rate_hz) for slot in slots if slot.condition(model)]
