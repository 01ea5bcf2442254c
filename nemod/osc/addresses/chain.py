"""Leaves of the chain: `/nemo/chain/...`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from nemod.chain import KINDS, Slot, Split, plain_chain
from nemod.chain.chain import MAX_FILE_NAME
from nemod.chain.edit import Where
from nemod.control.chains import read_slot
from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.flags import PARAMS
from nemod.osc.addresses.json_text import json_leaf
from nemod.osc.addresses.leaf import Action, Leaf
from nemod.osc.addresses.pages import page
from nemod.osc.addresses.values import LeafKind, to_int, to_string
from nemod.osc.codec import Value
from nemod.osc.encode import encode, string_size
from nemod.osc.errors import OscError, errors_at
from nemod.parameters.slot_labels import kind_label

CHAIN = "/nemo/chain/"
ORDER, SLOTS = CHAIN + "order", CHAIN + "slots"
_SHORTER = (60, 20, 0)
"""[characters] To what names of files are shortened where the chain does not fit a packet."""
_WHERE = (
    "the name of the slot before it, an empty one for the beginning, `split/a` or `split/b` for "
    "the beginning of a branch, or a number from 0 (-1: the end)"
)

Start = Callable[[Controller, Source], Job]


def chain_leaves() -> list[Leaf]:
    """Return the leaves below `/nemo/chain`."""
    return [
        Leaf(
            address=ORDER,
            kind=LeafKind.LIST,
            help="Names of all slots in order: a split before its branches, branch a before b.",
            range="query",
            type_tags="s",
            read=_order,
            flags=PARAMS,
        ),
        json_leaf(
            SLOTS,
            "The chain as JSON, in the form that `/nemo/chain/set` takes: a list of slots, each a "
            "name, or a name with its `kind`, `file`, `size`, or the branches `a` and `b`. Long "
            "names of files may be shortened, which ends them with `...`.",
            _slots,
            flags=PARAMS,
        ),
        json_leaf(
            CHAIN + "kinds",
            "What a slot can hold, as JSON: each kind with its label.",
            lambda _rig, _size: json.dumps({kind: kind_label(kind) for kind in KINDS}),
        ),
        Leaf(
            address=CHAIN + "list",
            kind=LeafKind.LIST,
            help="Chains that can be set by name: total, offset, names.",
            range="query with an offset, or none",
            read=lambda rig, room, offset: page(
                CHAIN + "list", room, offset, [(name,) for name in rig.chains.named]
            ),
        ),
        Leaf(
            address=CHAIN + "set",
            kind=LeafKind.STRING,
            help="Play another chain: JSON, or the name of a chain of the configuration; "
            "background job. Positions stay with slots of the same name.",
            check=_check_set,
        ),
        _edit(
            "add",
            "Add a slot: its name, where it goes, and JSON of what is in it, as "
            f'`{{"kind": "model", "file": "muff"}}`; without them it is empty and at the end. '
            f"Where is {_WHERE}. Background job, as `remove`, `move` and `replace`.",
            "sss",
            (1, 3),
            _add,
        ),
        _edit("remove", "Remove a slot; a split with its branches.", "s", (1, 1), _remove),
        _edit(
            "move",
            "Move a slot: its name, and where it goes, as with `add`. Its settings stay.",
            "ss",
            (2, 2),
            _move,
        ),
        _edit(
            "replace",
            "Put another slot in the place of one: the name of the one, that of the other, and "
            'JSON of what is in it; or both as JSON: `{"pedal": {"kind": "model"}}`.',
            "sss",
            (2, 3),
            _replace,
        ),
    ]


def _order(controller: Controller, room: int, offset: int) -> bytes:
    names = [slot.name for slot in controller.chain]
    return encode(ORDER, "s" * len(names), *names)


def _slots(controller: Controller, size: int) -> str:
    """Return the chain as JSON of at most `size` bytes as an OSC string.

    Where it does not fit, names of files are shortened, so that all slots are there.
    """
    chain = controller.chain
    for longest in (MAX_FILE_NAME, *_SHORTER):
        cut = chain
        for slot in chain:
            if len(slot.file) > longest:
                cut = cut.with_slot(replace(slot, file=f"{slot.file[:longest]}..."))
        text = json.dumps(plain_chain(cut, with_hashes=False))
        if string_size(text) <= size:
            break
    return text


def _check_set(controller: Controller, tag: str, value: Value) -> Action:
    address = CHAIN + "set"
    text = to_string(address, tag, value)
    with errors_at(address):
        chain = controller.chains.parse(text)
        controller.chains.plan(chain, Source("osc"))  # the files are there
    return lambda request: request.job(
        address, lambda: request.controller.chains.set(chain, request.source)
    )


def _edit(
    word: str,
    text: str,
    tags: str,
    counts: tuple[int, int],
    read: Callable[[str, str, Sequence[Value]], Start],
) -> Leaf:
    """Return a leaf that changes the chain.

    `counts`: least and most arguments. `read` returns the job that arguments ask for.
    """
    address = CHAIN + word
    least, most = counts

    def check(controller: Controller, tags: str, values: Sequence[Value]) -> Action:
        if not least <= len(values) <= most:
            takes = str(most) if least == most else f"{least} to {most}"
            text = f"takes {takes} argument{'s' if most > 1 else ''}, not {len(values)}"
            raise OscError("args", address, text)
        with errors_at(address):
            start = read(address, tags, values)
        return lambda request: request.job(
            address, lambda: start(request.controller, request.source)
        )

    return Leaf(
        address=address, kind=LeafKind.ARGUMENTS, help=text, type_tags=tags, check_all=check
    )


def _add(address: str, tags: str, values: Sequence[Value]) -> Start:
    item = _item(address, tags, values, 0, 2)
    where = _where(address, tags[1], values[1]) if len(values) > 1 else -1
    return lambda rig, source: rig.chains.add(item, where, source)


def _remove(address: str, tags: str, values: Sequence[Value]) -> Start:
    name = to_string(address, tags[0], values[0])
    return lambda rig, source: rig.chains.remove(name, source)


def _move(address: str, tags: str, values: Sequence[Value]) -> Start:
    name, where = to_string(address, tags[0], values[0]), _where(address, tags[1], values[1])
    return lambda rig, source: rig.chains.move(name, where, source)


def _replace(address: str, tags: str, values: Sequence[Value]) -> Start:
    name, item = to_string(address, tags[0], values[0]), _item(address, tags, values, 1, 2)
    return lambda rig, source: rig.chains.replace(name, item, source)


def _item(
    address: str, tags: str, values: Sequence[Value], name_at: int, content_at: int
) -> Slot | Split:
    """Return the slot of two arguments: its name, and JSON of what is in it, if it is given."""
    name = to_string(address, tags[name_at], values[name_at])
    content = ""
    if len(values) > content_at:
        content = to_string(address, tags[content_at], values[content_at])
    return read_slot(name, content)


def _where(address: str, tag: str, value: Value) -> Where:
    return value if isinstance(value, str) and tag in "sS" else to_int(address, tag, value)
