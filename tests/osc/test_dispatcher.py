"""What packets change and how they are answered, without sockets."""

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nemod
from nemod.control.errors import Code, ControlError
from nemod.control.events import Meters
from nemod.osc.addresses.client import SENT
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.system import PROTOCOL
from nemod.osc.addresses.tree import Tree, build_tree
from nemod.osc.addresses.values import LeafKind
from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet
from nemod.osc.encode import MAX_PACKET
from nemod.osc.jobs import MAX_WAITING_SYNCS
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from tests.osc.conftest import Client, Desk, MemoryRig, size_of, status_values

CODES = {
    *("address", "type", "args", "value", "not_found", "busy", "io", "denied"),
    *("readonly", "writeonly", "tx", "rate", "limit"),
}


def bundle(*messages: Message | Bundle, time_tag: int = IMMEDIATELY) -> Packet:
    size = 16 + sum(4 + size_of(message) for message in messages if isinstance(message, Message))
    return Packet(Bundle(time_tag, messages), len(messages), size)


def error_of(answers: list[tuple[str, list[object]]]) -> tuple[str, str, str]:
    ((address, (code, about, text)),) = answers
    assert address == "/nemo/error"
    return str(code), str(about), str(text)


def gain(value: float) -> Message:
    return Message("/nemo/gain", "f", (value,))


# Errors


