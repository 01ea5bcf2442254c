"""When the state is written, and what is said where it cannot be."""

import asyncio
from pathlib import Path

import pytest
import structlog

from nemod.daemon import session_writer
from nemod.daemon.session import Session, load
from nemod.daemon.session_writer import SessionWriter, restored


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_writer, "QUIET_S", 0.02)


async def rest() -> None:
    """Wait longer than it takes to write."""
    await asyncio.sleep(0.2)


def test_a_burst_of_changes_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written is what was true at the end; what is written already is not written again."""
    path = tmp_path / "state.json"
    now = Session(model="a")
    written: list[Session] = []
    monkeypatch.setattr(session_writer, "save", lambda path, saved: written.append(saved))

    async def play() -> None:
        nonlocal now
        kept = SessionWriter(path, lambda: now, now)
        kept.touch()
        await rest()
        assert written == []
        for number in range(100):
            now = Session(model=str(number))
            kept.touch()
        await rest()
        assert written == [Session(model="99")]
        await kept.close()
        assert len(written) == 1

    asyncio.run(play())


def test_what_changed_last_is_written_at_the_end(tmp_path: Path) -> None:
    """`close` does not wait for the pause that a change is given."""
    path = tmp_path / "state.json"

    async def play() -> None:
        kept = SessionWriter(path, lambda: Session(model="last"))
        kept.touch()
        await kept.close()

    asyncio.run(play())
    assert load(path) == Session(model="last")


def test_something_that_never_rests_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A knob that a machine turns for ever puts it off no longer than `LONGEST_S`."""
    monkeypatch.setattr(session_writer, "QUIET_S", 5.0)
    monkeypatch.setattr(session_writer, "LONGEST_S", 0.1)
    path = tmp_path / "state.json"

    async def play() -> None:
        kept = SessionWriter(path, lambda: Session(model="x"))
        for _ in range(500):
            kept.touch()
            if path.exists():
                return
            await asyncio.sleep(0.01)

    asyncio.run(play())
    assert load(path) == Session(model="x")


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path) -> None:
    """Not every second; and once more after it had recovered."""
    path = tmp_path / "file" / "state.json"
    path.parent.write_text("in the way of the folder")
    count = 0

    def now() -> Session:
        nonlocal count
        count += 1
        return Session(model=str(count))

    async def play() -> None:
        kept = SessionWriter(path, now)
        for _ in range(3):
            kept.touch()
            await rest()
        path.parent.unlink()
        kept.touch()
        await rest()
        assert load(path) == Session(model=str(count))

    with structlog.testing.capture_logs() as logs:
        asyncio.run(play())
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "state not written, nothing else happens"
    ]


def test_damage_is_kept_aside_and_told(tmp_path: Path) -> None:
    """The log says what was wrong and where the file is now."""
    path = tmp_path / "state.json"
    path.write_text('{"version": 1, "size": "big"}')
    with structlog.testing.capture_logs() as logs:
        assert restored(path) is None
    (entry,) = logs
    assert entry["reason"].startswith("size: a number from 0 to 1")
    assert entry["kept"] == str(tmp_path / "state.json.damaged-1")
    assert Path(entry["kept"]).exists()


def test_a_file_that_cannot_be_read_stays_where_it_is(tmp_path: Path) -> None:
    """Somebody else's trouble with the disk is no damage."""
    (tmp_path / "file").write_text("")
    with structlog.testing.capture_logs() as logs:
        assert restored(tmp_path / "file" / "state.json") is None
    assert [entry["event"] for entry in logs] == ["state not read"]
