"""Leaves of the cabinet library: `/nemo/cab/...`, beside the parameters that are there, too."""

from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.named_files import NamedFiles

_CABINETS = NamedFiles(
    root="/nemo/cab/",
    noun="cabinet",
    if_empty="the library has no cabinets",
    names=lambda rig: rig.cabinets.names,
    current=lambda rig: rig.cabinets.name,
    index=lambda rig: rig.cabinets.index,
    requested=lambda rig: rig.cabinets.requested,
    find=lambda rig, given: rig.cabinets.find(given),
    load=lambda rig, name, source: rig.cabinets.load(name, source),
    step=lambda rig, by, source: rig.cabinets.step(by, source),
    info=lambda rig: rig.cabinets.info(),
    problems=lambda rig: rig.cabinets.problems(),
    lowest=-1,
    none="An empty name, or -1, removes the cabinet.",
)


def cabinet_leaves() -> list[Leaf]:
    """Return the leaves below `/nemo/cab`, except for its parameters."""
    return _CABINETS.leaves()
