"""Leaves of presets and snapshots: `/nemo/preset/...`, `/nemo/snapshot/...`."""

from collections.abc import Callable

from nemod.control.controller import Controller
from nemod.control.errors import ControlError
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.leaf import Action, Leaf, Request, ignore, reader
from nemod.osc.addresses.pages import page
from nemod.osc.addresses.values import LeafKind, to_int, to_string, to_trigger
from nemod.osc.codec import Value
from nemod.osc.encode import encode
from nemod.osc.errors import OscError, with_address

PRESET = "/nemo/preset/"
SNAPSHOT = "/nemo/snapshot/"

Start = Callable[[Controller, Source, str | int | None], Job]
"""(controller, source, name or number) -> job"""


def preset_leaves() -> list[Leaf]:
    """Return the leaves below `/nemo/preset` and `/nemo/snapshot`."""
    return [
        Leaf(
            address=PRESET + "load",
            kind=LeafKind.NAME,
            help="Load a preset, by name (any case) or by number; background job.",
            choices=_numbers_and_names,
            check=lambda controller, tag, value: _load(PRESET + "load", controller, tag, value),
        ),
        Leaf(
            address=PRESET + "save",
            kind=LeafKind.NAME,
            help="Save the sound: over the current preset without an argument or with a button, "
            "under a number (i), or under a name (s); background job.",
            low=0,
            high=127,
            check=_check_save,
            needs_value=False,
        ),
        Leaf(
            address=PRESET + "rename",
            kind=LeafKind.STRING,
            help="Rename the current preset; background job.",
            check=_check_rename,
        ),
        Leaf(
            address=PRESET + "delete",
            kind=LeafKind.NAME,
            help="Delete a preset, by name or number, or the current one without an argument; only "
            "from this machine or where `allow_write` says so; background job.",
            choices=_numbers_and_names,
            check=_check_delete,
            needs_value=False,
        ),
        Leaf(
            address=PRESET + "current",
            kind=LeafKind.STRING,
            help="Name of the current preset; empty for none.",
            read=reader(PRESET + "current", LeafKind.STRING, lambda rig: rig.presets.name),
            flags=PARAMS,
        ),
        Leaf(
            address=PRESET + "index",
            kind=LeafKind.INT,
            help="Number of the current preset, -1 for none; set it to load another.",
            range="0..127",
            low=0,
            high=127,
            read=reader(PRESET + "index", LeafKind.INT, lambda rig: rig.presets.number),
            check=lambda controller, tag, value: _set_index(
                PRESET + "index", controller, tag, value
            ),
            flags=PARAMS,
        ),
        Leaf(
            address=PRESET + "count",
            kind=LeafKind.INT,
            help="How many presets there are.",
            low=0,
            read=reader(PRESET + "count", LeafKind.INT, lambda rig: len(rig.presets.entries)),
            flags=PARAMS,
        ),
        _step("next", 1, "Load the preset with the next number; after the last comes the first."),
        _step("prev", -1, "Load the preset with the number before; the first follows the last."),
        Leaf(
            address=PRESET + "list",
            kind=LeafKind.LIST,
            help="Total, offset, and number and name of as many presets as fit.",
            range="query with an offset, or none",
            read=_page,
        ),
        Leaf(
            address=PRESET + "dirty",
            kind=LeafKind.BOOL,
            help="Whether the sound is not the one that was saved.",
            read=reader(PRESET + "dirty", LeafKind.BOOL, lambda rig: rig.presets.is_dirty),
            flags=PARAMS,
        ),
        _snapshot("load", "Recall a snapshot of the current preset, in one audio block.", _recall),
        _snapshot("save", "Take a snapshot; saving the preset writes it to the file.", _take),
    ]


def _load(address: str, controller: Controller, tag: str, value: Value) -> Action:
    if isinstance(value, str):
        return _load_known(address, controller, to_string(address, tag, value))
    if tag not in ("i", "h", "f", "d"):
        raise OscError("type", address, f"takes a name (s) or a number (i), not type tag {tag!r}")
    return _load_number(address, controller, tag, value)