@pytest.mark.parametrize(
    ("code", "address", "tags", "values", "says"),
    [
        ("address", "/nemo/gian", "", (), "did you mean '/nemo/gain'?"),
        ("address", "/nemo/Bypass", "T", (True,), "did you mean '/nemo/bypass'?"),
        ("address", "/bass", "f", (0.5,), "did you mean '/nemo/bass'?"),
        ("address", "/nemo/gain/", "", (), "no such address"),
        ("address", "/", "", (), "no such address"),
        ("address", "/nemo/delay/swing", "T", (True,), "no such address"),
        ("address", "/nemo/status", "f", (1.0,), "takes no value"),
        ("address", "/nemo/[", "f", (1.0,), "without ']'"),
        ("address", "/nemo/" + "*a" * 70, "f", (1.0,), "at most 128 characters"),
        ("address", "/nemo/x*", "f", (1.0,), "matches no number or switch"),
        ("type", "/nemo/gain", "s", ("0.5",), "not type tag 's'"),
        ("type", "/nemo/gain", "N", (None,), "not type tag 'N'"),
        ("type", "/nemo/gain", "[f]", ((0.5,),), "not type tag '['"),
        ("type", "/nemo/gain", "b", (b"abcd",), "not type tag 'b'"),
        ("type", "/nemo/bypass", "s", ("on",), "T, F or a number"),
        ("type", "/nemo/model/next", "s", ("x",), "nothing, I, N, T"),
        ("type", "/nemo/model/index", "T", (True,), "whole number"),
        ("type", "/nemo/model/load", "T", (True,), "a name (s) or an index (i)"),
        ("type", "/nemo/model/list", "s", ("x",), "offset"),
        ("args", "/nemo/gain", "ff", (0.5, 0.5), "not 2"),
        ("args", "/nemo/model/list", "ii", (1, 2), "not 2"),
        ("value", "/nemo/model/index", "f", (float("nan"),), "nan"),
        ("value", "/nemo/bypass", "f", (float("inf"),), "inf"),
        ("value", "/nemo/model/next", "d", (float("nan"),), "nan"),
        ("readonly", "/nemo/model/current", "s", ("fuzz",), "not set"),
        ("readonly", "/nemo/status/load", "f", (0.5,), "not set"),
        ("readonly", "/nemo/text/gain", "s", ("x",), "not set"),
        ("readonly", "/nemo/status/*", "f", (0.5,), "not set"),
        ("readonly", "/nemo/text/delay/note", "s", ("1/8",), "not set"),
        ("type", "/nemo/delay/note", "T", (True,), "a name (s) or an index (i)"),
        ("value", "/nemo/delay/note", "s", ("1/7",), "unknown name '1/7', allowed are 1/32, "),
        ("value", "/nemo/delay/note", "f", (float("nan"),), "nan"),
        ("type", "/nemo/subscribe", "T", (True,), "whole number"),
        ("type", "/nemo/subscribe", "sf", ("text", 1.0), "a string (s)"),
        ("value", "/nemo/subscribe", "i", (0,), "1..65535"),
        ("value", "/nemo/subscribe", "i", (65_536,), "1..65535"),
        (
            "value",
            "/nemo/subscribe",
            "is",
            (9001, "levels"),
            "unknown flag 'levels', allowed are params, text, real, meters, tuner, status",
        ),
        ("args", "/nemo/unsubscribe", "ii", (1, 2), "takes a port"),
        ("not_found", "/nemo/refresh", "", (), "/nemo/subscribe first"),
        ("writeonly", "/nemo/model/load", "", (), "not queried"),
        ("writeonly", "/nemo/toggle", "", (), "nothing that can be queried"),
        ("not_found", "/nemo/model/load", "s", ("fuz",), "did you mean 'fuzz'?"),
        ("not_found", "/nemo/model/load", "s", ("amp lead!",), "did you mean 'Amp Lead'?"),
        ("not_found", "/nemo/model/load", "s", ("../fuzz",), "no model named"),
        ("not_found", "/nemo/model/load", "s", ("a\\fuzz",), "no model named"),
        ("not_found", "/nemo/model/load", "i", (4,), "there are 4, counted from 0"),
        ("not_found", "/nemo/model/index", "i", (-2,), "no model number -2"),
        ("tx", "/nemo/tx", "i", (1,), "first in a bundle"),
        ("limit", "/nemo/*/*", "f", (0.5,), "64 are allowed"),
    ],
)
def test_errors_have_their_code_and_say_what_is_allowed(
    code: str,
    address: str,
    tags: str,
    values: tuple[object, ...],
    says: str,
    desk: Desk,
    rig: MemoryRig,
) -> None:
    """Each kind of mistake has its code, names the address, and touches nothing."""
    rig.use_knobs(*(f"Knob{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    before = rig.settings.positions()
    found, about, text = error_of(desk.say(address, tags, *values))
    assert (code, address[: len(about) - 3]) == (found, about.removesuffix("...")[: len(about) - 3])
    assert says in text
    assert before == rig.settings.positions()
    assert rig.commits == []


def test_errors_are_at_most_twenty_in_any_second(desk: Desk) -> None:
    """The 21st error within a second is not sent; a second after the first there is one more."""
    sent = 0
    for step in range(30):
        desk.timers.time_s = 1000.0 + step / 100
        sent += len(desk.say("/nemo/nowhere"))
    desk.timers.time_s = 1001.0
    assert (sent, len(desk.say("/nemo/nowhere"))) == (20, 1)


def test_long_names_in_errors_are_cut(desk: Desk) -> None:
    """An error fits one packet even where the address is as long as a datagram."""
    desk.say("/" + "ü" * 4000)
    (packet,) = desk.sent
    assert len(packet) <= MAX_PACKET


# Bundles and transactions


def test_one_packet_is_one_commit(desk: Desk, rig: MemoryRig) -> None:
    """All settings of a bundle reach the audio process together."""
    inner = Bundle(IMMEDIATELY, (Message("/nemo/mute", "T", (True,)),))
    desk.perform(bundle(gain(0.1), Message("/nemo/bass", "f", (0.2,)), inner))
    (snapshot,) = rig.commits
    assert (snapshot["gain"], snapshot["bass"], snapshot["mute"]) == (0.1, 0.2, 1.0)


def test_nothing_changed_is_no_commit(desk: Desk, rig: MemoryRig) -> None:
    """Queries and values that stand already cause no commit."""
    desk.say("/nemo/gain")
    desk.say("/nemo/gain", "f", 0.5)
    desk.say("/nemo/gain", "s", "x")
    assert rig.commits == []


def test_a_wrong_message_does_not_stop_its_bundle(desk: Desk, rig: MemoryRig) -> None:
    """Without a transaction, each message stands for itself, and answers keep their order."""
    answers = desk.perform(
        bundle(
            Message("/nemo/bass", "f", (0.2,)),
            Message("/nemo/nowhere", "", ()),
            Message("/nemo/bass", "", ()),
        )
    )
    assert [address for address, _ in answers] == ["/nemo/error", "/nemo/bass"]
    assert rig.settings.get("bass") == 0.2


def test_a_transaction_is_all(desk: Desk, rig: MemoryRig) -> None:
    """A transaction without mistakes is performed, nested bundles included."""
    inner = Bundle(IMMEDIATELY, (Message("/nemo/mute", "T", (True,)),))
    tx = Message("/nemo/tx", "i", (5,))
    assert desk.perform(bundle(tx, Message("/nemo/bass", "f", (0.2,)), inner)) == []
    (snapshot,) = rig.commits
    assert (snapshot["bass"], snapshot["mute"]) == (0.2, 1.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Message("/nemo/nowhere", "", ()), "/nemo/nowhere: address: no such address"),
        (Message("/nemo/bass", "f", (float("nan"),)), "/nemo/bass: value: nan"),
        (Message("/nemo/model/load", "s", ("fuz",)), "/nemo/model/load: not_found: "),
        (Message("/nemo/tx", "i", (6,)), "/nemo/tx: tx: "),
    ],
)
def test_a_transaction_is_nothing(wrong: Message, says: str, desk: Desk, rig: MemoryRig) -> None:
    """One mistake anywhere, and no message of the transaction has any effect."""
    tx = Message("/nemo/tx", "i", (5,))
    load = Message("/nemo/model/load", "s", ("fuzz",))
    inner = Bundle(IMMEDIATELY, (wrong,))
    code, about, text = error_of(desk.perform(bundle(tx, gain(0.1), load, inner)))
    assert (code, about) == ("tx", "/nemo/tx")
    assert text.startswith(f"transaction 5: {says}")
    assert (rig.commits, rig.model_name) == ([], "Amp Clean")


