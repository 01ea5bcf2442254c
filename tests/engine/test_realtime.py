"""Real-time rights: a refusal names its reason and the remedy."""

import os
import resource

import pytest

from nemod.engine.realtime import FIFO_PRIORITY, lock_memory, take_realtime_priority


def test_a_limit_on_locked_memory_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is locked then: later allocations would fail at the limit."""
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (65_536, 65_536))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    notice = lock_memory()
    assert notice.startswith("memory is not locked (the limit is 65536 bytes): ")
    assert "@audio - memlock unlimited" in notice


def test_a_refused_priority_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limits to set."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    notice = take_realtime_priority()
    assert "no real-time priority for the audio thread (Operation not permitted)" in notice
    assert "@audio - rtprio 95" in notice


def test_the_audio_thread_gets_its_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """SCHED_FIFO, for the calling thread."""
    calls: list[tuple[int, int, int]] = []
    monkeypatch.setattr(
        os, "sched_setscheduler", lambda pid, kind, to: calls.append((pid, kind, to.sched_priority))
    )
    assert take_realtime_priority() == ""
    assert calls == [(0, os.SCHED_FIFO, FIFO_PRIORITY)]
