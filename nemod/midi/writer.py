"""Writes the file of bindings: one block per binding, with only what differs from the default."""

from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum

from nemod.common.errors import NemodError
from nemod.common.yaml_writer import decimal, flow, quoted
from nemod.midi.binding import ANY_PROGRAM, LONG_PRESS_S, SHUTDOWN, SHUTDOWN_HOLD_S, Binding
from nemod.midi.key_names import key_name
from nemod.midi.messages import Kind
from nemod.midi.reader import ANY, MAX_BYTES, VERSION, BindingFile

_HEAD = """\
# What MIDI controllers, pedals, keys and pins do; the page on MIDI lists every key. nemod writes
# this file anew when a control is learned, without your comments; the version before it is kept.
"""
_KEPT_APART = ("kind", "number", "second", "target", "unknown", "hold_s")
"""Fields of a binding that are not written as they are."""
_LEADING = ("device", "port", "channel")


class BindingsError(NemodError):
    """Bindings that cannot be written."""


def to_text(file: BindingFile) -> str:
    """Return the text of the file. Raises: BindingsError where it would be too large."""
    text = "".join(_lines(file))
    if len(text.encode()) > MAX_BYTES:
        raise BindingsError(f"the bindings would be larger than {MAX_BYTES} bytes")
    return text


def _lines(file: BindingFile) -> Iterator[str]:
    yield f"{_HEAD}version: {VERSION}\n"
    if not file.has_defaults:
        yield "defaults: false\n"
    if file.clock != ANY:
        yield f"clock: {quoted(file.clock)}\n"
    if file.inputs:
        yield f"inputs: {flow(list(file.inputs))}\n"
    for key, value in file.unknown.items():
        yield f"{quoted(key)}: {flow(value)}\n"
    yield "bindings:\n" if file.bindings or file.unread else "bindings: []\n"
    for binding in file.bindings:
        for place, (key, text) in enumerate(_pairs(binding)):
            yield f"  {' ' if place else '-'} {key}: {text}\n"
    for entry in file.unread:
        yield f"  - {flow(entry)}\n"


def _pairs(binding: Binding) -> Iterator[tuple[str, str]]:
    """Yield the keys of an entry with the text of their values."""
    default = Binding(kind=binding.kind, target=binding.target)
    rest = [entry.name for entry in fields(Binding) if entry.name not in _KEPT_APART]
    for name in _LEADING:
        if getattr(binding, name) != getattr(default, name):
            yield name, _text(getattr(binding, name))
    yield binding.kind, _control(binding)
    yield "target", quoted(binding.target)
    for name in rest:
        value = getattr(binding, name)
        if name not in _LEADING and value != getattr(default, name):
            yield name, _text(value)
    is_shutdown = SHUTDOWN in (binding.target, binding.long)
    usual_s = SHUTDOWN_HOLD_S if is_shutdown else LONG_PRESS_S
    if binding.hold_s != usual_s:
        yield "hold_s", decimal(binding.hold_s)
    for key, below in binding.unknown.items():
        yield quoted(key), flow(below)


def _control(binding: Binding) -> str:
    match binding.kind:
        case Kind.ENCODER:
            return f"[{binding.number}, {binding.second}]"
        case Kind.BEND | Kind.PRESSURE:
            return "true"
        case Kind.KEY:
            return key_name(binding.number)
        case Kind.PROGRAM if binding.number == ANY_PROGRAM:
            return ANY
        case _:
            return str(binding.number)


def _text(value: object) -> str:
    if isinstance(value, StrEnum):
        return quoted(str(value))
    return flow(list(value)) if isinstance(value, tuple) else flow(value)
