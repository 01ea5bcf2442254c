"""How often feedback is sent, and how much of it in all."""

import random
from collections.abc import Callable
from itertools import pairwise

from nemod.osc.feedback.pacing import Pace
from nemod.parameters.table import TABLE
from tests.osc.conftest import Desk, MemoryRig, Peer, read

ALL_FLAGS = ("params", "text", "real", "meters", "tuner", "status")


def subscribed(desk: Desk, count: int, *flags: str) -> list[Peer]:
    """Return subscribers that have been sent their dump."""
    peers = [desk.peer(port=50_000 + number) for number in range(count)]
    for peer in peers:
        desk.receive(peer, "/nemo/subscribe", "s" * len(flags), *flags)
    desk.timers.advance(5.0)
    for peer in peers:
        peer.packets.clear()
    return peers


def worst_second(peers: list[Peer]) -> int:
    """Return the most bytes that were sent in any window of one second."""
    packets = sorted((time_s, len(data)) for peer in peers for time_s, data in peer.packets)
    worst = total = first = 0
    for time_s, size in packets:
        total += size
        while packets[first][0] <= time_s - 1.0:
            total -= packets[first][1]
            first += 1
        worst = max(worst, total)
    return worst


def test_the_first_change_after_a_pause_leaves_at_once(desk: Desk, rig: MemoryRig) -> None:
    """And the next ones 20 ms after it, together, with their last values."""
    (peer,) = subscribed(desk, 1, "params")
    begin = desk.timers.time_s
    for step in range(4):
        rig.settings.set("bass", step / 8.0)
        rig.settings.set("mid", step / 8.0)
        desk.timers.advance(0.005)
    desk.timers.advance(1.0)
    assert [round(time_s - begin, 6) for time_s, _ in peer.packets] == [0.0, 0.02]
    assert peer.messages() == [
        *(("/nemo/bass", [0.0]), ("/nemo/mid", [0.0])),
        *(("/nemo/bass", [0.375]), ("/nemo/mid", [0.375])),
    ]


def test_each_address_is_sent_at_most_50_times_a_second(desk: Desk, rig: MemoryRig) -> None:
    """However often it changes, and the last value is the one that stays."""
    peers = subscribed(desk, 3, "params", "text")
    random_ = random.Random(14)
    paths = ["bass", "mid", "treble", "gain", "delay/mix"]
    for _ in range(6000):
        rig.settings.set(random_.choice(paths), random_.random())
        desk.timers.advance(random_.choice([0.0, 0.0005, 0.001]))
    desk.timers.advance(1.0)
    for peer in peers:
        times: dict[str, list[float]] = {}
        for time_s, packet in peer.packets:
            for address, _ in read(packet):
                times.setdefault(address, []).append(time_s)
        for sent in times.values():
            assert min(b - a for a, b in pairwise(sent)) >= 0.02 - 1e-9
        last = dict(peer.messages())
        for path in paths:
            assert desk.say(f"/nemo/{path}") == [(f"/nemo/{path}", last[f"/nemo/{path}"])]
            assert desk.say(f"/nemo/text/{path}") == [
                (f"/nemo/text/{path}", last[f"/nemo/text/{path}"])
            ]


def test_64_kb_a_second_are_shared_by_all(desk: Desk, rig: MemoryRig) -> None:
    """In no second more; everybody gets about as much; in the end everybody has every value."""
    peers = subscribed(desk, 8, *ALL_FLAGS)
    random_ = random.Random(14)
    for _ in range(1000):
        for row in TABLE:
            rig.settings.set(row.path, random_.random())
        desk.timers.advance(0.005)
    amounts = [sum(len(packet) for _, packet in peer.packets) for peer in peers]
    assert 40_000 < worst_second(peers) <= 64_000
    assert max(amounts) - min(amounts) <= 2 * 1200
    desk.timers.advance(5.0)
    assert worst_second(peers) <= 64_000
    for peer in peers:
        for address, values in dict(peer.messages()).items():
            if not address.startswith("/nemo/status/"):
                assert desk.say(address) == [(address, values)]


def test_eight_dumps_at_once_keep_the_limit(desk: Desk) -> None:
    """They arrive complete, one after the other."""
    peers = [desk.peer(port=50_000 + number) for number in range(8)]
    for peer in peers:
        desk.receive(peer, "/nemo/subscribe", "s" * len(ALL_FLAGS), *ALL_FLAGS)
    desk.timers.advance(4.0)
    assert worst_second(peers) <= 64_000
    wanted = {leaf.address for leaf in desk.dispatcher.tree.leaves.values() if leaf.flags}
    for peer in peers:
        assert {address for address, _ in peer.messages(with_slot_forms=True)} >= wanted


def test_packets_are_bundles_of_at_most_1200_bytes(desk: Desk, rig: MemoryRig) -> None:
    """As many messages in each as fit; a single message has no bundle around it."""
    (peer,) = subscribed(desk, 1, *ALL_FLAGS)
    desk.receive(peer, "/nemo/refresh")
    desk.timers.advance(0.02)
    *full, _ = [len(packet) for _, packet in peer.packets if packet.startswith(b"#bundle")]
    assert min(full) > 1100
    assert max(full) <= 1200
    peer.packets.clear()
    rig.settings.set("mute", 1.0)
    desk.timers.advance(0.02)
    assert peer.packets[0][1].startswith(b"#bundle")
    (peer,) = subscribed(desk, 1, "params")
    rig.settings.set("mute", 0.0)
    desk.timers.advance(0.02)
    assert [packet for _, packet in peer.packets] == [b"/nemo/mute\0\0,F\0\0"]


def test_a_client_that_does_not_read_delays_no_other(desk: Desk, rig: MemoryRig) -> None:
    """It loses intermediate values, not the last one, and nothing piles up for it."""
    slow, quick = subscribed(desk, 2, "params")
    slow.is_full = True
    for step in range(100):
        rig.settings.set("bass", step / 128.0)
        desk.timers.advance(0.02)
    assert len(quick.packets) == 100
    assert slow.packets == []
    slow.is_full = False
    desk.timers.advance(0.02)
    assert slow.messages() == [("/nemo/bass", [99.0 / 128.0])]


def test_a_set_costs_no_reading_of_leaves(
    desk: Desk, rig: MemoryRig, count_calls: Callable[[Callable[[], object]], int]
) -> None:
    """With eight subscribers a set within 20 ms of another costs less than twice one without."""

    def sets() -> None:
        for step in range(100):
            desk.say("/nemo/bass", "f", step / 128.0)

    sets()
    alone = count_calls(sets)
    subscribed(desk, 8, *ALL_FLAGS)
    sets()
    assert count_calls(sets) < 2 * alone


def test_a_pace_keeps_its_mean_rate() -> None:
    """Where occasions come every 30 ms, 10 Hz are 10 in a second, not 8."""
    pace = Pace()
    times = [0.03 * step for step in range(1, 1001)]
    due = [time_s for time_s in times if pace.is_due(time_s, 0.1)]
    assert abs(len(due) - 300) <= 2
    assert min(b - a for a, b in pairwise(due)) >= 0.05
