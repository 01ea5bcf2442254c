"""Leaves of the model library: `/nemo/model/...`, and `/nemo/size`."""

from nemod.control.controller import Controller
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.leaf import Action, Leaf, Request, reader, trigger
from nemod.osc.addresses.named_files import NamedFiles
from nemod.osc.addresses.values import LeafKind, to_float
from nemod.osc.codec import Value

MODEL = "/nemo/model/"
SIZE = "/nemo/size"
_MODELS = NamedFiles(
    root=MODEL,
    noun="model",
    if_empty="the library has no models",
    names=lambda rig: rig.model_names,
    current=lambda rig: rig.model_name,
    index=lambda rig: rig.model_index,
    requested=lambda rig: rig.requested_model,
    find=lambda rig, given: rig.find_model(given),
    load=lambda rig, name, source: rig.load_model(name, source),
    step=lambda rig, by, source: rig.step_model(by, source),
    info=lambda rig: rig.model_info(),
    problems=lambda rig: rig.model_problems(),
)


def model_leaves() -> list[Leaf]:
    """Return the leaves below `/nemo/model`."""
    *common, listed, info, problems = _MODELS.leaves()
    return [*common, _rescan(), listed, info, problems, _size()]


def _size() -> Leaf:
    def check(controller: Controller, tag: str, value: Value) -> Action:
        given = to_float(SIZE, tag, value)

        def act(request: Request) -> None:
            if request.controller.size.set(given, request.source) == given:
                request.unchanged(SIZE)
            else:
                request.adjusted(SIZE)

        return act

    return Leaf(
        address=SIZE,
        kind=LeafKind.FLOAT,
        help="Size of a model that has several: a smaller one takes less time. The model is built "
        "again, so it is heard a moment later.",
        range="0..1 [1]",
        low=0.0,
        high=1.0,
        read=reader(SIZE, LeafKind.FLOAT, lambda controller: controller.size.value),
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
