"""Models that clients send."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nemod.common.errors import ModelError, QuotaError
from nemod.common.paths import data_folder
from nemod.library import Library, uploads, user_folder
from nemod.library.uploads import Uploads, folder_size

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
