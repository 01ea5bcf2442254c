"""Models that clients send."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nemod.common.errors import CabinetError, ModelError, QuotaError
from nemod.common.paths import data_folder
from nemod.library import CABINETS, Library, uploads, user_folder
from nemod.library.uploads import Uploads, folder_size
from tests.library.test_cabinets import write as write_response

Write = Callable[..., Path]


@pytest.fixture
def library() -> Library:
    return Library()


def test_a_model_is_verified_kept_and_known(
    library: Library, folder: Path, write_model: Write
) -> None:
    """By its name, with what its file says; nothing is left of the upload."""
    content = write_model(folder / "amp.json").read_bytes()
    assert Uploads(library, 10**9).add("Über Amp.json", content) == "Über Amp"
    assert (user_folder() / "Über Amp.json").read_bytes() == content
    assert library.entry("Über Amp").facts.architecture
    assert not list(data_folder().glob(".incoming-*"))
    # The same content under another name is the same model.
    assert Uploads(library, 10**9).add("other.json", content) == "Über Amp"
    assert len(list(user_folder().iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("amp.json", b"{", "line 1"),
        ("amp.json", b"[" * 100_000, "nested"),
        ("amp.json", b"\x89PNG\r\n", "not JSON"),
        ("amp.exe", b"{}", "a model's file is named"),
        (".amp.json", b"{}", "hidden"),
        ("../amp.json", b"{}", "not allowed"),
        ("a\\b.json", b"{}", "not allowed"),
        ("a\nb.json", b"{}", "not allowed"),
        ("", b"{}", "not allowed"),
        ("..", b"{}", "not allowed"),
        ("x" * 250 + ".json", b"{}", "longer than"),
    ],
)
def test_what_is_no_model_is_refused(
    library: Library, name: str, content: bytes, reason: str
) -> None:
    """With a reason that names no folder of this machine; the user's folder stays as it is."""
    with pytest.raises(ModelError, match=reason) as caught:
        Uploads(library, 10**9).add(name, content)
    assert str(data_folder()) not in caught.value.reason
    assert not user_folder().exists() or not list(user_folder().iterdir())
    assert not list(data_folder().glob(".incoming-*"))


def test_there_is_a_quota(
    library: Library, folder: Path, write_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the user's folder, and of the disk."""
    content = write_model(folder / "amp.json", 1).read_bytes()
    quota = len(content) + 10
    Uploads(library, quota).add("amp.json", content)
    assert folder_size(user_folder()) == len(content)
    more = write_model(folder / "more.json", 2).read_bytes()
    with pytest.raises(QuotaError, match=r"http\.upload_quota"):
        Uploads(library, quota).add("more.json", more)
    monkeypatch.setattr(uploads, "MIN_FREE", 10**18)
    with pytest.raises(QuotaError, match="the disk has only"):
        Uploads(library, 10**9).add("more.json", more)


def test_a_cabinet_is_verified_and_kept(tmp_path: Path) -> None:
    """In the library of cabinets, by its own rules."""
    library = Library(kind=CABINETS)
    content = write_response(tmp_path / "new" / "mine.wav").read_bytes()
    uploads_of_cabinets = Uploads(library, 10**9)
    assert uploads_of_cabinets.add("mine.wav", content) == "mine"
    assert (CABINETS.user_folder() / "mine.wav").read_bytes() == content
    for name, reason in (
        ("broken.wav", "cannot be read as sound"),
        ("amp.json", "a cabinet's file is named"),
        ("../a.wav", "not allowed"),
    ):
        with pytest.raises(CabinetError, match=reason):
            uploads_of_cabinets.add(name, b"no sound")
    with pytest.raises(QuotaError, match="your cabinets take"):
        Uploads(library, len(content)).add("other.wav", content[:-1])
    assert len(list(CABINETS.user_folder().iterdir())) == 1
