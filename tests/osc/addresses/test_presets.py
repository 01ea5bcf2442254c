"""Presets and snapshots over OSC."""

import pytest

from nemod.osc.codec import Bundle, Message, Packet
from nemod.presets.preset import MAX_NAME, Preset
from tests.chains import chain_of
from tests.osc.conftest import Client, Desk, MemoryRig, Served


@pytest.fixture
def filled(rig: MemoryRig) -> MemoryRig:
    """A rig with presets 2 and 7."""
    rig.presets.kept = {
        2: Preset(name="Lead", chain=chain_of("Amp Lead"), positions={"gain": 0.9}),
        7: Preset(name="Clean", chain=chain_of("Amp Clean"), snapshots={1: {"mid": 1.0}}),
    }
    return rig


@pytest.mark.parametrize(
    ("tags", "value", "name"),
    [("s", "lead", "Lead"), ("i", 7, "Clean"), ("f", 2.2, "Lead"), ("h", 7, "Clean")],
)
def test_a_preset_is_loaded_by_name_or_number(
    filled: MemoryRig, desk: Desk, tags: str, value: object, name: str
) -> None:
    """The job ends at once here, and its end carries the name."""
    assert desk.say("/nemo/preset/load", tags, value) == [
        ("/nemo/done", ["/nemo/preset/load", name])
    ]
    assert desk.say("/nemo/preset/current") == [("/nemo/preset/current", [name])]
    assert desk.say("/nemo/preset/dirty") == [("/nemo/preset/dirty", [False])]


def test_next_prev_index_and_count(filled: MemoryRig, desk: Desk) -> None:
    """Numbers are MIDI programs, so they may have gaps."""
    assert desk.say("/nemo/preset/index") == [("/nemo/preset/index", [-1])]
    assert desk.say("/nemo/preset/next") == [("/nemo/done", ["/nemo/preset/next", "Lead"])]
    assert desk.say("/nemo/preset/next", "f", 0.0) == []
    assert desk.say("/nemo/preset/prev", "f", 1.0) == [
        ("/nemo/done", ["/nemo/preset/prev", "Clean"])
    ]
    assert desk.say("/nemo/preset/index") == [("/nemo/preset/index", [7])]
    assert desk.say("/nemo/preset/index", "i", 2) == [
        ("/nemo/done", ["/nemo/preset/index", "Lead"])
    ]
    assert desk.say("/nemo/preset/count") == [("/nemo/preset/count", [2])]


def test_the_index_of_the_current_preset_loads_nothing(filled: MemoryRig, desk: Desk) -> None:
    """Unless the sound was changed since: then it is as it was saved again."""
    done = [("/nemo/done", ["/nemo/preset/index", "Lead"])]
    assert desk.say("/nemo/preset/index", "i", 2) == done
    commits = len(filled.commits)
    assert desk.say("/nemo/preset/index", "i", 2) == done
    assert len(filled.commits) == commits
    desk.say("/nemo/bass", "f", 0.125)
    assert desk.say("/nemo/preset/index", "i", 2) == done
    assert filled.settings.get("bass") == 0.5


def test_the_list_has_numbers_and_names(filled: MemoryRig, desk: Desk) -> None:
    """Total and offset first, as for models."""
    assert desk.say("/nemo/preset/list") == [("/nemo/preset/list", [2, 0, 2, "Lead", 7, "Clean"])]
    assert desk.say("/nemo/preset/list", "i", 1) == [("/nemo/preset/list", [2, 1, 7, "Clean"])]


