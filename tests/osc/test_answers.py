"""How long answers may be: 8 times the question without a subscription, 64 kB/s with one."""

import asyncio
import struct

import pytest

from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet, decode
from nemod.osc.errors import OscError
from nemod.osc.limits import ERRORS_PER_S
from nemod.osc.sender import error_message
from tests.osc import amplification
from tests.osc.conftest import Desk, MemoryRig, Peer, read

PHONE = "192.168.1.7"


def test_nothing_is_answered_by_more_than_8_times_its_bytes() -> None:
    """Of every leaf, container, pattern, error, subscription, job and bundle."""
    worst = asyncio.run(amplification.measure())
    assert len(worst) == 11
    assert {kind: found for kind, found in worst.items() if found.ratio > 8.0} == {}


def test_everything_comes_in_one_packet(stranger: Desk) -> None:
    """Several answers to one packet are one bundle, errors in their place."""
    elements = tuple(
        Message(address, "", ())
        for address in ("/nemo/gain", "/nemo/nowhere", "/nemo/ping", "/nemo/bass")
    )
    answers = stranger.perform(Packet(Bundle(IMMEDIATELY, elements), 4, 100))
    assert len(stranger.sent) == 1
    assert [address for address, _ in answers] == [
        *("/nemo/gain", "/nemo/error", "/nemo/pong", "/nemo/bass")
    ]


def test_what_is_too_long_is_an_error_that_says_what_to_do(stranger: Desk) -> None:
    """Nothing of the answer is sent."""
    ((address, (code, about, text)),) = stranger.say("/nemo/status")
    assert (address, code, about) == ("/nemo/error", "limit", "/nemo/status")
    assert "/nemo/subscribe" in str(text)


def test_after_a_long_answer_there_is_room_for_what_fits(stranger: Desk) -> None:
    """All of a packet shares its room, and what does not fit any more is left out."""
    query = Message("/nemo/gain", "", ())
    # Eight times 28 bytes are 224: a bundle of 16, and 8 of 4 + 20.
    answers = stranger.perform(Packet(Bundle(IMMEDIATELY, (query,) * 20), 20, 28))
    assert answers == [("/nemo/gain", [0.5])] * 8
    assert [len(packet) for packet in stranger.sent] == [16 + 8 * 24]


def test_no_similar_name_is_looked_for_where_an_error_is_not_sent(desk: Desk) -> None:
    """Neither without room, which does not count towards the rate, nor beyond the rate."""
    searches: list[str] = []

    def hint() -> str:
        searches.append("one")
        return ""

    error = OscError("address", "/nemo/gian", "no such address", hint)
    assert desk.sender.error_message(error, 0.0, room=8) == b""
    assert searches == []
    sent = [desk.sender.error_message(error, 0.0) for _ in range(ERRORS_PER_S + 5)]
    assert sum(map(bool, sent)) == len(searches) == ERRORS_PER_S


@pytest.mark.parametrize("room", range(4, 200, 4))
def test_an_error_is_cut_to_its_room(room: int) -> None:
    """Its text is, as far as needed; where not even an empty one fits, nothing is sent."""
    full = error_message("address", "/nemo/gian", "no such address, did you mean 'gain'?")
    cut = error_message("address", "/nemo/gian", "no such address, did you mean 'gain'?", room)
    # 12 bytes /nemo/error, 8 ,sss, 8 address, 12 /nemo/gian, and 4 of a text of up to 3.
    assert (cut == b"") == (room < 44)
    assert len(cut) <= room
    if room >= len(full):
        assert cut == full
    elif cut:
        ((_, (code, address, text)),) = read(cut)
        assert (code, address) == ("address", "/nemo/gian")
        assert len(str(text)) in range(room - 44, room - 40)


def test_a_short_question_causes_no_work(stranger: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be answered is not read first."""
    read_leaves: list[str] = []
    monkeypatch.setattr(
        MemoryRig, "meters", lambda self: read_leaves.append("") or self.levels, raising=True
    )
    stranger.say("/nemo")
    assert read_leaves == []


def test_loopback_and_connections_get_long_answers(desk: Desk) -> None:
    """Their address is proven."""
    connection = desk.peer(PHONE, is_trusted=True, client=object(), to_port=None)
    readable = [leaf for leaf in desk.dispatcher.tree.leaves.values() if leaf.read]
    for peer in (desk.peer(), connection):
        desk.receive(peer, "/nemo")
        assert len(peer.messages(with_slot_forms=True)) == len(readable)


def test_a_subscriber_gets_long_answers(desk: Desk) -> None:
    """From any port of its host, in several packets; after the end of the lease no more."""
    phone, other = desk.peer(PHONE), desk.peer("192.168.1.8")
    desk.receive(phone, "/nemo/subscribe", "s", "tuner")
    phone.messages()
    for peer, is_full in ((desk.peer(PHONE, 1), True), (other, False)):
        desk.receive(peer, "/nemo")
        assert (("/nemo/gain", [0.5]) in peer.messages()) == is_full
    desk.timers.advance(60.1)
    desk.receive(phone, "/nemo")
    assert [address for address, _ in phone.messages()] == ["/nemo/error"]


def ask_everything(desk: Desk, peer: Peer, seconds: float) -> list[int]:
    """Ask for everything 100 times a second; return the bytes of each second's answers."""
    sizes = []
    for _ in range(int(seconds)):
        for _ in range(100):
            desk.receive(peer, "/nemo")
            desk.timers.advance(0.01)
        sizes.append(sum(len(packet) for _, packet in peer.packets))
        peer.packets.clear()
    return sizes


def test_long_answers_share_the_64_kb_of_feedback(desk: Desk, rig: MemoryRig) -> None:
    """With all that is sent; over it a question is an error, and changes arrive all the same."""
    phone = desk.peer(PHONE)
    desk.receive(phone, "/nemo/subscribe", "s", "params")
    desk.timers.advance(2.0)
    sizes = ask_everything(desk, phone, 4.0)
    errors = 20 * 96  # short errors may be sent as to anybody
    assert all(30_000 < size <= 64_000 + errors for size in sizes)
    desk.receive(phone, "/nemo")
    phone.packets.clear()
    rig.settings.set("bass", 0.25)
    desk.timers.advance(1.0)
    assert ("/nemo/bass", [0.25]) in phone.messages()


def test_ends_of_jobs_count_as_answers(rig: MemoryRig, stranger: Desk) -> None:
    """What the answers of the packet left over is what they may take."""
    name = "n" * 200
    rig.names = (name, "short")
    rig.is_slow = True
    packet = b"/nemo/model/load\0\0\0\0,i\0\0" + struct.pack(">i", 0)
    for answer_size, expected in ((28, "/nemo/error"), (40, "/nemo/done")):
        stranger.dispatcher.perform(decode(packet)._replace(size=answer_size), stranger.sender)
        stranger.sent.clear()
        rig.finish_load()
        assert [address for address, _ in stranger.answers()] == [expected]
        assert sum(map(len, stranger.sent)) <= 8 * answer_size
        rig.model_name = "short"
