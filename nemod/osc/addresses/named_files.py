"""Leaves that the libraries of models and of cabinets have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.json_text import json_leaf, json_that_fits, problems_that_fit
from nemod.osc.addresses.leaf import Action, Leaf, reader
from nemod.osc.addresses.loading import step, unless_current
from nemod.osc.addresses.pages import page
from nemod.osc.addresses.values import LeafKind, to_int, to_name_or_index
from nemod.osc.codec import Value
from nemod.osc.errors import errors_at


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFiles:
    """A library and what of it plays, as the controller has it, under one address."""

    root: str
    """`/nemo/model/`"""
    noun: str
    if_empty: str
    """The error of a step where there is nothing to step to."""
    names: Callable[[Controller], Sequence[str]]
    current: Callable[[Controller], str]
    index: Callable[[Controller], int]
    requested: Callable[[Controller], str]
    find: Callable[[Controller, str | int], str]
    load: Callable[[Controller, str, Source], Job]
    step: Callable[[Controller, int, Source], Job]
    info: Callable[[Controller], Mapping[str, object]]
    problems: Callable[[Controller], Mapping[str, str]]
    lowest: int = 0
    """Lowest index that can be set."""
    none: str = ""
    """How to load nothing, where that is possible, as a sentence."""

    def leaves(self) -> list[Leaf]:
        """Return the leaves below the address."""
        root, noun = self.root, self.noun
        none = f" {self.none}" if self.none else ""
        return [
            Leaf(
                address=root + "load",
                kind=LeafKind.NAME,
                help=f"Load a {noun}, by name (any case) or by index; background job.{none}",
                choices=lambda controller: list(enumerate(self.names(controller))),
                check=self._load,
            ),
            Leaf(
                address=root + "current",
                kind=LeafKind.STRING,
                help=f"Name of the current {noun}{'; empty for none' if none else ''}.",
                read=reader(root + "current", LeafKind.STRING, self.current),
                flags=PARAMS,
            ),
            Leaf(
                address=root + "index",
                kind=LeafKind.INT,
                help=f"Index of the current {noun} in the list, -1 for none; set it to load "
                "another.",
                range=f"from {self.lowest}",
                low=self.lowest,
                read=reader(root + "index", LeafKind.INT, self.index),
                check=self._set_index,
                flags=PARAMS,
            ),
            Leaf(
                address=root + "count",
                kind=LeafKind.INT,
                help=f"Number of {noun}s.",
                low=0,
                read=reader(root + "count", LeafKind.INT, lambda rig: len(self.names(rig))),
                flags=PARAMS,
            ),
            self._step(
                "next", 1, f"Load the next {noun} of the list; after the last comes the first."
            ),
            self._step("prev", -1, f"Load the previous {noun}; before the first comes the last."),
            Leaf(
                address=root + "list",
                kind=LeafKind.LIST,
                help="Total, offset, and as many names as fit; continue at offset + names "
                "received.",
                range="query with an offset, or none",
                read=lambda rig, room, offset: page(
                    root + "list", room, offset, [(name,) for name in self.names(rig)]
                ),
            ),
            json_leaf(
                root + "info",
                f"Description of the current {noun}, as JSON.",
                lambda rig, size: json_that_fits(self.info(rig), size),
            ),
            json_leaf(
                root + "problems",
                f"{noun.capitalize()}s that are known not to play, and why, as JSON by name; "
                "`next` and `prev` skip them.",
                lambda rig, size: problems_that_fit(self.problems(rig), size),
            ),
        ]

    def _load(self, controller: Controller, tag: str, value: Value) -> Action:
        address = self.root + "load"
        return self._load_known(address, controller, to_name_or_index(address, tag, value))

    def _set_index(self, controller: Controller, tag: str, value: Value) -> Action:
        address = self.root + "index"
        index = to_int(address, tag, value)

        def current(rig: Controller) -> str | None:
            name = self.current(rig)
            is_current = index == self.index(rig) and self.requested(rig) == name
            return name if is_current else None

        return unless_current(address, self._load_known(address, controller, index), current)

    def _load_known(self, address: str, controller: Controller, given: str | int) -> Action:
        with errors_at(address):
            name = self.find(controller, given)
        return lambda request: request.job(
            address, lambda: self.load(request.controller, name, request.source)
        )

    def _step(self, word: str, by: int, text: str) -> Leaf:
        return step(
            self.root + word,
            text,
            lambda rig, source: self.step(rig, by, source),
            listed=self.names,
            if_empty=self.if_empty,
        )