def test_a_long_list_comes_in_pages(rig: MemoryRig, desk: Desk) -> None:
    """Every preset is reached, the longest names included."""
    names = [f"{number:03} ".ljust(MAX_NAME, "ü") for number in range(128)]
    rig.presets.kept = {number: Preset(name=name) for number, name in enumerate(names)}
    found: list[object] = []
    while len(found) < 256:
        ((_, (total, offset, *page)),) = desk.say("/nemo/preset/list", "i", len(found) // 2)
        assert (total, offset) == (128, len(found) // 2)
        found += page
    assert found[0::2] == list(range(128))
    assert found[1::2] == names


@pytest.mark.parametrize(
    ("address", "tags", "value", "code"),
    [
        ("preset/load", "s", "nothing", "not_found"),
        ("preset/load", "i", 3, "not_found"),
        ("preset/load", "s", "../2", "not_found"),
        ("preset/load", "T", True, "type"),
        ("preset/load", "b", b"", "type"),
        ("preset/save", "s", "", "value"),
        ("preset/save", "s", "x" * 65, "value"),
        ("preset/save", "i", 128, "not_found"),
        ("preset/rename", "i", 3, "type"),
        ("preset/rename", "s", "Solo", "not_found"),
        ("preset/delete", "i", 3, "not_found"),
        ("preset/current", "s", "x", "readonly"),
        ("snapshot/load", "i", 1, "not_found"),
        ("snapshot/load", "i", 8, "not_found"),
        ("snapshot/save", "i", -1, "not_found"),
        ("snapshot/load", "f", float("nan"), "value"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_its_code(
    filled: MemoryRig, desk: Desk, address: str, tags: str, value: object, code: str
) -> None:
    """Nothing has changed after it."""
    before = dict(filled.presets.kept)
    ((answered, (found, where, _)),) = desk.say(f"/nemo/{address}", tags, value)
    assert (answered, found, where) == ("/nemo/error", code, f"/nemo/{address}")
    assert filled.presets.kept == before


def test_only_trusted_hosts_delete(filled: MemoryRig, stranger: Desk) -> None:
    """A phone may save and rename, not delete."""
    ((_, (code, address, _)),) = stranger.say("/nemo/preset/delete", "i", 2)
    assert (code, address) == ("denied", "/nemo/preset/delete")
    assert set(filled.presets.kept) == {2, 7}


def test_save_rename_delete_over_a_socket(filled: MemoryRig, client: Client) -> None:
    """Each ends with done; a released button does nothing, a float is no number."""
    client.send("/nemo/preset/save", ("s", "Mine"))
    assert ("/nemo/done", ["/nemo/preset/save", "Mine"]) in client.until_synced()
    assert filled.presets.kept[0].name == "Mine"
    assert client.value("/nemo/preset/current") == "Mine"
    client.ask("/nemo/gain", ("f", 0.25))
    assert client.value("/nemo/preset/dirty") is True
    client.send("/nemo/preset/save", ("f", 0.0))
    client.send("/nemo/preset/save", ("f", 1.0))
    assert ("/nemo/done", ["/nemo/preset/save", "Mine"]) in client.until_synced()
    assert (client.value("/nemo/preset/dirty"), set(filled.presets.kept)) == (False, {0, 2, 7})
    assert filled.presets.kept[0].positions["gain"] == 0.25
    client.send("/nemo/preset/rename", ("s", "Yours"))
    assert ("/nemo/done", ["/nemo/preset/rename", "Yours"]) in client.until_synced()
    ((_, (code, *_)),) = client.ask("/nemo/preset/rename", ("s", "x"), ("i", 7), ("i", 2))
    assert code == "args"
    client.send("/nemo/preset/rename", ("s", "Solo 2"), ("i", 7))
    assert ("/nemo/done", ["/nemo/preset/rename", "Solo 2"]) in client.until_synced()
    assert (client.value("/nemo/preset/current"), filled.presets.kept[7].name) == (
        "Yours",
        "Solo 2",
    )
    client.send("/nemo/preset/delete")
    assert ("/nemo/done", ["/nemo/preset/delete", "Yours"]) in client.until_synced()
    assert set(filled.presets.kept) == {2, 7}


def test_snapshots_take_effect_at_once(filled: MemoryRig, desk: Desk) -> None:
    """In one commit, and saved ones can be recalled."""
    desk.say("/nemo/preset/load", "i", 7)
    filled.commits.clear()
    desk.say("/nemo/snapshot/load", "i", 1)
    assert [commit["mid"] for commit in filled.commits] == [1.0]
    desk.say("/nemo/mid", "f", 0.25)
    desk.say("/nemo/snapshot/save", "f", 3.0)
    desk.say("/nemo/mid", "f", 0.5)
    desk.say("/nemo/snapshot/load", "i", 3)
    assert desk.say("/nemo/mid") == [("/nemo/mid", [0.25])]


def test_save_refuses_before_it_writes(served: Served, client: Client) -> None:
    """A pattern never reaches it."""
    answers = client.ask("/nemo/preset/*", ("f", 1.0))
    assert answers[0][1][0] == "address"
    assert not served.rig.presets.kept


@pytest.mark.parametrize(
    ("address", "tags", "value"),
    [
        ("/nemo/snapshot/load", "i", 99),
        ("/nemo/snapshot/load", "i", 3),
        ("/nemo/snapshot/save", "i", 8),
        ("/nemo/preset/save", "s", " bad "),
        ("/nemo/preset/save", "i", 128),
        ("/nemo/preset/rename", "s", "Clean"),
        ("/nemo/preset/delete", "s", "nothing"),
        ("/nemo/preset/load", "i", 99),
    ],
)
def test_a_transaction_that_cannot_be_carried_out_changes_nothing(
    filled: MemoryRig, desk: Desk, address: str, tags: str, value: object
) -> None:
    """Whatever is wrong is found before anything is touched."""
    desk.say("/nemo/preset/load", "i", 2)
    messages = (
        Message("/nemo/tx", "i", (1,)),
        Message("/nemo/gain", "f", (0.77,)),
        Message(address, tags, (value,)),  # type: ignore[arg-type]
    )
    ((answered, (code, where, _)),) = desk.perform(Packet(Bundle(1, messages), 3, 96))
    assert (answered, code, where) == ("/nemo/error", "tx", "/nemo/tx")
    assert filled.controller.position("gain") == 0.9


def test_a_transaction_of_a_phone_deletes_nothing(filled: MemoryRig, stranger: Desk) -> None:
    """Nor does it change anything else."""
    messages = (
        Message("/nemo/tx", "i", (1,)),
        Message("/nemo/gain", "f", (0.77,)),
        Message("/nemo/preset/delete", "i", (2,)),
    )
    ((_, (code, _, text)),) = stranger.perform(Packet(Bundle(1, messages), 3, 96))
    assert (code, "denied" in str(text)) == ("tx", True)
    assert filled.controller.position("gain") == 0.5


def test_answers_and_ends_of_jobs_keep_the_order_of_their_messages(
    filled: MemoryRig, desk: Desk
) -> None:
    """Also where a job ends at once."""
    messages = (Message("/nemo/ping", "", ()), Message("/nemo/preset/load", "i", (7,)))
    answers = desk.perform(Packet(Bundle(1, messages), 2, 64))
    assert [address for address, _ in answers] == ["/nemo/pong", "/nemo/done"]
