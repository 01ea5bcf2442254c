"""The parameters of a chain: every control of every slot, and positions that stay with slots."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.chain import DEFAULT_CHAIN, KINDS, Chain, ChainError, Slot, edit, read_chain
from nemod.parameters.parameter_set import KnobSpec, ParameterSet, moved_positions
from nemod.parameters.slot_paths import control_of, in_table, is_slot_path, kind_of, slot_path
from nemod.parameters.table import FURTHER_TABLE, TABLE
from tests.chains import BOARD

ROWS = (*TABLE, *FURTHER_TABLE)


def test_every_slot_has_the_controls_of_its_kind_once() -> None:
    """The first of a kind under the short path, all of them below their name."""
    parameters = ParameterSet(BOARD)
    places = [parameters.place(path) for path in parameters]
    wanted = [("", row.path) for row in ROWS if not kind_of(row.path)]
    wanted += [(s.name, row.path) for s in BOARD for row in ROWS if kind_of(row.path) == s.kind]
    assert sorted(places) == sorted(wanted)
    for path in parameters:
        slot, table_path = parameters.place(path)
        assert in_table(BOARD, path) == (slot, table_path)
        if slot:
            assert slot_path(BOARD, slot, table_path) == path
            assert parameters.canonical(f"{slot}/{control_of(table_path)}") == path


def test_a_chain_without_a_kind_has_none_of_its_controls() -> None:
    """An address that does nothing would be a lie."""
    parameters = ParameterSet(read_chain(["eq", "delay2"]))
    assert "gain" not in parameters
    assert "reverb/mix" not in parameters
    assert parameters.canonical("delay2/mix") == "delay/mix"
    assert parameters.short_forms == {"delay": "delay/mix", "delay2": "delay/mix"}
    for path in ("knob/3", "model/knob/3", "gate/enable"):
        with pytest.raises(KeyError):
            parameters.key(path)


def test_each_model_has_knobs_of_its_own() -> None:
    """By number and name; those that it lacks keep their positions."""
    parameters = ParameterSet(
        BOARD, {"pedal": [KnobSpec("Drive", 0.1)], "model2": [KnobSpec("a"), KnobSpec("b", 0.9)]}
    )
    assert parameters.canonical("pedal/knob/Drive") == "gain"
    assert parameters.canonical("model2/knob/b") == "model2/level"
    assert [parameters.row(path).default for path in ("gain", "model2/knob/2")] == [0.1, 0.9]
    assert parameters.row("model2/level").label == "b (model2)"
    assert parameters.key("model2/knob/7") == "model2/knob/7"
    assert parameters.key("pedal/knob/7") == "knob/7"
    assert parameters.place("model2/knob/7") == ("model2", "knob/7")
    for path in ("model2/knob/0", "model2/knob/65", "echo/knob/1", "nope/knob/1"):
        with pytest.raises(KeyError):
            parameters.key(path)


def test_a_delay_is_synchronised_by_its_own_switch() -> None:
    """And not by that of the first."""
    row = ParameterSet(BOARD).row("echo/time")
    assert row.synced_by == ("echo/sync", "echo/note")


@pytest.mark.parametrize("path", ["delay2/mix", "amp/gain", "amp/knob/tone", "eq9/bass", "s/mix"])
def test_paths_that_some_chain_has(path: str) -> None:
    """A binding may wait for its slot."""
    assert is_slot_path(path)


@pytest.mark.parametrize(
    "path", ["gian", "Amp/gain", "tuner/mix", "delay2/mx", "amp/knob/", "/mix"]
)
def test_paths_that_no_chain_has(path: str) -> None:
    """As names that belong to other addresses."""
    assert not is_slot_path(path)


_KINDS = st.sampled_from([kind for kind in KINDS if kind != "split"])
_EDITS = st.lists(
    st.tuples(st.sampled_from("ram"), st.integers(0, 20), _KINDS, st.integers(-9, 9)), max_size=8
)


@given(_EDITS)
@settings(deadline=None)
def test_positions_stay_with_their_slots_whatever_is_edited(
    edits: list[tuple[str, int, str, int]],
) -> None:
    """Each slot holds what it held; only slots that are removed lose it."""
    chain: Chain = DEFAULT_CHAIN
    # One mark per slot, at a control that its kind has.
    marks = {slot.name: 1.0 / (at + 2) for at, slot in enumerate(chain)}
    control = {kind: next(row.path for row in ROWS if kind_of(row.path) == kind) for kind in KINDS}
    positions = {slot_path(chain, s.name, control[s.kind]): marks[s.name] for s in chain}
    for number, (what, at, kind, where) in enumerate(edits):
        slots = [slot.name for slot in chain]
        name = slots[at % len(slots)] if slots else ""
        try:
            if what == "a":
                edited = edit.add(chain, Slot(name=f"x{number}", kind=kind), where)
            elif what == "r":
                edited = edit.remove(chain, name)
            else:
                edited = edit.move(chain, name, where)
        except ChainError:
            continue
        positions = moved_positions(positions, ParameterSet(chain), edited.chain, edited.renamed)
        marks = {edited.renamed.get(slot, slot): mark for slot, mark in marks.items()}
        chain = edited.chain
        marks = {slot: mark for slot, mark in marks.items() if slot in chain}
        expected = {
            slot_path(chain, slot, control[chain[slot].kind]): mark for slot, mark in marks.items()
        }
        assert positions == expected
