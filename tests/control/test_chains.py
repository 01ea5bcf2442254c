"""The chain: set, edited, kept in presets; positions and snapshots stay with their slots."""

import asyncio

import pytest

from nemod.chain import Slot, plain_chain, read_chain
from nemod.control.chains import MAX_WAITING, read_slot
from nemod.control.errors import Code, ControlError
from nemod.control.events import ChainChanged, Source
from nemod.presets.preset import Preset
from tests.chains import BOARD, chain_of
from tests.control.test_presets import in_loop
from tests.osc.conftest import MemoryRig

ME = Source("test")
PEDAL = Slot(name="pedal", kind="model", file="fuzz")


def names(rig: MemoryRig) -> list[str]:
    """Return the slots that play, in order."""
    return [slot.name for slot in rig.controller.chain]


def test_a_chain_is_one_change(rig: MemoryRig) -> None:
    """With its files, as their libraries spell them; a cabinet that is new is switched on."""
    events = rig.events.subscribe((ChainChanged,))
    rig.controller.set("delay/feedback", 0.9, ME)
    chain = read_chain(
        ["delay", {"amp": {"kind": "model", "file": "amp lead"}}, {"cab": {"file": "4X12"}}]
    )
    job = rig.controller.chains.set(chain, ME)
    assert job.result == "delay amp cab"
    assert plain_chain(rig.controller.chain) == [
        "delay",
        {"amp": {"kind": "model", "file": "Amp Lead"}},
        {"cab": {"file": "4x12"}},
    ]
    assert rig.controller.position("cab/enable") == 1.0
    assert rig.controller.position("delay/feedback") == 0.9
    assert events.take() == [ChainChanged(ME)]
    rig.controller.set("cab/enable", 0.0, ME)
    rig.controller.chains.set(read_chain([*plain_chain(rig.controller.chain), "eq"]), ME)
    assert rig.controller.position("cab/enable") == 0.0
    with pytest.raises(ControlError, match="no such parameter"):
        rig.controller.position("reverb/mix")


def test_an_edit_applies_to_what_plays_when_its_turn_comes(rig: MemoryRig) -> None:
    """So that two of them, made quickly, are both carried out."""
    rig.is_slow = True
    add = rig.controller.chains.add
    first = add(PEDAL, "comp", ME)
    rig.finish_load()
    second = add(Slot(name="delay2", kind="delay"), -1, ME)
    rig.finish_load()
    assert (first.result, second.result) == ("pedal", "delay2")
    assert names(rig)[2:4] == ["pedal", "model2"]
    assert names(rig)[-1] == "delay2"


def test_edits_do_not_pile_up(rig: MemoryRig) -> None:
    """A client that adds without end is refused."""
    rig.is_slow = True
    rig.load = lambda *_a, **_k: None  # type: ignore[assignment, method-assign] # none ends
    for number in range(MAX_WAITING):
        rig.controller.chains.add(Slot(name=f"e{number}", kind="eq"), -1, ME)
    with pytest.raises(ControlError) as refused:
        rig.controller.chains.remove("eq", ME)
    assert refused.value.code is Code.LIMIT


def test_a_slot_that_is_gone_when_its_turn_comes_is_an_error(rig: MemoryRig) -> None:
    """As a file for a slot that another client has removed."""
    rig.controller.chains.add(Slot(name="cab2", kind="cab"), -1, ME)
    rig.is_slow = True
    load = rig.controller.cabinets.of("cab2").load("4x12", ME)
    rig.is_slow = False
    rig.controller.chains.remove("cab2", ME)
    rig.finish_cabinet_load()
    assert load.error is not None
    assert load.error.code is Code.NOT_FOUND
    with pytest.raises(ControlError, match="no cabinet slot named 'cab2'"):
        rig.controller.cabinets.of("cab2").step(1, ME)


def test_without_a_model_slot_there_is_nothing_to_load(rig: MemoryRig) -> None:
    """The library is still listed."""
    rig.controller.chains.set(read_chain(["eq"]), ME)
    with pytest.raises(ControlError, match="the chain has no slot for a model"):
        rig.controller.load_model("fuzz", ME)
    assert (rig.controller.model_name, rig.controller.model_index) == ("", -1)
    assert len(rig.controller.model_names) == 4
    assert rig.controller.size.set(0.5, ME) == 0.5


