"""Leaves of presets and snapshots: `/nemo/preset/...`, `/nemo/snapshot/...`."""

from collections.abc import Callable, Sequence

from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.leaf import Action, Leaf, ignore, reader
from nemod.osc.addresses.loading import step, unless_current
from nemod.osc.addresses.pages import page
from nemod.osc.addresses.values import LeafKind, to_int, to_string, to_trigger
from nemod.osc.codec import Value
from nemod.osc.errors import OscError, errors_at

PRESET = "/nemo/preset/"
SNAPSHOT = "/nemo/snapshot/"

_RENAME_ARGUMENTS = 2

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
            help="Rename the current preset, or the one whose number follows the name; "
            "background job.",
            type_tags="s",
            check_all=_check_rename,
        ),
        Leaf(
            address=PRESET + "delete",
            kind=LeafKind.NAME,
            help="Delete a preset, by name or number, or the current one without an argument; only "
            "from this machine or where `allow_write` says so; background job.",
            choices=_numbers_and_names,
            check=_check_delete,
            needs_value=False,
            needs_write_access=True,
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
        _recall_snapshot(),
        _take_snapshot(),
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

    def current(rig: Controller) -> str | None:
        presets = rig.presets
        is_loading = rig.requested_model != rig.model_name or presets.is_loading
        is_current = number == presets.number and not presets.is_dirty and not is_loading
        return presets.name if is_current else None

    return unless_current(address, _load_known(address, controller, number), current)


def _load_known(address: str, controller: Controller, which: str | int) -> Action:
    with errors_at(address):
        number = controller.presets.list.find(which)
    return lambda request: request.job(
        address, lambda: request.controller.presets.load(number, request.source)
    )


def _step(word: str, by: int, text: str) -> Leaf:
    return step(
        PRESET + word,
        text,
        lambda rig, source: rig.presets.step(by, source),
        listed=lambda rig: rig.presets.entries,
        if_empty="there are no presets",
    )


def _check_save(controller: Controller, tag: str, value: Value) -> Action:
    address = PRESET + "save"
    presets = controller.presets

    def can_save(where: str | int | None) -> None:
        presets.list.place(where, presets.number if presets.number >= 0 else None, presets.name)

    return _write(
        address, tag, value, can_save, lambda rig, source, where: rig.presets.save(source, where)
    )


def _check_rename(controller: Controller, tags: str, values: Sequence[Value]) -> Action:
    address = PRESET + "rename"
    if not 1 <= len(values) <= _RENAME_ARGUMENTS:
        raise OscError("args", address, "takes a name, and perhaps the number of a preset")
    name = to_string(address, tags[0], values[0])
    which = to_int(address, tags[1], values[1]) if len(values) > 1 else None
    presets = controller.presets
    with errors_at(address):
        presets.list.check_name(name, presets.given_or_current(which))
    return lambda request: request.job(
        address, lambda: request.controller.presets.rename(name, request.source, which)
    )


def _check_delete(controller: Controller, tag: str, value: Value) -> Action:
    return _write(
        PRESET + "delete",
        tag,
        value,
        controller.presets.given_or_current,
        lambda rig, source, which: rig.presets.delete(source, which),
    )


def _write(
    address: str, tag: str, value: Value, check: Callable[[str | int | None], object], start: Start
) -> Action:
    """Return the action of a leaf that takes a name, a number, or a trigger for the current one.

    A float is a button: surfaces send 1.0 and 0.0, which must not be taken for numbers. `check`
    raises ControlError for what cannot be done.
    """
    which: str | int | None = None
    if isinstance(value, str):
        which = to_string(address, tag, value)
    elif tag in ("i", "h"):
        which = to_int(address, tag, value)
    elif not to_trigger(address, tag, value):
        return ignore
    with errors_at(address):
        check(which)
    return lambda request: request.job(
        address, lambda: start(request.controller, request.source, which)
    )


def _page(controller: Controller, room: int, offset: int) -> bytes:
    return page(PRESET + "list", room, offset, _numbers_and_names(controller))


def _numbers_and_names(controller: Controller) -> list[tuple[int, str]]:
    return [(entry.number, entry.name) for entry in controller.presets.entries]


def _snapshot(
    word: str,
    text: str,
    check_number: Callable[[Controller, int], object],
    act: Callable[[Controller, int, Source], None],
) -> Leaf:
    address = SNAPSHOT + word

    def check(controller: Controller, tag: str, value: Value) -> Action:
        number = to_int(address, tag, value)
        with errors_at(address):
            check_number(controller, number)
        return lambda request: act(request.controller, number, request.source)

    return Leaf(
        address=address, kind=LeafKind.INT, help=text, range="0..7", low=0, high=7, check=check
    )


def _recall_snapshot() -> Leaf:
    return _snapshot(
        "load",
        "Recall a snapshot of the current preset, in one audio block.",
        lambda rig, number: rig.presets.snapshots.get(number),
        lambda rig, number, source: rig.presets.load_snapshot(number, source),
    )


def _take_snapshot() -> Leaf:
    return _snapshot(
        "save",
        "Take a snapshot; saving the preset writes it to the file.",
        lambda rig, number: rig.presets.snapshots.check(number),
        lambda rig, number, source: rig.presets.snapshots.save(number, source),
    )
