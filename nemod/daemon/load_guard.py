"""Watches the load and has the quality reduced when the machine is too slow. Thread: control.

What is reduced, and when, is in `nemod.daemon.step_down`.
"""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from nemod.builder.messages import FULL_QUALITY, Reduction
from nemod.control.events import EventStream, QualityChanged
from nemod.control.settings import Settings
from nemod.daemon.built_rig import BuiltRig
from nemod.daemon.load_window import Load, LoadWindow
from nemod.daemon.step_down import OVERLOAD, SIZE, StepDown, ladder
from nemod.engine.ipc import TelemetryRecord

AUTO = "size/auto"
"""Path of the switch."""
CHECK_S = 0.25
"""[s] Between two looks at the load."""
BUILD_S = 20.0
"""[s] How long a rig of another quality is waited for, before the load is looked at again."""

log = structlog.get_logger("nemod")


class Reducible(Protocol):
    """What plays; in the daemon the model switcher."""

    @property
    def current(self) -> BuiltRig | None:
        """The rig that plays, with the sizes of its models that the player wants."""
        ...

    def reduce(self, reduction: Reduction) -> None:
        """Have this and all later rigs built in this quality."""
        ...


class LoadGuard:
    """Reduces the quality while the load is too high, and restores it."""

    def __init__(
        self,
        player: Reducible,
        settings: Settings,
        events: EventStream,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` returns a time [s]."""
        self._player = player
        self._settings = settings
        self._events = events
        self._clock = clock
        self._window = LoadWindow()
        self._steps = StepDown()
        self._asked = FULL_QUALITY
        self._rig_id = 0
        self._next_check_s = self._built_by_s = 0.0

    @property
    def reduced(self) -> str:
        """What is reduced, as `size, reverb`; `overload` where that is not enough."""
        return ", ".join(self._steps.words)

    def add(self, record: TelemetryRecord) -> None:
        """Take a record of the audio process."""
        current, now = self._player.current, self._clock()
        if current is None:
            return
        is_on = self._settings.get(AUTO) >= 0.5
        chain = current.rig.chain
        models = [(sizes, chain[slot].size) for slot, sizes in current.result.sizes.items()]
        if self._steps.use(ladder(models, is_on=is_on)):
            self._act(None, now)
        if record.rig_id not in (0, self._rig_id):
            self._rig_id = record.rig_id
            self._window.clear()
        if current.reduction != self._steps.reduction and now < self._built_by_s:
            self._window.clear()
            return
        self._window.add(record, now)
        if now < self._next_check_s:
            return
        self._next_check_s = now + CHECK_S
        load = self._window.load(now)
        if load is not None and self._steps.observe(load, now):
            self._act(load, now)

    def _act(self, load: Load | None, now_s: float) -> None:
        """Play in the quality that was decided on, and report it; `load` is the cause."""
        self._window.clear()
        if self._steps.reduction != self._asked:
            self._asked = self._steps.reduction
            self._player.reduce(self._asked)
            self._built_by_s = now_s + BUILD_S
        self._report(load)
        self._events.publish(QualityChanged(self.reduced))

    def _report(self, load: Load | None) -> None:
        facts = {"reduced": self.reduced or "nothing"}
        if SIZE in self._steps.words:
            facts["size"] = f"{self._steps.reduction.size:.2g}"
        if load is not None:
            facts["load"] = f"{load.p99:.0%}"
            facts["late"] = str(load.late)
        if OVERLOAD in self._steps.words:
            log.warning("load too high, with nothing left to reduce", **facts)
        elif self.reduced and load is not None:
            log.warning("quality changed because of the load", **facts)
        else:
            log.info("quality changed", **facts)
