"""Adding, removing, moving and replacing slots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.chain import (
    DEFAULT_CHAIN,
    KINDS,
    MAX_MODELS,
    MAX_SLOTS,
    Chain,
    ChainError,
    Slot,
    Split,
    edit,
    plain_chain,
    read_chain,
)

SPLIT = read_chain(
    ["gate", {"split": {"a": ["model", "cab"], "b": [{"amp": {"kind": "model"}}]}}, "eq", "delay"]
)


def names(chain: Chain) -> list[str]:
    """Return the names of all slots in order."""
    return [slot.name for slot in chain]


def delay(name: str = "delay2") -> Slot:
    """Return a slot that the default chain does not have."""
    return Slot(name=name, kind="delay")


@pytest.mark.parametrize(
    ("where", "order"),
    [
        (-1, "gate comp model cab eq delay reverb x"),
        (7, "gate comp model cab eq delay reverb x"),
        (99, "gate comp model cab eq delay reverb x"),
        (0, "x gate comp2 model cab eq delay reverb"),
        ("", "x gate comp2 model cab eq delay reverb"),
        (1, "gate x comp2 model cab eq delay reverb"),
        (2, "gate comp x model cab eq delay reverb"),
        ("comp", "gate comp x model cab eq delay reverb"),
        ("reverb", "gate comp model cab eq delay reverb x"),
        (-2, "gate comp model cab eq delay x reverb"),
    ],
)
def test_a_slot_is_added_at_a_number_or_behind_a_slot(where: int | str, order: str) -> None:
    """Numbers count from 0, and from the end below it."""
    chain, renamed = edit.add(DEFAULT_CHAIN, Slot(name="x", kind="comp"), where)
    assert names(chain) == order.split()
    assert renamed == ({"comp": "comp2"} if "comp2" in order else {})


def test_a_pedal_before_the_amplifier_becomes_the_first_model() -> None:
    """The slot that was the first of its kind is renamed, or two slots would have one address."""
    pedal = Slot(name="pedal", kind="model", file="muff")
    amp = DEFAULT_CHAIN.with_slot(Slot(name="model", kind="model", file="amp", size=0.5))
    chain, renamed = edit.add(amp, pedal, "comp")
    assert names(chain) == ["gate", "comp", "pedal", "model2", "cab", "eq", "delay", "reverb"]
    assert renamed == {"model": "model2"}
    assert chain["model2"] == Slot(name="model2", kind="model", file="amp", size=0.5)
    # And back: the name stays, whatever is in front of it.
    assert names(edit.remove(chain, "pedal").chain)[2] == "model2"
    assert edit.move(chain, "pedal", "model2").renamed == {}


def test_slots_go_into_branches_and_out_of_them() -> None:
    """A branch begins behind its split."""
    assert names(edit.add(SPLIT, Slot(name="comp", kind="comp"), "split/b").chain) == (
        ["gate", "split", "model", "cab", "comp", "amp", "eq", "delay"]
    )
    assert names(edit.add(SPLIT, delay(), "amp").chain) == (
        ["gate", "split", "model", "cab", "amp", "delay2", "eq", "delay3"]
    )
    moved = edit.move(SPLIT, "cab", "eq").chain
    assert names(moved) == ["gate", "split", "model", "amp", "eq", "cab", "delay"]
    assert moved.split is not None
    assert names(Chain(moved.split.a)) == ["model"]
    assert names(edit.move(SPLIT, "split", -1).chain) == [
        "gate",
        "eq",
        "delay",
        "split",
        "model",
        "cab",
        "amp",
    ]
    assert names(edit.remove(SPLIT, "split").chain) == ["gate", "eq", "delay"]
    replaced = edit.replace(SPLIT, "amp", Slot(name="eq2", kind="eq"))
    assert names(replaced.chain) == ["gate", "split", "model", "cab", "eq2", "eq3", "delay"]
    assert replaced.renamed == {"eq": "eq3"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda: edit.remove(SPLIT, "dely"), "no slot is named 'dely'.*did you mean 'delay'"),
        (lambda: edit.move(SPLIT, "delay2", 0), "no slot is named 'delay2'"),
        (lambda: edit.replace(SPLIT, "x", delay()), "no slot is named 'x'"),
        (lambda: edit.add(SPLIT, delay(), "x"), "no slot is named 'x'"),
        (lambda: edit.add(SPLIT, delay(), "split/c"), "no slot is named 'split/c'"),
        (lambda: edit.add(SPLIT, delay("delay")), "slot 'delay' occurs twice"),
        (lambda: edit.add(SPLIT, Slot(name="tuner", kind="eq")), "'tuner'.*another address"),
        (lambda: edit.add(SPLIT, Split(name="other")), "a second split"),
        (lambda: edit.add(SPLIT, Split(name="other"), "amp"), "cannot stand in a branch"),
        (lambda: edit.replace(SPLIT, "amp", Split(name="other")), "cannot stand in a branch"),
        (lambda: edit.move(SPLIT, "split", "split/a"), "cannot be moved into itself"),
        (lambda: edit.move(SPLIT, "split", "amp"), "no slot is named 'amp'"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_the_slot(change, text: str) -> None:  # type: ignore[no-untyped-def]
    """And nothing has changed: chains are immutable."""
    with pytest.raises(ChainError, match=text):
        change()


def test_a_chain_has_limits() -> None:
    """The audio thread has to play it within a period."""
    chain = DEFAULT_CHAIN
    for number in range(MAX_SLOTS - len(chain)):
        chain = edit.add(chain, delay(f"d{number}")).chain
    with pytest.raises(ChainError, match="17 entries: at most 16"):
        edit.add(chain, delay())
    chain = DEFAULT_CHAIN
    for number in range(1, MAX_MODELS):
        chain = edit.add(chain, Slot(name=f"m{number}", kind="model")).chain
    with pytest.raises(ChainError, match="5 models: at most 4"):
        edit.add(chain, Slot(name="m9", kind="model"))


_NAMES = st.sampled_from([*KINDS, *(f"{kind}{n}" for kind in KINDS for n in (2, 3)), "a", "b"])
_ITEMS = st.builds(
    lambda name, kind: Slot(name=name, kind=name.rstrip("23") if name[1:] else kind),
    _NAMES.filter(lambda name: not name.startswith("split")),
    st.sampled_from([kind for kind in KINDS if kind != "split"]),
)
_WHERE = st.one_of(st.integers(-20, 20), _NAMES, st.sampled_from(["", "split/a", "split/b"]))
_EDITS = st.one_of(
    st.builds(lambda item, where: lambda c: edit.add(c, item, where), _ITEMS, _WHERE),
    st.builds(lambda where: lambda c: edit.add(c, Split(), where), _WHERE),
    st.builds(lambda name: lambda c: edit.remove(c, name), _NAMES),
    st.builds(lambda name, where: lambda c: edit.move(c, name, where), _NAMES, _WHERE),
    st.builds(lambda name, item: lambda c: edit.replace(c, name, item), _NAMES, _ITEMS),
)


@given(st.lists(_EDITS, max_size=25))
def test_every_chain_that_edits_make_can_be_read(edits) -> None:  # type: ignore[no-untyped-def]
    """Names are unique, limits hold, and no slot but the first is named as its kind."""
    chain = DEFAULT_CHAIN
    for change in edits:
        try:
            after, renamed = change(chain)
        except ChainError:
            continue
        assert read_chain(plain_chain(after)) == after
        assert set(renamed) <= set(names(chain))
        assert set(renamed.values()) <= set(names(after))
        kinds = {slot.name: slot.kind for slot in after}
        assert all(kinds[new] == chain[old].kind for old, new in renamed.items())
        chain = after
