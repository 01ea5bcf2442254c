"""Reads the file of bindings leniently.

An entry with a mistake is left out, logged and kept in the file, so that it can be corrected; what
this version does not know is kept, too. Only what is not plain YAML cannot be read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from nemod.common.errors import ConfigError
from nemod.common.kept_files import DamagedFileError, Skipped
from nemod.common.yaml_reader import Scalar, Tree, parse_yaml
from nemod.common.yaml_writer import is_writable
from nemod.config.checks import Choice, Number, Switch, Text, Whole
from nemod.midi.binding import (
    ANY_PROGRAM,
    SHUTDOWN,
    SHUTDOWN_HOLD_S,
    Binding,
    Curve,
    Encoding,
    Mode,
    Pull,
)
from nemod.midi.key_names import key_code
from nemod.midi.messages import MAX_7_BIT, MAX_14_BIT, Kind

MAX_BYTES = 64 * 1024
MAX_BINDINGS = 1024
MAX_LOGGED = 10
"""Most problems of one file that are logged one by one."""
MAX_PIN = 1023
ANY, OFF = "any", "off"
"""Values of `clock`, beside the name of a device."""
VERSION = 1
_TOP_KEYS = ("version", "defaults", "clock", "inputs", "bindings")
_KINDS = tuple(kind for kind in Kind if kind is not Kind.CLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingFile:
    """What the file of bindings says."""

    bindings: tuple[Binding, ...] = ()
    has_defaults: bool = True
    """Whether controls that are not bound do what they do by default."""
    clock: str = ANY
    """`any`, `off`, or the name of the device whose MIDI clock sets the tempo."""
    inputs: tuple[str, ...] = ()
    """Names of input devices that are opened although no binding names them."""
    unread: tuple[Tree, ...] = ()
    """Entries with a mistake, which are written again as they are."""
    unknown: Mapping[str, Any] = field(default_factory=dict)


def parse(text: str, file: Path | str = "") -> BindingFile:
    """Return what a file's text says; what is left out is logged.

    Raises: DamagedFileError for a text that is too long or no mapping in plain YAML.
    """
    made, skipped = read(text, file)
    skipped.log(structlog.get_logger("nemod").bind(file=str(file)).warning, "bindings", MAX_LOGGED)
    return made


def read(text: str, file: Path | str = "") -> tuple[BindingFile, Skipped]:
    """Return what a file's text says, and what is left out. Raises: DamagedFileError."""
    if len(text.encode()) > MAX_BYTES:
        raise DamagedFileError(f"larger than {MAX_BYTES} bytes")
    try:
        tree = parse_yaml(text, str(file), with_tags=False)
    except ConfigError as error:
        raise DamagedFileError("; ".join(error.problems)) from None
    if tree is None:
        return BindingFile(), Skipped()
    if not isinstance(tree, dict):
        raise DamagedFileError("keys (version, bindings, ...) are expected")
    reader = _Reader(tree)
    return reader.read(), reader.skipped


class _Reader:
    """Reads the tree of a file and gathers what it leaves out."""

    def __init__(self, tree: Mapping[str, Tree]) -> None:
        self.skipped = Skipped()
        self._tree = tree

    def read(self) -> BindingFile:
        """Return what the file says."""
        bindings: list[Binding] = []
        unread: list[Tree] = []
        for number, entry in enumerate(self._entries(), 1):
            at = f"bindings[{number}]"
            if len(bindings) == MAX_BINDINGS:
                self.skipped.add(at, f"more than {MAX_BINDINGS} bindings")
                break
            try:
                bindings.append(self._binding(entry, at))
            except ValueError as error:
                if self.skipped.keep(at, str(error), is_writable("", entry)):
                    unread.append(entry)
        return BindingFile(
            bindings=tuple(bindings),
            has_defaults=self._top("defaults", Switch(), default=True),
            clock=self._top("clock", _clock, default=ANY),
            inputs=self._top("inputs", _names, default=()),
            unread=tuple(unread),
            unknown={
                key: value
                for key, value in self._tree.items()
                if key not in _TOP_KEYS
                and self.skipped.keep(key, "unknown key", is_writable(key, value))
            },
        )

    def _top(self, key: str, check: Callable[[Tree, None], Any], *, default: Any) -> Any:
        if key not in self._tree:
            return default
        try:
            return check(self._tree[key], None)
        except ValueError as error:
            self.skipped.add(key, str(error))
            return default

    def _entries(self) -> list[Tree]:
        tree = self._tree.get("bindings")
        if isinstance(tree, list):
            return tree
        if tree is not None and not (isinstance(tree, Scalar) and tree.value is None):
            self.skipped.add("bindings", "a list of bindings is expected")
        return []

    def _binding(self, entry: Tree, at: str) -> Binding:
        """Return a binding. Raises: ValueError with everything that is wrong."""
        if not isinstance(entry, dict):
            raise ValueError("keys (device, cc, target, ...) are expected")  # noqa: TRY004
        problems: list[str] = []
        values: dict[str, Any] = {}
        unknown: dict[str, Tree] = {}
        for key, below in entry.items():
            if key in CHECKS:
                try:
                    values[key] = CHECKS[key](below, None)
                except ValueError as error:
                    problems.append(f"{key}: {error}")
            elif self.skipped.keep(f"{at}.{key}", "unknown key", is_writable(key, below)):
                unknown[key] = below
        controls = [kind for kind in _KINDS if kind in entry]
        if len(controls) != 1:
            problems.append(f"one of {', '.join(_KINDS)} is expected")
        if "target" not in entry:
            problems.append("a target is expected, such as gain or preset/next")
        if problems:
            raise ValueError("; ".join(problems))
        return _checked(_made(controls[0], values, unknown))


