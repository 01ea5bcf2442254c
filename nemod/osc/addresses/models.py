"""Leaves of models: `/nemo/model/...`, `/nemo/size`, and the same of every model slot."""

from nemod.chain import MODEL as KIND
from nemod.chain import Chain
from nemod.control.controller import Controller
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.leaf import Action, Leaf, Request, reader, trigger
from nemod.osc.addresses.named_files import NamedFiles
from nemod.osc.addresses.values import LeafKind, to_float
from nemod.osc.codec import Value

MODEL = "/nemo/model/"
SIZE = "/nemo/size"
_FIRST = NamedFiles(root=MODEL, noun="model", files=lambda rig: rig.models)


def model_leaves(chain: Chain) -> list[Leaf]:
    """Return the leaves below `/nemo/model` and below the model slots of a chain, and sizes."""
    *common, listed, info = _FIRST.leaves()
    leaves = [*common, _rescan(), listed, info, _FIRST.problems(), _size(SIZE, "")]
    for slot in chain.of_kind(KIND):
        if slot.name != KIND:
            leaves += _of_slot(slot.name).leaves()
        leaves.append(_size(f"/nemo/{slot.name}/size", slot.name))
    return leaves


def _of_slot(slot: str) -> NamedFiles:
    return NamedFiles(root=f"/nemo/{slot}/", noun="model", files=lambda rig: rig.models.of(slot))


def _size(address: str, slot: str) -> Leaf:
    """Return the leaf of the size of a slot's model, or of the first one."""

    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(address, tag, value)

        def act(request: Request) -> None:
            if request.controller.sizes.of(slot).set(given, request.source) == given:
                request.unchanged(address)
            else:
                request.adjusted(address)

        return act

    return Leaf(
        address=address,
        kind=LeafKind.FLOAT,
        help="Size of a model that has several: a smaller one takes less time. The model is built "
        "again, so it is heard a moment later.",
        range="0..1 [1]",
        low=0.0,
        high=1.0,
        read=reader(address, LeafKind.FLOAT, lambda rig: rig.sizes.of(slot).value),
        check=check,
        flags=PARAMS,
    )


def _rescan() -> Leaf:
    address = MODEL + "rescan"
    return trigger(
        address,
        "List the library's folders, and read the presets, again; background job.",
        lambda request: request.job(address, lambda: request.controller.rescan(request.source)),
    )
