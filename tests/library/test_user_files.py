"""Adding models to the user's folder and removing them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nemod.common.errors import ModelError, NotFoundError
from nemod.library import Library, user_folder
from nemod.library.kind import MODELS
from nemod.library.user_files import add, remove

Write = Callable[..., Path]


@pytest.fixture
def library() -> Library:
    """Return the library of a user who has no model yet."""
    return Library()


def test_a_model_is_copied_and_named(library: Library, folder: Path, write_model: Write) -> None:
    """The file itself stays where it is."""
    source = write_model(folder / "amp.json")
    target = user_folder() / "amp.json"
    assert add(library, source) == ("amp", target, True)
    assert target.read_bytes() == source.read_bytes()
    assert library.find("amp") == ("amp", target)
    assert list(user_folder().iterdir()) == [target]


def test_the_same_content_is_not_copied_again(
    library: Library, folder: Path, write_model: Write
) -> None:
    """Whatever its name."""
    add(library, write_model(folder / "amp.json"))
    library.refresh(workers=1)
    again = add(library, write_model(folder / "other.json"))
    assert again == ("amp", user_folder() / "amp.json", False)
    assert len(list(user_folder().iterdir())) == 1


def test_a_name_that_is_taken_is_refused(
    library: Library, folder: Path, write_model: Write
) -> None:
    """Nothing is overwritten, in any case and with any suffix."""
    add(library, write_model(folder / "amp.json", 1))
    before = (user_folder() / "amp.json").read_bytes()
    for name in ("amp.json", "AMP.nam"):
        with pytest.raises(ModelError, match="another model is named"):
            add(library, write_model(folder / name, 2))
    assert (user_folder() / "amp.json").read_bytes() == before


def test_what_cannot_be_played_is_refused(library: Library, folder: Path) -> None:
    """The user's folder stays as it is."""
    (folder / "half.json").write_text('{"model_data": {}')
    (folder / "amp.txt").touch()
    (folder / "a\tb.json").touch()
    os.mkfifo(folder / "pipe.json")
    for name in ("half.json", "amp.txt", "a\tb.json", "pipe.json", "absent.json"):
        with pytest.raises(ModelError):
            add(library, folder / name)
    assert not user_folder().exists()


def test_a_hidden_file_is_no_model(library: Library, folder: Path, write_model: Write) -> None:
    """Neither to be added nor as a name that is taken."""
    with pytest.raises(ModelError, match="a hidden file"):
        add(library, write_model(folder / "._amp.json"))
    write_model(user_folder() / ".amp.json", 1)
    assert add(library, write_model(folder / "amp.json", 2)).is_new


def test_names_that_differ_in_accents_only_are_one(
    library: Library, folder: Path, write_model: Write
) -> None:
    """File names from macOS and Linux spell them differently."""
    add(library, write_model(folder / "caf\u00e9.json", 1))
    with pytest.raises(ModelError, match="another model is named"):
        add(library, write_model(folder / "cafe\u0301.json", 2))


def test_a_removed_model_is_moved(library: Library, folder: Path, write_model: Write) -> None:
    """Two of one name get two names; the index no longer has them."""
    for number in range(2):
        add(library, write_model(folder / "amp.json", number))
        library.refresh(workers=1)
        name, path = remove(library, "AMP")
        assert (name, path.parent) == ("amp", MODELS.removed_folder())
    assert sorted(path.name for path in MODELS.removed_folder().iterdir()) == [
        "amp-2.json",
        "amp.json",
    ]
    assert "amp" not in library.names
    assert not [path for path in library.index.stamps() if path.stem == "amp"]
    assert "amp" not in Library().names


def test_only_the_users_own_models_can_be_removed(folder: Path, write_model: Write) -> None:
    """Neither shipped models nor those of other folders."""
    path = write_model(folder / "amp.json")
    library = Library([folder])
    with pytest.raises(NotFoundError, match="only models in your own folder"):
        remove(library, "amp")
    with pytest.raises(NotFoundError, match="no model is named"):
        remove(library, "nothing")
    assert path.exists()
