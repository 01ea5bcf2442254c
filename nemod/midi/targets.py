"""What a control can do: set a parameter, or one of these actions, by the paths that OSC uses."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from nemod.common.errors import did_you_mean
from nemod.common.timers import Timers
from nemod.control.controller import Controller
from nemod.control.errors import Code, ControlError
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.control.similar_names import similar_name
from nemod.midi.binding import SHUTDOWN
from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.parameter_set import TOGGLES, ParameterSet
from nemod.parameters.slot_paths import is_slot_path

JOB_INTERVAL_S = 0.05
"""[s] Between two requests of background jobs by controllers; the newest is carried out."""
TOGGLE = "toggle/"
PRESET_LOAD = "preset/load"
TAP = "tempo/tap"

Run = Callable[[Controller, Source, int, float | None], Job | None]
"""(controller, source, number, time of the press [s], None for now); raises ControlError."""


class Action(NamedTuple):
    """Something that a press does."""

    run: Run
    takes_number: bool = False
    is_job: bool = False


def _panic(rig: Controller, source: Source, _number: int, _time_s: float | None) -> None:
    rig.panic(source)


def _tap(rig: Controller, source: Source, _number: int, time_s: float | None) -> None:
    rig.tempo.tap(source, time_s)


def _load_snapshot(rig: Controller, source: Source, number: int, _time_s: float | None) -> None:
    rig.presets.load_snapshot(number, source)


ACTIONS: Mapping[str, Action] = {
    PRESET_LOAD: Action(
        lambda rig, source, number, _: rig.presets.load(number, source),
        takes_number=True,
        is_job=True,
    ),
    "preset/next": Action(lambda rig, source, *_: rig.presets.step(1, source), is_job=True),
    "preset/prev": Action(lambda rig, source, *_: rig.presets.step(-1, source), is_job=True),
    "snapshot/load": Action(_load_snapshot, takes_number=True),
    "model/load": Action(
        lambda rig, source, number, _: rig.load_model(number, source),
        takes_number=True,
        is_job=True,
    ),
    "model/next": Action(lambda rig, source, *_: rig.step_model(1, source), is_job=True),
    "model/prev": Action(lambda rig, source, *_: rig.step_model(-1, source), is_job=True),
    TAP: Action(_tap),
    "panic": Action(_panic),
}
"""Actions by name. `shutdown` is one more, which only the file of bindings can name."""
OPPOSITE: Mapping[str, str] = {
    "preset/next": "preset/prev",
    "preset/prev": "preset/next",
    "model/next": "model/prev",
    "model/prev": "model/next",
}
"""What an encoder does that is turned to the left."""
_FINE_STEP = 1.0 / 128.0


def target_problem(target: str) -> str:
    """Return why a target of the file is none with any chain; nothing for a good one."""
    if target in ACTIONS or target == SHUTDOWN:
        return ""
    parameters = ParameterSet()
    path = _path(target)
    if path in parameters or path.startswith("knob/") or is_slot_path(path):
        return ""
    known = [*ACTIONS, *parameters.all_paths()]
    return f"{target[:120]!r}: no such parameter or action{did_you_mean(target[:120], known)}"


def _path(target: str) -> str:
    word = target.removeprefix(TOGGLE)
    return TOGGLES.get(word, word) if target.startswith(TOGGLE) else target


class Targets:
    """Carries out what controls do. Thread: control."""

    def __init__(
        self,
        controller: Controller,
        timers: Timers,
        *,
        on_error: Callable[[ControlError], None],
        shut_down: Callable[[], None] | None,
    ) -> None:
        """`on_error` gets what cannot be done. `shut_down` ends everything and the machine."""
        self._controller = controller
        self._timers = timers
        self._on_error = on_error
        self._shut_down = shut_down
        self._waiting: Callable[[], None] | None = None
        """The newest request of a job that came too soon."""
        self._next_job_s = 0.0

    def check(self, target: str) -> str:
        """Return what a target is to be written as. Raises: ControlError for an unknown one."""
        if target in ACTIONS or self.row(target) is not None:
            return target
        known = [*ACTIONS, *self._controller.parameters.all_paths()]
        raise ControlError(
            Code.NOT_FOUND,
            target[:120],
            "no such parameter or action",
            lambda: similar_name(target, known),
        )

    def row(self, target: str) -> Parameter | None:
        """Return the row of a parameter, also that of `toggle/<switch>`; None for an action."""
        try:
            return self._controller.describe(self.path(target))
        except ControlError:
            return None

    def path(self, target: str) -> str:
        """Return the path of the parameter that a target is about."""
        return _path(target)

    def is_switch(self, target: str) -> bool:
        """Return whether a target is on or off, or an action without a number."""
        if target in ACTIONS:
            return not ACTIONS[target].takes_number
        if target == SHUTDOWN:
            return True
        row = self.row(target)
        return row is not None and row.kind is ParameterKind.BOOL

    def current_number(self, target: str) -> float | None:
        """Return the number of what is current, for an action that loads by number; else None."""
        rig = self._controller
        numbers = {PRESET_LOAD: rig.presets.number, "model/load": rig.model_index}
        if target not in ACTIONS or not ACTIONS[target].takes_number:
            return None
        return float(max(numbers.get(target, 0), 0))

    def requested_number(self, target: str) -> int | None:
        """Return the number of what was requested last, or is current; None where nothing tells."""
        rig = self._controller
        if target == PRESET_LOAD:
            return rig.presets.requested_number
        if target == "model/load":
            names = rig.model_names
            return names.index(rig.requested_model) if rig.requested_model in names else None
        return None

    def step(self, target: str) -> float:
        """Return by how much one step of an encoder changes a position: one choice, or one unit."""
        row = self.row(target)
        if row is None:
            return _FINE_STEP
        if row.kind is ParameterKind.BOOL:
            return 1.0
        if row.kind is ParameterKind.ENUM or row.in_unit:
            return 1.0 / (row.high - row.low)
        return _FINE_STEP

    def canonical(self, target: str) -> str:
        """Return the path by which events name a parameter; the target itself for an action."""
        path = self.path(target)
        try:
            return self._controller.parameters.canonical(path)
        except KeyError:
            return path

    def set(self, target: str, position: float, source: Source) -> None:
        """Set a parameter."""
        self._guarded(lambda: self._controller.set(self.path(target), position, source))

    def set_value(self, path: str, value: float, source: Source) -> None:
        """Set a parameter in its unit."""
        self._guarded(lambda: self._controller.set_value(path, value, source))

    def value(self, path: str) -> float:
        """Return a parameter of the table in its unit."""
        return self._controller.value(path)

    def position(self, target: str) -> float | None:
        """Return the position of a parameter; None where it does not exist now."""
        try:
            return self._controller.position(self.path(target))
        except ControlError:
            return None

    def run(self, target: str, number: int, source: Source, time_s: float | None) -> None:
        """Carry out an action. Jobs are not queued: of several that come fast the newest runs."""
        if target == SHUTDOWN:
            if self._shut_down is not None:
                self._shut_down()
            return
        action = ACTIONS.get(target)
        if action is None:
            self._on_error(ControlError(Code.NOT_FOUND, target[:120], "no such action"))
            return

        def work() -> None:
            self._guarded(lambda: action.run(self._controller, source, number, time_s))

        if action.is_job:
            self._in_turn(work)
        else:
            work()

    def _in_turn(self, work: Callable[[], None]) -> None:
        now = self._timers.now_s()
        if now >= self._next_job_s:
            self._next_job_s = now + JOB_INTERVAL_S
            work()
            return
        if self._waiting is None:
            self._timers.later(self._next_job_s - now, self._run_waiting)
        self._waiting = work

    def _run_waiting(self) -> None:
        work, self._waiting = self._waiting, None
        self._next_job_s = self._timers.now_s() + JOB_INTERVAL_S
        if work is not None:
            work()

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except ControlError as error:
            self._on_error(error)
