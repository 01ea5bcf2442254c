"""What the daemon begins with: asked for, kept, or the first there is."""

import os
import shutil
from pathlib import Path

import pytest
import structlog

from nemod.chain import Slot, read_chain
from nemod.common.errors import NotFoundError
from nemod.config import load as load_config
from nemod.control.backends import SlotFile
from nemod.daemon.session import Session, SessionPreset, save
from nemod.daemon.startup import Startup, prepare, state_file
from nemod.library import CABINETS, Library, shipped_folder
from tests.chains import BOARD, chain_of

KEPT = "drive-gru20"


def others(*without: str) -> list[str]:
    """Return the names of all shipped models but these, in the order of the library."""
    return [name for name in Library().names if name not in without]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A state file that names a shipped model, a size and a knob."""
    path = tmp_path / "state.json"
    file = str(shipped_folder() / f"{KEPT}.json")
    chain = chain_of(KEPT, size=0.5)
    save(path, Session(chain=chain, paths={"model": file}, positions={"bass": 0.7}))
    return path


def names(file: Path | bool, **asked: object) -> list[str]:
    """Return the first models that a daemon with this state tries, in order."""
    state = file if isinstance(file, bool) else str(file)
    return candidates(prepare(load_config(None, {"state": state, **asked})))


def candidates(startup: Startup) -> list[str]:
    """Return the names of the models to try, in order."""
    return [rig.first("model").name for rig in startup.candidates()]


def size(startup: Startup) -> float | None:
    """Return the size of the first model."""
    return startup.rig.wanted.chain["model"].size


def cab(startup: Startup) -> SlotFile:
    """Return the first cabinet."""
    return startup.rig.wanted.first("cab")


def test_the_model_of_the_last_time_comes_first(kept: Path) -> None:
    """With the first of the library behind it, should it not play; knobs and size come too."""
    startup = prepare(load_config(None, {"state": str(kept)}))
    assert candidates(startup) == [KEPT, *others(KEPT)]
    assert (size(startup), dict(startup.session.positions)) == (0.5, {"bass": 0.7})


def test_what_is_asked_for_wins(kept: Path) -> None:
    """A model and a size of the command line; and without a state nothing is restored."""
    assert names(kept, model="clipper-lstm16") == ["clipper-lstm16"]
    assert size(prepare(load_config(None, {"state": str(kept), "size": 0.25}))) == 0.25
    assert size(prepare(load_config(None, {"state": str(kept), "model": "drive-gru20"}))) is None
    startup = prepare(load_config(None, {"state": False}))
    assert (startup.session, startup.state_file) == (Session(), None)
    with pytest.raises(NotFoundError, match="nosuch"):
        names(kept, model="nosuch")


def test_the_step_down_is_as_it_was_unless_asked_for(kept: Path) -> None:
    """It is a knob of the session."""
    assert "size/auto" not in prepare(load_config(None, {"state": str(kept)})).session.positions
    for is_on in (True, False):
        config = load_config(None, {"state": str(kept), "step_down": is_on})
        assert prepare(config).session.positions["size/auto"] == float(is_on)


def test_a_kept_model_outside_the_library_is_found_by_its_file(tmp_path: Path) -> None:
    """It was given as a file the last time."""
    model = tmp_path / "mine.json"
    shutil.copy(shipped_folder() / f"{KEPT}.json", model)
    file = tmp_path / "state.json"
    save(file, Session(chain=chain_of("mine"), paths={"model": str(model)}))
    assert names(file) == ["mine", *others()]


def test_a_kept_model_that_is_gone_is_told(tmp_path: Path) -> None:
    """And the first of the library plays."""
    file = tmp_path / "state.json"
    paths = {"model": str(tmp_path / "gone.json")}
    save(file, Session(chain=chain_of("gone"), paths=paths))
    with structlog.testing.capture_logs() as logs:
        assert names(file) == others()
    assert [(entry["event"], entry["file"]) for entry in logs] == [
        ("model of the last session not found", "gone")
    ]


def test_the_default_place_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the configuration names a file."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_file(load_config(None, {})) == tmp_path / "nemod" / "state.json"
    assert state_file(load_config(None, {"state": "/x/y.json"})) == Path("/x/y.json")


def test_one_daemon_keeps_a_state_and_the_next_only_restores_it(kept: Path) -> None:
    """It says who keeps it; when that one is gone the file is free again."""
    config = load_config(None, {"state": str(kept)})
    first = prepare(config)
    with structlog.testing.capture_logs() as logs:
        second = prepare(config)
    assert (first.state_file, second.state_file) == (kept, None)
    assert second.session == first.session
    assert [entry["process"] for entry in logs] == [os.getpid()]
    del first
    assert prepare(config).state_file == kept


@pytest.fixture
def cabinet(tmp_path: Path) -> Path:
    """A shipped cabinet outside of all folders."""
    path = tmp_path / "mine.flac"
    shutil.copy(CABINETS.shipped_folder() / "sim-open-1x12.flac", path)
    return path


def test_the_cabinet_of_the_last_time_comes_back(tmp_path: Path, cabinet: Path) -> None:
    """By its file, else by its name; one that is gone is a warning."""
    state = tmp_path / "state.json"
    for name, path, found in (
        ("old name", str(cabinet), ("mine", cabinet)),
        ("SIM-open-1x12", "", ("sim-open-1x12", None)),
        ("gone", str(tmp_path / "gone.wav"), ("", None)),
        ("", "", ("", None)),
    ):
        paths = {"cab": path} if path else {}
        save(state, Session(chain=chain_of(KEPT, cab=name), paths=paths))
        with structlog.testing.capture_logs() as logs:
            startup = prepare(load_config(None, {"state": str(state)}))
        assert cab(startup).name == found[0]
        assert cab(startup).path == found[1] or found[1] is None
        # The next start looks for it again.
        assert startup.session.chain["cab"].file == (found[0] or name)
        events = [log["event"] for log in logs]
        assert ("cabinet of the last session not found" in events) == (name == "gone")


def test_a_path_that_the_system_refuses_does_not_end_the_start(kept: Path, tmp_path: Path) -> None:
    """A saved one is passed over; one that is asked for is an error for the user."""
    long = "x" * 300
    paths = {"cab": str(tmp_path / long)}
    save(kept, Session(chain=chain_of(KEPT, cab="gone"), paths=paths))
    assert cab(prepare(load_config(None, {"state": str(kept)}))).name == ""
    for asked in ({"cab": long}, {"model": long}):
        with pytest.raises(NotFoundError, match="cannot be read: File name too long"):
            prepare(load_config(None, {"state": str(kept), **asked}))


def test_a_cabinet_that_is_asked_for_wins_and_is_switched_on(kept: Path, cabinet: Path) -> None:
    """By file or by name; a name that is not there ends the start."""
    for given, name in ((str(cabinet), "mine"), ("sim-closed-4x12", "sim-closed-4x12")):
        startup = prepare(load_config(None, {"state": str(kept), "cab": given}))
        assert cab(startup).name == name
        assert dict(startup.session.positions) == {"bass": 0.7, "cab/enable": 1.0}
    with pytest.raises(NotFoundError, match="no cabinet is named 'nosuch'"):
        prepare(load_config(None, {"state": str(kept), "cab": "nosuch"}))


def test_a_chain_comes_back_with_its_files(tmp_path: Path, cabinet: Path) -> None:
    """Each slot's by its file, else by its name; a missing one is empty, and stays in the session.

    Other models are tried in the first model slot only.
    """
    state = tmp_path / "state.json"
    chain = BOARD.with_slot(Slot(name="pedal", kind="model", file=KEPT, size=0.5))
    chain = chain.with_slot(Slot(name="model2", kind="model", file="gone"))
    save(state, Session(chain=chain, paths={"cab": str(cabinet)}, positions={"echo/mix": 0.3}))
    startup = prepare(load_config(None, {"state": str(state)}))
    wanted = startup.rig.wanted
    assert wanted.chain == chain.with_slot(Slot(name="cab", kind="cab", file="mine"))
    assert (wanted.paths["pedal"].stem, wanted.paths["cab"]) == (KEPT, cabinet)
    assert "model2" not in wanted.paths
    first, second, *_ = startup.candidates()
    assert (first.file("pedal").name, first.chain["model2"].file) == (KEPT, "")
    assert first.chain["pedal"].size == 0.5
    assert (second.file("pedal").name, second.file("cab").path) == (others(KEPT)[0], cabinet)
    assert dict(startup.session.positions) == {"echo/mix": 0.3}


def test_a_chain_without_a_model_starts_as_it_is(tmp_path: Path) -> None:
    """Unless a model is asked for: that needs a slot, which the default chain has."""
    state = tmp_path / "state.json"
    save(state, Session(chain=read_chain(["eq", "reverb"]), positions={"bass": 0.2}))
    (rig,) = prepare(load_config(None, {"state": str(state)})).candidates()
    assert [slot.name for slot in rig.chain] == ["eq", "reverb"]
    startup = prepare(load_config(None, {"state": str(state), "model": KEPT}))
    (rig,) = startup.candidates()
    assert rig.chain == chain_of(KEPT)
    assert dict(startup.session.positions) == {"bass": 0.2}


def test_snapshots_stay_with_their_slots_where_the_default_chain_is_loaded(tmp_path: Path) -> None:
    """As the positions do: those of slots that it does not have are left out."""
    state = tmp_path / "state.json"
    chain = read_chain(["eq", "reverb", "delay", {"echo": {"kind": "delay"}}])
    sound = {"bass": 0.2, "delay/mix": 0.4, "echo/mix": 0.7}
    preset = SessionPreset(number=3, name="Board", snapshots={1: sound})
    save(state, Session(chain=chain, positions=sound, preset=preset))
    startup = prepare(load_config(None, {"state": str(state), "model": KEPT}))
    kept = startup.session.preset
    assert kept is not None
    assert kept.snapshots == {1: {"bass": 0.2, "delay/mix": 0.4}}
    assert startup.session.positions == kept.snapshots[1]


def test_a_model_that_is_gone_when_it_is_tried_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one of the library is tried."""
    startup = prepare(load_config(None, {"state": str(tmp_path / "state.json")}))
    find = startup.library.find
    gone, *rest = others()

    def found(name: str) -> tuple[str, Path]:
        if name == gone:
            raise NotFoundError(f"no model is named {name!r}")
        return find(name)

    monkeypatch.setattr(startup.library, "find", found)
    assert candidates(startup) == rest