def test_a_transaction_has_a_number(desk: Desk, rig: MemoryRig) -> None:
    """Without its number nothing is performed."""
    code, _, text = error_of(desk.perform(bundle(Message("/nemo/tx", "", ()), gain(0.1))))
    assert code == "tx"
    assert "number" in text
    assert rig.commits == []


# Wildcards


def test_patterns_set_numbers_and_switches_only(desk: Desk, rig: MemoryRig) -> None:
    """What a pattern matches beyond these is left alone: nothing is loaded, reset or fired."""
    desk.say("/nemo/*", "f", 1.0)
    assert tuple(rig.settings.get(path) for path in ("gain", "bass", "mute")) == (1.0, 1.0, 1.0)
    assert rig.settings.get("delay/mix") == 0.0
    for pattern in ("/nemo/model/*", "/nemo/toggle/*", "/nemo/meter/r*", "/nemo/mod?l/next"):
        desk.say(pattern)
        desk.say(pattern, "i", 1)
        desk.say(pattern, "s", "fuzz")
    assert (rig.model_name, rig.levels.clips) == ("Amp Clean", 3)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/nemo/{bass,mid}", ["bass", "mid"]),
        ("/nemo/[b-m]??s", ["bass"]),
        ("/nemo/*/mix", ["delay/mix", "reverb/mix"]),
        ("/nemo/delay/[!f]*", ["delay/mix", "delay/time", "delay/sync"]),
        ("/*/treble", ["treble"]),
    ],
)
def test_patterns_reach_what_they_say(
    pattern: str, expected: list[str], desk: Desk, rig: MemoryRig
) -> None:
    """Parts are matched one by one, never across a slash."""
    before = rig.settings.positions()
    desk.say(pattern, "f", 0.9)
    after = rig.settings.positions()
    assert expected == [path for path in after if after[path] != before[path]]
    assert len(rig.commits) == 1


def test_patterns_can_ask(desk: Desk) -> None:
    """A pattern without an argument is answered by every number and switch that it matches."""
    answers = desk.say("/nemo/{bypass,mid,model,info}")
    assert answers == [("/nemo/mid", [0.5]), ("/nemo/bypass", [False])]


def test_a_bad_value_for_a_pattern_touches_nothing(desk: Desk, rig: MemoryRig) -> None:
    """All targets are checked before the first is set."""
    code, about, _ = error_of(desk.say("/nemo/*", "f", float("nan")))
    assert code == "value"
    assert about.startswith("/nemo/")
    assert rig.commits == []


def test_pathological_patterns_are_cheap(
    desk: Desk, rig: MemoryRig, count_calls: Callable[[Callable[[], object]], int]
) -> None:
    """44 characters full of stars cost about what any other 44 characters cost."""
    slow = "/nemo/" + "*a" * 19
    plain = "/nemo/?" + "a" * 37
    assert len(slow) == len(plain) == 44
    desk.say(plain, "f", 1.0)
    few = count_calls(lambda: desk.say(plain, "f", 1.0))
    many = count_calls(lambda: desk.say(slow, "f", 1.0))
    assert many <= 4 * few


