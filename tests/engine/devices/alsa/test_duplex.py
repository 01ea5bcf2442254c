"""Xruns, suspends and unplugging, which no PCM of libasound's own can be made to show."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from nemod.engine.devices.alsa import duplex
from nemod.engine.devices.alsa.duplex import MOST_RECOVERIES, DuplexStream, Fault, Interrupted
from nemod.engine.devices.alsa.formats import S16, Frames
from nemod.engine.devices.alsa.library import CAPTURE, PLAYBACK, STATE_DISCONNECTED

BLOCK, PERIODS = 64, 3
RUNNING = 3


class FakePcm:
    """One direction of a card that does what it is told; it writes down what was done with it."""

    def __init__(self, direction: int, log: list[str], *, links: bool = True) -> None:
        self.direction = direction
        self.frames = Frames(S16, 2, BLOCK, interleaved=True)
        self.period_frames, self.buffer_frames, self.rate_hz = BLOCK, PERIODS * BLOCK, 48_000
        self.codes: dict[str, list[int]] = {}
        """What the next calls return, by name; then all is well."""
        self.current_state = RUNNING
        self._log, self._links = log, links
        self._way = "in" if direction == CAPTURE else "out"

    def _call(self, name: str, well: int = 0) -> int:
        self._log.append(f"{self._way} {name}")
        waiting = self.codes.get(name, [])
        return waiting.pop(0) if waiting else well

    def link(self, other: "FakePcm") -> bool:
        return self._links

    def state(self) -> int:
        return self.current_state

    def wait(self, limit_ms: int) -> int:
        return self._call("wait", 1)

    def transfer(self, at: int, count: int) -> int:
        return self._call("transfer", count)

    def delay_frames(self) -> int | None:
        return {"in": 64, "out": 150}[self._way]

    def __getattr__(self, name: str) -> Callable[[], int]:
        if name in ("prepare", "start", "drop", "resume"):
            return lambda: self._call(name)
        raise AttributeError(name)


def stream(*, links: bool = True) -> tuple[DuplexStream, Any, Any, list[str]]:
    log: list[str] = []
    capture, playback = FakePcm(CAPTURE, log, links=links), FakePcm(PLAYBACK, log, links=links)
    made = DuplexStream(
        capture,  # type: ignore[arg-type]
        playback,  # type: ignore[arg-type]
        block_frames=BLOCK,
        periods=PERIODS,
        title="card",
    )
    return made, capture, playback, log


def test_the_output_is_filled_before_both_directions_start() -> None:
    """Linked ones are prepared and started as one; the latency is what was filled in."""
    made, _, _, log = stream()
    made.recover(0)
    assert log == ["in drop", "in prepare", *3 * ["out transfer"], "in start"]
    assert made.latency_frames == PERIODS * BLOCK


def test_directions_that_cannot_be_linked_are_started_one_by_one() -> None:
    """The output first, so that it does not run dry while the input starts."""
    made, _, _, log = stream(links=False)
    made.recover(0)
    filled = 3 * ["out transfer"]
    prepared = ["in drop", "out drop", "in prepare", "out prepare"]
    assert log == [*prepared, *filled, "out start", "in start"]


@pytest.mark.parametrize("code", [errno.EPIPE, errno.EBADFD, errno.EIO])
@pytest.mark.parametrize(("way", "call"), [("in", "wait"), ("in", "transfer"), ("out", "transfer")])
def test_an_xrun_is_recovered_in_place(code: int, way: str, call: str) -> None:
    """By the same steps as the start, with the same silence, wherever it shows."""
    made, capture, playback, log = stream()
    made.recover(0)
    begun = list(log)
    log.clear()
    (capture if way == "in" else playback).codes[call] = [-code]
    if way == "out":
        made.read()
    with pytest.raises(Interrupted) as caught:
        (made.read if way == "in" else made.write)()
    log.clear()
    made.recover(caught.value.code)
    assert log == begun


def test_a_card_that_was_suspended_is_started_anew() -> None:
    """When it has come back."""
    made, capture, _, log = stream()
    made.recover(0)
    capture.codes["wait"] = [-errno.ESTRPIPE]
    capture.codes["resume"] = [0]
    with pytest.raises(Interrupted) as caught:
        made.read()
    log.clear()
    made.recover(caught.value.code)
    assert log[0] == "in resume"
    assert log[-1] == "in start"


@pytest.mark.parametrize(("call", "code"), [("wait", errno.ENODEV), ("transfer", errno.ENODEV)])
def test_a_card_that_was_pulled_out_is_reported_at_once(call: str, code: int) -> None:
    """Without another attempt: nothing comes back on this PCM."""
    made, capture, _, log = stream()
    made.recover(0)
    log.clear()
    capture.codes[call] = [-code]
    with pytest.raises(Fault, match="'card' was disconnected"):
        made.read()
    assert log.count("in wait") == 1


def test_a_card_that_was_pulled_out_during_a_recovery_is_reported() -> None:
    """The kernel answers EPIPE first where both happen in one block."""
    made, capture, _, _ = stream()
    made.recover(0)
    capture.codes["prepare"] = [-errno.ENODEV]
    with pytest.raises(Fault, match="was disconnected"):
        made.recover(-errno.EPIPE)


def test_a_driver_that_wakes_nobody_up_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a buffer's time the state is read; a card that delivers nothing is started anew."""
    made, capture, _, _ = stream()
    made.recover(0)
    capture.codes["wait"] = [0]
    capture.current_state = STATE_DISCONNECTED
    with pytest.raises(Fault, match="was disconnected"):
        made.read()
    monkeypatch.setattr(duplex, "STALL_S", 0.0)
    made._limit_ms = 0
    capture.current_state = RUNNING
    capture.codes["wait"] = [0, 0]
    with pytest.raises(Interrupted) as caught:
        made.read()
    assert caught.value.code == -errno.ETIMEDOUT


