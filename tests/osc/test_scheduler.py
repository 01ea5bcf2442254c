"""Bundles with time tags: late, ahead, too far ahead, nested, and a clock that is set."""

import pytest

from nemod.osc.codec import IMMEDIATELY, Bundle, Message, Packet
from nemod.osc.scheduler import MAX_PER_HOST, MAX_SCHEDULED
from nemod.osc.traffic import Traffic
from tests.osc.conftest import Desk, MemoryRig, size_of

NTP_1970 = 2_208_988_800


def gain(value: float) -> Message:
    return Message("/nemo/gain", "f", (value,))


def bass(value: float) -> Message:
    return Message("/nemo/bass", "f", (value,))


def at(desk: Desk, ahead_s: float, *elements: Message | Bundle) -> Bundle:
    """Return a bundle whose time is ahead of now, on the client's clock."""
    return Bundle(int((desk.wall_s + NTP_1970 + ahead_s) * 2**32), elements)


def perform(desk: Desk, bundle: Bundle, size: int = 200) -> list[tuple[str, list[object]]]:
    """Return what a bundle is answered with now."""
    return desk.perform(Packet(bundle, 1, size))


@pytest.mark.parametrize(
    ("ahead_s", "due_s", "counted"),
    [
        (-1e9, 0.0, 0),
        (-5.0, 0.0, 0),
        (0.0, 0.0, 0),
        (0.001, 0.001, 0),
        (3.0, 3.0, 0),
        (9.99, 9.99, 0),
        (10.1, 0.0, 1),
        (1e9, 0.0, 1),
    ],
)
def test_a_bundle_is_carried_out_at_its_time(
    ahead_s: float, due_s: float, counted: int, desk: Desk, rig: MemoryRig
) -> None:
    """The past is now; more than 10 s ahead the sender's clock is wrong: now, and counted."""
    perform(desk, at(desk, ahead_s, gain(0.125)))
    if due_s:
        desk.timers.advance(due_s - 0.0005)
        assert rig.settings.get("gain") == 0.5
        desk.timers.advance(0.001)
    assert rig.settings.get("gain") == 0.125
    assert desk.dispatcher.counters.far_future == counted


def test_other_traffic_is_not_delayed(desk: Desk, rig: MemoryRig) -> None:
    """Nor is it overtaken: what is due overwrites what came meanwhile."""
    perform(desk, at(desk, 3.0, gain(0.125)))
    desk.say("/nemo/gain", "f", 0.25)
    assert desk.say("/nemo/gain") == [("/nemo/gain", [0.25])]
    desk.timers.advance(3.1)
    assert desk.say("/nemo/gain") == [("/nemo/gain", [0.125])]


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_meanwhile_changes_nothing(
    step_s: float, desk: Desk, rig: MemoryRig
) -> None:
    """When a bundle is due was settled on the monotonic clock, for nested bundles, too."""
    perform(desk, at(desk, 2.0, gain(0.125), at(desk, 4.0, bass(0.125))))
    desk.wall_s += step_s
    desk.timers.advance(2.001)
    assert (rig.settings.get("gain"), rig.settings.get("bass")) == (0.125, 0.5)
    desk.timers.advance(2.0)
    assert rig.settings.get("bass") == 0.125


def test_all_settings_of_a_bundle_take_effect_in_one_commit(desk: Desk, rig: MemoryRig) -> None:
    """Those of a bundle inside of it with the same time, too."""
    inner = Bundle(IMMEDIATELY, (Message("/nemo/mute", "T", (True,)),))
    perform(desk, at(desk, 1.0, gain(0.125), at(desk, 1.0, bass(0.25)), inner))
    desk.timers.advance(1.1)
    (snapshot,) = rig.commits
    assert tuple(snapshot[path] for path in ("gain", "bass", "mute")) == (0.125, 0.25, 1.0)