def test_a_packet_has_a_limited_amount_of_patterns(desk: Desk) -> None:
    """Matching is bounded over a packet, not only for each pattern."""
    packet = bundle(*[Message("/nemo/" + "?x" * 60, "f", (0.5,))] * 40)
    codes = [values[0] for _, values in desk.perform(packet)]
    assert "limit" in codes


# The model's knobs


def test_knobs_come_and_go_with_the_model(desk: Desk, rig: MemoryRig) -> None:
    """A third knob is there as long as the model has one; the first two always are."""
    assert error_of(desk.say("/nemo/knob/3"))[0] == "address"
    rig.use_knobs("Drive", "Tone", "Bias: A/B")
    assert desk.say("/nemo/knob/3") == [("/nemo/knob/3", [0.5])]
    assert desk.say("/nemo/knob/Bias:_A_B") == [("/nemo/knob/Bias:_A_B", [0.5])]
    rig.use_knobs()
    assert error_of(desk.say("/nemo/knob/Drive"))[0] == "address"
    assert desk.say("/nemo/knob/2") == [("/nemo/knob/2", [0.75])]


def test_gain_has_the_unit_of_what_it_moves(desk: Desk, rig: MemoryRig) -> None:
    """As a drive it is in dB; as a model's knob it is a position, and never called dB."""
    assert desk.say("/nemo/text/gain") == [("/nemo/text/gain", ["+0.0 dB"])]
    rig.use_knobs("Drive")
    assert desk.say("/nemo/text/gain") == [("/nemo/text/gain", ["0.50"])]
    assert desk.say("/nemo/real/gain") == [("/nemo/real/gain", [0.5])]


@pytest.mark.parametrize(
    ("names", "addresses"),
    [
        (["2", "Tone"], ["1", "2", "Tone"]),
        (["Tone", "Tone"], ["1", "Tone", "2"]),
        ([" Presence ", "a b#c"], ["1", "Presence", "2", "a_b_c"]),
        (["", "\n"], ["1", "2"]),
    ],
)
def test_odd_knob_names_never_collide(
    names: list[str], addresses: list[str], desk: Desk, rig: MemoryRig
) -> None:
    """A name that cannot be an address of its own leaves the knob its number."""
    rig.use_knobs(*names)
    expected = [f"/nemo/knob/{address}" for address in addresses]
    assert expected == [address for address, _ in desk.say("/nemo/knob")]


def test_an_address_is_a_leaf_or_a_container() -> None:
    """The tree refuses to be built otherwise."""
    inner = Leaf(address="/a/b", kind=LeafKind.INT, help="")
    with pytest.raises(ValueError, match="below the leaf"):
        Tree([Leaf(address="/a", kind=LeafKind.INT, help=""), inner], {})
    with pytest.raises(ValueError, match="exists already"):
        Tree([inner, inner], {})


# Models


@pytest.mark.parametrize(
    ("address", "tag", "value", "expected"),
    [
        ("load", "s", "fuzz", "fuzz"),
        ("load", "S", "AMP lead", "Amp Lead"),
        ("load", "s", "überdrive", "Überdrive"),
        ("load", "i", 2, "fuzz"),
        ("load", "h", 1, "Amp Lead"),
        ("load", "f", 1.6, "fuzz"),
        ("index", "i", 3, "Überdrive"),
        ("next", "f", 1.0, "Amp Lead"),
        ("next", "I", None, "Amp Lead"),
        ("next", "f", 0.0, "Amp Clean"),
        ("prev", "T", True, "Überdrive"),
    ],
)
def test_models_are_loaded(
    address: str, tag: str, value: object, expected: str, desk: Desk, rig: MemoryRig
) -> None:
    """By name in any case, by index, and by stepping around the list."""
    answers = desk.say(f"/nemo/model/{address}", tag, value)
    assert expected == rig.model_name
    done = [("/nemo/done", [f"/nemo/model/{address}", expected])]
    assert (done if expected != "Amp Clean" else []) == answers
    assert [("/nemo/model/current", [expected])] == desk.say("/nemo/model/current")
    index = rig.names.index(expected)
    assert [("/nemo/model/index", [index])] == desk.say("/nemo/model/index")