def _made(kind: Kind, values: dict[str, Any], unknown: Mapping[str, Tree]) -> Binding:
    given = values.pop(kind)
    numbers = {"number": given}
    if kind is Kind.ENCODER:
        numbers = {"number": given[0], "second": given[1]}
    elif kind in (Kind.BEND, Kind.PRESSURE):
        if not given:
            raise ValueError(f"{kind}: true is expected")
        numbers = {}
    if SHUTDOWN in (values["target"], values.get("long")):
        values.setdefault("hold_s", SHUTDOWN_HOLD_S)
    return Binding(kind=kind, **numbers, **values, unknown=unknown)


def _checked(binding: Binding) -> Binding:
    """Return a binding whose parts agree. Raises: ValueError."""
    if binding.kind is Kind.KEY and not binding.device:
        raise ValueError("a key needs the device that it is of; nemod midi list shows their names")
    _check_presses(binding)
    is_button = binding.kind in (Kind.NOTE, Kind.KEY, Kind.PIN)
    if is_button and binding.target.endswith("/load") and binding.value is None:
        raise ValueError("a value is expected: the number to load")
    low, high = binding.ends
    if low == high:
        raise ValueError("low and high are the same")
    if binding.encoding is not Encoding.ABSOLUTE and binding.kind is not Kind.CC:
        raise ValueError(f"encoding: {binding.encoding} is for controllers (cc)")
    if binding.encoding is Encoding.FOURTEEN_BIT and binding.number > 31:
        raise ValueError("encoding: 14-bit is for controllers 0 to 31, the upper halves")
    top = MAX_14_BIT if binding.is_14_bit else MAX_7_BIT
    if max(low, high) > top:
        raise ValueError(f"low and high are at most {top} here")
    return binding


def _check_presses(binding: Binding) -> None:
    """Check what a long press does. Raises: ValueError."""
    if binding.kind is Kind.PROGRAM and binding.long:
        raise ValueError("long: a program has no long press, for it is never released")
    if SHUTDOWN not in (binding.target, binding.long):
        return
    if binding.kind not in (Kind.CC, Kind.NOTE, Kind.KEY, Kind.PIN):
        raise ValueError(f"{SHUTDOWN}: a switch (cc, note, key, pin) is expected, which is held")
    if binding.encoding.is_relative:
        raise ValueError(f"{SHUTDOWN}: an encoder cannot be held")
    if binding.hold_s < SHUTDOWN_HOLD_S:
        raise ValueError(f"hold_s: at least {SHUTDOWN_HOLD_S:g} s for {SHUTDOWN}")


def _program(given: Tree, folder: None) -> int:
    if isinstance(given, Scalar) and given.text.lower() == ANY:
        return ANY_PROGRAM
    try:
        return Whole(0, MAX_7_BIT)(given, folder)
    except ValueError as error:
        raise ValueError(f"{error}, or any") from None


def _key(given: Tree, _folder: None) -> int:
    return key_code(given.text if isinstance(given, Scalar) else "")


def _pins(given: Tree, folder: None) -> tuple[int, int]:
    check = Whole(0, MAX_PIN)
    if not isinstance(given, list) or len(given) != 2:
        raise ValueError("two pins are expected, such as [17, 18]")
    first, second = check(given[0], folder), check(given[1], folder)
    if first == second:
        raise ValueError("two different pins are expected")
    return first, second


def _range(given: Tree, folder: None) -> tuple[float, float]:
    if not isinstance(given, list) or len(given) != 2:
        raise ValueError("two positions from 0 to 1 are expected, such as [0, 0.75]")
    check = Number(0.0, 1.0)
    return check(given[0], folder), check(given[1], folder)


def _names(given: Tree, folder: None) -> tuple[str, ...]:
    return tuple(Text()(one, folder) for one in (given if isinstance(given, list) else [given]))


def _clock(given: Tree, folder: None) -> str:
    if isinstance(given, Scalar) and given.value is False:  # YAML 1.1: off
        return OFF
    return Text("any, off, or the name of a device")(given, folder)


def _word(words: type[Encoding] | type[Mode] | type[Curve] | type[Pull]) -> Callable[..., Any]:
    choice = Choice(tuple(words))

    def check(given: Tree, folder: None) -> Any:
        if isinstance(given, Scalar) and given.value is False:  # YAML 1.1: off
            given = Scalar("off", "off")
        return words(choice(given, folder))

    return check


CHECKS: Mapping[str, Callable[[Tree, None], Any]] = {
    "device": Text(),
    "port": Text(),
    "channel": Whole(1, 16),
    Kind.CC: Whole(0, MAX_7_BIT),
    Kind.NOTE: Whole(0, MAX_7_BIT),
    Kind.PROGRAM: _program,
    Kind.PRESSURE: Switch(),
    Kind.BEND: Switch(),
    Kind.KEY: _key,
    Kind.PIN: Whole(0, MAX_PIN),
    Kind.ENCODER: _pins,
    "pull": _word(Pull),
    "bank": Whole(0, MAX_14_BIT),
    "offset": Whole(-MAX_7_BIT, MAX_7_BIT),
    "target": Text("a target"),
    "encoding": _word(Encoding),
    "mode": _word(Mode),
    "long": Text("a target"),
    "hold_s": Number(0.2, 10.0, "s"),
    "value": Number(0.0, float(MAX_14_BIT)),
    "low": Whole(0, MAX_14_BIT),
    "high": Whole(0, MAX_14_BIT),
    "range": _range,
    "curve": _word(Curve),
    "invert": Switch(),
    "step": Number(0.0001, 1.0),
    "takeover": Switch(),
    "echo": Switch(),
}
"""Keys of a binding."""
