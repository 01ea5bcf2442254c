"""Leaves of learning MIDI and hardware controls: `/nemo/midi/...`."""

from collections.abc import Sequence

from nemod.control.controller import Controller
from nemod.control.midi import Unbound
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.leaf import Action, Leaf, reader, trigger
from nemod.osc.addresses.pages import page
from nemod.osc.addresses.parameters import ROOT
from nemod.osc.addresses.values import LeafKind, to_string
from nemod.osc.codec import Value
from nemod.osc.encode import encode
from nemod.osc.errors import OscError, errors_at

MIDI = "/nemo/midi/"
LEARN, UNLEARN, LEARNING = MIDI + "learn", MIDI + "unlearn", MIDI + "learning"
LEARNED, LIST, PORTS = MIDI + "learned", MIDI + "list", MIDI + "ports"
_UNLEARN_WORDS = 3


def midi_leaves() -> list[Leaf]:
    """Return the leaves."""
    return [
        Leaf(
            address=LEARN,
            kind=LeafKind.STRING,
            help="Bind the control that is moved next to a parameter or an action, as `gain`, "
            "`preset/next` or `bass twos-complement`, with the encoding of an endless encoder or "
            "the mode of a switch after it; background job.",
            check=_check_learn,
        ),
        trigger(MIDI + "cancel", "End learning.", lambda request: request.controller.midi.cancel()),
        Leaf(
            address=UNLEARN,
            kind=LeafKind.ARGUMENTS,
            help="Remove all bindings of a parameter or an action, or only that of a control, as "
            "`cc 20`, of a device, both as in the list; background job.",
            range="parameter or action, then perhaps a control, then perhaps its device",
            type_tags="s",
            check_all=_check_unlearn,
        ),
        Leaf(
            address=LEARNING,
            kind=LeafKind.STRING,
            help="What a control is being learned for; empty while nothing is learned.",
            read=reader(LEARNING, LeafKind.STRING, lambda rig: rig.midi.learning),
            flags=PARAMS,
        ),
        Leaf(
            address=LEARNED,
            kind=LeafKind.STRING,
            help="What was learned last: parameter or action, kind and device of the control, its "
            "number.",
            type_tags="ssi",
            read=_learned,
            flags=PARAMS,
        ),
        Leaf(
            address=LIST,
            kind=LeafKind.LIST,
            help="Total, offset, and as many bindings as fit: each with its parameter or action, "
            "its control, whether it is a default (1 or 0), and its device (empty for any); the "
            "defaults are last, and cannot be removed.",
            range="query with an offset, or none",
            type_tags="iissis",
            read=lambda rig, room, offset: page(
                LIST,
                room,
                offset,
                [
                    (one.target, one.control, int(one.is_default), one.device)
                    for one in rig.midi.bindings
                ],
            ),
        ),
        Leaf(
            address=PORTS,
            kind=LeafKind.LIST,
            help="Total, offset, and as many names of connected controllers as fit.",
            range="query with an offset, or none",
            read=lambda rig, room, offset: page(
                PORTS, room, offset, [(name,) for name in rig.midi.ports]
            ),
        ),
    ]


def _learned(rig: Controller, _room: int, _offset: int) -> bytes:
    last = rig.midi.last
    return encode(LEARNED, "ssi", last.target, last.control, last.number)


def _check_learn(controller: Controller, tag: str, value: Value) -> Action:
    target, _, how = to_string(LEARN, tag, value).strip().partition(" ")
    with errors_at(LEARN):
        known = controller.midi.check(target.removeprefix(ROOT), how)
    return lambda request: request.job(
        LEARN, lambda: request.controller.midi.learn(known, request.source, how)
    )


def _check_unlearn(controller: Controller, tags: str, values: Sequence[Value]) -> Action:
    if not 1 <= len(values) <= _UNLEARN_WORDS:
        text = "takes a parameter or an action, and perhaps a control and its device"
        raise OscError("args", UNLEARN, text)
    words = [to_string(UNLEARN, tag, value) for tag, value in zip(tags, values, strict=True)]
    target, *rest = words
    which = Unbound(target.strip().removeprefix(ROOT), *rest)
    with errors_at(UNLEARN):
        controller.midi.check_bound(which)
    return lambda request: request.job(
        UNLEARN, lambda: request.controller.midi.unlearn(which, request.source)
    )
