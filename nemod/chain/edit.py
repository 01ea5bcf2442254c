"""Changes of a chain: add, remove, move and replace slots. Pure functions; chains are immutable.

A slot that is named as its kind has to be the first of it, because its address is the short one.
Where an edit puts another one before it, it is renamed: with a pedal before `model`, that slot is
`model2`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace as replaced
from typing import NamedTuple

from nemod.chain.chain import SPLIT, Chain, Slot, Split
from nemod.chain.reader import ChainError, read_chain
from nemod.chain.writer import plain_chain
from nemod.common.errors import did_you_mean

Item = Slot | Split
Where = int | str
"""Where a slot goes. A number counts the places of the chain from 0, a split with its branches
being one; -1 is the end. A name is that of the slot before it; empty for the beginning, `split/a`
and `split/b` for the beginning of a branch of that split."""


class Edited(NamedTuple):
    """A chain after an edit."""

    chain: Chain
    renamed: Mapping[str, str]
    """New names of slots by their names before."""


def add(chain: Chain, item: Item, where: Where = -1, source: str = "chain") -> Edited:
    """Return the chain with another slot. Raises: ChainError; `source` is what it names."""
    return _finished(_inserted(chain, item, where, source), item.name, source)


def remove(chain: Chain, name: str, source: str = "chain") -> Edited:
    """Return the chain without a slot; a split goes with its branches. Raises: ChainError."""
    _item(chain, name, source)
    return Edited(_without(chain, name), {})


def move(chain: Chain, name: str, where: Where, source: str = "chain") -> Edited:
    """Return the chain with a slot at another place. Raises: ChainError."""
    item = _item(chain, name, source)
    if isinstance(where, str) and where.partition("/")[0] == name:
        if "/" not in where:
            return Edited(chain, {})
        raise ChainError(source, [f"slot {name!r} cannot be moved into itself"])
    return _finished(_inserted(_without(chain, name), item, where, source), "", source)


def replace(chain: Chain, name: str, item: Item, source: str = "chain") -> Edited:
    """Return the chain with another slot in the place of one. Raises: ChainError."""
    _item(chain, name, source)
    if isinstance(item, Split) and all(place.name != name for place in chain.places):
        raise ChainError(source, [f"slot {item.name!r}: a split cannot stand in a branch"])
    changed = _mapped(chain, lambda slot: item if slot.name == name else slot)
    return _finished(changed, item.name, source)


def read_item(data: object, source: str = "chain") -> Item:
    """Return a slot from plain data: an entry of a list that `read_chain` reads.

    Raises: ChainError.
    """
    return read_chain([data], source).places[0]


def _item(chain: Chain, name: str, source: str) -> Item:
    """Return a slot, a split with its branches. Raises: ChainError where there is none."""
    if name not in chain:
        names = [slot.name for slot in chain]
        known = f"there are {', '.join(names)}" if names else "the chain is empty"
        text = f"no slot is named {name[:40]!r}; {known}{did_you_mean(name[:40], names)}"
        raise ChainError(source, [text])
    split = chain.split
    return split if split is not None and split.name == name else chain[name]


def _inserted(chain: Chain, item: Item, where: Where, source: str) -> Chain:
    if isinstance(where, int):
        places = list(chain.places)
        places.insert(len(places) + 1 + where if where < 0 else where, item)
        return Chain(tuple(places))
    if not where:
        return Chain((item, *chain.places))
    split = chain.split
    if split is not None and where in (f"{split.name}/a", f"{split.name}/b"):
        key = where[-1]
        branch = (_slot(item, source), *getattr(split, key))
        return _with_branch(chain, split, key, branch)
    _item(chain, where, source)
    for at, place in enumerate(chain.places):
        if place.name == where:
            return Chain((*chain.places[: at + 1], item, *chain.places[at + 1 :]))
    assert split is not None
    for key, slots in zip("ab", split.branches, strict=True):
        for at, slot in enumerate(slots):
            if slot.name == where:
                branch = (*slots[: at + 1], _slot(item, source), *slots[at + 1 :])
                return _with_branch(chain, split, key, branch)
    raise AssertionError(where)


def _slot(item: Item, source: str) -> Slot:
    """Return what can stand in a branch. Raises: ChainError for a split."""
    if isinstance(item, Split):
        raise ChainError(source, [f"slot {item.name!r}: a split cannot stand in a branch"])
    return item


def _with_branch(chain: Chain, split: Split, key: str, branch: tuple[Slot, ...]) -> Chain:
    changed = replaced(split, a=branch) if key == "a" else replaced(split, b=branch)
    return Chain(tuple(changed if place == split else place for place in chain.places))


def _without(chain: Chain, name: str) -> Chain:
    def rest(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        return tuple(slot for slot in slots if slot.name != name)

    return Chain(
        tuple(
            replaced(place, a=rest(place.a), b=rest(place.b)) if isinstance(place, Split) else place
            for place in chain.places
            if place.name != name
        )
    )


def _mapped(chain: Chain, other: Callable[[Item], Item]) -> Chain:
    """Return the chain with other slots in the same places."""

    def place(item: Item) -> Item:
        changed = other(item)
        if changed is item and isinstance(item, Split):
            branches = [tuple(other(slot) for slot in slots) for slots in item.branches]
            a, b = branches
            return replaced(item, a=a, b=b)  # type: ignore[arg-type] # checked at the end
        return changed

    return Chain(tuple(place(item) for item in chain.places))


def _finished(chain: Chain, new: str, source: str) -> Edited:
    """Return a checked chain, with the slots renamed that are no longer the first of their kind.

    `new`: the name of the slot that was added, which keeps it. Raises: ChainError.
    """
    taken = {slot.name for slot in chain}
    renamed: dict[str, str] = {}
    for slot in chain:
        if slot.name == slot.kind != SPLIT and slot.name != new and not _is_first(chain, slot):
            number = 2
            while f"{slot.kind}{number}" in taken:
                number += 1
            renamed[slot.name] = f"{slot.kind}{number}"
            taken.add(renamed[slot.name])
    chain = _mapped(
        chain,
        lambda item: replaced(item, name=renamed[item.name]) if item.name in renamed else item,
    )
    return Edited(read_chain(plain_chain(chain), source), renamed)


def _is_first(chain: Chain, slot: Slot) -> bool:
    first = chain.first(slot.kind)
    return first is not None and first.name == slot.name
