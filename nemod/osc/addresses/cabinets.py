"""Leaves of cabinets: `/nemo/cab/...` and the same of every cabinet slot, beside the parameters."""

from nemod.chain import CABINET, Chain
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.named_files import NamedFiles

_FIRST = NamedFiles(root="/nemo/cab/", noun="cabinet", files=lambda rig: rig.cabinets)


def cabinet_leaves(chain: Chain) -> list[Leaf]:
    """Return the leaves below `/nemo/cab` and below the cabinet slots of a chain."""
    leaves = [*_FIRST.leaves(), _FIRST.problems()]
    for slot in chain.of_kind(CABINET):
        if slot.name != CABINET:
            leaves += _of_slot(slot.name).leaves()
    return leaves


def _of_slot(slot: str) -> NamedFiles:
    return NamedFiles(
        root=f"/nemo/{slot}/", noun="cabinet", files=lambda rig: rig.cabinets.of(slot)
    )