def test_a_preset_holds_the_whole_chain(rig: MemoryRig) -> None:
    """Its files with their hashes, and the positions of all slots."""
    rig.hashes = {"fuzz": "f0" * 32, "Amp Lead": "a1" * 32}

    async def scenario() -> None:
        rig.use_chain(*plain_chain(BOARD))
        rig.controller.set("echo/mix", 0.7, ME)
        rig.controller.set("model2/gain", 0.2, ME)
        save = rig.controller.presets.save(ME, 3)
        while not save.is_over:
            await asyncio.sleep(0)
        kept = rig.presets.kept[3]
        assert kept.chain["pedal"].sha256 == "f0" * 32
        assert kept.chain.without_files == BOARD.without_files
        assert (kept.positions["echo/mix"], kept.positions["model2/gain"]) == (0.7, 0.2)
        assert not rig.controller.presets.is_dirty
        rig.controller.chains.remove("echo", ME)
        assert rig.controller.presets.is_dirty
        load = rig.controller.presets.load(3, ME)
        while not load.is_over:
            await asyncio.sleep(0)
        assert load.result == "Preset"
        assert rig.controller.chain == BOARD
        assert rig.controller.position("echo/mix") == 0.7
        assert not rig.controller.presets.is_dirty

    in_loop(scenario)


def test_a_preset_with_a_missing_file_names_the_slot(rig: MemoryRig) -> None:
    """And the sound stays."""
    gone = BOARD.with_slot(Slot(name="model2", kind="model", file="gone"))
    rig.presets.kept = {0: Preset(name="Board", chain=gone)}
    job = rig.controller.presets.load(0, ME)
    assert job.error is not None
    assert job.error.code is Code.NOT_FOUND
    assert job.error.text == "slot 'model2': its model 'gone' is not in the library"
    assert names(rig) == [slot.name for slot in chain_of()]


def test_snapshots_follow_the_chain(rig: MemoryRig) -> None:
    """Their positions stay with their slots, also where these are renamed."""
    preset = Preset(
        name="A", chain=chain_of("fuzz"), snapshots={1: {"gain": 0.9, "delay/mix": 0.4}}
    )
    rig.presets.kept = {0: preset}
    rig.controller.presets.load(0, ME)
    rig.controller.chains.add(PEDAL, 0, ME)
    rig.controller.chains.remove("delay", ME)
    rig.controller.presets.load_snapshot(1, ME)
    assert rig.controller.position("model2/gain") == 0.9
    assert rig.controller.position("gain") == 0.5
    assert rig.controller.presets.snapshots.all() == {1: {"model2/gain": 0.9}}


def test_a_step_behind_a_preset_counts_from_what_it_brings(rig: MemoryRig) -> None:
    """In every slot."""
    rig.is_slow = True
    rig.presets.kept = {0: Preset(name="A", chain=chain_of("Amp Lead", cab="1x12"))}
    rig.controller.presets.load(0, ME)
    assert rig.controller.cabinets.requested == "1x12"
    assert rig.controller.cabinets.step(1, ME).subject == "2x12 open"
    assert rig.controller.step_model(1, ME).subject == "fuzz"


@pytest.mark.parametrize(
    ("text", "content", "slot"),
    [
        ("delay2", "", Slot(name="delay2", kind="delay")),
        ("x", '{"kind": "eq"}', Slot(name="x", kind="eq")),
        ('{"x": {"kind": "eq"}}', "", Slot(name="x", kind="eq")),
    ],
)
def test_a_slot_in_a_text(text: str, content: str, slot: Slot) -> None:
    """By its name, with its content, or both as JSON."""
    assert read_slot(text, content) == slot


@pytest.mark.parametrize("text", ["[" * 100_000, "nope" * 1000, '{"a": 1, "b": 2}', "[1e999]"])
def test_no_text_is_more_than_an_error(text: str, rig: MemoryRig) -> None:
    """However long or deep."""
    for read in (rig.controller.chains.parse, read_slot):
        with pytest.raises(ControlError) as error:
            read(text)
        assert len(error.value.text) < 600
