"""Paths of the controls of a chain's slots.

The table has each control once, under the path that the first slot of its kind has: `gain`,
`knob/3`, `bass`, `delay/mix`. In another slot it is `<slot>/<control>`: `model2/gain`,
`model2/knob/3`, `eq2/bass`, `delay2/mix`. These are canonical paths; the first slot's controls have
`<slot>/<control>` as a second path.
"""

from nemod.chain import KINDS, Chain, can_be_name
from nemod.parameters.parameter import Parameter
from nemod.parameters.table import BY_PATH, param

_KINDS_OF_PLAIN_PATHS = {
    "gain": "model",
    "level": "model",
    "bass": "eq",
    "mid": "eq",
    "treble": "eq",
}
_PREFIXES = {
    "knob": "model",
    **{kind: kind for kind in KINDS if kind not in _KINDS_OF_PLAIN_PATHS.values()},
}


def kind_of(table_path: str) -> str:
    """Return the kind of slot that a path of the table belongs to; empty for what is no slot's."""
    plain = _KINDS_OF_PLAIN_PATHS.get(table_path)
    if plain is not None:
        return plain
    prefix, slash, _ = table_path.partition("/")
    return _PREFIXES.get(prefix, "") if slash else ""


def control_of(table_path: str) -> str:
    """Return what a control is called within its slot: `mix` for `delay/mix`, `bass` for `bass`."""
    kind = kind_of(table_path)
    return table_path.removeprefix(f"{kind}/") if kind else table_path


def slot_path(chain: Chain, slot: str, table_path: str) -> str:
    """Return the canonical path of a slot's control. Raises: KeyError for an unknown slot."""
    if chain.is_first(slot):
        return table_path
    return f"{slot}/{control_of(table_path)}"


def in_table(chain: Chain, path: str) -> tuple[str, str]:
    """Return slot and path in the table of a canonical path; the slot is empty where it has none.

    `delay2/mix` is `("delay2", "delay/mix")`, `bass` is `("eq", "bass")`, `input` is `("",
    "input")`. Raises: KeyError for a path that this chain does not have.
    """
    name, slash, control = path.partition("/")
    if slash and name in chain:
        slot = chain[name]
        if not chain.is_first(name):
            found = control if slot.kind in ("model", "eq") else f"{slot.kind}/{control}"
            if kind_of(found) != slot.kind:
                raise KeyError(path)
            param(found)
            return name, found
    param(path)
    kind = kind_of(path)
    if not kind:
        return "", path
    first = chain.first(kind)
    if first is None:
        raise KeyError(path)
    return first.name, path


def slot_row(chain: Chain, path: str) -> Parameter:
    """Return the table's row of a canonical path, under the path of the table. Raises: KeyError."""
    return param(in_table(chain, path)[1])


_CONTROLS = frozenset(control_of(path) for path in BY_PATH if kind_of(path))


def is_slot_path(path: str) -> bool:
    """Return whether some chain may have a control of this path, by the name of its slot."""
    slot, slash, control = path.partition("/")
    if not slash or not can_be_name(slot):
        return False
    return control in _CONTROLS or (control.startswith("knob/") and len(control) > 5)
