"""The library as the daemon uses it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nemod.common.errors import NotFoundError
from nemod.library import Index, Library, shipped_folder, user_folder
from nemod.library import library as module

Open = Callable[[], Library]
Write = Callable[..., Path]


def test_a_start_reads_no_model_and_opens_no_index(open_library: Open, folder: Path) -> None:
    """Names are available at once, also of files that are not in the index."""
    for number in range(3):
        (folder / f"m{number}.json").touch()
    library = open_library()
    assert {"m0", "m1", "m2"} <= set(library.names)
    assert not library.index.file.parent.exists()


def test_the_folders_are_the_shipped_the_users_and_those_given(folder: Path) -> None:
    """In this order, and single files."""
    single = folder.parent / "single.json"
    single.touch()
    library = Library([folder], files=[single])
    assert library.folders == (shipped_folder(), user_folder(), folder)
    assert library.find("SINGLE") == ("single", single)


def test_a_model_is_found_in_any_case(open_library: Open, folder: Path) -> None:
    """And back from its file."""
    (folder / "Plexi.json").touch()
    library = open_library()
    assert library.find("pLEXI") == ("Plexi", folder / "Plexi.json")
    assert library.name_of(folder / "." / "Plexi.json") == "Plexi"
    with pytest.raises(NotFoundError, match="is not in the library"):
        library.name_of(folder / "Other.json")


@pytest.mark.parametrize("name", ["Caf\u00e9", "Cafe\u0301", "CAFE\u0301"])
def test_a_model_is_found_in_any_spelling_of_accents(
    open_library: Open, folder: Path, name: str
) -> None:
    """A configuration written on macOS names it in another one than a phone."""
    path = folder / "Cafe\u0301.json"
    path.touch()
    assert open_library().find(name) == ("Caf\u00e9", path)


def test_a_mistyped_name_gets_the_nearest(open_library: Open, folder: Path) -> None:
    """The message names the folders."""
    (folder / "Plexi.json").touch()
    with pytest.raises(NotFoundError, match=rf"'Plexy', did you mean 'Plexi'\?.*{folder}"):
        open_library().find("Plexy")


@pytest.mark.parametrize("name", ["../secret", "..", "", "secret", "/etc/passwd", "secret.json"])
def test_nothing_outside_is_reached(open_library: Open, folder: Path, name: str) -> None:
    """A name is no path."""
    (folder.parent / "secret.json").touch()
    (folder / "here.json").touch()
    with pytest.raises(NotFoundError):
        open_library().find(name)


def test_a_file_that_becomes_a_link_is_not_followed(open_library: Open, folder: Path) -> None:
    """Also between two listings of the folder."""
    (folder.parent / "secret.json").touch()
    (folder / "a.json").touch()
    library = open_library()
    (folder / "a.json").unlink()
    (folder / "a.json").symlink_to("../secret.json")
    with pytest.raises(NotFoundError, match="is a link now"):
        library.find("a")


def test_a_rescan_finds_and_reads_what_is_new(
    open_library: Open, folder: Path, write_model: Write
) -> None:
    """Names are those of the folders, facts those of the files."""
    (folder / "old.json").touch()
    library = open_library()
    (folder / "old.json").unlink()
    write_model(folder / "new.json")
    library.rescan()
    assert library.entry("NEW").facts.architecture == "LSTM 4, dense 1, skip"
    assert "old" not in library.names


def test_a_rescan_leaves_the_rest_when_its_time_is_up(
    open_library: Open, folder: Path, write_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are complete."""
    monkeypatch.setattr(module, "RESCAN_CAP_S", 0.0)
    library = open_library()
    write_model(folder / "new.json")
    with capture_logs() as logs:
        library.rescan()
    assert "new" in library.names
    assert [line["count"] for line in logs] == [len(library.names)]


def test_a_rescan_does_without_an_index(folder: Path, tmp_path: Path) -> None:
    """Its fault is logged."""
    (tmp_path / "file").touch()
    library = Library([folder], index=Index(tmp_path / "file" / "library.db"))
    (folder / "new.json").touch()
    with capture_logs() as logs:
        library.rescan()
    assert "new" in library.names
    assert [line["event"] for line in logs] == ["index of models not refreshed"]


def test_what_was_left_out_is_noted(open_library: Open, folder: Path) -> None:
    """A file without a possible name is not silently missing."""
    (folder / "a\nb.json").touch()
    library = open_library()
    assert library.notes == (
        f"{str(folder / 'a') + chr(92)}nb.json".join("''")
        + ": its name has a character that is not allowed in names",
    )
    assert not [name for name in library.names if "\n" in name]


def test_two_thousand_files_are_named(open_library: Open, folder: Path) -> None:
    """Half of them alike, in two folders."""
    for number in range(1000):
        for place in ("x", "y"):
            (folder / place).mkdir(exist_ok=True)
            (folder / place / f"m{number}.json").touch()
    names = open_library().names
    assert {"x-m0", "y-m0", "x-m999", "y-m999"} <= set(names)
    assert [name for name in names if name[:2] == "x-"] == [f"x-m{n}" for n in range(1000)]
    assert len([name for name in names if name[:2] in ("x-", "y-")]) == 2_000


def test_the_library_does_without_jax(folder: Path, tmp_path: Path, write_model: Write) -> None:
    """Neither a start nor a rescan loads it into the daemon."""
    write_model(folder / "a.json")
    code = (
        "import sys; from pathlib import Path; from nemod.library import Index, Library; "
        f"library = Library([Path({str(folder)!r})], index=Index(Path({str(tmp_path / 'i')!r}))); "
        "library.rescan(); assert library.entry('a').is_read; print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
