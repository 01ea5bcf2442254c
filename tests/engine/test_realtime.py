"""Real-time rights: a refusal names its reason and the remedy."""

import os
import resource
import threading

import pytest

from nemod.engine.realtime import (
    FIFO_PRIORITY,
    drop_realtime_priority,
    lock_memory,
    take_realtime_priority,
)


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


def test_all_threads_lose_their_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the whole process: the thread that frees the memory is the last one to end."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, kind, _: calls.append((pid, kind)))
    is_over = threading.Event()
    thread = threading.Thread(target=is_over.wait)
    thread.start()
    try:
        drop_realtime_priority()
    finally:
        is_over.set()
        thread.join()
    assert {(os.getpid(), os.SCHED_OTHER), (thread.native_id, os.SCHED_OTHER)} <= set(calls)