def test_the_index_of_the_current_model_loads_nothing(desk: Desk, rig: MemoryRig) -> None:
    """It is done at once; while another model is loading it is a request to go back."""
    rig.is_slow = True
    done = [("/nemo/done", ["/nemo/model/index", "Amp Clean"])]
    assert desk.say("/nemo/model/index", "i", 0) == done
    assert rig.loads == []
    desk.say("/nemo/model/index", "i", 2)
    desk.say("/nemo/model/index", "i", 0)
    assert rig.loads[-1][0].name == "Amp Clean"


def test_stepping_counts_presses_not_loads(desk: Desk, rig: MemoryRig) -> None:
    """Two quick presses go two models on though the first has not loaded yet."""
    rig.is_slow = True
    desk.say("/nemo/model/next")
    ((address, (code, *_)),) = desk.say("/nemo/model/next")
    assert (address, code) == ("/nemo/error", "busy")
    desk.sent.clear()
    rig.finish_load()
    assert desk.answers() == [("/nemo/done", ["/nemo/model/next", "fuzz"])]
    desk.say("/nemo/model/prev")
    rig.finish_load()
    assert rig.model_name == "Amp Lead"


def test_a_failed_load_is_an_error_and_forgotten(desk: Desk, rig: MemoryRig) -> None:
    """The error reaches the sender, and stepping starts from what still plays."""
    rig.is_slow = True
    desk.say("/nemo/model/load", "s", "fuzz")
    _, job, _ = rig.loads.pop()
    desk.sent.clear()
    job.fail(ControlError(Code.IO, "fuzz", "disk"))
    job.finish("fuzz")
    assert error_of(desk.answers()) == ("io", "/nemo/model/load", "disk")
    desk.say("/nemo/model/next")
    assert rig.loads[-1][0].name == "Amp Lead"


def test_an_empty_library_says_so(desk: Desk, rig: MemoryRig) -> None:
    """Stepping and loading in an empty library are errors, the index is -1."""
    rig.names, rig.model_name = (), ""
    assert error_of(desk.say("/nemo/model/next"))[0] == "not_found"
    assert error_of(desk.say("/nemo/model/load", "i", 0))[0] == "not_found"
    assert desk.say("/nemo/model/index") == [("/nemo/model/index", [-1])]
    assert desk.say("/nemo/model/list") == [("/nemo/model/list", [0, 0])]


@pytest.mark.parametrize("is_trusted", [True, False])
def test_the_list_comes_in_pages(is_trusted: bool, rig: MemoryRig) -> None:
    """Asking on from where a page ended gives every name once, in packets of the right size."""
    rig.names = [f"model {number:03} {'ü' * (number % 60)}" for number in range(200)]
    desk = Desk(rig, is_trusted=is_trusted)
    names: list[object] = []
    while len(names) < 200:
        ((address, (total, offset, *page)),) = desk.say("/nemo/model/list", "i", len(names))
        assert ("/nemo/model/list", 200, len(names)) == (address, total, offset)
        # 20 bytes of address, 4 of type tags, 4 of the offset.
        assert len(desk.sent[0]) <= (MAX_PACKET if is_trusted else 8 * 28)
        assert page
        names += page
    assert list(rig.names) == names


def test_a_name_longer_than_a_packet_does_not_stop_the_list(stranger: Desk, rig: MemoryRig) -> None:
    """It is cut, so that the names after it can be asked for."""
    rig.names = ["x" * 2000, "y"]
    ((_, (total, offset, name)),) = stranger.say("/nemo/model/list")
    assert (total, offset) == (2, 0)
    assert str(name).startswith("xxx")
    assert stranger.say("/nemo/model/list", "i", 1) == [("/nemo/model/list", [2, 1, "y"])]


@pytest.mark.parametrize("is_trusted", [True, False])
def test_info_is_json_that_fits(is_trusted: bool, rig: MemoryRig) -> None:
    """Long texts are shortened before anything is left out, and the text stays JSON."""
    rig.info = {
        "architecture": "LSTM-20",
        "author": "Zoë\0",
        "esr": float("nan"),
        "notes": "n" * 5000,
        "knobs": [{"name": "k" * 50} for _ in range(60)],
    }
    desk = Desk(rig, is_trusted=is_trusted)
    ((_, (text,)),) = desk.say("/nemo/model/info")
    assert len(desk.sent[0]) <= (MAX_PACKET if is_trusted else 8 * 24)
    expected = {
        "architecture": "LSTM-20",
        "author": "Zoë\0",
        "esr": None,
        "notes": "n" * 77 + "...",
        "cut": True,
    }
    if not is_trusted:
        del expected["notes"]  # with it, the text would have 174 characters, 168 are left
    assert expected == json.loads(str(text))