def test_nested_bundles_have_their_own_time(desk: Desk, rig: MemoryRig) -> None:
    """But not before the bundle around them."""
    early, late = at(desk, 1.0, bass(0.25)), at(desk, 3.0, Message("/nemo/mid", "f", (0.25,)))
    perform(desk, at(desk, 2.0, early, gain(0.125), late))
    desk.timers.advance(1.5)
    assert rig.commits == []
    desk.timers.advance(1.0)
    (snapshot,) = rig.commits
    assert tuple(snapshot[path] for path in ("gain", "bass", "mid")) == (0.125, 0.25, 0.5)
    desk.timers.advance(1.0)
    assert rig.settings.get("mid") == 0.25
    perform(desk, Bundle(IMMEDIATELY, (gain(0.75), at(desk, 1.0, bass(0.75)))))
    assert (rig.settings.get("gain"), rig.settings.get("bass")) == (0.75, 0.25)


def test_the_same_time_keeps_the_order_of_arrival(desk: Desk, rig: MemoryRig) -> None:
    """And an earlier time comes first, whatever the order of arrival."""
    for ahead_s, value in ((2.0, 0.25), (2.0, 0.375), (1.0, 0.125), (2.0, 0.5), (2.0, 0.625)):
        perform(desk, at(desk, ahead_s, gain(value)))
    desk.timers.advance(5.0)
    assert [snapshot["gain"] for snapshot in rig.commits] == [0.125, 0.25, 0.375, 0.5, 0.625]


def test_a_transaction_is_checked_when_it_is_due(desk: Desk, rig: MemoryRig) -> None:
    """As a whole, with the bundles inside of it, and its answers come then."""
    wrong = Message("/nemo/knob/3", "f", (0.25,))
    transaction = at(desk, 1.0, Message("/nemo/tx", "i", (7,)), gain(0.125), at(desk, 5.0, wrong))
    assert perform(desk, transaction) == []
    desk.timers.advance(1.1)
    ((address, (code, _, text)),) = desk.answers()
    assert (address, code) == ("/nemo/error", "tx")
    assert str(text).startswith("transaction 7: /nemo/knob/3: address")
    assert rig.commits == []
    desk.sent.clear()
    perform(desk, transaction)
    rig.use_knobs("Drive", "Tone", "Sag")
    desk.timers.advance(1.1)
    assert desk.answers() == []
    assert (rig.settings.get("gain"), rig.settings.get("knob/3")) == (0.125, 0.25)


def test_clear_sched_drops_everything_that_waits(desk: Desk, rig: MemoryRig) -> None:
    """Nothing of it happens, and there is room again."""
    for ahead_s in (1.0, 2.0):
        perform(desk, at(desk, ahead_s, gain(0.125)))
    assert desk.say("/nemo/clear_sched", "i", 0) == []
    assert len(desk.dispatcher.scheduler) == 2
    assert desk.say("/nemo/clear_sched") == []
    desk.timers.advance(5.0)
    assert rig.commits == []
    assert (len(desk.dispatcher.scheduler), desk.timers.waiting()) == (0, [])


def test_what_waits_is_limited_for_each_host_and_in_all(desk: Desk, rig: MemoryRig) -> None:
    """One bundle more is an error, and does not happen; the others do."""
    peers = [desk.peer(f"192.168.1.{host}", gets_echoes=False) for host in range(1, 6)]
    for peer in peers:
        for number in range(MAX_PER_HOST):
            packet = Packet(at(desk, 1.0, gain(number / 512)), 1, 200)
            desk.dispatcher.perform(packet, peer.sender)
    assert len(desk.dispatcher.scheduler) == MAX_SCHEDULED == 4 * MAX_PER_HOST
    assert [len(peer.packets) for peer in peers] == [0, 0, 0, 0, 20]  # 20 errors a second
    desk.dispatcher.perform(Packet(at(desk, 1.0, bass(0.25)), 1, 200), peers[0].sender)
    ((address, values),) = peers[0].messages()
    assert (address, *values[:2]) == ("/nemo/error", "limit", "/nemo/bass")
    desk.timers.advance(1.1)
    assert (rig.settings.get("gain"), rig.settings.get("bass")) == (255 / 512, 0.5)
    desk.dispatcher.perform(Packet(at(desk, 1.0, bass(0.25)), 1, 200), peers[0].sender)
    desk.timers.advance(1.1)
    assert rig.settings.get("bass") == 0.25


