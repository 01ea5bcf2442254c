"""The state file: what is written is read again, and nothing else is taken for a state."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.common.kept_files import DamagedFileError
from nemod.control.settings import Settings
from nemod.daemon.session import (
    MAX_BYTES,
    Session,
    SessionPreset,
    default_path,
    load,
    parse,
    save,
    to_text,
)
from nemod.parameters.parameter_set import ParameterSet
from nemod.parameters.table import TABLE
from tests.chains import BOARD, chain_of
from tests.parts.disk import small_files

SAVED = Session(
    chain=chain_of('Plexi "68"; ö', size=0.5, cab="4x12 ä"),
    paths={"model": "/amps/plexi.nam", "cab": "/cabs/4x12.wav"},
    positions={"bass": 0.7, "knob/3": 1.0},
)
GOOD: dict[str, Any] = json.loads(to_text(SAVED))


@given(
    model=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=40),
    size=st.none() | st.floats(0.0, 1.0),
    positions=st.dictionaries(
        st.sampled_from([row.path for row in TABLE if row.is_in_session]),
        st.floats(0.0, 1.0),
        max_size=20,
    ),
)
@settings(deadline=None)
def test_what_is_written_is_read(
    model: str, size: float | None, positions: dict[str, float]
) -> None:
    """Every state comes back exactly."""
    saved = Session(chain=chain_of(model, size=size), positions=positions)
    assert parse(to_text(saved)) == saved


@given(
    st.dictionaries(
        st.sampled_from([*ParameterSet(BOARD), "model2/knob/3"]).filter(
            lambda path: path != "tuner/enable"
        ),
        st.floats(0.0, 1.0),
    )
)
@settings(deadline=None)
def test_a_session_of_any_chain_is_read(positions: dict[str, float]) -> None:
    """With a split, two models and two delays; positions are those of its slots."""
    saved = Session(chain=BOARD, paths={"model2": "/amps/lead.nam"}, positions=positions)
    assert parse(to_text(saved)) == saved


def test_all_that_settings_hold_is_read_again() -> None:
    """Whatever is kept of the knobs is valid at the next start."""
    settings = Settings({"knob/5": 0.25, "knob/1": 0.75, "mute": 1.0})
    saved = Session(positions=settings.set_positions())
    restored = Settings(parse(to_text(saved)).positions)
    assert restored.set_positions() == settings.set_positions()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("[]", "a JSON object is expected, not list"),
        ("[" * 100_000, "not JSON"),
        (json.dumps(GOOD)[:-9], "not JSON"),
        ('{"version": 1, "positions": {"bass": NaN}}', "NaN is not a number"),
        ('{"version": 1, "positions": {"bass": 1' + "0" * 5000 + "}}", "JSON"),
    ],
)
def test_what_cannot_be_parsed_is_an_error(text: str, complaint: str) -> None:
    """Nothing of such a file can be trusted."""
    with pytest.raises(DamagedFileError, match=complaint):
        parse(text)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"version": 1}, "version"),
        ({"version": True}, "version"),
        ({"chain": 7}, "chain"),
        ({"chain": [{"model": {"file": "a\0b"}}]}, "chain"),
        ({"chain": [{"model": {"file": "\ud800"}}]}, "chain"),
        ({"chain": [{"model": {"size": 1.5}}]}, "chain"),
        ({"chain": ["modl"]}, "chain"),
        ({"paths": [1]}, "paths"),
        ({"paths": {"cab": "x" * 5000}}, "paths.cab"),
        ({"paths": {"cab": "a\0b"}}, "paths.cab"),
        ({"paths": {"cab": 7}}, "paths.cab"),
        ({"paths": {"eq": "/x"}}, "paths.eq"),
        ({"positions": [1]}, "positions"),
        ({"positions": {"mid": 0.25, "bass": 1.01}}, "positions.bass"),
        ({"positions": {"mid": 0.25, "bass": "1"}}, "positions.bass"),
        ({"positions": {"mid": 0.25, "bass": True}}, "positions.bass"),
        ({"positions": {"mid": 0.25, "bass": 1e999}}, "positions.bass"),
    ],
)
def test_a_wrong_value_is_skipped_and_the_rest_is_read(change: dict[str, Any], key: str) -> None:
    """A warning names the key; nothing else is lost."""
    with structlog.testing.capture_logs() as logs:
        session = parse(json.dumps(GOOD | change).replace("Infinity", "1e999"))
    keys = [entry["key"] for entry in logs]
    # Without its slots, a chain has none of their positions and paths either.
    assert (keys[:1] if key == "chain" else keys) == [repr(key)]
    if not key.startswith(("chain", "paths")):
        assert (session.chain, session.paths) == (SAVED.chain, SAVED.paths)
    if key.startswith("positions."):
        assert session.positions == {"mid": 0.25}


def test_unknown_knobs_and_keys_survive_being_written_again() -> None:
    """A newer version's values are skipped with a warning and kept."""
    positions = {"bass": 0.7, "fuzz/amount": 0.9, "knob/65": {"a": [1]}}
    tree = GOOD | {"positions": positions, "scene": {"name": "lead", "bank": [1, 2]}}
    with structlog.testing.capture_logs() as logs:
        session = parse(json.dumps(tree))
    assert len(logs) == 3
    assert session.positions == {"bass": 0.7}
    written = json.loads(to_text(replace(session, positions={"bass": 0.1, "mid": 0.2})))
    assert written["scene"] == tree["scene"]
    assert written["positions"] == positions | {"bass": 0.1, "mid": 0.2}


