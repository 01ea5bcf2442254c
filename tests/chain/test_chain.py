"""Chains as data."""

import contextlib
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nemod.chain import (
    DEFAULT_CHAIN,
    MAX_SLOTS,
    Chain,
    ChainError,
    Slot,
    Split,
    plain_chain,
    read_chain,
    read_leniently,
)

BOARD = """
- gate
- pedal: {kind: model, file: muff-gru40}
- split:
    a: [{model2: {file: "5150", size: 0.5}}, cab]
    b: [{cab2: {file: dark}}]
- eq
- delay
- delay2
"""


def test_default_chain_has_the_slots_of_the_design() -> None:
    names = [slot.name for slot in DEFAULT_CHAIN]
    assert names == ["gate", "comp", "model", "cab", "eq", "delay", "reverb"]


def test_chain_of_yaml() -> None:
    chain = read_chain(yaml.safe_load(BOARD))
    order = "gate pedal split model2 cab cab2 eq delay delay2"
    assert [slot.name for slot in chain] == order.split()
    assert chain["pedal"] == Slot(name="pedal", kind="model", file="muff-gru40")
    assert chain["model2"].size == 0.5
    assert chain.split == Split(a=(chain["model2"], chain["cab"]), b=(chain["cab2"],))
    assert chain.first("model") == chain["pedal"]
    assert not chain.is_first("model2")
    assert chain.files["cab2"] == "dark"


def test_name_that_yaml_takes_for_a_number_is_a_name() -> None:
    assert read_chain(yaml.safe_load("[{model: {file: 5150}}]"))["model"].file == "5150"


def test_content_of_one_slot_is_replaced() -> None:
    chain = read_chain(yaml.safe_load(BOARD))
    other = chain.with_slot(Slot(name="cab2", kind="cab", file="bright"))
    assert other["cab2"].file == "bright"
    assert [slot.name for slot in other] == [slot.name for slot in chain]
    assert other.without_files == chain.without_files
    with pytest.raises(KeyError):
        chain.with_slot(Slot(name="cab2", kind="model"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("gate", ["the chain is 'gate'", "a list"]),
        ([1], ["entry 1", "1"]),
        ([{"gate": {}, "eq": {}}], ["entry 1", "one name"]),
        (["Gate"], ["'Gate'", "letter"]),
        (["gate" + "x" * 13], ["letters, digits"]),
        (["dely"], ["'dely'", "kind", "did you mean 'delay'"]),
        ([{"amp": {"kind": "modell"}}], ["'amp'", "'modell'", "did you mean 'model'"]),
        ([{"eq2": {"kind": "model"}}], ["'eq2'", "of the kind 'eq'"]),
        ([{"gain": {"kind": "model"}}], ["'gain'", "another address"]),
        (["delay", "delay"], ["'delay'", "twice"]),
        ([{"pedal": {"kind": "model"}}, "model"], ["'model'", "only the first", "model2"]),
        ([{"model": {"path": "x"}}], ["'model'", "'path'", "file"]),
        ([{"gate": {"file": "x"}}], ["'gate'", "'file'"]),
        ([{"model": {"file": "a\nb"}}], ["'model'", "library"]),
        ([{"model": {"file": ["a"]}}], ["'model'", "list"]),
        ([{"model": {"size": 2}}], ["'model'", "size 2", "0 to 1"]),
        ([{"model": {"size": float("nan")}}], ["size nan"]),
        ([{"model": {"sha256": "12"}}], ["'12'", "64 hexadecimal"]),
        ([{"model": 3}], ["'model'", "3", "keys"]),
        ([{"split": {"a": ["eq"]}}, {"split2": {}}], ["'split2'", "one is allowed"]),
        ([{"split": {"a": [{"split2": {}}]}}], ["'split2'", "branch a"]),
        ([{"split": {"c": []}}], ["'split'", "'c'"]),
        ([{"split": {"a": "eq"}}], ["branch a of 'split'", "'eq'", "a list"]),
        ([f"eq{n}" for n in range(17)], ["17", "16"]),
        ([f"model{n}" for n in range(5)], ["5 models", "at most 4"]),
    ],
)
def test_error_names_slot_value_and_what_is_allowed(data: object, words: list[str]) -> None:
    with pytest.raises(ChainError) as caught:
        read_chain(data, "preset 3")
    text = str(caught.value)
    assert text.startswith("preset 3: ")
    for word in words:
        assert word in text


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ChainError) as caught:
        read_chain(["dely", "Gate", {"model": {"size": 3}}])
    assert len(caught.value.problems) == 3


