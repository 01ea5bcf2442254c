"""The library of cabinets: sound files by name, beside the models and apart from them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod.common.errors import CabinetError, NotFoundError
from nemod.library import CABINETS, Index, Library
from nemod.library.user_files import add, remove


def write(path: Path, seed: int = 0, frames: int = 400) -> Path:
    """Write an impulse response."""
    samples = np.random.default_rng(seed).normal(0.0, 0.1, frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples * np.exp(-np.arange(frames) / 50.0), 44_100, subtype="PCM_24")
    return path


@pytest.fixture
def library(folder: Path, tmp_path: Path) -> Library:
    """Five files, of which three are cabinets, and a broken one."""
    for number, name in enumerate(("cab 10.wav", "Cab 2.flac", "sub/deep/x.AIFF")):
        write(folder / name, number)
    write(folder / ".hidden.wav")
    (folder / "amp.json").write_text("{}")
    (folder / "broken.wav").write_text("no sound")
    return Library([folder], index=Index(tmp_path / "cabinets.db"), kind=CABINETS)


def own(library: Library) -> list[str]:
    """Return the names of those that do not ship."""
    return [name for name in library.names if not name.startswith("sim-")]


def test_names_are_stems_in_natural_order(library: Library) -> None:
    """Of sound files in any folder, hidden ones and models left out; four ship."""
    assert own(library) == ["broken", "Cab 2", "cab 10", "x"]
    assert len(library.names) == 8
    assert library.find("CAB 2")[0] == "Cab 2"
    with pytest.raises(NotFoundError, match="no cabinet is named 'cab 3', did you mean"):
        library.find("cab 3")


def test_a_scan_reads_every_file(library: Library) -> None:
    """Length, rate and hash of what can be played, the reason for what cannot."""
    report = library.refresh(workers=1)
    assert (report.files, report.read, len(report.refused)) == (8, 8, 1)
    entry = library.entry("cab 10")
    assert (entry.facts.sample_rate, entry.facts.architecture) == (44_100, "9.1 ms")
    assert library.find_by_hash(library.content_hash("cab 10")) == "cab 10"
    assert "cannot be read as sound" in library.problem("broken")
    assert list(library.problems()) == ["broken"]
    assert all(not library.problem(name) for name in library.names if name.startswith("sim-"))


def test_adding_copies_into_the_user_s_own_folder(library: Library, tmp_path: Path) -> None:
    """Once; nothing that is no impulse response, and no model."""
    source = write(tmp_path / "new" / "mine.wav", 7)
    library.refresh(workers=1)
    added = add(library, source)
    assert (added.name, added.is_new) == ("mine", True)
    assert added.path == CABINETS.user_folder() / "mine.wav"
    library.refresh(workers=1)
    assert add(library, source) == ("mine", added.path, False)
    for name, reason in (
        ("broken.wav", "cannot be read as sound"),
        ("amp.json", "a cabinet's file is named .wav, .flac"),
    ):
        with pytest.raises(CabinetError, match=reason):
            add(library, tmp_path / "models" / name)
    assert remove(library, "mine") == ("mine", CABINETS.removed_folder() / "mine.wav")
    assert "mine" not in library.names
