"""When the state file is written, and what is logged where it cannot be."""

import asyncio
from pathlib import Path

import pytest
import structlog

from nemod.control.events import EventStream
from nemod.control.settings import Settings
from nemod.daemon import session_writer
from nemod.daemon.session import Session, load
from nemod.daemon.session_writer import SessionWriter, restore
from tests.chains import chain_of


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
    now = Session(chain=chain_of("a"))
    written: list[Session] = []
    monkeypatch.setattr(session_writer, "save", lambda path, saved: written.append(saved))

    async def play() -> None:
        nonlocal now
        writer = SessionWriter(path, lambda: now, now)
        writer.schedule()
        await rest()
        assert written == []
        for number in range(100):
            now = Session(chain=chain_of(str(number)))
            writer.schedule()
        await rest()
        assert written == [Session(chain=chain_of("99"))]
        await writer.close()
        assert len(written) == 1

    asyncio.run(play())


def test_what_changed_last_is_written_at_the_end(tmp_path: Path) -> None:
    """`close` does not wait for the pause that a change is given."""
    path = tmp_path / "state.json"

    async def play() -> None:
        writer = SessionWriter(path, lambda: Session(chain=chain_of("last")))
        writer.schedule()
        await writer.close()

    asyncio.run(play())
    assert load(path) == Session(chain=chain_of("last"))


def test_constant_changes_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A knob that turns all the time delays it by no more than `LONGEST_S`."""
    monkeypatch.setattr(session_writer, "QUIET_S", 5.0)
    monkeypatch.setattr(session_writer, "LONGEST_S", 0.1)
    path = tmp_path / "state.json"

    async def play() -> None:
        writer = SessionWriter(path, lambda: Session(chain=chain_of("x")))
        for _ in range(500):
            writer.schedule()
            if path.exists():
                return
            await asyncio.sleep(0.01)

    asyncio.run(play())
    assert load(path) == Session(chain=chain_of("x"))


def test_a_disk_that_fails_is_logged_once(tmp_path: Path) -> None:
    """Not every second; and once more after it had recovered."""
    path = tmp_path / "file" / "state.json"
    path.parent.write_text("in the way of the folder")
    count = 0

    def now() -> Session:
        nonlocal count
        count += 1
        return Session(chain=chain_of(str(count)))

    async def play() -> None:
        writer = SessionWriter(path, now)
        for _ in range(3):
            writer.schedule()
            await rest()
        path.parent.unlink()
        writer.schedule()
        await rest()
        assert load(path) == Session(chain=chain_of(str(count)))

    with structlog.testing.capture_logs() as logs:
        asyncio.run(play())
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "state file not written; the sound is not affected"
    ]


def test_a_damaged_file_is_moved_aside_and_logged(tmp_path: Path) -> None:
    """The log says what was wrong and where the file is now."""
    path = tmp_path / "state.json"
    path.write_text('{"version": 1, "size": ')
    with structlog.testing.capture_logs() as logs:
        assert restore(path) is None
    (entry,) = logs
    assert entry["reason"].startswith("not JSON")
    assert entry["moved"] == str(tmp_path / "state.json.damaged-1")
    assert Path(entry["moved"]).exists()


def test_a_file_that_cannot_be_read_stays_where_it_is(tmp_path: Path) -> None:
    """A disk that fails is not a damaged file."""
    (tmp_path / "file").write_text("")
    with structlog.testing.capture_logs() as logs:
        assert restore(tmp_path / "file" / "state.json") is None
    assert [entry["event"] for entry in logs] == ["state file not read"]


def test_changes_of_settings_and_of_the_model_are_written(tmp_path: Path) -> None:
    """Nobody has to call the writer."""
    path = tmp_path / "state.json"
    events = EventStream()
    settings = Settings(events=events)

    async def play() -> None:
        writer = SessionWriter(
            path, lambda: Session(positions=settings.set_positions()), events=events
        )
        settings.set("bass", 0.5)  # its default: that it was set is part of the session
        await rest()
        assert load(path) == Session(positions={"bass": 0.5})
        await writer.close()

    asyncio.run(play())
