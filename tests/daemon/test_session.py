"""The state file: what is written is read again, and nothing else is taken for a state."""

import errno
import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemod.control.settings import Settings
from nemod.daemon.session import (
    MAX_BYTES,
    Session,
    StateError,
    default_path,
    keep_aside,
    load,
    parse,
    render,
    save,
)
from nemod.parameters.table import TABLE

SAVED = Session(
    model='Plexi "68"; ö', path="/amps/plexi.nam", size=0.5, positions={"bass": 0.7, "knob/3": 1.0}
)
GOOD: dict[str, Any] = json.loads(render(SAVED))


@given(
    model=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=40),
    size=st.none() | st.floats(0.0, 1.0),
    positions=st.dictionaries(
        st.sampled_from([row.path for row in TABLE]), st.floats(0.0, 1.0), max_size=20
    ),
)
def test_what_is_written_is_read(
    model: str, size: float | None, positions: dict[str, float]
) -> None:
    """Every state comes back exactly."""
    saved = Session(model=model, size=size, positions=positions)
    assert parse(render(saved)) == saved


def test_all_that_settings_hold_is_read_again() -> None:
    """Whatever is kept of the knobs is valid at the next start."""
    settings = Settings({"knob/5": 0.25, "knob/1": 0.75, "mute": 1.0})
    saved = Session(positions=settings.positions())
    assert Settings(parse(render(saved)).positions).positions() == settings.positions()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("[]", "keys are expected, not list"),
        ("[" * 100_000, "not JSON"),
        (json.dumps(GOOD)[:-9], "not JSON"),
        (json.dumps(GOOD | {"volume": 1}), "unknown key 'volume'"),
        (json.dumps(GOOD | {"version": 2}), "version: 1 is expected, not 2"),
        (json.dumps(GOOD | {"version": True}), "version: 1 is expected, not True"),
        (json.dumps(GOOD | {"model": 7}), "model: a name is expected"),
        (json.dumps(GOOD | {"model": "a\0b"}), "model: a name is expected"),
        (json.dumps(GOOD | {"model": "\ud800"}), "model: a name is expected"),
        (json.dumps(GOOD | {"path": "x" * 5000}), "path: a name is expected"),
        (json.dumps(GOOD | {"size": 1.5}), "size: a number from 0 to 1"),
        (json.dumps(GOOD | {"positions": [1]}), "positions: knobs are expected, not list"),
        (json.dumps(GOOD | {"positions": {"bass": 1.01}}), "positions.bass: a number from 0 to 1"),
        (json.dumps(GOOD | {"positions": {"bass": "1"}}), "positions.bass: a number from 0 to 1"),
        (json.dumps(GOOD | {"positions": {"bass": True}}), "positions.bass: a number from 0 to 1"),
        (json.dumps(GOOD | {"positions": {"fuzz": 0.5}}), "there is no knob 'fuzz'"),
        (json.dumps(GOOD | {"positions": {"knob/65": 0.5}}), "there is no knob 'knob/65'"),
        (json.dumps(GOOD | {"positions": {"knob/1": 0.5}}), "there is no knob 'knob/1'"),
        ('{"version": 1, "positions": {"bass": NaN}}', "NaN is no number"),
        ('{"version": 1, "positions": {"bass": 1' + "0" * 5000 + "}}", "JSON"),
        ('{"version": 1, "positions": {"bass": 1e999}}', "positions.bass: a number from 0 to 1"),
    ],
)
def test_damage_is_told(text: str, complaint: str) -> None:
    """Anything that this program did not write is refused, and the key named."""
    with pytest.raises(StateError, match=complaint):
        parse(text)


def test_no_file_is_no_state(tmp_path: Path) -> None:
    """At the first start there is nothing to be said."""
    assert load(tmp_path / "no" / "state.json") is None


def test_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    """Nor is a pipe, or bytes that are no text."""
    path = tmp_path / "state.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(StateError, match=f"larger than {MAX_BYTES} bytes"):
        load(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StateError, match="not a file"):
        load(path)
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(StateError, match="not UTF-8"):
        load(path)


def test_damaged_files_are_all_kept(tmp_path: Path) -> None:
    """Each under a number of its own."""
    path = tmp_path / "state.json"
    for number in (1, 2):
        path.write_text(str(number))
        kept = keep_aside(path)
        assert (kept.name, kept.read_text()) == (f"state.json.damaged-{number}", str(number))
    assert not path.exists()


def test_a_save_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    """The folder is made, and the file is the user's alone."""
    path = tmp_path / "a" / "b" / "state.json"
    save(path, Session(model="first"))
    assert path.stat().st_mode & 0o777 == 0o600
    save(path, SAVED)
    assert load(path) == SAVED
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """The kernel refuses the write; what was kept before is still there."""
    path = tmp_path / "state.json"
    save(path, SAVED)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            save(path, Session(model="other"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert load(path) == SAVED
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_written_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contents on the disk, then the name, then the folder: the order that outlives a power cut."""
    path = tmp_path / "state.json"
    steps: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(fd: int) -> None:
        steps.append("sync " + _name(Path(os.readlink(f"/proc/self/fd/{fd}"))))
        sync(fd)

    def replace(old: Path, new: Path) -> None:
        steps.append(f"rename {_name(Path(old))} {_name(Path(new))}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    save(path, SAVED)
    assert steps == [
        "sync draft",
        "rename draft state.json",
        f"sync {tmp_path.name}",
    ]


def _name(path: Path) -> str:
    """Return a file's name, `draft` for one that is to become the state."""
    return "draft" if path.suffix == ".tmp" else path.name


def test_where_the_state_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service's folder before the user's, and the user's home last."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/jimi")
    assert default_path() == Path("/home/jimi/.local/state/nemod/state.json")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "nemod" / "state.json"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/nemod:/var/lib/other")
    assert default_path() == Path("/var/lib/nemod/state.json")
