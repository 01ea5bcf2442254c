"""Token buckets, windows, and packets of a host that sends too many."""

from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet
from nemod.osc.limits import message_bucket
from nemod.osc.traffic import MAX_KEPT, Traffic
from tests.osc.conftest import Desk, MemoryRig, size_of

RATE = 500.0


class Flow:
    """One host's traffic, on a fake clock."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.traffic = Traffic(desk.dispatcher, RATE, desk.timers)

    def send(self, *messages: Message) -> int:
        size = 16 + sum(4 + size_of(message) for message in messages)
        packet = Packet(Bundle(IMMEDIATELY, messages), len(messages), size)
        return self.traffic.receive(packet, self.desk.sender)

    def fill(self) -> None:
        """Use up the bucket with messages that leave no trace."""
        for _ in range(2):
            assert self.send(*[Message("/nemo/toggle/mute", "i", (0,))] * 250) == 0

    def wait(self) -> None:
        """Let the bucket refill."""
        self.desk.timers.advance(1.0)


def gain(value: float) -> Message:
    return Message("/nemo/gain", "f", (value,))


def test_bucket_holds_a_second_and_refills() -> None:
    """As many as the rate at once, then one per period."""
    bucket = message_bucket(500.0, 10.0)
    assert [bucket.take(500, 10.0), bucket.take(1, 10.0)] == [True, False]
    assert bucket.wait_s(5, 10.0) == 0.01
    assert [bucket.take(5, 10.009), bucket.take(5, 10.011)] == [False, True]
    assert bucket.take(501, 99.0) is False


def test_bucket_of_a_slow_rate_still_takes_a_whole_packet() -> None:
    """A packet of 256 messages gets through a bucket of any rate in the end."""
    bucket = message_bucket(10.0, 0.0)
    assert [bucket.take(256, 0.0), bucket.take(256, 25.0), bucket.take(256, 25.7)] == [
        True,
        False,
        True,
    ]


def test_beyond_the_rate_the_newest_values_are_kept(desk: Desk, rig: MemoryRig) -> None:
    """Nothing is set now; when tokens are back the last value of each address is, at once."""
    flow = Flow(desk)
    flow.fill()
    lost = sum(flow.send(gain(value / 100)) for value in range(50))
    lost += flow.send(Message("/nemo/bass", "f", (0.2,)), Message("/nemo/delay", "f", (0.3,)))
    assert (lost, rig.commits) == (0, [])
    desk.timers.advance(0.1)
    (snapshot,) = rig.commits
    expected = (0.49, 0.2, 0.3)
    assert expected == (snapshot["gain"], snapshot["bass"], snapshot["delay/mix"])


def test_beyond_the_rate_everything_else_is_lost(desk: Desk, rig: MemoryRig) -> None:
    """Queries, triggers, loads and transactions are dropped and counted; one error is sent."""
    flow = Flow(desk)
    flow.fill()
    desk.sent.clear()
    lost = flow.send(
        Message("/nemo/gain", "", ()),
        Message("/nemo/toggle/mute", "", ()),
        Message("/nemo/model/load", "s", ("fuzz",)),
        Message("/nemo/nowhere", "f", (1.0,)),
    )
    lost += flow.send(Message("/nemo/tx", "i", (1,)), gain(0.1))
    assert lost == 6
    ((address, (code, about, _)),) = desk.answers()
    assert (address, code, about) == ("/nemo/error", "rate", "/nemo/gain")
    flow.wait()
    assert (rig.commits, rig.model_name) == ([], "Amp Clean")


def test_what_waits_comes_before_what_arrives(desk: Desk, rig: MemoryRig) -> None:
    """An older value never overwrites a newer one."""
    flow = Flow(desk)
    flow.fill()
    flow.send(gain(0.1))
    desk.timers.time_s += 1.0
    flow.send(gain(0.9))
    flow.wait()
    assert [snapshot["gain"] for snapshot in rig.commits] == [0.1, 0.9]


def test_patterns_keep_their_place_among_values(desk: Desk, rig: MemoryRig) -> None:
    """Of a value and a pattern that reaches it, the one sent last decides."""
    flow = Flow(desk)
    flow.fill()
    for message in (
        Message("/nemo/{bass,mid}", "f", (0.1,)),
        Message("/nemo/bass", "f", (0.2,)),
        Message("/nemo/mid", "f", (0.3,)),
        Message("/nemo/{bass,mid}", "f", (0.4,)),
        Message("/nemo/mid", "f", (0.5,)),
    ):
        flow.send(message)
    flow.wait()
    assert (rig.settings.get("bass"), rig.settings.get("mid")) == (0.4, 0.5)


def test_what_is_kept_is_bounded(desk: Desk) -> None:
    """One address more than can be kept is lost."""
    flow = Flow(desk)
    flow.fill()
    pattern = [Message(f"/nemo/gai[n{number}]", "f", (0.5,)) for number in range(MAX_KEPT + 1)]
    assert sum(flow.send(message) for message in pattern) == 1
    assert flow.send(pattern[0]) == 0
