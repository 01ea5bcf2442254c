"""The addresses that a subscriber is sent, looked up by what changes them."""

from collections.abc import Callable, Iterable, Mapping

from nemod.chain import MODEL
from nemod.osc.addresses.flags import Flag, Flags
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.tree import Tree
from nemod.parameters.parameter_set import ParameterSet
from nemod.parameters.slot_paths import kind_of

Addresses = Mapping[str, None]
"""Addresses in their order: a mapping, so that they are marked by one `dict.update`."""

NONE: Addresses = {}


class Coverage:
    """Some of the addresses of one tree. Immutable."""

    def __init__(
        self, tree: Tree, parameters: ParameterSet, is_covered: Callable[[Leaf], bool]
    ) -> None:
        """`is_covered` chooses the leaves."""
        covered = [leaf for leaf in tree.leaves.values() if leaf.read and is_covered(leaf)]
        self.addresses: Addresses = dict.fromkeys(leaf.address for leaf in covered)
        self.meters = _those_of(covered, Flag.METERS)
        self.status = _those_of(covered, Flag.STATUS)
        by_path: dict[str, dict[str, None]] = {}
        for leaf in covered:
            if leaf.path:
                by_path.setdefault(parameters.canonical(leaf.path), {})[leaf.address] = None
        self._by_path = by_path
        self.knobs: Addresses = {
            address: None
            for path, addresses in by_path.items()
            if kind_of(parameters.place(path).table_path) == MODEL
            for address in addresses
        }
        """Those of the models' knobs, which mean something else after a change of a model."""

    def of_parameter(self, path: str) -> Addresses:
        """Return the addresses that show a parameter, given by its canonical path."""
        return self._by_path.get(path, NONE)

    def among(self, addresses: Iterable[str]) -> Addresses:
        """Return those of these addresses that are covered."""
        return {address: None for address in addresses if address in self.addresses}


def _those_of(leaves: Iterable[Leaf], flag: Flag) -> Addresses:
    return {leaf.address: None for leaf in leaves if flag in leaf.flags}


class Coverages:
    """The coverages of one tree: one for each set of flags that somebody has."""

    def __init__(self, tree: Tree, parameters: ParameterSet) -> None:
        self.tree = tree
        self._parameters = parameters
        self._by_flags: dict[Flags, Coverage] = {}

    def of_flags(self, flags: Flags) -> Coverage:
        """Return what a subscriber with these flags is sent."""
        known = self._by_flags.get(flags)
        if known is None:
            known = self._by_flags[flags] = Coverage(
                self.tree, self._parameters, lambda leaf: bool(leaf.flags) and leaf.flags <= flags
            )
        return known

    def of_addresses(self, addresses: frozenset[str]) -> Coverage:
        """Return what a client that listens to these addresses is sent."""
        return Coverage(self.tree, self._parameters, lambda leaf: leaf.address in addresses)