@pytest.mark.parametrize("code", [0, -errno.EAGAIN])
@pytest.mark.parametrize("way", ["in", "out"])
def test_a_card_that_is_ready_and_transfers_nothing_is_started_anew(
    code: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one deadline for the block, and the thread sleeps between its attempts."""
    now, slept = [0.0], []
    monkeypatch.setattr(duplex.time, "monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += 0.01

    monkeypatch.setattr(duplex.time, "sleep", sleep)
    made, capture, playback, _ = stream()
    made.recover(0)
    (capture if way == "in" else playback).codes["transfer"] = 1000 * [code]
    with pytest.raises(Interrupted) as caught:
        (made.read if way == "in" else made.write)()
    assert caught.value.code == -errno.ETIMEDOUT
    assert 1 < len(slept) < 100


def test_a_card_whose_output_never_works_is_given_up() -> None:
    """Blocks that are recorded alone do not count as recovered."""
    made, _, playback, _ = stream()
    made.recover(0)

    def play_one_block() -> None:
        made.read()
        playback.codes["transfer"] = [-errno.EPIPE]
        with pytest.raises(Interrupted) as caught:
            made.write()
        made.recover(caught.value.code)

    for _ in range(MOST_RECOVERIES - 1):
        play_one_block()
    with pytest.raises(Fault, match="does not recover"):
        play_one_block()


def test_a_card_that_never_recovers_is_given_up() -> None:
    """Otherwise the thread, which has real-time priority, would spin for ever."""
    made, capture, _, log = stream()
    capture.codes["start"] = 1000 * [-errno.EPIPE]
    with pytest.raises(Fault, match="does not recover"):
        made.recover(0)
    assert log.count("in start") <= MOST_RECOVERIES + 1


def test_a_block_may_take_several_transfers() -> None:
    """A driver may have a part of it only, or none yet."""
    made, capture, playback, log = stream()
    made.recover(0)
    log.clear()
    capture.codes["transfer"] = [40, -errno.EAGAIN, 24]
    playback.codes["transfer"] = [-errno.EAGAIN, 64]
    made.read()
    made.write()
    assert log.count("in transfer") == 3
    assert log.count("out transfer") == 2


def test_the_latency_is_what_the_driver_states_where_that_is_more() -> None:
    """USB: packets on their way count, too. Silence is played meanwhile."""
    made, _, playback, log = stream()
    assert made.try_out()
    assert made.latency_frames == 64 + 150
    assert log[-3:] == ["in wait", "in transfer", "out transfer"]
    assert not playback.frames.raw.any()


def test_a_buffer_that_is_too_small_for_the_card_is_noticed_before_the_sound() -> None:
    """One xrun is no proof; three in a row are."""
    made, capture, _, _ = stream()
    capture.codes["wait"] = [1, -errno.EPIPE]
    assert made.try_out()
    capture.codes["wait"] = 3 * [-errno.EPIPE]
    assert not made.try_out()
