"""Leaves that the slots of models and of cabinets have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from nemod.control.controller import Controller
from nemod.control.slot_files import SlotFiles
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
    """A library and what of it plays in a slot, as the controller has it, under one address."""

    root: str
    """`/nemo/model/`"""
    noun: str
    files: Callable[[Controller], SlotFiles]

    def leaves(self) -> list[Leaf]:
        """Return the leaves below the address."""
        root, noun, files = self.root, self.noun, self.files
        return [
            Leaf(
                address=root + "load",
                kind=LeafKind.NAME,
                help=f"Load a {noun}, by name (any case) or by index; background job. An empty "
                f"name, or -1, leaves the slot empty.",
                choices=lambda rig: list(enumerate(files(rig).names)),
                check=self._load,
            ),
            Leaf(
                address=root + "current",
                kind=LeafKind.STRING,
                help=f"Name of the current {noun}; {_EMPTY[noun]}.",
                read=reader(root + "current", LeafKind.STRING, lambda rig: files(rig).name),
                flags=PARAMS,
            ),
            Leaf(
                address=root + "index",
                kind=LeafKind.INT,
                help=f"Index of the current {noun} in the list, -1 for none; set it to load "
                "another.",
                range="from -1",
                low=-1,
                read=reader(root + "index", LeafKind.INT, lambda rig: files(rig).index),
                check=self._set_index,
                flags=PARAMS,
            ),
            Leaf(
                address=root + "count",
                kind=LeafKind.INT,
                help=f"Number of {noun}s.",
                low=0,
                read=reader(root + "count", LeafKind.INT, lambda rig: len(files(rig).names)),
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
                    root + "list", room, offset, [(name,) for name in files(rig).names]
                ),
            ),
            json_leaf(
                root + "info",
                f"Description of the current {noun}, as JSON.",
                lambda rig, size: json_that_fits(files(rig).info(), size),
            ),
        ]

    def problems(self) -> Leaf:
        """Return the leaf about the files of the library that do not play."""
        noun = self.noun
        return json_leaf(
            self.root + "problems",
            f"{noun.capitalize()}s that are known not to play, and why, as JSON by name; "
            "`next` and `prev` skip them.",
            lambda rig, size: problems_that_fit(self.files(rig).problems(), size),
        )

    def _load(self, controller: Controller, tag: str, value: Value) -> Action:
        address = self.root + "load"
        return self._load_known(address, controller, to_name_or_index(address, tag, value))

    def _set_index(self, controller: Controller, tag: str, value: Value) -> Action:
        address = self.root + "index"
        index = to_int(address, tag, value)

        def current(rig: Controller) -> str | None:
            files = self.files(rig)
            is_current = index == files.index and files.requested == files.name
            return files.name if is_current else None

        return unless_current(address, self._load_known(address, controller, index), current)

    def _load_known(self, address: str, controller: Controller, given: str | int) -> Action:
        with errors_at(address):
            name = self.files(controller).find(given)
        return lambda request: request.job(
            address, lambda: self.files(request.controller).load(name, request.source)
        )

    def _step(self, word: str, by: int, text: str) -> Leaf:
        return step(
            self.root + word,
            text,
            lambda rig, source: self.files(rig).step(by, source),
            listed=lambda rig: self.files(rig).names,
            if_empty=f"the library has no {self.noun}s",
        )


_EMPTY = {"model": "`clean` for an empty slot", "cabinet": "empty for none"}