def _load_number(address: str, controller: Controller, tag: str, value: Value) -> Action:
    return _load_known(address, controller, to_int(address, tag, value))


def _set_index(address: str, controller: Controller, tag: str, value: Value) -> Action:
    number = to_int(address, tag, value)
    load = _load_known(address, controller, number)

    def act(request: Request) -> None:
        rig = request.controller
        is_loading = rig.requested_model != rig.model_name
        if number == rig.presets.number and not rig.presets.is_dirty and not is_loading:
            # Two clients that send each other what they receive would load it for ever.
            request.reply(encode("/nemo/done", "ss", address, rig.presets.name))
        else:
            load(request)

    return act


def _load_known(address: str, controller: Controller, which: str | int) -> Action:
    number = _found(address, lambda: controller.presets.list.find(which))
    return lambda request: request.job(
        address, lambda: request.controller.presets.load(number, request.source)
    )


def _found(address: str, find: Callable[[], int]) -> int:
    try:
        return find()
    except ControlError as error:
        raise with_address(error, address) from None


def _step(word: str, step: int, text: str) -> Leaf:
    address = PRESET + word

    def check(controller: Controller, tag: str, value: Value) -> Action:
        if not to_trigger(address, tag, value):
            return ignore
        if not controller.presets.entries:
            raise OscError("not_found", address, "there are no presets")
        return lambda request: request.job(
            address, lambda: request.controller.presets.step(step, request.source)
        )

    return Leaf(address=address, kind=LeafKind.TRIGGER, help=text, check=check)


def _check_save(controller: Controller, tag: str, value: Value) -> Action:
    address = PRESET + "save"
    return _write(address, tag, value, lambda rig, source, where: rig.presets.save(source, where))


def _check_rename(controller: Controller, tag: str, value: Value) -> Action:
    address = PRESET + "rename"
    name = to_string(address, tag, value)
    return lambda request: request.job(
        address, lambda: request.controller.presets.rename(name, request.source)
    )


def _check_delete(controller: Controller, tag: str, value: Value) -> Action:
    address = PRESET + "delete"
    delete = _write(
        address, tag, value, lambda rig, source, which: rig.presets.delete(source, which)
    )

    def act(request: Request) -> None:
        if not request.may_write:
            raise OscError("denied", address, "only from this machine, or see `allow_write`")
        delete(request)

    return act if delete is not ignore else ignore


def _write(address: str, tag: str, value: Value, start: Start) -> Action:
    """Return the action of a leaf that takes a name, a number, or a trigger for the current one.

    A float is a button: surfaces send 1.0 and 0.0, which must not be taken for numbers.
    """
    which: str | int | None = None
    if isinstance(value, str):
        which = to_string(address, tag, value)
    elif tag in ("i", "h"):
        which = to_int(address, tag, value)
    elif not to_trigger(address, tag, value):
        return ignore
    return lambda request: request.job(
        address, lambda: start(request.controller, request.source, which)
    )


def _page(controller: Controller, room: int, offset: int) -> bytes:
    return page(PRESET + "list", room, offset, _numbers_and_names(controller))


def _numbers_and_names(controller: Controller) -> list[tuple[int, str]]:
    return [(entry.number, entry.name) for entry in controller.presets.entries]


def _snapshot(word: str, text: str, act: Callable[[Controller, int, Source], None]) -> Leaf:
    address = SNAPSHOT + word

    def check(controller: Controller, tag: str, value: Value) -> Action:
        number = to_int(address, tag, value)
        return lambda request: act(request.controller, number, request.source)

    return Leaf(
        address=address, kind=LeafKind.INT, help=text, range="0..7", low=0, high=7, check=check
    )


def _recall(controller: Controller, number: int, source: Source) -> None:
    controller.presets.load_snapshot(number, source)


def _take(controller: Controller, number: int, source: Source) -> None:
    controller.presets.snapshots.save(number, source)