def test_knobs_by_number_are_read_under_their_canonical_path() -> None:
    """`knob/1` is `gain`."""
    tree = GOOD | {"positions": {"knob/1": 0.25, "knob/3": 0.5}}
    assert parse(json.dumps(tree)).positions == {"gain": 0.25, "knob/3": 0.5}


def test_no_file_is_no_state(tmp_path: Path) -> None:
    """At the first start there is nothing to be said."""
    assert load(tmp_path / "no" / "state.json") is None


def test_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    """Nor is a pipe, or bytes that are no text."""
    path = tmp_path / "state.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(DamagedFileError, match=f"larger than {MAX_BYTES} bytes"):
        load(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DamagedFileError, match="not a regular file"):
        load(path)
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedFileError, match="not UTF-8"):
        load(path)


def test_a_save_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    """The folder is made, the file is the user's alone; what a power cut left is overwritten."""
    path = tmp_path / "a" / "b" / "state.json"
    save(path, Session(chain=chain_of("first")))
    assert path.stat().st_mode & 0o777 == 0o600
    save(path, SAVED)
    assert load(path) == SAVED
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """The kernel refuses the write; the old file is unchanged, and no draft is left."""
    path = tmp_path / "state.json"
    save(path, SAVED)
    with small_files(16), pytest.raises(OSError, match="File too large") as caught:
        save(path, Session(chain=chain_of("other")))
    assert caught.value.errno == errno.EFBIG
    assert load(path) == SAVED
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_where_the_state_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A service's folder before the user's, and the user's home last."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/jimi")
    assert default_path() == Path("/home/jimi/.local/state/nemod/state.json")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "nemod" / "state.json"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/nemod:/var/lib/other")
    assert default_path() == Path("/var/lib/nemod/state.json")


def test_what_cannot_be_written_again_is_lost_and_nothing_else() -> None:
    """An infinite number of another program must not stop the writer."""
    text = to_text(SAVED).rstrip().removesuffix("}") + ', "huge": 1e999, "x": 1}'
    session = parse(text)
    assert session.chain == SAVED.chain
    written = to_text(session)
    assert json.loads(written)["x"] == 1
    assert "huge" not in written
    assert parse(written).positions == SAVED.positions


@pytest.mark.parametrize("depth", [10, 900])
def test_nested_unknown_values_never_stop_the_writer(depth: int) -> None:
    """What would become too large by its indentation is left out."""
    text = to_text(SAVED).rstrip().removesuffix("}") + f', "deep": {"[" * depth}{"]" * depth}}}'
    written = to_text(parse(text))
    assert len(written) <= MAX_BYTES
    assert ("deep" in written) == (depth == 10)
    assert parse(written).positions == SAVED.positions


def test_many_unknown_values_are_logged_together_and_never_make_the_file_too_large() -> None:
    """The text grows by its indentation when it is written again."""
    crowd = {f"k{number}": 1 for number in range(20_000)}
    text = json.dumps(GOOD | crowd, separators=(",", ":"))
    assert len(text) < MAX_BYTES
    with structlog.testing.capture_logs() as logs:
        session = parse(text)
    assert len(logs) == 21
    assert logs[-1]["count"] == 20_000 - 20
    written = to_text(session)
    assert len(written) <= MAX_BYTES
    assert parse(written).positions == SAVED.positions


def test_the_preset_and_its_snapshots_survive() -> None:
    """What was not saved included."""
    preset = SessionPreset(
        number=127, name="Lead", is_dirty=True, snapshots={0: {"gain": 0.25}, 7: {"mid": 1.0}}
    )
    session = Session(preset=preset, failed_starts=2, is_clean=True)
    assert parse(to_text(session)) == session


@pytest.mark.parametrize(
    "text",
    [
        "3",
        "[]",
        "{}",
        '{"number": 128, "name": "x", "dirty": false}',
        '{"number": true, "name": "x", "dirty": false}',
        '{"number": 1, "name": 2, "dirty": false}',
        '{"number": 1, "name": "x", "dirty": 0}',
        '{"number": 1, "name": "' + "x" * 65 + '", "dirty": true}',
    ],
)
def test_a_preset_that_cannot_be_is_skipped(text: str) -> None:
    """The rest of the session counts."""
    session = parse(f'{{"version": 2, "chain": ["eq"], "preset": {text}, "failed_starts": -1}}')
    assert (len(session.chain), session.preset, session.failed_starts) == (1, None, 0)


def test_snapshots_are_read_leniently() -> None:
    """What is no snapshot is skipped."""
    text = """{"version": 1, "preset": {"number": 1, "name": "x", "dirty": true,
        "snapshots": {"0": {"gain": 0.5, "bass": 2, "other": 1}, "8": {"gain": 1}, "2": 3}}}"""
    session = parse(text)
    assert session.preset is not None
    assert session.preset.snapshots == {0: {"gain": 0.5}}


def test_the_tuner_is_off_after_every_start() -> None:
    """Left on, it would mute the stage; its reference and whether it mutes are kept."""
    positions = {"tuner/enable": 1.0, "tuner/mute": 0.0, "tuner/ref": 0.4}
    kept = parse(to_text(Session(positions=positions)))
    assert kept.positions == {"tuner/mute": 0.0, "tuner/ref": 0.4}
    assert kept.unknown_positions == {}