_files = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
_contents = st.tuples(
    st.sampled_from(["gate", "comp", "model", "cab", "eq", "delay", "reverb"]),
    _files,
    st.none() | st.floats(0.0, 1.0),
)


@st.composite
def _chains(draw: st.DrawFn) -> Chain:
    slots = []
    for number, (kind, file, size) in enumerate(draw(st.lists(_contents, max_size=8))):
        if kind == "model" and sum(slot.kind == "model" for slot in slots) == 4:
            continue
        has_kind = any(slot.kind == kind for slot in slots)
        names = [f"{kind}{number + 2}", f"s{number}_x", *([] if has_kind else [kind])]
        slots.append(
            Slot(
                name=draw(st.sampled_from(names)),
                kind=kind,
                file=file if kind in ("model", "cab") else "",
                size=size if kind == "model" else None,
            )
        )
    cuts = sorted(draw(st.lists(st.integers(0, len(slots)), min_size=3, max_size=3)))
    if not draw(st.booleans()):
        return Chain(tuple(slots))
    split = Split(a=tuple(slots[cuts[0] : cuts[1]]), b=tuple(slots[cuts[1] : cuts[2]]))
    return Chain((*slots[: cuts[0]], split, *slots[cuts[2] :]))


@given(_chains())
def test_chain_survives_yaml_and_json(chain: Chain) -> None:
    plain = plain_chain(chain)
    assert read_chain(json.loads(json.dumps(plain))) == chain
    assert read_chain(yaml.safe_load(yaml.safe_dump(plain))) == chain


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["split", "model", "a", "b", "file", "kind", "eq", "size", "x"])
            | st.integers(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(_plain)
def test_anything_is_a_chain_or_a_chain_error(data: object) -> None:
    with contextlib.suppress(ChainError):
        assert len(read_chain(data)) <= MAX_SLOTS


def test_a_chain_that_was_kept_is_read_slot_by_slot() -> None:
    """What is wrong costs its slot, or its value, and no other; all of it is said."""
    chain, problems = read_leniently(
        [
            "gate",
            {"modl": {}},
            {"model": {"file": 5150, "size": 7}},
            {"cab": {"file": ["x"]}},
            "gate",
            {"split": {"a": ["delay", 7], "b": 3}},
            {"ringmod": {"speed": 1}},
        ]
    )
    assert [slot.name for slot in chain] == ["gate", "model", "cab", "split", "delay"]
    assert chain["model"] == Slot(name="model", kind="model", file="5150")
    assert chain["cab"].file == ""
    assert len(problems) == 7
    assert read_leniently({"gate": 1}) == (DEFAULT_CHAIN, [problem_of({"gate": 1})])


def test_a_chain_that_was_kept_is_cut_at_the_limits() -> None:
    """The first slots stay."""
    models = [f"m{number}" for number in range(6)]
    chain, problems = read_leniently([{name: {"kind": "model"}} for name in models])
    assert [slot.name for slot in chain] == models[:4]
    assert len(problems) == 2
    branch = [{f"x{number}": {"kind": "eq"}} for number in range(14)]
    chain, problems = read_leniently(["gate", {"split": {"a": branch, "b": ["comp", "delay"]}}])
    assert len(chain) == 16
    assert read_chain(plain_chain(chain)) == chain
    assert len(problems) == 2


def problem_of(data: object) -> str:
    """Return the one problem of a chain, without its source."""
    with pytest.raises(ChainError) as error:
        read_chain(data)
    (problem,) = error.value.problems
    return problem