def test_problems_are_json_by_name(desk: Desk, rig: MemoryRig) -> None:
    """Of the models that are known not to play, and no others."""
    assert desk.say("/nemo/model/problems") == [("/nemo/model/problems", ["{}"])]
    rig.unplayable = {"fuzz": "not JSON", "Zoë": "no weights"}
    ((address, (text,)),) = desk.say("/nemo/model/problems")
    assert address == "/nemo/model/problems"
    assert json.loads(str(text)) == rig.unplayable


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("reason", ["r" * 5000, "é" * 60, "short"])
def test_problems_fit_a_packet(is_trusted: bool, reason: str, rig: MemoryRig) -> None:
    """Long reasons are shortened, the last problems left out, and the text stays JSON."""
    rig.unplayable = {f"model {n}": reason for n in range(3000)}
    desk = Desk(rig, is_trusted=is_trusted)
    ((_, (text,)),) = desk.say("/nemo/model/problems")
    limit = MAX_PACKET if is_trusted else 8 * 28
    assert len(desk.sent[0]) <= limit
    found = json.loads(str(text))
    assert found.pop("cut") is True
    expected = reason if len(reason) <= 80 else "r" * 77 + "..."
    assert found == {f"model {n}": expected for n in range(len(found))}
    # No further problem would have fitted.
    more = len(json.dumps({f"model {len(found)}": expected}))
    assert len(desk.sent[0]) + more > limit - 8


def test_all_problems_are_listed_if_they_fit_shortened(stranger: Desk, rig: MemoryRig) -> None:
    """Nothing is marked as cut then: a reason ends with three dots itself."""
    rig.unplayable = {"a": "r" * 5000, "b": "short"}
    ((_, (text,)),) = stranger.say("/nemo/model/problems")
    assert json.loads(str(text)) == {"a": "r" * 77 + "...", "b": "short"}


def test_a_rescan_is_a_background_job(client: Client) -> None:
    """It is answered when it is done, by the number of models; a released button does nothing."""
    client.send("/nemo/model/rescan")
    assert ("/nemo/done", ["/nemo/model/rescan", "4"]) in client.until_synced()
    assert "/nemo/done" not in dict(client.ask("/nemo/model/rescan", ("i", 0)))


# Status, meters, presence


def test_status_has_its_types(desk: Desk, rig: MemoryRig) -> None:
    """Every leaf answers in its unit and type, alone and in the container."""
    expected = [(f"/nemo/status/{name}", [value]) for name, value in status_values(rig).items()]
    assert expected == desk.say("/nemo/status")
    for address, values in expected:
        assert [(address, values)] == desk.say(address)
        assert type(values[0]) is type(desk.answers()[0][1][0])


def test_meters_are_positions_and_levels(desk: Desk, rig: MemoryRig) -> None:
    """60 dB are the whole meter, and what is below stays at its bottom."""
    assert desk.say("/nemo/meter/in") == [("/nemo/meter/in", [0.75])]
    assert desk.say("/nemo/meter/out") == [("/nemo/meter/out", [0.0])]
    assert desk.say("/nemo/real/meter/in") == [("/nemo/real/meter/in", [-15.0])]
    assert desk.say("/nemo/meter/clip") == [("/nemo/meter/clip", [3])]
    rig.levels = Meters(6.0, float("-inf"), 3)
    desk.say("/nemo/meter/reset")
    levels = [("/nemo/meter/in", [1.0]), ("/nemo/meter/out", [0.0])]
    assert [*levels, ("/nemo/meter/clip", [0]), ("/nemo/meter/rate", [10.0])] == desk.say(
        "/nemo/meter"
    )
    assert desk.say("/nemo/real/meter/out") == [("/nemo/real/meter/out", [-120.0])]


def test_silence_is_a_finite_number(desk: Desk) -> None:
    """The bottom of the level fader is asked for in dB without an infinity in the answer."""
    desk.say("/nemo/level", "f", 0.0)
    assert desk.say("/nemo/real/level") == [("/nemo/real/level", [-120.0])]


