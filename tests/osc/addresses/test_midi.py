"""Learning over OSC: requests, answers, and what subscribers are told."""

import asyncio
from collections.abc import Callable

import pytest

from nemod.osc.addresses.flags import Flag
from tests.midi.conftest import Stage
from tests.osc.conftest import Desk, MemoryRig


@pytest.fixture
def stage(rig: MemoryRig) -> Stage:
    """The MIDI surface of the same core."""
    return Stage(rig)


def until(is_there: Callable[[], bool], work: Callable[[], None]) -> None:
    """Do some work in an event loop, and wait for what its threads bring."""

    async def main() -> None:
        work()
        for _ in range(1000):
            if is_there():
                return
            await asyncio.sleep(0.002)
        raise AssertionError("it did not happen")

    asyncio.run(main())


def learn(desk: Desk, stage: Stage, text: str, data: str) -> list[tuple[str, list[object]]]:
    """Return everything that the sender is answered with."""

    def work() -> None:
        assert desk.say("/nemo/midi/learn", "s", text) == []
        stage.play(data)
        stage.wait(1.0)

    until(lambda: bool(desk.answers()), work)
    return desk.answers()


def test_a_control_is_learned(desk: Desk, stage: Stage, rig: MemoryRig) -> None:
    """Its job is answered, subscribers are told, and it is in the list before the defaults."""
    peer = desk.peer(port=9001)
    desk.dispatcher.feedback.subscribe(peer.sender, None, frozenset({Flag.PARAMS}))
    assert learn(desk, stage, "/nemo/bass twos-complement", "b0 14 01") == [
        ("/nemo/done", ["/nemo/midi/learn", "cc 20 of FCB1010"])
    ]
    desk.timers.advance(1.0)
    told = [entry for entry in peer.messages() if entry[0].startswith("/nemo/midi")]
    assert ("/nemo/midi/learned", ["bass", "cc of FCB1010", 20]) in told
    assert desk.say("/nemo/midi/learned") == [("/nemo/midi/learned", ["bass", "cc of FCB1010", 20])]
    assert ("/nemo/midi/learning", [""]) in told
    ((_, (total, offset, *first)),) = desk.say("/nemo/midi/list")
    assert (total, offset, first[:4]) == (8, 0, ["bass", "cc 20", 0, "FCB1010 MIDI 1"])
    assert first[4:8] == ["preset/load", "program", 1, ""]
    ((_, ports),) = desk.say("/nemo/midi/ports")
    assert ports == [2, 0, "FCB1010 MIDI 1", "nanoKEY CTRL"]


def test_what_is_learned_is_shown_and_can_be_cancelled(desk: Desk, stage: Stage) -> None:
    """The sender gets `busy`."""
    desk.say("/nemo/midi/learn", "s", "gain")
    assert desk.say("/nemo/midi/learning") == [("/nemo/midi/learning", ["gain"])]
    ((address, values),) = desk.say("/nemo/midi/cancel", "T")
    assert (address, values[:2]) == ("/nemo/error", ["busy", "/nemo/midi/learn"])
    assert desk.say("/nemo/midi/learning") == [("/nemo/midi/learning", [""])]
    assert desk.say("/nemo/midi/cancel") == []


def test_a_binding_is_removed(desk: Desk, stage: Stage) -> None:
    """By its target, as an address or without `/nemo/`."""
    learn(desk, stage, "gain", "b0 14 40")
    desk.sent.clear()
    until(lambda: bool(desk.answers()), lambda: _say(desk, "/nemo/midi/unlearn", "/nemo/gain"))
    assert desk.answers() == [("/nemo/done", ["/nemo/midi/unlearn", "gain"])]
    ((_, values),) = desk.say("/nemo/midi/unlearn", "s", "gain")
    assert values[0] == "not_found"


def test_one_of_several_bindings_is_removed(desk: Desk, stage: Stage) -> None:
    """By its control, and its device where that is the same."""
    stage.use(
        "- {cc: 1, target: gain}\n- {cc: 1, target: gain, device: A}\n- {cc: 2, target: gain}\n"
    )

    def bound() -> list[tuple[int, str]]:
        return [(one.number, one.device) for one in stage.store.content.bindings]

    for words, left in (
        (("gain", "cc 1", "A"), [(1, ""), (2, "")]),
        (("gain", "cc 1"), [(2, "")]),
    ):
        desk.sent.clear()
        until(
            lambda: bool(desk.answers()),
            lambda words=words: _say(desk, "/nemo/midi/unlearn", *words),
        )
        assert bound() == left
    for words, code in ((("gain", "cc 1"), "not_found"), (("preset/next", "cc 61"), "not_found")):
        ((_, values),) = desk.say("/nemo/midi/unlearn", "ss", *words)
        assert values[0] == code
    ((_, values),) = desk.say("/nemo/midi/unlearn")
    assert values[0] == "args"


def _say(desk: Desk, address: str, *words: str) -> None:
    desk.say(address, "s" * len(words), *words)


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("gian", "not_found", "did you mean 'gain'"),
        ("shutdown", "not_found", "no such"),
        ("gain relative", "value", "twos-complement"),
        ("", "not_found", "no such"),
        ("x" * 5000, "not_found", "no such"),
    ],
)
def test_what_cannot_be_learned_is_an_error_and_nothing_is(
    text: str, code: str, hint: str, desk: Desk, stage: Stage
) -> None:
    ((address, values),) = desk.say("/nemo/midi/learn", "s", text)
    assert (address, values[:2]) == ("/nemo/error", [code, "/nemo/midi/learn"])
    assert hint in str(values[2])
    assert desk.say("/nemo/midi/learning") == [("/nemo/midi/learning", [""])]


def test_a_host_of_the_network_may_learn(stranger: Desk, stage: Stage) -> None:
    """As it may save presets."""
    assert stranger.say("/nemo/midi/learn", "s", "gain") == []
    assert stage.rig.controller.midi.learning == "gain"


def test_without_midi_requests_are_errors_and_lists_empty(desk: Desk) -> None:
    """Nothing is learned when the surface is off."""
    ((_, values),) = desk.say("/nemo/midi/learn", "s", "gain")
    assert values[0] == "not_found"
    assert "midi.enable" in str(values[2])
    assert desk.say("/nemo/midi/list") == [("/nemo/midi/list", [0, 0])]
    assert desk.say("/nemo/midi/ports") == [("/nemo/midi/ports", [0, 0])]


def test_a_list_longer_than_a_packet_has_pages(desk: Desk, stage: Stage) -> None:
    """Every binding is on one of them."""
    lines = "".join(f"- {{cc: {n}, target: gain, device: Pedal {n}}}\n" for n in range(100))
    stage.use(lines)
    controls: list[object] = []
    offset = 0
    while True:
        ((_, (total, _, *values)),) = desk.say("/nemo/midi/list", "i", offset)
        if not values:
            break
        controls += values[1::4]
        offset += len(values) // 4
    assert total == len(controls) == 107
    assert controls[:3] == ["cc 0", "cc 1", "cc 2"]