def test_the_end_cancels_what_waits(desk: Desk, rig: MemoryRig) -> None:
    """Nothing is set after it."""
    perform(desk, at(desk, 1.0, gain(0.125)))
    desk.dispatcher.close()
    desk.timers.advance(5.0)
    assert rig.commits == []


def test_an_internal_error_does_not_stop_the_others(
    desk: Desk, rig: MemoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is due after it is carried out."""

    def fail(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(rig, "load", fail)
    perform(desk, at(desk, 1.0, Message("/nemo/model/load", "i", (1,))))
    perform(desk, at(desk, 1.0, gain(0.125)))
    with pytest.raises(RuntimeError):  # the event loop's timers log it
        desk.timers.advance(1.0)
    desk.timers.advance(0.001)
    assert rig.settings.get("gain") == 0.125


@pytest.mark.parametrize(
    ("ahead_s", "tapped_s"),
    [(0.0, 0.0), (-0.25, -0.25), (-9.9, -9.9), (-10.5, 0.0), (2.0, 2.0), (60.0, 0.0)],
)
def test_the_time_tag_is_the_time_of_a_tap(
    ahead_s: float, tapped_s: float, desk: Desk, rig: MemoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 10 s of now; a tag further off is that of a wrong clock."""
    taps: list[float | None] = []
    monkeypatch.setattr(rig.controller.tempo, "tap", lambda source, time_s: taps.append(time_s))
    begin = desk.timers.time_s
    perform(desk, at(desk, ahead_s, Message("/nemo/tempo/tap", "", ())))
    desk.timers.advance(2.5)
    assert taps == [pytest.approx(begin + tapped_s, abs=1e-5)]
    desk.say("/nemo/tempo/tap", "f", 1.0)
    desk.say("/nemo/tempo/tap", "f", 0.0)
    assert taps[1:] == [desk.timers.time_s]


def test_taps_of_a_phone_with_jitter_set_the_tempo(desk: Desk, rig: MemoryRig) -> None:
    """Tags 0.5 s apart are 120 BPM, whenever their packets arrive."""
    begin_s, wall_s = desk.timers.time_s, desk.wall_s
    for number, late_s in enumerate((0.0, 0.03, 0.01, 0.08, 0.0, 0.05)):
        arrival_s = number / 2.0 + late_s
        desk.timers.time_s, desk.wall_s = begin_s + arrival_s, wall_s + arrival_s
        perform(desk, at(desk, -late_s, Message("/nemo/tempo/tap", "", ())))
    ((_, (bpm,)),) = desk.say("/nemo/tempo/bpm")
    assert bpm == pytest.approx(120.0, abs=0.01)


def test_panic_reaches_the_player(desk: Desk, rig: MemoryRig) -> None:
    """On a press, not on its release."""
    desk.say("/nemo/panic", "f", 1.0)
    desk.say("/nemo/panic", "f", 0.0)
    assert rig.panics == 1


def test_beyond_the_rate_a_bundle_for_later_is_dropped(desk: Desk, rig: MemoryRig) -> None:
    """It must not happen before its time; limits count on arrival."""
    traffic = Traffic(desk.dispatcher, 500.0, desk.timers)
    filler = Packet(Bundle(IMMEDIATELY, (gain(0.5),) * 250), 250, 9000)
    assert [traffic.receive(filler, desk.sender) for _ in range(2)] == [0, 0]
    packet = Packet(at(desk, 3.0, gain(0.125)), 1, size_of(gain(0.125)) + 20)
    assert traffic.receive(packet, desk.sender) == 1
    desk.timers.advance(5.0)
    assert rig.settings.get("gain") == 0.5
