"""From a chain to the parts of its rig: runs of effects, and models.

A model's part holds the model alone, so that all parts can be joined into one program. In a rig of
several programs each model that runs at the device's rate has what surrounds it in its own part, so
that two models in a row need no part in between: drive, model, DC blocker, fader. Such a part
depends on the network alone. Where its fader is not used, because that of the first model follows
all effects, it stays at unity gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax

from nemod.engine.chain import (
    UNITY,
    Content,
    Fork,
    Path,
    Placed,
    PlacedModel,
    behind_each_model,
    rig_effects,
)
from nemod.engine.rig import AnyRigSpec, Part, back_spec, joined, run_spec
from nemod.fx.effect import AnyEffect, Tails, chain, stereo_form
from nemod.fx.gain import gain
from nemod.fx.nn.neural import neural
from nemod.fx.stereo import both_channels, in_channels


def rig_parts(
    content: Content,
    rate_hz: int,
    *,
    outputs: int = 1,
    own_rates: Mapping[str, int] | None = None,
    is_joined: bool = True,
) -> tuple[Part, ...]:
    """Return the parts of a rig for a device at `rate_hz`, in the order in which they are called.

    `own_rates` [Hz]: the rates of the models that are resampled, by slot; such a rig cannot be
    joined. The last part ends with the limiter and the meters. With two `outputs` it has two
    channels from its first effect on that makes two, behind the last model, cabinet and mix.
    """
    made = _Parts(content, rate_hz, own_rates or {}, is_joined=is_joined, outputs=outputs)
    return made.whole()


class WholeRig(NamedTuple):
    """A rig as one program."""

    spec: AnyRigSpec
    layout: tuple[str, ...]
    """Canonical paths of its controls."""
    signature: tuple[Any, ...]
    """All that its program depends on but rate and block size."""


def whole_rig(content: Content, rate_hz: int, outputs: int = 1) -> WholeRig:
    """Return a rig as one program, all of it at the device's rate."""
    parts = rig_parts(content, rate_hz, outputs=outputs)
    return WholeRig(
        joined(parts),
        tuple(path for part in parts for path in part.paths),
        tuple((part.signature, part.inputs) for part in parts),
    )


class _Parts:
    """Gathers effects into runs along the signal."""

    def __init__(
        self,
        content: Content,
        rate_hz: int,
        own_rates: Mapping[str, int],
        *,
        is_joined: bool,
        outputs: int,
    ) -> None:
        self._effects = rig_effects(content, rate_hz)
        self._rate_hz = rate_hz
        self._own_rates = own_rates
        self._is_joined = is_joined
        self._outputs = outputs
        self._parts: list[Part] = []
        self._inputs: tuple[int, ...] = (0,)
        """The signals that the present run begins with; two where it begins with a mix."""
        self._run: list[Placed] = []

    def whole(self) -> tuple[Part, ...]:
        self._follow(self._effects.wet)
        behind = [
            each._replace(effect=in_channels(each.effect, self._outputs))
            for each in (*self._effects.after_bypass, self._effects.last)
        ]
        *after_bypass, last = behind
        ending = chain("ending", *(each.effect for each in after_bypass))
        self._run = _in_outputs(self._run, self._outputs)
        after = _as_chain("back", self._run)
        spec = back_spec(after, ending, last.effect, self._rate_hz, wet_signals=len(self._inputs))
        paths = (*_paths(self._run), "bypass", *_paths(behind))
        self._parts.append(
            Part(
                spec=spec,
                paths=paths,
                inputs=(0, *self._inputs),
                signature=("back", self._outputs, _signature(self._run), _signature(behind)),
            )
        )
        return tuple(self._parts)

    def _follow(self, path: Path) -> None:
        for each in path:
            if isinstance(each, Placed):
                self._run.append(each)
            elif isinstance(each, PlacedModel):
                self._model(each)
            else:
                self._fork(each)

    def _model(self, placed: PlacedModel) -> None:
        own_rate_hz = self._own_rates.get(placed.slot)
        model = Placed(neural(placed.model), placed.paths)
        before = [placed.drive] if placed.drive is not None else []
        after = [behind_each_model(self._rate_hz)]
        if placed.fader is not None and not placed.is_first:
            after.append(placed.fader)
        if self._is_joined or own_rate_hz is not None:
            self._run += before
            self._close()
            self._add(model.effect, [model], placed)
            self._run = after
            return
        if placed.fader is not None and placed.is_first:
            after.append(Placed(gain("level"), (UNITY,)))
        self._close()
        run = [*before, model, *after]
        self._add(_as_chain("model", run), run, placed)

    def _fork(self, fork: Fork) -> None:
        self._close()
        start = self._inputs
        ends: list[int] = []
        for branch in (fork.a, fork.b):
            self._inputs = start
            self._follow(branch)
            self._close()
            ends += self._inputs
        self._inputs = tuple(ends)
        self._run = [fork.mix]

    def _close(self) -> None:
        """End the present run, if there is one: it becomes a part."""
        if self._run:
            self._add(_as_chain("run", self._run), self._run, None)
            self._run = []

    def _add(self, effect: AnyEffect, run: Sequence[Placed], model: PlacedModel | None) -> None:
        """Add a part: the effects of `run`, among them a model or not, which are `effect`."""
        slot = "" if model is None else model.slot
        own_rate_hz = self._own_rates.get(slot)
        kind = ("run",) if model is None else ("model", model.model.network)
        self._parts.append(
            Part(
                spec=replace(
                    run_spec(effect, own_rate_hz or self._rate_hz), signals=len(self._inputs)
                ),
                paths=_paths(run),
                inputs=self._inputs,
                signature=(*kind, _signature(run)),
                model=slot,
                has_own_rate=own_rate_hz is not None,
            )
        )
        self._inputs = (len(self._parts),)


def _as_chain(name: str, run: Sequence[Placed]) -> AnyEffect:
    """Return the effects of a run as one, each with its tails under the name of its slot."""
    return chain(name, *map(_with_own_tails, run))


def _with_own_tails(placed: Placed) -> AnyEffect:
    effect = placed.effect

    def tails(state: object) -> Tails:
        return {f"{placed.slot}/{name}": tail for name, tail in effect.tails(state).items()}

    return replace(effect, tails=tails)


def _in_outputs(run: Sequence[Placed], outputs: int) -> list[Placed]:
    """Return a run with one channel at its end, or with two."""
    if outputs == 1:
        return list(run)
    mono = 1 + max((n for n, placed in enumerate(run) if placed.is_mono), default=-1)
    makes = (n for n in range(mono, len(run)) if run[n].effect.makes_stereo)
    first = next(makes, len(run))
    stereo = [each._replace(effect=stereo_form(each.effect)) for each in run[first:]]
    return [*run[:first], Placed(both_channels(), ()), *stereo]


def _paths(run: Sequence[Placed]) -> tuple[str, ...]:
    return tuple(path for placed in run for path in placed.paths)


def _signature(run: Sequence[Placed]) -> tuple[Any, ...]:
    """Return names and sizes of effects, which with rate and block size make their program."""
    return tuple(
        (placed.effect.name, *(leaf.shape for leaf in jax.tree.leaves(placed.effect.weights)))
        for placed in run
    )
