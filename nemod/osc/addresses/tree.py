"""The address space: finds the leaves of an address or a pattern."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from nemod.control.controller import Controller
from nemod.control.similar_names import similar_name
from nemod.osc.addresses.cabinets import cabinet_leaves
from nemod.osc.addresses.chain import chain_leaves
from nemod.osc.addresses.client import client_leaves
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.meter_rate import MeterRate
from nemod.osc.addresses.midi import midi_leaves
from nemod.osc.addresses.models import model_leaves
from nemod.osc.addresses.parameters import ROOT, parameter_leaves
from nemod.osc.addresses.pattern import Part, PatternError, Text, compile_part, matches, prepare
from nemod.osc.addresses.presets import preset_leaves
from nemod.osc.addresses.system import system_leaves
from nemod.osc.addresses.tuner import tuner_leaves
from nemod.osc.counters import Counters
from nemod.osc.errors import OscError
from nemod.parameters.parameter_set import ParameterSet

MAX_TARGETS = 64
"""Most leaves that one pattern may reach."""
MAX_PATTERN = 128
"""[characters] Longest pattern; the slowest of this length takes about 1 ms."""


LEAVES_WITH_MORE = frozenset({"/nemo/size"})
"""Leaves that have leaves below them, as the contract of the addresses wants it. As a node of
OSCQuery they are leaves alone; what is below them is found there by its own path."""


class Node:
    """A part of an address: a leaf, or a container of more."""

    def __init__(self, text: str) -> None:
        """`text` is the part itself."""
        self.text: Text = prepare(text)
        self.leaf: Leaf | None = None
        self.children: dict[str, Node] = {}
        """The parts that follow, in the order of the tree; see `LEAVES_WITH_MORE`."""
        self.has_targets = False
        """Whether a pattern can reach anything here or below."""

    def leaves(self) -> Iterator[Leaf]:
        """Yield the leaf, or all leaves below the container, in order."""
        if self.leaf:
            yield self.leaf
        for child in self.children.values():
            yield from child.leaves()


class Tree:
    """All addresses, for one set of parameters."""

    def __init__(self, leaves: Iterable[Leaf], short_forms: Mapping[str, str]) -> None:
        """`short_forms` maps containers to the leaf that they set when they are given a number.

        Raises: ValueError where an address occurs twice, or is a leaf and a container.
        """
        self._root = Node("")
        self.leaves: dict[str, Leaf] = {}
        for leaf in leaves:
            self._add(leaf)
        self._short_forms = {short: self.leaves[full] for short, full in short_forms.items()}

    def _add(self, leaf: Leaf) -> None:
        node = self._root
        for part in leaf.address.split("/")[1:]:
            if node.leaf and node.leaf.address not in LEAVES_WITH_MORE:
                raise ValueError(f"{leaf.address} is below the leaf {node.leaf.address}")
            node = node.children.setdefault(part, Node(part))
            node.has_targets |= leaf.wildcard_settable
        if node.leaf or (node.children and leaf.address not in LEAVES_WITH_MORE):
            raise ValueError(f"{leaf.address} exists already")
        node.leaf = leaf
        self.leaves[leaf.address] = leaf

    def node(self, address: str) -> Node | None:
        """Return the leaf or container at an address, or None; `/` is the root."""
        node = self._root
        for part in [] if address == "/" else address.split("/")[1:]:
            if part not in node.children:
                return None
            node = node.children[part]
        return node

    def container(self, address: str) -> list[Leaf]:
        """Return all leaves below a container, in order; none if there is no such container."""
        node = self.node(address)
        return [] if node is None or node is self._root or node.leaf else list(node.leaves())

    def short_form(self, address: str) -> Leaf | None:
        """Return the leaf that a container stands for when it is given a number."""
        return self._short_forms.get(address)

    def match(self, pattern: str) -> list[Leaf]:
        """Return the leaves that a pattern reaches: numbers and switches, no strings or triggers.

        Raises: OscError `address` for a bad pattern or one without a match, `limit` for too many.
        """
        if len(pattern) > MAX_PATTERN:
            raise OscError("address", pattern, f"patterns have at most {MAX_PATTERN} characters")
        try:
            parts = [compile_part(part) for part in pattern.split("/")[1:]]
        except PatternError as error:
            raise OscError("address", pattern, str(error)) from None
        nodes = [self._root]
        for part in parts:
            nodes = [child for node in nodes for child in _matching(node, part)]
        found = [node.leaf for node in nodes if node.leaf and node.leaf.wildcard_settable]
        if not found:
            raise OscError("address", pattern, "matches no number or switch")
        if len(found) > MAX_TARGETS:
            raise OscError(
                "limit", pattern, f"matches {len(found)} addresses, {MAX_TARGETS} are allowed"
            )
        return found

    def unknown(self, address: str) -> OscError:
        """Return the error for an address that does not exist."""
        # What all addresses have in common must not count as similarity.
        given = address.casefold().removeprefix("/").removeprefix(ROOT[1:])
        known = (leaf.removeprefix(ROOT) for leaf in self.leaves if leaf.startswith(ROOT))

        def hint() -> str:
            return similar_name(given, known).replace("mean '", f"mean '{ROOT}")

        return OscError("address", address, "no such address", hint)


def _matching(node: Node, part: Part) -> Iterator[Node]:
    return (
        child for child in node.children.values() if child.has_targets and matches(part, child.text)
    )


def build_tree(
    parameters: ParameterSet | None = None,
    counters: Counters | None = None,
    meter_rate: MeterRate | None = None,
    more_leaves: Iterable[Leaf] = (),
) -> Tree:
    """Return the address space with these parameters, and with leaves outside of `/nemo`."""
    parameters = parameters or ParameterSet()
    leaves = [
        *parameter_leaves(parameters),
        *chain_leaves(),
        *model_leaves(parameters.chain),
        *cabinet_leaves(parameters.chain),
        *preset_leaves(),
        *tuner_leaves(),
        *midi_leaves(),
        *system_leaves(counters or Counters(), meter_rate or MeterRate()),
        *client_leaves(),
        *more_leaves,
    ]
    return Tree(
        leaves, {ROOT + short: ROOT + path for short, path in parameters.short_forms.items()}
    )


class AddressSpace:
    """The tree for the parameters that exist now: they change with the rig. Thread: control."""

    def __init__(
        self,
        controller: Controller,
        counters: Counters,
        meter_rate: MeterRate,
        more_leaves: Sequence[Leaf] = (),
    ) -> None:
        """`more_leaves`: addresses outside of `/nemo`."""
        self._controller = controller
        self._counters = counters
        self._meter_rate = meter_rate
        self._more_leaves = more_leaves
        self._parameters: ParameterSet | None = None
        self._tree: Tree

    @property
    def tree(self) -> Tree:
        """The addresses as they are now; another object after a change."""
        parameters = self._controller.parameters
        if parameters is not self._parameters:
            self._parameters = parameters
            self._tree = build_tree(parameters, self._counters, self._meter_rate, self._more_leaves)
        return self._tree
