"""What the daemon begins with: asked for, kept, or the first there is."""

import os
import shutil
from pathlib import Path

import pytest
import structlog

from nemod.common.errors import NotFoundError
from nemod.config import load as load_config
from nemod.daemon.session import Session, save
from nemod.daemon.startup import Startup, prepare, state_file
from nemod.library import CABINETS, Library, shipped_folder

KEPT = "drive-gru20"


def others(*without: str) -> list[str]:
    """Return the names of all shipped models but these, in the order of the library."""
    return [name for name in Library().names if name not in without]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A state file that names a shipped model, a size and a knob."""
    path = tmp_path / "state.json"
    file = str(shipped_folder() / f"{KEPT}.json")
    save(path, Session(model=KEPT, path=file, size=0.5, positions={"bass": 0.7}))
    return path


def names(file: Path | bool, **asked: object) -> list[str]:
    """Return the first models that a daemon with this state tries, in order."""
    state = file if isinstance(file, bool) else str(file)
    return candidates(prepare(load_config(None, {"state": state, **asked})))


def candidates(startup: Startup) -> list[str]:
    """Return the names of the models to try, in order."""
    return [model.name for model in startup.candidates()]


def test_the_model_of_the_last_time_comes_first(kept: Path) -> None:
    """With the first of the library behind it, should it not play; knobs and size come too."""
    startup = prepare(load_config(None, {"state": str(kept)}))
    assert candidates(startup) == [KEPT, *others(KEPT)]
    assert (startup.size, dict(startup.session.positions)) == (0.5, {"bass": 0.7})


def test_what_is_asked_for_wins(kept: Path) -> None:
    """A model and a size of the command line; and without a state nothing is restored."""
    assert names(kept, model="clipper-lstm16") == ["clipper-lstm16"]
    assert prepare(load_config(None, {"state": str(kept), "size": 0.25})).size == 0.25
    startup = prepare(load_config(None, {"state": False}))
    assert (startup.session, startup.state_file) == (Session(), None)
    with pytest.raises(NotFoundError, match="nosuch"):
        names(kept, model="nosuch")


def test_the_step_down_is_as_it_was_unless_asked_for(kept: Path) -> None:
    """It is a knob of the session."""
    for asked, expected in ((None, None), (True, 1.0), (False, 0.0)):
        config = load_config(None, {"state": str(kept), "step_down": asked})
        assert prepare(config).session.positions.get("size/auto") == expected


def test_a_kept_model_outside_the_library_is_found_by_its_file(tmp_path: Path) -> None:
    """It was given as a file the last time."""
    model = tmp_path / "mine.json"
    shutil.copy(shipped_folder() / f"{KEPT}.json", model)
    file = tmp_path / "state.json"
    save(file, Session(model="mine", path=str(model)))
    assert names(file) == ["mine", *others()]


def test_a_kept_model_that_is_gone_is_told(tmp_path: Path) -> None:
    """And the first of the library plays."""
    file = tmp_path / "state.json"
    save(file, Session(model="gone", path=str(tmp_path / "gone.json")))
    with structlog.testing.capture_logs() as logs:
        assert names(file) == others()
    assert [(entry["event"], entry["model"]) for entry in logs] == [
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
        save(state, Session(model=KEPT, cabinet=name, cabinet_path=path))
        with structlog.testing.capture_logs() as logs:
            startup = prepare(load_config(None, {"state": str(state)}))
        assert startup.cabinet.name == found[0]
        assert startup.cabinet.path == found[1] or found[1] is None
        events = [log["event"] for log in logs]
        assert ("cabinet of the last session not found" in events) == (name == "gone")


def test_a_path_that_the_system_refuses_does_not_end_the_start(kept: Path, tmp_path: Path) -> None:
    """A saved one is passed over; one that is asked for is an error for the user."""
    long = "x" * 300
    save(kept, Session(model=KEPT, cabinet="gone", cabinet_path=str(tmp_path / long)))
    assert prepare(load_config(None, {"state": str(kept)})).cabinet.name == ""
    for asked in ({"cab": long}, {"model": long}):
        with pytest.raises(NotFoundError, match="cannot be read: File name too long"):
            prepare(load_config(None, {"state": str(kept), **asked}))


def test_a_cabinet_that_is_asked_for_wins_and_is_switched_on(kept: Path, cabinet: Path) -> None:
    """By file or by name; a name that is not there ends the start."""
    for given, name in ((str(cabinet), "mine"), ("sim-closed-4x12", "sim-closed-4x12")):
        startup = prepare(load_config(None, {"state": str(kept), "cab": given}))
        assert startup.cabinet.name == name
        assert dict(startup.session.positions) == {"bass": 0.7, "cab/enable": 1.0}
    with pytest.raises(NotFoundError, match="no cabinet is named 'nosuch'"):
        prepare(load_config(None, {"state": str(kept), "cab": "nosuch"}))
