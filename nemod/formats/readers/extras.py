"""Values that a model plays without: an unusable one is left out, with a record of why.

A reader takes what the sound needs (weights, sizes, gains, ranges of knobs) from a `Node` itself,
which raises. It takes everything else through `Extras`, so that no metadata can refuse a model.
"""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from nemod.common.errors import ModelError
from nemod.formats.model import Knob, Probe
from nemod.formats.readers.document import Json, Node

T = TypeVar("T")

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 384_000
"""A stated sample rate outside of this range is taken for an error of the file's author."""
MAX_PROBE_FRAMES = 480_000
MAX_KNOB_NAME = 200
"""[characters]"""
MAX_OTHER = 65_536
"""[characters] Most unknown metadata of one file, as JSON."""
MAX_DEPTH = 32
"""Deepest nesting of unknown metadata."""
MAX_REASONS = 20
"""Most values of one file of which is recorded why they are left out."""


class Extras:
    """Reads optional values and records those that are unusable."""

    def __init__(self) -> None:
        """Begin with nothing left out."""
        self._reasons: dict[str, None] = {}
        self._count = 0

    @property
    def left_out(self) -> tuple[str, ...]:
        """Each value that was left out, as `key: what it is, expected what`."""
        more = self._count - len(self._reasons)
        return (*self._reasons, *([f"{more} more"] if more else []))

    def get(self, node: Node | None, read: Callable[[Node], T]) -> T | None:
        """Return what `read` makes of a value, or None where it is absent or `read` refuses it."""
        if node is None:
            return None
        try:
            return read(node)
        except ModelError as error:
            if error.reason not in self._reasons:
                self._count += 1
                if len(self._reasons) < MAX_REASONS:
                    self._reasons[error.reason] = None
            return None

    def object(self, node: Node | None) -> Node | None:
        """Return a node if it holds an object."""
        return None if self.get(node, Node.mapping) is None else node

    def rate(self, *nodes: Node | None) -> int | None:
        """Return the first usable sample rate [Hz] of several places."""
        rates = (self.get(node, lambda n: n.integer(MIN_RATE_HZ, MAX_RATE_HZ)) for node in nodes)
        return next((rate for rate in rates if rate is not None), None)

    def knobs(self, metadata: Node | None, count: int) -> tuple[Knob, ...]:
        """Return `count` knobs from `metadata.knobs`; without names they are numbered from 1.

        Raises: ModelError for a range that cannot be read: the network's input depends on it.
        """
        node = metadata.optional("knobs") if metadata else None
        if node is not None and _states_ranges(node):
            members: list[Node] | None = node.sequence(count, count)
        else:
            members = self.get(node, lambda node: node.sequence(count, count))
        if members is None:
            return tuple(Knob(str(number)) for number in range(1, count + 1))
        return tuple(self._knob(member, number) for number, member in enumerate(members, 1))

    def _knob(self, member: Node, number: int) -> Knob:
        if self.object(member) is None:
            return Knob(str(number))
        low, high = member.optional("low"), member.optional("high")
        name = self.get(member.optional("name"), lambda node: node.text(MAX_KNOB_NAME).strip())
        default = self.get(member.optional("default"), lambda node: node.number(0.0, 1.0))
        knob = Knob(
            name=name or str(number),
            low=low.number() if low else 0.0,
            high=high.number() if high else 1.0,
            default=0.5 if default is None else default,
        )
        if knob.high == knob.low:
            (high or low or member).fail(f"{knob.high:g}, expected different 'low' and 'high'")
        return knob

    def probe(self, node: Node | None, knobs: int) -> Probe | None:
        """Return a stored input with the model's output for it."""
        return self.get(node, lambda node: _probe(node, knobs))

    def json_object(self, members: Mapping[str, Node]) -> dict[str, Json]:
        """Return unknown metadata: finite, of bounded depth and size, without what is unusable."""
        found: dict[str, Json] = {}
        room = MAX_OTHER
        for name, node in members.items():
            key = self.get(Node(node.file, node.key, name), Node.text)
            value = self._json(node, MAX_DEPTH)
            if key is None or value is None:
                continue
            size = len(json.dumps({key: value}))
            if size > room:
                self.get(node, _does_not_fit)
                continue
            room -= size
            found[key] = value
        return found

    def _json(self, node: Node, depth: int) -> Json:
        """Return a value of a bounded depth; None where it is null or unusable."""
        if depth == 0 and isinstance(node.value, (dict, list)):
            return self.get(node, _is_too_deep)
        if isinstance(node.value, (dict, list)) and len(node.value) > MAX_OTHER:
            return self.get(node, _does_not_fit)
        if isinstance(node.value, dict):
            names = {
                name: self.get(Node(node.file, node.key, name), Node.text) for name in node.value
            }
            values = {
                text: self._json(node.child(name), depth - 1)
                for name, text in names.items()
                if text is not None
            }
            return {text: value for text, value in values.items() if value is not None}
        if isinstance(node.value, list):
            return [self._json(member, depth - 1) for member in node.sequence()]
        if isinstance(node.value, str):
            return self.get(node, Node.text)
        if node.value is None or isinstance(node.value, bool):
            return node.value
        is_finite = self.get(node, lambda node: node.number(-1e300, 1e300)) is not None
        return node.value if is_finite else None


def _states_ranges(node: Node) -> bool:
    """Return whether a list of knobs says in which range the network takes any of them."""
    members = node.value if isinstance(node.value, list) else []
    ranges = [one.get(key) for one in members if isinstance(one, dict) for key in ("low", "high")]
    return any(value is not None for value in ranges)


def _does_not_fit(node: Node) -> Json:
    node.fail(f"more than {MAX_OTHER} characters of unknown metadata in this file")


def _is_too_deep(node: Node) -> Json:
    node.fail(f"nested more than {MAX_DEPTH} deep")


def _probe(node: Node, knobs: int) -> Probe:
    inputs = node.child("input")
    output = node.child("output").vector(MAX_PROBE_FRAMES)
    frames = len(inputs.sequence(1, MAX_PROBE_FRAMES))
    if frames != output.size:
        node.child("output").fail(f"{output.size} samples, but the input has {frames}")
    if knobs:
        return Probe(inputs.array(frames, 1 + knobs), output)
    if isinstance(inputs.sequence(1, MAX_PROBE_FRAMES)[0].value, list):
        return Probe(inputs.array(frames, 1), output)
    return Probe(inputs.array(frames)[:, np.newaxis], output)