def test_ping_and_info(desk: Desk) -> None:
    """A ping is answered by a pong, `/nemo/info` by name, version, protocol and host."""
    assert desk.say("/nemo/ping") == [("/nemo/pong", [])]
    answers = dict(desk.say("/nemo/info"))
    assert [address.removeprefix("/nemo/info/") for address in answers] == [
        "name",
        "version",
        "protocol",
        "host",
    ]
    assert answers["/nemo/info/name"] == ["nemod"]
    assert answers["/nemo/info/version"] == [nemod.__version__]
    assert answers["/nemo/info/protocol"] == [PROTOCOL]


@pytest.mark.parametrize("address", SENT)
def test_what_only_the_daemon_sends_is_ignored(address: str, desk: Desk) -> None:
    """Two daemons that send each other their changes do not answer errors by errors for ever."""
    assert desk.say(address) == []
    assert desk.say(address, "sss", "address", "/x", "no such address") == []


def test_sync_waits_for_background_jobs(desk: Desk, rig: MemoryRig) -> None:
    """It is answered after the jobs that were started before it, and not delayed by later ones."""
    rig.is_slow = True
    desk.say("/nemo/model/load", "s", "fuzz")
    assert desk.say("/nemo/sync", "i", 7) == []
    rig.finish_load()
    done = ("/nemo/done", ["/nemo/model/load", "fuzz"])
    assert [done, ("/nemo/synced", [7])] == desk.answers()
    assert desk.say("/nemo/sync", "i", 8) == [("/nemo/synced", [8])]


def test_waiting_syncs_are_bounded(desk: Desk, rig: MemoryRig) -> None:
    """One more than can wait is an error."""
    rig.is_slow = True
    desk.say("/nemo/model/load", "s", "fuzz")
    for number in range(MAX_WAITING_SYNCS):
        assert desk.say("/nemo/sync", "i", number) == []
    assert error_of(desk.say("/nemo/sync", "i", 99))[0] == "limit"


# Anything


_TAGGED: st.SearchStrategy[tuple[str, object]] = st.one_of(
    st.tuples(st.sampled_from("fd"), st.floats(width=32)),
    st.tuples(st.just("d"), st.floats()),
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.sampled_from("sSc"), st.text(max_size=5)),
    st.sampled_from([("T", True), ("F", False), ("N", None), ("I", None), ("b", b"x"), ("t", 1)]),
    st.just(("[f]", (0.5,))),
)
_KNOBS = ParameterSet(knobs={"model": list(map(KnobSpec, ["Drive", "Tone", "Sag"]))})
_ADDRESSES = st.one_of(
    st.sampled_from(
        sorted(
            build_tree(
                ParameterSet(knobs={"model": list(map(KnobSpec, ["Drive", "Tone", "Sag"]))})
            ).leaves
        )
    ),
    st.sampled_from(["/nemo", "/nemo/delay", "/nemo/*", "/nemo/*/*", "/nemo/{gain,real/gain}"]),
    st.text("/nemo*?[]{}!-,xü", max_size=20).map("/nemo/".__add__),
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(_ADDRESSES, st.lists(_TAGGED, max_size=2)), max_size=6), st.booleans())
def test_whatever_is_well_formed_is_done_or_answered_by_an_error(
    said: list[tuple[str, list[tuple[str, object]]]], is_trusted: bool
) -> None:
    """No message raises, all answers fit their packets, and every knob stays within 0..1."""
    rig = MemoryRig()
    rig.use_knobs("Drive", "Tone", "Sag")
    desk = Desk(rig, is_trusted=is_trusted)
    messages = [
        Message(address, "".join(tag for tag, _ in given_), tuple(value for _, value in given_))  # type: ignore[misc]
        for address, given_ in said
    ]

    async def run() -> list[tuple[str, list[object]]]:
        return desk.perform(bundle(*messages))

    for address, values in asyncio.run(run()):  # background jobs need a loop
        assert address.startswith("/nemo/")
        if address == "/nemo/error":
            assert values[0] in CODES
    assert all(len(packet) <= MAX_PACKET for packet in desk.sent)
    assert all(0.0 <= position <= 1.0 for position in rig.settings.positions().values())


# Large answers


def test_a_container_answers_with_all_of_its_leaves(desk: Desk, rig: MemoryRig) -> None:
    """Every leaf that can be queried is in one of the bundles, none of which is too long."""
    readable = [leaf.address for leaf in desk.dispatcher.tree.leaves.values() if leaf.read]
    answers = desk.say("/nemo")
    assert sorted(readable) == sorted(address for address, _ in answers)
    assert max(map(len, desk.sent)) <= MAX_PACKET
    assert len(desk.sent) > 1
